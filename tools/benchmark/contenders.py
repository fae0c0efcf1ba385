"""What others do of the same work: DCMTK's programs, and a bare copy over the loopback."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Sequence

from tests.helpers.peers.server import HOST, accepts_connections, find_program, free_port

#: What DCMTK's programs call themselves for Orthanc to send to.
MOVESCU = "MOVESCU"
STORESCU = "STORESCU"

Keys = Sequence[str]


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """Make a folder, and remove it afterwards."""
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        yield Path(folder)


def dcmtk(program: str, *arguments: object, no_delay: bool = False) -> str:
    """Run a program of DCMTK to its end; what it prints."""
    run = subprocess.run(
        [find_program(program, "dcmtk"), *map(str, arguments)],
        env=_environment(no_delay),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    said = run.stdout.decode("latin-1")
    if run.returncode:
        raise AssertionError(f"{program} ended with {run.returncode}: {said[-1000:]}")
    return said


class Dcmtk:
    """DCMTK's clients, all speaking to one server."""

    def __init__(self, port: int, ae_title: str, move_port: int, folder: Path) -> None:
        self._server = ("-aec", ae_title, HOST, port)
        self._move_port = move_port
        self._folder = folder

    def find_and_move(self, patient: str, label: str, images: int) -> float:
        """Seconds of the shortest route one can script: find the plan, its images, and move."""
        start = time.perf_counter()
        with scratch(self._folder) as folder:
            study, series = self._newest_series(patient, label)
            keys = _keys("SERIES", f"StudyInstanceUID={study}", f"SeriesInstanceUID={series}")
            dcmtk(
                "movescu",
                *("-S", "-aet", MOVESCU, "-aem", MOVESCU, "--port", self._move_port),
                *("-od", folder, *keys, *self._server),
            )
            seconds = time.perf_counter() - start
            _require(folder, images)
        return seconds

    def get(self, study: str, series: str, images: int, *, no_delay: bool) -> float:
        """Seconds of ``getscu`` as a whole process."""
        keys = _keys("SERIES", f"StudyInstanceUID={study}", f"SeriesInstanceUID={series}")
        with scratch(self._folder) as folder:
            arguments = ("-S", "-od", folder, *keys, *self._server)
            seconds = _seconds("getscu", *arguments, no_delay=no_delay)
            _require(folder, images)
        return seconds

    def find(self, identifiers: Path, *, no_delay: bool) -> float:
        """Seconds of ``findscu`` as a whole process, for queries as files, in one association."""
        files = sorted(identifiers.glob("*.dcm"))
        return _seconds("findscu", "-q", "-S", *self._server, *files, no_delay=no_delay)

    def _newest_series(self, patient: str, label: str) -> tuple[str, str]:
        of_patient = f"PatientID={patient}"
        plans = self._ask("Modality=RTPLAN", of_patient, f"RTPlanLabel={label}", "SOPInstanceUID")
        (plan,) = _values(plans, "SOPInstanceUID")
        answers = self._ask(
            "Modality=RTIMAGE",
            of_patient,
            "StudyInstanceUID",
            "SeriesInstanceUID",
            "AcquisitionDate",
            "AcquisitionTime",
            "ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID",
        )
        of_plan = [a for a in answers.split("Find Response:") if plan in a]
        newest = max(
            of_plan, key=lambda a: _values(a, "AcquisitionDate") + _values(a, "AcquisitionTime")
        )
        return _values(newest, "StudyInstanceUID")[0], _values(newest, "SeriesInstanceUID")[0]

    def _ask(self, *keys: str) -> str:
        return dcmtk("findscu", "-S", *_keys("IMAGE", *keys), *self._server)


def send(files: Path, port: int, ae_title: str, *, no_delay: bool) -> float:
    """Seconds of ``storescu`` as a whole process, sending a folder."""
    arguments = ("-aet", STORESCU, "-aec", ae_title, "-R", "+sd", HOST, port, files)
    return _seconds("storescu", *arguments, no_delay=no_delay)


@contextmanager
def storescp(folder: Path, *, no_delay: bool) -> Iterator[int]:
    """DCMTK's receiver, filing into `folder`; its port."""
    port = free_port()
    process = subprocess.Popen(
        [find_program("storescp", "dcmtk"), "-od", str(folder), str(port)],
        env=_environment(no_delay),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while process.poll() is None and not accepts_connections(port):
            time.sleep(0.01)
        yield port
    finally:
        process.terminate()
        process.wait()


def loopback_copy(files: Sequence[Path], parent: Path, *, flushed: bool) -> float:
    """Seconds to copy files over a loopback socket into others; flushed to the disk, or not."""
    with scratch(parent) as folder, socket.create_server((HOST, 0)) as listener:
        start = time.perf_counter()
        sender = threading.Thread(target=_send_files, args=(listener, files))
        sender.start()
        with socket.create_connection(listener.getsockname()) as incoming:
            for file in files:
                _receive_file(incoming, folder / file.name, file.stat().st_size, flushed)
        sender.join()
        return time.perf_counter() - start


def _send_files(listener: socket.socket, files: Sequence[Path]) -> None:
    outgoing, _ = listener.accept()
    with outgoing:
        for file in files:
            with file.open("rb") as source:
                outgoing.sendfile(source)


def _receive_file(incoming: socket.socket, path: Path, size: int, flushed: bool) -> None:
    buffer = memoryview(bytearray(131072))
    with path.open("wb", buffering=0) as target:
        while size:
            got = incoming.recv_into(buffer, min(size, len(buffer)))
            target.write(buffer[:got])
            size -= got
        if flushed:
            os.fsync(target.fileno())


def _seconds(program: str, *arguments: object, no_delay: bool) -> float:
    start = time.perf_counter()
    dcmtk(program, *arguments, no_delay=no_delay)
    return time.perf_counter() - start


def _environment(no_delay: bool) -> dict[str, str]:
    return {**os.environ, **({"TCP_NODELAY": "1"} if no_delay else {})}


def _keys(level: str, *keys: str) -> list[str]:
    return [part for key in (f"QueryRetrieveLevel={level}", *keys) for part in ("-k", key)]


def _values(answers: str, keyword: str) -> list[str]:
    """Return the values of an attribute in the answers that ``findscu`` prints."""
    return [v.strip(" \0") for v in re.findall(rf"\[([^\]]*)\][^\n]* {keyword}\b", answers)]


def _require(folder: Path, images: int) -> None:
    require(len(list(folder.iterdir())), images)


def require(count: Any, wanted: Any) -> None:
    """Refuse a result that is not complete: its figure would be wrong."""
    if count != wanted:
        raise AssertionError(f"{count} instances where {wanted} belong")
