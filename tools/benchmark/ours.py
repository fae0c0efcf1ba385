"""Our app as a process of its own, which times its calls itself: no interpreter's start in it.

python -m tools.benchmark.ours
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any, Iterator

import django
from django.conf import settings
from django.core.management import call_command
from pynetdicom.association import Association

from qatrack_aria.dicom.association import Peer
from qatrack_aria.dicom.inbox import Inbox
from qatrack_aria.dicom.storage_scp import StorageScp
from qatrack_aria.errors import AriaError
from qatrack_aria.storage.archive import Archive
from tests.helpers.datasets import encoded
from tests.helpers.peers.server import HOST, free_port
from tools.benchmark.aria import OUR_AE_TITLE
from tools.benchmark.world import LABEL
from tools.helper import obey


class Ours:
    """A site: its nodes, its archives, and one receiver at a time."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._inbox: Inbox | None = None

    def add_node(self, **fields: Any) -> None:
        from tools.node import make_node  # its models need Django's settings

        make_node(**fields)

    def fetch(
        self, archive: str, node: str, patient: str, options: dict[str, Any]
    ) -> dict[str, Any]:
        """Fetch; the seconds, the growth of peak memory in bytes, and what came.

        With the option `tried`, a failure is returned by its class and its message.
        """
        from qatrack_aria import fetch_images  # its models need Django's settings

        settings.QATRACK_ARIA_ARCHIVE = archive
        tried = options.pop("tried", False)
        before = _begin_peak()
        start = time.perf_counter()
        try:
            images = fetch_images(node, patient, LABEL, **{"deadline": 300, **options})
        except AriaError as failure:
            if not tried:
                raise
            return {"error": type(failure).__name__, "message": str(failure)}
        seconds = time.perf_counter() - start
        peak = _memory("VmHWM") - before
        return {"seconds": seconds, "peak": peak, "images": len(images), "moved": images.moved}

    def watch(self, folder: str, *fetch: Any) -> dict[str, int]:
        """Fetch; what was exchanged, and each C-FIND's identifier as a file in `folder`."""
        counts = dict.fromkeys(("C-FIND", "answers", "C-MOVE", "C-GET"), 0)
        with _watched(counts, Path(folder)):
            self.fetch(*fetch)
        return counts

    def listen(self, archive: str, ae_title: str, uids: list[str], patient: str) -> int:
        """Open our receiver, which expects just these instances and files them; its port."""
        kept = Archive(Path(archive))
        port = free_port()
        peer = Peer(
            name="sender",
            remote_ae_title=ae_title,
            remote_host=HOST,
            remote_port=104,
            local_ae_title=OUR_AE_TITLE,
            local_host=HOST,
            local_port=port,
        )
        self._inbox = Inbox(lambda incoming: kept.receive(incoming, patient).commit)
        self._inbox.expect(uids)
        self._stack.enter_context(StorageScp(peer, self._inbox))
        return port

    def close(self) -> int:
        """Close it; how many instances it has filed."""
        self._stack.close()
        inbox = self._inbox
        if inbox is None:
            return 0
        with inbox.changed:
            inbox.changed.wait_for(lambda: not inbox.filing)
        return len(inbox.arrived)


@contextlib.contextmanager
def _watched(counts: dict[str, int], folder: Path) -> Iterator[None]:
    methods = {
        "C-FIND": Association.send_c_find,
        "C-MOVE": Association.send_c_move,
        "C-GET": Association.send_c_get,
    }

    def watching(service: str, send: Any) -> Any:
        def watched(association: Any, identifier: Any, *arguments: Any, **named: Any) -> Any:
            counts[service] += 1
            if service == "C-FIND":
                path = folder / f"{counts[service]:03d}.dcm"
                path.write_bytes(encoded(identifier))
            for status, answer in send(association, identifier, *arguments, **named):
                counts["answers"] += service == "C-FIND" and answer is not None
                yield status, answer

        return watched

    try:
        for service, send in methods.items():
            setattr(Association, send.__name__, watching(service, send))
        yield
    finally:
        for send in methods.values():
            setattr(Association, send.__name__, send)


def _begin_peak() -> int:
    """Have the peak of memory count from now on; the bytes that are in use now."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(what: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what + ":"))


def main() -> None:
    django.setup()
    call_command("migrate", "qatrack_aria", verbosity=0)
    obey(Ours())


if __name__ == "__main__":
    main()
