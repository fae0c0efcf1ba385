"""Random hospitals: the right set, or an error; thousands of them: ``make hospitals``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.peers.server import PeerMissing
from tools.hospitals.run import run
from tools.hospitals.summary import Summary

REQUESTS = 30  # in each test, which takes some seconds


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("peer", "seed"),
    [
        *(("simulator", seed) for seed in range(1, 6)),
        pytest.param("orthanc", 1, marks=pytest.mark.peers),
        pytest.param("dcmqrscp", 1, marks=pytest.mark.peers),
    ],
)
def test_no_request_gets_a_wrong_or_a_partial_set(db, settings, tmp_path, print_at_end, peer, seed):
    settings.QATRACK_ARIA_ARCHIVE = ""  # each hospital has one of its own; set back afterwards
    summary = Summary()
    try:
        for case in run(peer, seed, REQUESTS, Path(tmp_path)):
            summary.add(case)
    except PeerMissing as missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))
    print_at_end(f"{peer}, seed {seed}: {summary.line}")
    assert not summary.bad, "\n".join(map(str, summary.bad))


def test_the_program_prints_one_line_of_numbers():
    program = subprocess.run(
        [sys.executable, "-m", "tools.hospitals", "--requests", "3", "--seed", "9"],
        cwd=Path(__file__).resolve().parents[3],
        stdout=subprocess.PIPE,
        text=True,
        timeout=100,
    )
    line = r"requests 3, wrong (\d+), partial (\d+), crashes (\d+), needless errors \d+\n"
    numbers = re.search(line, program.stdout)
    assert numbers
    assert program.returncode == (1 if any(map(int, numbers.groups())) else 0)
