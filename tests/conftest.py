"""Fixtures for all tests: real servers, started once a run and emptied for every test.

And the figures that tests want told at the end of a run, from whichever process they come.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import ExitStack
from typing import Any, Callable, Iterator

import pytest

from tests.peers.dcmtk import Dcmqrscp
from tests.peers.orthanc import Orthanc
from tests.peers.postgres import Postgres
from tests.peers.server import PeerMissing, Server

FIGURE = "figure"
COUNT = "count of "


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Have a line printed at the end of the run."""
    return lambda line: record_property(FIGURE, line)


@pytest.fixture
def count(record_property: Callable[[str, object], None]) -> Callable[[str, int], None]:
    """Have a number added to the others of that name, and their sum printed at the end."""
    return lambda name, number: record_property(COUNT + name, number)


# In the conftest of a folder it would not run where other processes run the tests.
def pytest_terminal_summary(terminalreporter: Any) -> None:
    sums: Counter[str] = Counter()
    for name, value in told(terminalreporter):
        if name == FIGURE:
            terminalreporter.write_line(value)
        elif name.startswith(COUNT):
            sums[name[len(COUNT) :]] += value
    for name, number in sorted(sums.items()):
        terminalreporter.write_line(f"{name}: {number}")


def told(terminalreporter: Any) -> Iterator[tuple[str, Any]]:
    """The properties that tests have recorded, in any process."""
    reports = [report for some in terminalreporter.stats.values() for report in some]
    for report in reports:
        if getattr(report, "when", None) == "teardown":  # it has those of all phases
            yield from report.user_properties


def start(peer: Server) -> Iterator[Server]:
    """Run ``peer`` for a fixture; one that is not installed skips its tests, but fails in CI."""
    with ExitStack() as stack:
        try:
            stack.enter_context(peer)
        except PeerMissing as missing:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))
        yield peer


@pytest.fixture(scope="session")
def running_orthanc() -> Iterator[Server]:
    yield from start(Orthanc())


@pytest.fixture(scope="session")
def running_dcmqrscp() -> Iterator[Server]:
    yield from start(Dcmqrscp())


@pytest.fixture
def orthanc(running_orthanc: Orthanc) -> Orthanc:
    """An empty Orthanc."""
    running_orthanc.clear()
    return running_orthanc


@pytest.fixture
def dcmqrscp(running_dcmqrscp: Dcmqrscp) -> Dcmqrscp:
    """An empty dcmqrscp."""
    running_dcmqrscp.clear()
    return running_dcmqrscp


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL with an empty database."""
    yield from start(Postgres())
