"""Change a hospital between two requests: what was archived earlier is then out of date."""

from __future__ import annotations

import datetime as dt
import random
from copy import deepcopy

from pydicom.dataset import Dataset

from tools.hospitals.sessions import acquire
from tools.hospitals.world import World

DATES = ("AcquisitionDate", "ContentDate")
ANOTHER_PLAN, CORRECTED = "another plan", "corrected"


def change(world: World, chance: random.Random, now: dt.datetime) -> tuple[World, str]:
    """Return a hospital in which something has happened, and what."""
    sessions = [one for one in world.sessions if one.images]
    if not sessions:
        return world, "nothing"
    session = chance.choice(sessions)
    kind = chance.choice((CORRECTED, ANOTHER_PLAN, "added", "removed"))
    if kind == "added":
        mine = [one for one in sessions if one.plan is session.plan]
        new = acquire(session.plan, [session.plan], mine, chance, now)
        world.sessions.append(new)
        return world._replace(datasets=world.datasets + new.images), kind
    if kind == "removed":
        gone = chance.choice(session.images)
        return world._replace(datasets=[ds for ds in world.datasets if ds is not gone]), kind
    whose = session.images if chance.random() < 0.5 else session.images[:1]
    edit = _earlier(chance.randrange(1, 40)) if kind == CORRECTED else _of_plan(world, chance)
    changed = {id(image): deepcopy(image) for image in whose}
    for image in changed.values():
        edit(image)
    datasets = [changed.get(id(ds), ds) for ds in world.datasets]
    session.images[:] = [changed.get(id(image), image) for image in session.images]
    return world._replace(datasets=datasets), kind


def _earlier(days: int) -> object:
    def edit(image: Dataset) -> None:
        """Correct the dates of an image."""
        for keyword in DATES:
            text = str(image.get(keyword) or "")
            if text:
                form = "%Y.%m.%d" if "." in text else "%Y%m%d"
                day = dt.datetime.strptime(text, form) - dt.timedelta(days=days)
                setattr(image, keyword, day.strftime(form))

    return edit


def _of_plan(world: World, chance: random.Random) -> object:
    plan = chance.choice(world.plans)

    def edit(image: Dataset) -> None:
        """Let an image be of another plan."""
        image.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID = plan.SOPInstanceUID

    return edit
