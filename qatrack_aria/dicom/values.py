"""The values of a data set's elements, read without trusting their form."""

from __future__ import annotations

import datetime as dt
import functools
import re
from typing import Any, Sequence

import pydicom
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.valuerep import PersonName

from qatrack_aria.dicom.character_sets import PADDING, plain_text
from qatrack_aria.text import printable

#: Values of an attribute that are read: one more than a request for an ImageType may hold.
MAX_VALUES = 17
#: Earlier dates are what programs write for a missing one (1 January 0001 or 1900).
EARLIEST_YEAR = 1901

#: A keyword's tag; the keywords are all our own.
_tag = functools.lru_cache(maxsize=None)(Tag)


def text(ds: Dataset, keyword: str) -> str | None:
    """Return an attribute's first value as text without padding; ``None`` if absent or empty."""
    values = texts(ds, keyword)
    return values[0] or None if values else None


def texts(ds: Dataset, keyword: str) -> Sequence[str]:
    """Return an attribute's values as text without padding, :data:`MAX_VALUES` at most."""
    plain = plain_text(ds, _tag(keyword))
    if plain is not None:
        many: Sequence[Any] = plain.split("\\")[:MAX_VALUES]
    else:
        many = _converted_values(ds, keyword)
    return [printable(str(part).strip(PADDING)) for part in many]


def items(ds: Dataset, keyword: str) -> Sequence[Dataset]:
    """Return the items of a sequence; none if it is absent, or no sequence."""
    value = converted(ds, keyword)
    return value if isinstance(value, pydicom.Sequence) else []


def converted(ds: Dataset, keyword: str) -> Any:
    """Return an attribute's value as pydicom converts it; ``None`` if that fails."""
    try:
        return ds.get(keyword)
    except Exception:  # a value that cannot be converted is as good as none
        return None


def moment(ds: Dataset, date_keyword: str, time_keyword: str) -> dt.datetime | None:
    """Return a date and time; midnight where only the date is there."""
    day = date(ds, date_keyword)
    return dt.datetime.combine(day, time(ds, time_keyword) or dt.time()) if day else None


def date(ds: Dataset, keyword: str) -> dt.date | None:
    """Return a DA value (PS3.5 table 6.2-1)."""
    value = text(ds, keyword)
    if value is None or not re.fullmatch(r"[0-9]{8}", value):
        return None
    try:
        day = dt.date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError:
        return None
    return day if day.year >= EARLIEST_YEAR else None


def time(ds: Dataset, keyword: str) -> dt.time | None:
    """Return a TM value (PS3.5 table 6.2-1), which may end after hours or minutes."""
    form = r"([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:\.([0-9]{1,6}))?)?)?"
    match = re.fullmatch(form, text(ds, keyword) or "")
    if not match:
        return None
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    try:
        return dt.time(hour, minute, min(second, 59), int((match[4] or "").ljust(6, "0")))
    except ValueError:
        return None


def _converted_values(ds: Dataset, keyword: str) -> Sequence[Any]:
    value = converted(ds, keyword)
    if value is None or value == "":
        return []
    # With a wrong VR it can be of any type; some hold names of people.
    many = value[:MAX_VALUES] if isinstance(value, MultiValue) else [value]
    if any(isinstance(part, (bytes, PersonName, Dataset, pydicom.Sequence)) for part in many):
        return []
    return many
