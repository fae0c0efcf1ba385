"""An installed QATrack+ with this app in it, and a simulated ARIA; see ``installation.py``.

QATRACK_ROOT names the folder of QATrack+'s ``manage.py``, and QATRACK_PYTHON its interpreter if
that is not ``../venv/bin/python``. Without them all of this is one skipped test.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from qatrack_aria.simulator import Behaviour, Simulator
from tests.helpers.peers.server import HOST, PeerMissing, free_port
from tests.installed_qatrack.aria import FIELDS, plan
from tests.installed_qatrack.browser import Browser
from tests.installed_qatrack.installation import Installation
from tests.installed_qatrack.visitor import Visitor

MISSING = (
    "tests/installed_qatrack: set QATRACK_ROOT to the folder of an installed QATrack+'s manage.py"
)

collect_ignore_glob = [] if os.environ.get("QATRACK_ROOT") else ["test_[!i]*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test waits until QATrack+ has made its tables."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def installation(request: pytest.FixtureRequest) -> Iterator[Installation]:
    if not os.environ.get("QATRACK_ROOT"):
        pytest.skip(MISSING)
    with Installation.from_environment() as running:
        yield running


@pytest.fixture
def qatrack(installation: Installation) -> Installation:
    """QATrack+ as it was before anybody used it."""
    installation.clean()
    return installation


@pytest.fixture
def visit(qatrack: Installation) -> Callable[[str], Visitor]:
    """Log somebody in."""
    return lambda username="": Visitor(qatrack.url, username)


@pytest.fixture
def physicist(visit: Callable[[str], Visitor]) -> Visitor:
    """A physicist at work; no administrator."""
    return visit("physicist")


@pytest.fixture
def admin(visit: Callable[[str], Visitor]) -> Visitor:
    """The administrator."""
    return visit("admin")


@pytest.fixture
def serve(qatrack: Installation) -> Iterator[Callable[..., Simulator]]:
    """Start a simulated ARIA with some data sets, and configure it as the node "aria"."""
    with ExitStack() as stack:

        def start(*datasets: Any, **behaviour: Any) -> Simulator:
            local_port = free_port()
            many = [each if isinstance(each, list) else [each] for each in datasets]
            simulator = stack.enter_context(
                Simulator(
                    [one for each in many for one in each],
                    peers={"QATRACK": (HOST, local_port)},
                    behaviour=Behaviour(**behaviour),
                )
            )
            add_node(qatrack, remote_port=simulator.port, local_port=local_port)
            return simulator

        yield start


@pytest.fixture
def add_list(qatrack: Installation) -> Callable[..., Any]:
    """Make a test list with the fields for patient and plan, and composite tests."""

    def make(name: str = "WL monthly", **procedures: str) -> Any:
        composites = [(slug, "string composite", text) for slug, text in procedures.items()]
        return qatrack.ask("add_list", name=name, tests=[*FIELDS, *composites])

    return make


@pytest.fixture
def wl() -> Any:
    """The plan of the Winston-Lutz test."""
    return plan()


def add_node(qatrack: Installation, **fields: Any) -> None:
    """Configure the node "aria", with patience for a test."""
    known = {
        "name": "aria",
        "remote_ae_title": "VMSDBD",
        "remote_host": HOST,
        "remote_port": free_port(),
        "local_ae_title": "QATRACK",
        "local_host": HOST,
        "local_port": free_port(),
        "allowed_patients": "QA_*",
        "grace": 0.2,
    }
    qatrack.ask("add_node", **{**known, **fields})


@pytest.fixture(scope="session")
def chromium(installation: Installation) -> Iterator[Browser]:
    with ExitStack() as stack:
        try:
            yield stack.enter_context(Browser(installation.url))
        except PeerMissing as missing:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))


@pytest.fixture
def person() -> str:
    """Who sits in front of the browser."""
    return "physicist"


@pytest.fixture
def browser(qatrack: Installation, chromium: Browser, person: str) -> Iterator[Browser]:
    """A person in front of Chromium."""
    chromium.log_in(person)
    yield chromium
    chromium.go_away()
