"""Fixtures for all tests, the marks of whole folders, and the figures printed at the end of a run.

The real servers are started once a run and emptied for every test.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from tests.helpers.aria import node, nothing_left_running, serve
from tests.helpers.open_port import limit, port
from tests.helpers.peers.dcmtk import Dcmqrscp
from tests.helpers.peers.orthanc import Orthanc
from tests.helpers.peers.postgres import Postgres
from tests.helpers.peers.server import PeerMissing, Server

__all__ = ["limit", "node", "nothing_left_running", "port", "serve"]

#: Folders whose tests all have one mark.
MARKED_FOLDERS = {
    "browser": "browser",
    "fuzz": "slow",
    "installed_qatrack": "qatrack",
    "integration": "slow",
    "peers": "peers",
    "tools": "slow",
}
#: Fixtures whose tests all have one mark.
MARKED_FIXTURES = {
    "dcmqrscp": "peers",
    "disk": "slow",
    "orthanc": "peers",
    "orthanc_tls": "peers",
    "postgres": "peers",
    "serve": "slow",
}

#: Begun first, so that nothing has to be waited for at the end: some tests of them take a minute.
LONGEST = ("tools", "integration")

FIGURE = "figure"
COUNT = "count of "


def pytest_configure(config: pytest.Config) -> None:
    config.option.loadscopereorder = False  # of pytest-xdist 3.7: it puts the longest files last


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        marks = {MARKED_FOLDERS.get(_folder(item))}
        marks.update(MARKED_FIXTURES.get(name) for name in getattr(item, "fixturenames", ()))
        for mark in marks - {None}:
            item.add_marker(mark)
    items.sort(key=lambda item: _folder(item) not in LONGEST)


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).parts[0]


@pytest.fixture
def print_at_end(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Have a line printed at the end of the run."""
    return lambda line: record_property(FIGURE, line)


@pytest.fixture
def count(record_property: Callable[[str, object], None]) -> Callable[[str, int], None]:
    """Have a number added to the others of that name, and their sum printed at the end."""
    return lambda name, number: record_property(COUNT + name, number)


# In the conftest of a folder it would not run where other processes run the tests.
def pytest_terminal_summary(terminalreporter: Any) -> None:
    sums: Counter[str] = Counter()
    for name, value in recorded_properties(terminalreporter):
        if name == FIGURE:
            terminalreporter.write_line(value)
        elif name.startswith(COUNT):
            sums[name[len(COUNT) :]] += value
    for name, number in sorted(sums.items()):
        terminalreporter.write_line(f"{name}: {number}")


def recorded_properties(terminalreporter: Any) -> Iterator[tuple[str, Any]]:
    """Yield the properties that tests have recorded, in any process."""
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
