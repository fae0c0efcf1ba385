from __future__ import annotations

import dataclasses
from datetime import datetime

import pytest

from qatrack_aria.simulator import Simulator, phantom

from .client import Receiver

MONDAY = datetime(2025, 11, 3, 7, 30)
TUESDAY = datetime(2025, 11, 4, 7, 30)


@pytest.fixture(scope="session")
def wl_plan():
    return phantom.plan("QA_TB1", "WL", created=datetime(2025, 9, 1, 16, 0))


@pytest.fixture(scope="session")
def monday(wl_plan):
    return phantom.winston_lutz(wl_plan, MONDAY, False)


@pytest.fixture(scope="session")
def tuesday(wl_plan):
    return phantom.winston_lutz(wl_plan, TUESDAY, False, count=3)


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def sim(wl_plan, monday, tuesday, receiver):
    """One patient with one plan and two days of images, and QATRACK as its only peer."""
    world = [wl_plan, *monday, *tuesday]
    with Simulator(world, peers={"QATRACK": ("127.0.0.1", receiver.port)}) as simulator:
        yield simulator


@pytest.fixture
def behave(sim):
    """Change the running simulator's behaviour: ``behave(find_failures=2)``."""

    def change(**switches):
        sim.behaviour = dataclasses.replace(sim.behaviour, **switches)

    return change
