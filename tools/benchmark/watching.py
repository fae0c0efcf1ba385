"""Our service of watches as a process of its own.

python -m tools.benchmark.watching
"""

from __future__ import annotations

import resource
import time
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from pynetdicom.association import Association

from tools.benchmark.world import LABEL
from tools.helper import obey


class Watching:
    """Watches, and how long a round of them takes."""

    def __init__(self) -> None:
        self._finds = 0
        send = Association.send_c_find

        def counted(*arguments: Any, **named: Any) -> Any:
            self._finds += 1
            return send(*arguments, **named)

        Association.send_c_find = counted  # type: ignore[method-assign]

    def keep(self, archive: str) -> None:
        """File images there."""
        settings.QATRACK_ARIA_ARCHIVE = archive

    def add_node(self, **fields: Any) -> None:
        from tools.node import make_node  # its models need Django's settings

        make_node(**fields)

    def add_watches(self, node: str, patients: list[str], since: str) -> None:
        """Watch a plan of each patient."""
        from qatrack_aria.models import AriaNode, Watch  # its models need Django's settings

        held = AriaNode.objects.get(name=node)
        for patient in patients:
            Watch.objects.create(
                name=patient, node=held, patient_id=patient, plan=LABEL, since=since
            )

    def look(self) -> dict[str, Any]:
        """Have all of them look; the seconds, the C-FINDs, and how many sessions are ready."""
        from qatrack_aria.automation.service import look_at_all
        from qatrack_aria.models import WatchedSession, WatchState

        WatchState.objects.update(looked=None)
        before, start = self._finds, time.perf_counter()
        look_at_all([], str)
        return {
            "seconds": time.perf_counter() - start,
            "finds": self._finds - before,
            "ready": WatchedSession.objects.filter(state="ready").count(),
            "failed": WatchState.objects.exclude(message="").count(),
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }


def main() -> None:
    django.setup()
    call_command("migrate", verbosity=0)
    obey(Watching())


if __name__ == "__main__":
    main()
