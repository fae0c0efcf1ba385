"""The moment of acquisition of an image, by all dates and times that it has."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydicom.dataset import Dataset

from qatrack_aria.dicom.plain_answers import PlainAnswer
from qatrack_aria.dicom.values import date, date_time, time

#: Where Content Date and Time are earlier than Acquisition Date and Time by up to this, the latter
#: are those of saving the image, as TrueBeam 2.5 writes them.
SAVED_WITHIN = dt.timedelta(hours=6)
KEYWORDS = (
    "AcquisitionDate",
    "AcquisitionTime",
    "ContentDate",
    "ContentTime",
    "AcquisitionDateTime",
)


def read(ds: Dataset | PlainAnswer, from_file: bool) -> dict[str, Any]:
    """Read the moment of acquisition, by all times that an image has.

    By the standard, acquisition comes before the content is made, and so the earlier of the two
    is right both for that and for imagers that write the time of saving as Acquisition Time.
    """
    acquisition, content = _moments(ds, *KEYWORDS)
    days = [date(ds, keyword) for keyword in (KEYWORDS[0], KEYWORDS[2])]
    if acquisition and content and content < acquisition <= content + SAVED_WITHIN:
        acquired: dt.datetime | None = content
    elif acquisition or days[0] is None or days[0] == days[1]:
        acquired = acquisition or content
    else:
        acquired = None  # on another day than the content is of, at an unknown time
    others = (moment for moment in (acquisition, content) if moment and moment != acquired)
    return {
        "acquired": acquired,
        "acquired_on": None if acquired else days[0] or days[1],
        "saved": next(others, None) if from_file else None,
    }


def _moments(
    ds: Dataset | PlainAnswer, day: str, at: str, content_day: str, content_at: str, both: str
) -> tuple[dt.datetime | None, dt.datetime | None]:
    """Return the complete dates and times of acquisition and of content."""
    dates = date(ds, day), date(ds, content_day)
    times = time(ds, at), time(ds, content_at)
    acquisition, content = (
        dt.datetime.combine(d, t) if d and t is not None else None for d, t in zip(dates, times)
    )
    return acquisition or date_time(ds, both), content
