"""A web server kills a worker in the midst of a fetch: nothing half-done counts, the next works.

Walked are all points between two changes of the archive, from the making of its folders to the
tidying up.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Iterator

import pydicom
import pytest
from pydicom.dataset import Dataset

from qatrack_aria.simulator import Simulator
from tests import ROOT
from tests.helpers.aria import DAY, NOON, plan, uids, winston_lutz
from tests.helpers.peers.server import free_port

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")

STEPS = 25  # that a fetch of two images has at the very least


class KilledProgram:
    """A running :mod:`tests.storage.killed_program`, and the simulated ARIA it fetches from."""

    def __init__(self, folder: Path, simulator: Simulator, port: int) -> None:
        self.archive = folder / "archive"
        node = {
            "name": "aria",
            "remote_ae_title": "VMSDBD",
            "remote_host": "127.0.0.1",
            "remote_port": simulator.port,
            "local_ae_title": "QATRACK",
            "local_host": "127.0.0.1",
            "local_port": port,
            "allowed_patients": "QA_*",
            "grace": 0.2,
        }
        self.program = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.storage.killed_program",
                str(self.archive),
                json.dumps(node),
            ],
            cwd=ROOT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "tests.settings",
                "QATRACK_ARIA_TEST_DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def fetch(self, killed_before_change: int = 0) -> list[str] | None:
        """The SOP Instance UIDs that came; None if it was killed."""
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        self.program.stdin.write(f"{killed_before_change}\n")
        self.program.stdin.flush()
        answer: list[str] | None = json.loads(self.program.stdout.readline())
        return answer


@pytest.fixture
def wl() -> Dataset:
    return plan("WL")


@pytest.fixture
def images(wl: Dataset) -> list[Dataset]:
    return winston_lutz(wl, NOON - DAY, count=2)


@pytest.fixture
def mortal(wl: Dataset, images: list[Dataset], tmp_path: Path) -> Iterator[KilledProgram]:
    port = free_port()
    with Simulator([wl, *images], peers={"QATRACK": ("127.0.0.1", port)}) as simulator:
        one = KilledProgram(tmp_path, simulator, port)
        with one.program:
            yield one


def whole(archive: Path, images: list[Dataset]) -> dict[str, int]:
    """The names and the inodes of what the archive holds; an error if one is not whole."""
    found = list(archive.glob("instances/*/*/*.dcm"))
    for path in found:
        assert pydicom.dcmread(path) in images, f"{path.name} is not whole"
    return {path.stem: path.stat().st_ino for path in found}


@pytest.mark.slow
def test_killed_anywhere_nothing_is_half_there_and_the_next_fetch_is_right(
    mortal: KilledProgram, images: list[Dataset]
) -> None:
    for number in count(1):
        if mortal.fetch(killed_before_change=number) is not None:
            break
        here = whole(mortal.archive, images)

        assert mortal.fetch() == uids(images), f"killed before change {number}"
        # What was there is the very file still: it was not moved again.
        assert here.items() <= whole(mortal.archive, images).items()
        shutil.rmtree(mortal.archive)

    assert number > STEPS
