"""Small hospitals made by hand."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from qatrack_aria.simulator import phantom
from tools.hospitals import pictures
from tools.hospitals.judge import Expected, Now, Request, expect

PATIENT = "QA_TB1"
DAY = dt.datetime(2026, 3, 2)
NOON = Now(DAY + dt.timedelta(days=9, hours=12), DAY + dt.timedelta(days=9, hours=12, seconds=1))
CHANCE = random.Random(5)


def plan(label: str = "WL", **options: Any) -> Dataset:
    return phantom.plan(PATIENT, label, beams=("G0",), **options)


def image(of: Dataset, time: str, series: str = "1", day: int = 0, **changes: Any) -> Dataset:
    """An image of a plan at a time like ``"07:30"``; None removes an attribute."""
    hour, minute = time.split(":")[:2]
    taken = DAY + dt.timedelta(days=day, hours=int(hour), minutes=int(minute))
    ds = pictures.image(of, taken, 1, CHANCE)
    ds.SeriesInstanceUID = f"1.2.3.{series}"
    ds.RadiationMachineName = "TB1"
    for keyword, value in changes.items():
        if value is None:
            del ds[keyword]
        elif keyword == "KVP":
            ds.ExposureSequence[0].KVP = value
        else:
            setattr(ds, keyword, value)
    return ds


def both_plans(ds: Dataset, *plans: Dataset) -> Dataset:
    ds.ReferencedRTPlanSequence = Sequence([pictures.reference(one) for one in plans])
    return ds


def due(datasets: list[Dataset], plan: str = "WL", now: Now = NOON, **options: Any) -> Expected:
    """What the judge expects of a request."""
    return expect(datasets, Request(PATIENT, plan, **options), now)


def sets(*wanted: list[Dataset]) -> Expected:
    """Any of these sets, and no error."""
    return Expected(frozenset(uids(one) for one in wanted), frozenset())


def error(*names: str) -> Expected:
    """No set, and an error of one of these classes."""
    return Expected(frozenset(), frozenset(names))


def uids(images: list[Dataset]) -> frozenset[str]:
    return frozenset(str(ds.SOPInstanceUID) for ds in images)
