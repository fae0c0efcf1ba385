"""The values of a data set's elements, read without trusting their form."""

from __future__ import annotations

import datetime as dt
import functools
import math
import re
from typing import Any, Sequence

import pydicom
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.valuerep import PersonName

from qatrack_aria.dicom.character_sets import PADDING, plain_text
from qatrack_aria.dicom.plain_answers import PlainAnswer
from qatrack_aria.text import printable

#: Values of an attribute that are read: one more than a request for an ImageType may hold.
MAX_VALUES = 17
#: Earlier dates are what programs write for a missing one (1 January 0001 or 1900).
EARLIEST_YEAR = 1901

_DATE = re.compile(r"(?P<year>[0-9]{4})([./-]?)(?P<month>[0-9]{2})\2(?P<day>[0-9]{2})")
_TIME = re.compile(
    r"(?P<hour>[0-9]{2})((:?)(?P<minute>[0-9]{2})(\3(?P<second>[0-9]{2})(\.(?P<fraction>[0-9]+))?)?)?"
    r"([+-][0-9]{4})?"
)

#: A keyword's tag; the keywords are all our own.
_tag = functools.lru_cache(maxsize=None)(Tag)


@functools.lru_cache(maxsize=None)
def _number(keyword: str) -> int:
    return int(Tag(keyword))  # an integer, which is compared faster


def text(ds: Dataset | PlainAnswer, keyword: str) -> str | None:
    """Return an attribute's first value as text without padding; ``None`` if absent or empty."""
    values = texts(ds, keyword)
    return values[0] or None if values else None


def texts(ds: Dataset | PlainAnswer, keyword: str) -> Sequence[str]:
    """Return an attribute's values as text without padding, :data:`MAX_VALUES` at most."""
    if isinstance(ds, PlainAnswer):
        found = ds.get(_number(keyword))
        if not found or not isinstance(found, str):
            return []
        return [part.strip(PADDING) for part in found.split("\\")[:MAX_VALUES]]
    plain = plain_text(ds, _tag(keyword))
    if plain is not None:
        many: Sequence[Any] = plain.split("\\")[:MAX_VALUES]
    else:
        many = _converted_values(ds, keyword)
    return [printable(str(part).strip(PADDING)) for part in many]


def items(ds: Dataset | PlainAnswer, keyword: str) -> Sequence[Any]:
    """Return the items of a sequence; none if it is absent, or no sequence."""
    value = converted(ds, keyword)
    return value if isinstance(value, (pydicom.Sequence, list)) else []


def converted(ds: Dataset | PlainAnswer, keyword: str) -> Any:
    """Return an attribute's value as pydicom converts it; ``None`` if that fails."""
    if isinstance(ds, PlainAnswer):
        return ds.get(_number(keyword))
    try:
        return ds.get(keyword)
    except Exception:  # a value that cannot be converted is as good as none
        return None


def number(ds: Dataset | PlainAnswer, keyword: str) -> int | None:
    """Return an IS value that is not negative; ``None`` if absent, or none."""
    value = text(ds, keyword) or ""
    return int(value) if value.isdecimal() and value.isascii() and len(value) <= 12 else None


def decimal(ds: Dataset | PlainAnswer, keyword: str) -> float | None:
    """Return a DS value, or a number of another kind; ``None`` if absent, or not finite."""
    try:
        value = float(converted(ds, keyword))
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def decimals(ds: Dataset | PlainAnswer, keyword: str) -> list[float]:
    """Return all DS values; none if one of them is no finite number."""
    value = converted(ds, keyword)
    try:
        many = [float(one) for one in (value if isinstance(value, MultiValue) else [value])]
    except (TypeError, ValueError, OverflowError):
        return []
    return many if all(map(math.isfinite, many)) else []


def date(ds: Dataset | PlainAnswer, keyword: str) -> dt.date | None:
    """Return a DA value (PS3.5 table 6.2-1), also in ACR-NEMA's form ``2026.11.22``."""
    return _date(text(ds, keyword) or "")


@functools.lru_cache(maxsize=1024)
def _date(value: str) -> dt.date | None:
    match = _DATE.fullmatch(value)
    if not match:
        return None
    try:
        day = dt.date(int(match["year"]), int(match["month"]), int(match["day"]))
    except ValueError:
        return None
    return day if day.year >= EARLIEST_YEAR else None


def time(ds: Dataset | PlainAnswer, keyword: str) -> dt.time | None:
    """Return a TM value (PS3.5 table 6.2-1), also in ACR-NEMA's form ``07:30:00``.

    It may end after hours or minutes. Digits of the fraction after the sixth are dropped, and so is
    a time zone: the local time is what the imager's clock showed.
    """
    return _time(text(ds, keyword) or "")


def date_time(ds: Dataset | PlainAnswer, keyword: str) -> dt.datetime | None:
    """Return a DT value (PS3.5 table 6.2-1) that has a time, without its time zone."""
    value = text(ds, keyword) or ""
    at = _time(value[8:])
    try:
        return dt.datetime.combine(dt.datetime.strptime(value[:8], "%Y%m%d"), at) if at else None
    except ValueError:
        return None


@functools.lru_cache(maxsize=1024)
def _time(value: str) -> dt.time | None:
    match = _TIME.fullmatch(value)
    if not match:
        return None
    hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second"))
    microsecond = int((match["fraction"] or "")[:6].ljust(6, "0"))
    try:
        return dt.time(hour, minute, min(second, 59) if second <= 60 else second, microsecond)
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
