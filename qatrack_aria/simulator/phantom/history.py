"""The history of the demo: four QA patients with their plans and some weeks of images."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydicom.dataset import Dataset

from .images import kv, picket_fence, portal_dose, winston_lutz
from .plans import HALCYON_PLAN, plan


def qa_history(now: datetime, full_size: bool | None = None) -> list[Dataset]:
    """Make the QA patients of a small department.

    Parameters
    ----------
    now : datetime.datetime
        The newest images are from this day, about an hour earlier.
    full_size : bool, optional
        Whether to fill full matrices or 64 x 64 pixels; by default full if pylinac is installed.

    Returns
    -------
    list of pydicom.dataset.Dataset
        Plans and images of QA_TB1 (a TrueBeam: WL, PF, PD, and DAILY in two courses), QA_HAL (a
        Halcyon, whose plan has a private SOP class), QA_IX (a Clinac with aS1000) and QA_OLD (an
        aS500 with IAS3).
    """
    return [
        *_truebeam(now, full_size),
        *_halcyon(now, full_size),
        *_clinac(now, full_size),
        *_ias3(now, full_size),
    ]


def _day(now: datetime, days_ago: int, minutes: int = 0) -> datetime:
    """Return the time of a QA session: some days and an hour ago, but not before midnight."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    newest = max(now - timedelta(minutes=60 - minutes), midnight).replace(microsecond=0)
    return newest - timedelta(days=days_ago)


def _truebeam(now: datetime, full_size: bool | None) -> list[Dataset]:
    planned = now - timedelta(weeks=10)
    wl, pf, pd = (plan("QA_TB1", label, created=planned) for label in ("WL", "PF", "PD"))
    daily = [
        plan("QA_TB1", "DAILY", course="C1", created=planned),
        plan("QA_TB1", "DAILY", course="C2", created=planned + timedelta(days=7)),
    ]
    datasets = [wl, pf, pd, *daily]
    for days_ago, drift in ((28, 0.0), (7, 0.05), (1, 0.1), (0, 0.15)):
        images = winston_lutz(
            wl,
            _day(now, days_ago),
            full_size,
            bb_offset=(0.4 + drift, 0.3, -0.5),
            exported=now,
        )
        setup = kv(wl, _day(now, days_ago, 6), full_size, like=images[0], exported=now)
        datasets += [*images, *setup]
    for days_ago in (28, 0):
        datasets += picket_fence(pf, _day(now, days_ago, 10), full_size, exported=now)
    for days_ago in (14, 0):
        datasets += portal_dose(pd, _day(now, days_ago, 15), full_size, exported=now)
    for days_ago, same_label in zip((3, 2), daily):
        datasets += picket_fence(same_label, _day(now, days_ago, 20), full_size, exported=now)
    return datasets


def _halcyon(now: datetime, full_size: bool | None) -> list[Dataset]:
    planned = now - timedelta(weeks=8)
    wl = plan("QA_HAL", "WL", created=planned, machine="HAL1", sop_class=HALCYON_PLAN)
    return [wl, *winston_lutz(wl, _day(now, 0), full_size, count=4, exported=now)]


def _clinac(now: datetime, full_size: bool | None) -> list[Dataset]:
    wl = plan("QA_IX", "WL", created=now - timedelta(weeks=20), machine="IX1")
    images = winston_lutz(wl, _day(now, 1), full_size, machine_type="clinac", exported=now)
    return [wl, *images]


def _ias3(now: datetime, full_size: bool | None) -> list[Dataset]:
    wl = plan("QA_OLD", "WL", created=now - timedelta(weeks=50), machine="OLD1")
    images = winston_lutz(wl, _day(now, 5), full_size, machine_type="ias3", exported=now)
    return [wl, *images]
