"""Serve a simulated ARIA on the loopback interface, to rehearse retrievals without a linac."""

from __future__ import annotations

import ipaddress
import signal
import sys
import threading
from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from qatrack_aria.simulator import Behaviour, Operation, Simulator, phantom

_NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


class Command(BaseCommand):
    """Parse the options, serve until Ctrl-C, and print each operation."""

    help = (
        "Serve a simulated ARIA DB Service with the plans and images of a phantom, or with your "
        "own DICOM files, until Ctrl-C. It has no access control, and so listens on the loopback "
        "only."
    )
    requires_system_checks: Any = []  # it needs neither the database nor the site's settings

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
        parser.add_argument("--port", type=int, default=51402, help="0 for any free port")
        parser.add_argument("--ae-title", default="VMSDBD")
        parser.add_argument(
            "--peer",
            action="append",
            default=[],
            metavar="AE:HOST:PORT",
            help="AE that may call, and where C-MOVE sends to (default QATRACK:127.0.0.1:11112)",
        )
        parser.add_argument("--dir", help="serve the DICOM files of this folder, and no phantom")
        parser.add_argument(
            "--with-phantom", action="store_true", help="serve the phantom beside --dir"
        )
        parser.add_argument(
            "--behaviour",
            action="append",
            default=[],
            metavar="NAME[=VALUE]",
            help="a switch of qatrack_aria.simulator.Behaviour",
        )
        parser.add_argument("--small", action="store_true", help="images of 64x64 pixels")

    def handle(self, *args: Any, **options: Any) -> None:
        if not _is_loopback(options["host"]):
            raise CommandError(
                f"--host {options['host']}: the simulator has no access control and listens on a "
                "loopback address only, such as 127.0.0.1"
            )
        peers = dict(_peer(text) for text in options["peer"] or ["QATRACK:127.0.0.1:11112"])
        try:
            behaviour = Behaviour.from_options(options["behaviour"])
        except ValueError as error:
            raise CommandError(f"--behaviour: {error}") from None
        simulator = Simulator(
            self._datasets(options["dir"], options["with_phantom"], options["small"]),
            ae_title=options["ae_title"],
            host=options["host"],
            port=options["port"],
            peers=peers,
            behaviour=behaviour,
            on_operation=self._print,
        )
        try:
            simulator.start()
        except (OSError, OverflowError, ValueError) as error:
            raise CommandError(
                f"cannot listen on {options['host']}:{options['port']}: {error}"
            ) from None
        self._stop = threading.Event()
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread:
            before = signal.signal(signal.SIGTERM, lambda *_: self._stop.set())
        try:
            self._say(
                f"{simulator.ae_title} serves {len(simulator)} instances on "
                f"{simulator.host}:{simulator.port}; Ctrl-C ends it"
            )
            self.wait()
        except KeyboardInterrupt:
            pass
        finally:
            simulator.stop()
            if in_main_thread:
                signal.signal(signal.SIGTERM, before)

    def wait(self) -> None:
        """Wait for Ctrl-C or SIGTERM."""
        while not self._stop.wait(0.5):  # Windows handles Ctrl-C only between waits
            pass

    def _datasets(self, folder: str | None, with_phantom: bool, small: bool) -> list[Dataset]:
        datasets = _read(Path(folder)) if folder else []
        if with_phantom or not folder:
            datasets += phantom.qa_history(datetime.now(), full_size=False if small else None)
        return datasets

    def _print(self, operation: Operation) -> None:
        keys = ", ".join(
            f"{keyword}={value}"
            for keyword, value in operation.identifier.items()
            if value and keyword != "QueryRetrieveLevel"
        )
        words = (operation.kind, operation.level, operation.peer, keys)
        shown = " ".join(word for word in words if word)
        count = {"C-FIND": "found", "C-MOVE": "sent", "C-GET": "sent"}.get(operation.kind)
        answers = f" {operation.answers} {count}," if count else ""
        self._say(f"{shown}:{answers} status 0x{operation.status:04X}")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        sys.stdout.flush()  # the wrapper's own flush() does nothing in Django 2.2


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _peer(text: str) -> tuple[str, tuple[str, int]]:
    ae_title, _, address = text.partition(":")
    host, _, port = address.rpartition(":")
    if not (0 < len(ae_title) <= 16 and host and port.isdigit() and 0 < int(port) < 65536):
        raise CommandError(f"--peer {text}: expected AE:HOST:PORT, such as QATRACK:127.0.0.1:11112")
    return ae_title, (host.strip("[]"), int(port))


def _read(folder: Path) -> list[Dataset]:
    """Read the DICOM files of a folder and its subfolders; ignore other files."""
    if not folder.is_dir():
        raise CommandError(f"--dir {folder}: no such folder")
    datasets: list[Dataset] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            dataset = dcmread(path)
        except InvalidDicomError:
            continue
        if all(keyword in dataset for keyword in _NEEDED):
            datasets.append(dataset)
    if not datasets:
        raise CommandError(f"--dir {folder}: no DICOM files there")
    return datasets
