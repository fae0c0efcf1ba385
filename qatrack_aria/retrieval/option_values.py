"""Check the values of a request, from composite tests, the command line, and browsers.

A value that passes is safe in a C-FIND identifier: it has no wildcard, no backslash and no control
character. One that is not filled in is ``None`` or ``""``.
"""

from __future__ import annotations

import datetime as dt
import difflib
import numbers
import re
from typing import Any, NamedTuple

from qatrack_aria.dicom.uids import valid_uid
from qatrack_aria.errors import RequestError, WaitingError
from qatrack_aria.text import short_repr


class ImageType(NamedTuple):
    """A short name for an Image Type (0008,0008)."""

    values: tuple[str, ...]
    description: str


#: The image types that portal imagers send (TrueBeam, Clinac), by short name.
IMAGE_TYPES = {
    "portal": ImageType(("ORIGINAL", "PRIMARY", "PORTAL"), "images of the portal imager"),
    "portal_dose": ImageType(
        ("ORIGINAL", "PRIMARY", "PORTAL", "ACQUIRED_DOSE"), "acquired images of portal dosimetry"
    ),
}

#: The defined terms of Image Type value 1 to 3 (PS3.3 C.7.6.1.1.2 and C.8.8.2.1.1).
TERMS = (
    ("ORIGINAL", "DERIVED"),
    ("PRIMARY", "SECONDARY"),
    ("PORTAL", "DRR", "SIMULATOR", "RADIOGRAPH", "BLANK", "FLUENCE"),
)

SELECTIONS = ("session", "series", "day", "all")

#: Dates as QATrack+'s date and date-time tests write them, ISO 8601, and DICOM's own form.
DATE_FORMATS = (
    "%Y-%m-%d",
    "%Y%m%d",
    "%d %b %Y",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%d %b %Y %H:%M",
    "%d %b %Y %H:%M:%S",
)

MAX_LENGTH = 64  # characters of a Patient ID (LO); plan labels are shorter, but may be padded
MAX_VALUES = 16  # of an Image Type; Varian's have four at most
MAX_COUNT = 10_000
FIRST_YEAR = 1900  # before all images


def _is_empty(value: Any) -> bool:
    # Not ``value == ""``: an array compares element by element, and has no truth value.
    return value is None or (isinstance(value, str) and value == "")


def parse_text(what: str, value: Any) -> str:
    """Return a valid text without outer spaces; messages call it `what`."""
    if value is None or (isinstance(value, str) and not value.strip()):
        raise WaitingError(
            f"Waiting for the {what}: fill in the test that gives it. Nothing was sent."
        )
    if not isinstance(value, str):
        raise RequestError(
            f"The {what} must be text, not {short_repr(value)} ({type(value).__name__}): "
            "use a string test for it. Nothing was sent."
        )
    text = value.strip()
    if len(text) > MAX_LENGTH:
        raise RequestError(
            f"The {what} has {len(text)} characters; DICOM allows {MAX_LENGTH} at most. "
            "Nothing was sent."
        )
    # A wildcard would match other patients' or other plans' images; a backslash separates values.
    bad = sorted({c for c in text if c in "*?\\" or not c.isprintable()})
    if bad:
        named = " and ".join(short_repr(c) for c in bad[:3]) + (" and more" if len(bad) > 3 else "")
        raise RequestError(
            f"The {what} {short_repr(text)} contains {named}, which means "
            "something else in a DICOM query: give it exactly, without wildcards. Nothing was sent."
        )
    return text


def parse_optional_text(what: str, value: Any) -> str | None:
    """Return a valid text, or ``None`` where none is given."""
    # An empty text is a test that is not filled in: "any machine" would be a guess.
    return None if value is None else parse_text(what, value)


def parse_pattern(what: str, value: Any) -> str | None:
    """Return a valid text that may have ``*`` for any letters; ``"*"`` alone is no condition."""
    if value is None or (isinstance(value, str) and value.strip() and not value.strip("* ")):
        return None
    parse_text(what, value.replace("*", "") if isinstance(value, str) else value)
    return str(value).strip()


