"""What the simulated ARIA holds, and what is asked: one scenario for each way of searching."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, NamedTuple

from pydicom.dataset import Dataset

from qatrack_aria.simulator import Behaviour, phantom
from qatrack_aria.simulator.moods import held
from tests.helpers.aria import DAY, NOON, PATIENT, plan, winston_lutz
from tools.hospitals.judge import Expected, Now, Request, expect

LABEL = "WL"
YESTERDAY = NOON - DAY
YEARS = 700 * DAY


class Scenario(NamedTuple):
    """A way in which images are searched.

    Attributes
    ----------
    age : datetime.timedelta
        The age of the images, beyond a day: the app searches recent days first.
    options : dict
        The options of ``fetch_images``.
    behaviour : tuple of str
        Switches of the simulator.
    imager : str
        The phantom's machine type.
    plans : int
        The number of plans with the label.
    """

    age: dt.timedelta = dt.timedelta(0)
    options: dict[str, Any] = {}
    behaviour: tuple[str, ...] = ()
    imager: str = "truebeam"
    plans: int = 1

    @property
    def request(self) -> Request:
        """The request, as the judge of the hospitals knows it."""
        return Request(PATIENT, LABEL, **self.options)


SCENARIOS = {
    "recent": Scenario(),
    "old": Scenario(YEARS),
    "everything": Scenario(YEARS, {"select": "all"}),
    "content dates": Scenario(30 * DAY, {"select": "day"}, imager="ias3"),
    "hierarchical": Scenario(behaviour=("relational=false",)),
    "hierarchical and old": Scenario(YEARS, behaviour=("relational=false",)),
    "two plans": Scenario(plans=2),
}


class Contents(NamedTuple):
    """The instances of a scenario; `late` are those that may appear while it is queried."""

    datasets: list[Dataset]
    meant: list[Dataset]
    late_image: str
    late_plan: str


def make(scenario: Scenario, folder: Path) -> Contents:
    """Save the instances of a scenario in an empty folder."""
    taken = YESTERDAY - scenario.age
    wl, other, twin = plan(LABEL), plan("PF"), plan(LABEL, course="C2")
    session = winston_lutz(wl, taken, count=4, machine_type=scenario.imager)
    beside = [
        *phantom.kv(wl, taken, False, like=session[0]),
        *winston_lutz(wl, taken - DAY, count=1, machine_type=scenario.imager),
        *winston_lutz(other, taken, count=1, machine_type=scenario.imager),
        *winston_lutz(twin, taken + DAY / 24, count=1, machine_type=scenario.imager),
    ]
    datasets = [wl, other, twin, *session, *beside]
    late_plan = twin
    if scenario.plans == 2:  # then the twin is no late one
        late_plan = plan(LABEL, course="C3")
        datasets.append(late_plan)
    folder.mkdir()
    for number, ds in enumerate(datasets):  # in the same order in every process
        phantom.save(ds, folder).rename(folder / f"{number:02}.dcm")
    late_image, late_plan = (str(ds.SOPInstanceUID) for ds in (session[3], late_plan))
    return Contents(datasets, session[:3], late_image, late_plan)


def always(contents: Contents, scenario: Scenario) -> list[str]:
    """Return the switches of a simulator that serves a scenario without a fault."""
    return [*scenario.behaviour, f"appearing={contents.late_image},{contents.late_plan}"]


def due(contents: Contents, scenario: Scenario, switches: list[str], is_late: bool) -> Expected:
    """Return what may come of the request before or after the late change."""
    behaviour = Behaviour.from_options(switches)
    now = dt.datetime.now()
    return expect(held(contents.datasets, behaviour, is_late), scenario.request, Now(now, now))
