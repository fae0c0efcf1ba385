"""Fixtures for all tests: real servers, started once a run and emptied for every test."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Iterator

import pytest

from tests.peers.dcmtk import Dcmqrscp
from tests.peers.orthanc import Orthanc
from tests.peers.postgres import Postgres
from tests.peers.server import PeerMissing, Server


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
