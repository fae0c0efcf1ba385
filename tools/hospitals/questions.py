"""Make random requests to a random hospital: mostly reasonable ones."""

from __future__ import annotations

import datetime as dt
import random
import unicodedata
from typing import Any

from pydicom.dataset import Dataset

from tools.hospitals.judge import Request
from tools.hospitals.pictures import pick
from tools.hospitals.sessions import Session, day_of
from tools.hospitals.world import World

SELECTIONS: dict[Any, float] = {None: 8, "series": 2, "day": 3, "all": 2, "session": 3}
KINDS: dict[Any, float] = {False: 20, True: 3, "only": 1}
TYPES: dict[Any, float] = {"portal": 25, "portal_dose": 1, r"ORIGINAL\PRIMARY\PORTAL": 2}


def make_request(world: World, chance: random.Random) -> Request:
    """Make a request.

    Parameters
    ----------
    world : World
        The hospital.
    chance : random.Random
        All that is random.
    """
    with_sessions = [one.plan for one in world.sessions]
    plan = chance.choice(with_sessions if with_sessions and chance.random() < 0.9 else world.plans)
    mine = [one for one in world.sessions if one.plan is plan]
    # Mostly the newest, which is what most requests mean.
    session = max(mine, key=_day) if mine and chance.random() < 0.6 else None
    session = session or (chance.choice(mine) if mine else None)
    select = pick(SELECTIONS, chance)
    return Request(
        patient=str(plan.PatientID).strip(),
        plan=_named(plan, chance),
        image_type=pick(TYPES, chance),
        date=_date(session, chance),
        count=_count(session, chance),
        machine=_machine(session, chance),
        course=str(plan.StudyID) if chance.random() < 0.35 else None,
        series=_series(session, chance),
        select=select,
        kv=pick(KINDS, chance),
        unfinished=chance.random() < 0.1,
        max_age=chance.choice((0, 60)),
    )


def _named(plan: Dataset, chance: random.Random) -> str:
    label = str(plan.RTPlanLabel or "").strip()
    if not label or chance.random() < 0.25:
        return str(plan.SOPInstanceUID)
    return unicodedata.normalize(chance.choice(("NFC", "NFC", "NFD")), label)


def _day(session: Session) -> dt.date:
    return max((day for day in map(day_of, session.images) if day), default=dt.date.min)


def _date(session: Session | None, chance: random.Random) -> dt.date | None:
    if session is None or chance.random() > 0.2:
        return None
    return day_of(chance.choice(session.images))


def _count(session: Session | None, chance: random.Random) -> Any:
    if session is None or chance.random() > 0.35:
        return None
    count = max(1, len(session.images) + chance.choice((-1, 0, 0, 0, 0, 0, 0, 1)))
    if chance.random() < 0.5:
        return count, count + chance.choice((0, 0, 0, 1, 4))
    return count


def _machine(session: Session | None, chance: random.Random) -> str | None:
    if session is None or chance.random() > 0.2:
        return None
    return session.machine if chance.random() < 0.95 else "TB9"


def _series(session: Session | None, chance: random.Random) -> str | None:
    if session is None or chance.random() > 0.05:
        return None
    return str(chance.choice(session.images).SeriesInstanceUID)