def parse_image_type(value: Any) -> tuple[str, ...]:
    """Return the values of an Image Type, given as its short name, as text or as values."""
    if isinstance(value, str) and value.strip().lower() in IMAGE_TYPES:
        return IMAGE_TYPES[value.strip().lower()].values
    if isinstance(value, str):
        parts = tuple(part.strip() for part in value.split("\\"))
    elif isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
        parts = tuple(part.strip() for part in value)
    else:
        parts = ()
    defined = 3 <= len(parts) <= MAX_VALUES and all(
        part in terms for part, terms in zip(parts, TERMS)
    )
    if not defined or not all(re.fullmatch(r"[A-Z0-9_ ]{1,16}", part) for part in parts):
        near = difflib.get_close_matches(short_repr(value).strip("'").lower(), IMAGE_TYPES, n=1)
        known = " or ".join(f"'{name}'" for name in IMAGE_TYPES)
        hint = f"did you mean '{near[0]}'?" if near else f"give {known}, or"
        raise RequestError(
            f"The image type {short_repr(value)} is not one of RT Images: {hint} "
            r"a full one is like ORIGINAL\PRIMARY\PORTAL. Nothing was sent."
        )
    return parts


def parse_date(value: Any) -> dt.date | None:
    """Return a day, given as a date or as text."""
    if _is_empty(value):
        return None
    if isinstance(value, dt.datetime):
        day = value.date()
    elif isinstance(value, dt.date):
        day = value
    else:
        day = _parse_date(value)
    if day.year < FIRST_YEAR:
        raise RequestError(
            f"The date {day.isoformat()} lies before all images: give the year in four digits. "
            "Nothing was sent."
        )
    if day > _today():
        raise RequestError(
            f"The date {day.isoformat()} is in the future (today is {_today().isoformat()}): "
            "no image can have it. Nothing was sent."
        )
    return day


def _today() -> dt.date:
    return dt.date.today()


def _parse_date(value: Any) -> dt.date:
    if isinstance(value, str):
        text = value.strip()
        for form in DATE_FORMATS:
            if form == "%Y%m%d" and len(text) != 8:
                continue  # 2026112 would be read as one of two days
            try:
                return dt.datetime.strptime(text, form).date()
            except ValueError:
                continue
    raise RequestError(
        f"The date {short_repr(value)} is not understood: give a date, or text like 2026-11-22 or "
        "22 Nov 2026. Nothing was sent."
    )


def parse_count(value: Any) -> int | tuple[int, int] | None:
    """Return the least number of images, or the least and the most."""
    if _is_empty(value):
        return None
    pair = value
    if isinstance(value, str):
        text = value.strip()
        bracketed = text[:1] + text[-1:] in ("()", "[]")
        pair = text[1:-1].split(",") if bracketed else text.split("-")
    if isinstance(pair, (list, tuple)) and len(pair) == 2:
        least, most = (_whole_number(part) for part in pair)
        if least and most and least <= most:
            return least, most
    number = _whole_number(value)
    if number:
        return number
    raise RequestError(
        f"The count {short_repr(value)} is not a number of images: give a whole number from 1 to "
        f"{MAX_COUNT}, or the least and the most like (8, 8). Nothing was sent."
    )


def _whole_number(value: Any) -> int | None:
    # QATrack+'s numerical tests return 8.0 for 8, numpy its own numbers; True is not a count.
    if isinstance(value, bool) or not isinstance(value, (numbers.Real, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return int(number) if number.is_integer() and 1 <= number <= MAX_COUNT else None


def parse_select(value: Any) -> str | None:
    """Return one of :data:`SELECTIONS`, or ``None``."""
    if value is None or (isinstance(value, str) and value in SELECTIONS):
        return value
    raise RequestError(
        f"select={short_repr(value)} is not known: give one of {', '.join(SELECTIONS)}. "
        "Nothing was sent."
    )


def parse_series(value: Any) -> str | None:
    """Return a valid Series Instance UID, or ``None``."""
    uid = parse_optional_text("series", value)
    if uid is None or valid_uid(uid):
        return uid
    raise RequestError(
        f"The series {short_repr(uid)} is not a Series Instance UID: give digits and dots, as "
        "images.summary or fetch_aria --json show it. Nothing was sent."
    )


def parse_kv(value: Any) -> bool | str:
    """Return whether kV images are taken too, or ``"only"``."""
    if isinstance(value, bool) or (isinstance(value, str) and value == "only"):
        return value
    raise RequestError(f"kv={short_repr(value)} must be True, False or 'only'. Nothing was sent.")


def parse_flag(name: str, value: Any) -> bool:
    """Return an option that is true or false."""
    if isinstance(value, bool):
        return value
    raise RequestError(f"{name}={short_repr(value)} must be True or False. Nothing was sent.")
