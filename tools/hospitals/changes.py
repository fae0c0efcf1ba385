"""Change a hospital between two requests: what was archived earlier is then out of date."""

from __future__ import annotations

import datetime as dt
import random
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any, Callable

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from tools.hospitals.sessions import acquire
from tools.hospitals.world import World

DATES = ("AcquisitionDate", "ContentDate")
ANOTHER_PLAN, CORRECTED, RESTORED = "another plan", "corrected", "restored"


def change(world: World, chance: random.Random, now: dt.datetime) -> tuple[World, str]:
    """Return a hospital in which something has happened, and what."""
    sessions = [one for one in world.sessions if one.images]
    if not sessions:
        return world, "nothing"
    session = chance.choice(sessions)
    kind = chance.choice((CORRECTED, ANOTHER_PLAN, "added", "removed", "moved"))
    if kind == "added":
        mine = [one for one in sessions if one.plan is session.plan]
        new = acquire(session.plan, [session.plan], mine, chance, now)
        world.sessions.append(new)
        return world._replace(datasets=world.datasets + new.images), kind
    if kind == "removed":
        gone = chance.choice(session.images)
        return world._replace(datasets=[ds for ds in world.datasets if ds is not gone]), kind
    whose = session.images if chance.random() < 0.5 else session.images[:1]
    edits: dict[str, Any] = {
        CORRECTED: _earlier,
        ANOTHER_PLAN: partial(_of_plan, world),
        "moved": _moved,
    }
    edit = edits[kind](chance)
    changed = {id(image): deepcopy(image) for image in whose}
    for image in changed.values():
        edit(image)
    datasets = [changed.get(id(ds), ds) for ds in world.datasets]
    session.images[:] = [changed.get(id(image), image) for image in session.images]
    return world._replace(datasets=datasets), kind


def restore(world: World, earlier: World) -> World:
    """Return a hospital as it was earlier: its server was restored from a backup."""
    return earlier._replace(plans=world.plans)


def damage(folder: Path, chance: random.Random) -> str:
    """Spoil a file of what was learned of the images, and return how."""
    files = sorted(folder.glob("*/*.json"))
    if not files:
        return ""
    file = chance.choice(files)
    content = bytearray(file.read_bytes())
    kind = chance.choice(("cut", "edited", "of another version"))
    if kind == "cut":
        del content[chance.randrange(len(content)) :]
    elif kind == "edited":
        content[chance.randrange(len(content))] ^= 1
    else:
        content[:64] = b"0" * 64
    file.write_bytes(bytes(content))
    return f"what was learned was {kind}"


def _moved(chance: random.Random) -> Callable[[Dataset], None]:
    uid = generate_uid(entropy_srcs=[str(chance.random())])

    def edit(image: Dataset) -> None:
        """Let an image be in another series of its study."""
        image.SeriesInstanceUID = uid

    return edit


def _earlier(chance: random.Random) -> Callable[[Dataset], None]:
    days = chance.randrange(1, 40)

    def edit(image: Dataset) -> None:
        """Correct the dates of an image."""
        for keyword in DATES:
            text = str(image.get(keyword) or "")
            if text:
                form = "%Y.%m.%d" if "." in text else "%Y%m%d"
                day = dt.datetime.strptime(text, form) - dt.timedelta(days=days)
                setattr(image, keyword, day.strftime(form))

    return edit


def _of_plan(world: World, chance: random.Random) -> Callable[[Dataset], None]:
    plan = chance.choice(world.plans)

    def edit(image: Dataset) -> None:
        """Let an image be of another plan."""
        image.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID = plan.SOPInstanceUID

    return edit
