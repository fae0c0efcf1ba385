"""Decide which images a request means: the judge of what the app hands over.

It reads the README by itself and shares no code with ``qatrack_aria.retrieval``: it knows the whole
hospital, so it needs no search. What a header leaves open is tried out: a set is acceptable only if
it is right however the open question is answered.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Iterable, NamedTuple, Sequence

from pydicom.dataset import Dataset

from tools.hospitals.choice import AMBIGUOUS, EMPTY, Expected, Now, choose
from tools.hospitals.reading import Picture, Plan, read, same, type_values
from tools.hospitals.suppositions import arrangements, memberships, readings

NO_PLAN = "PlanNotFoundError"
MANY_PLANS = "AmbiguousPlanError"

PRESETS = {
    "portal": ["ORIGINAL", "PRIMARY", "PORTAL"],
    "portal_dose": ["ORIGINAL", "PRIMARY", "PORTAL", "ACQUIRED_DOSE"],
}


class Request(NamedTuple):
    """What a composite test asks for."""

    patient: str
    plan: str
    image_type: str = "portal"
    date: dt.date | None = None
    count: Any = None
    machine: str | None = None
    course: str | None = None
    series: str | None = None
    select: str | None = None
    kv: Any = False
    unfinished: bool = False
    max_age: int = 0

    def __str__(self) -> str:
        named = {
            name: value
            for name, value in self._asdict().items()
            if value != self._field_defaults.get(name, "") and name not in ("patient", "plan")
        }
        said = [repr(self.patient), repr(self.plan)]
        return ", ".join(said + [f"{name}={value!r}" for name, value in named.items()])


def expect(datasets: Iterable[Dataset], request: Request, now: Now) -> Expected:
    """Say what may come of a request.

    Parameters
    ----------
    datasets : iterable of pydicom.dataset.Dataset
        All that the hospital holds.
    request : Request
        The request.
    now : Now
        When it was made and answered.
    """
    plans, images = read(datasets)
    chosen, errors = _plan(plans, images, request)
    if chosen is None:
        return Expected(frozenset(), errors)
    possible = [image for image in images if _matches(image, request, chosen) is not False]
    sets: set[frozenset[str]] = set()
    for reading in readings(possible):
        found = _in_every_case(reading, request, now)
        sets |= found.sets
        errors |= found.errors
    return Expected(frozenset(sets), errors)


def _in_every_case(possible: Sequence[Picture], request: Request, now: Now) -> Expected:
    """Return the sets that are right however the open questions are answered.

    Where it is open whether an image belongs, a count= that is met by one answer may settle it.
    """
    kv = None if request.kv is True else request.kv == "only"
    answers = [
        _common([choose(case, request, now) for case in arrangements(belonging, now)])
        for belonging in memberships(possible, kv)
    ]
    sets, errors = _common(answers)
    if request.count is not None and len(answers) > 1:
        sets = frozenset().union(*(answer.sets for answer in answers))
        errors |= {AMBIGUOUS}
    undated = any(image.day is None for image in possible)
    if undated and request.select != "all":
        errors |= {AMBIGUOUS}
    return Expected(sets, errors)


def _common(cases: Sequence[Expected]) -> Expected:
    """Return the sets that are right in every case."""
    sets = frozenset.intersection(*(case.sets for case in cases))
    errors = frozenset().union(*(case.errors for case in cases))
    if not sets and any(case.sets for case in cases):
        errors |= {AMBIGUOUS}
    return Expected(sets, errors)


def _plan(
    plans: Sequence[Plan], images: Sequence[Picture], request: Request
) -> tuple[str | None, frozenset[str]]:
    """Return the plan's UID and the errors that are as good; without a plan, those that must be."""
    mine = [plan for plan in plans if plan.patient == same(request.patient)]
    named = [plan for plan in mine if plan.uid == request.plan]
    named = named or [plan for plan in mine if plan.label == same(request.plan)]
    if not named:
        return None, frozenset({NO_PLAN})
    of_course = named
    if request.course is not None:
        of_course = [plan for plan in named if plan.course == same(request.course)]
    if not of_course:
        # Whether the course of an only plan counts is left open.
        return (named[0].uid if len(named) == 1 else None), frozenset({NO_PLAN, MANY_PLANS, EMPTY})
    if len(of_course) == 1:
        return of_course[0].uid, frozenset()
    if request.machine is None:
        return None, frozenset({MANY_PLANS})
    return _by_machine(of_course, images, request)


def _by_machine(
    plans: Sequence[Plan], images: Sequence[Picture], request: Request
) -> tuple[str | None, frozenset[str]]:
    """Decide between plans by the machine of their images."""
    at = [image for image in images if image.machine == same(request.machine or "")]
    loose = {plan.uid for plan in plans if any(plan.uid in image.plans for image in at)}
    strict = {
        plan.uid
        for plan in plans
        if any(_matches(image, request, plan.uid) is not False for image in at)
    }
    if len(loose) == 1 and loose == strict:
        return loose.pop(), frozenset()
    if len(strict) == 1:  # the others have images of another kind there
        return strict.pop(), frozenset({MANY_PLANS})
    return None, frozenset({MANY_PLANS} if strict else {MANY_PLANS, EMPTY, NO_PLAN})


def _matches(image: Picture, request: Request, plan: str) -> bool | None:
    """Whether an image is of the kind that is asked for; ``None`` if its header leaves it open."""
    wanted = PRESETS.get(request.image_type) or request.image_type.split("\\")
    if not (
        image.patient == same(request.patient)
        and plan in image.plans
        and image.image_type == type_values(wanted)
        and request.machine in (None, image.machine)
        and request.series in (None, image.series)
    ):
        return False
    if request.kv is True:
        return True
    if image.is_kv is None:
        return None
    return image.is_kv == (request.kv == "only")
