"""What a person asks for, checked before anything is sent.

Values come from composite tests (a test that nobody filled in is ``None`` or ``""``), from the
command line and from browsers that may lie. Whatever passes here is safe to put into a C-FIND
identifier: no wildcard, no backslash, no control character.
"""

from __future__ import annotations

import datetime as dt
import difflib
import numbers
import re
from dataclasses import dataclass
from typing import Any, Mapping

from qatrack_aria.errors import RequestError, WaitingError
from qatrack_aria.text import short_repr

#: Short names of the two image types that portal imagers send.
PRESETS = {
    "portal": ("ORIGINAL", "PRIMARY", "PORTAL"),
    "portal_dose": ("ORIGINAL", "PRIMARY", "PORTAL", "ACQUIRED_DOSE"),
}

#: The defined terms of Image Type value 1 to 3 (PS3.3 C.7.6.1.1.2 and C.8.8.2.1.1).
TERMS = (
    ("ORIGINAL", "DERIVED"),
    ("PRIMARY", "SECONDARY"),
    ("PORTAL", "DRR", "SIMULATOR", "RADIOGRAPH", "BLANK", "FLUENCE"),
)

SELECTIONS = ("series", "day", "all")

#: What QATrack+'s date and date-time tests give as text, ISO 8601 and DICOM's own form.
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

MAX_LENGTH = 64  # characters of a Patient ID (LO); plan labels are shorter, but padding is seen
MAX_VALUES = 16  # of an Image Type; Varian's have four at most
MAX_COUNT = 10_000
FIRST_YEAR = 1900  # before all images
MAX_AGE = 3600.0  # s: an answer older than an hour is no answer to "the newest"


@dataclass(frozen=True)
class Request:
    """One checked request for images.

    Attributes
    ----------
    patient_id : str
        Patient ID, exactly.
    plan : str
        RT Plan Label, or the SOP Instance UID of an RT Plan.
    image_type : tuple of str
        Image Type (0008,0008) that each image must have, value by value.
    date : datetime.date, optional
        The day of acquisition; without it the newest images are meant.
    count : int, optional
        At least this many images, else an error.
    machine : str, optional
        Radiation Machine Name (or Station Name) that each image must have.
    course : str, optional
        The course (Study ID) of the plan.
    select : {"series", "day", "all"}, optional
        The newest series, its day, or everything. ``None``: the newest series, unless that
        looks like a part of a session.
    kv : bool
        Whether kV images are taken too.
    until : datetime.datetime, optional
        Only images acquired up to this moment, by the clock of the imager.
    """

    patient_id: str
    plan: str
    image_type: tuple[str, ...]
    date: dt.date | None = None
    count: int | None = None
    machine: str | None = None
    course: str | None = None
    select: str | None = None
    kv: bool = False
    until: dt.datetime | None = None

    @classmethod
    def parse(
        cls,
        patient_id: Any,
        plan: Any,
        image_type: Any = "portal",
        *,
        date: Any = None,
        count: Any = None,
        machine: Any = None,
        course: Any = None,
        select: Any = None,
        kv: Any = False,
        until: Any = None,
        today: dt.date | None = None,
    ) -> Request:
        """Check what was given and put it in one form.

        Parameters
        ----------
        until : datetime.datetime, optional
            The end of the session, without time zone.
        today : datetime.date, optional
            The day that dates may not lie after; default: this machine's.

        Raises
        ------
        RequestError
            Something given cannot be asked for; the message names it.
        """
        return cls(
            patient_id=_text("patient ID", patient_id),
            plan=_text("plan label", plan),
            image_type=_image_type(image_type),
            date=_date(date, today or dt.date.today()),
            count=_count(count),
            machine=_optional_text("machine", machine),
            course=_optional_text("course", course),
            select=_select(select),
            kv=_flag("kv", kv),
            until=_until(until),
        )

    @property
    def names_plan_uid(self) -> bool:
        """Whether ``plan`` is a SOP Instance UID rather than a label."""
        return len(self.plan) > 16 and re.fullmatch(r"[0-9]+(\.[0-9]+){4,}", self.plan) is not None

    @property
    def as_dict(self) -> Mapping[str, Any]:
        """The request in JSON's types, without what was not asked."""
        given = {
            "patient_id": self.patient_id,
            "plan": self.plan,
            "image_type": "\\".join(self.image_type),
            "date": self.date.isoformat() if self.date else None,
            "count": self.count,
            "machine": self.machine,
            "course": self.course,
            "select": self.select,
            "kv": self.kv or None,
            "until": self.until.isoformat() if self.until else None,
        }
        return {key: value for key, value in given.items() if value is not None}


def parse_patient_id(value: Any) -> str:
    """A patient ID that may be asked for; raises :class:`RequestError`."""
    return _text("patient ID", value)


def parse_deadline(value: Any) -> float | None:
    """The seconds that somebody allows, or ``None`` for the node's own.

    Raises
    ------
    RequestError
        It is no number of seconds up to an hour.
    """
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 3600:
        return float(value)
    raise RequestError(
        f"The deadline {short_repr(value)} is no time: give seconds, more than 0 and at most 3600. "
        "Nothing was sent."
    )


def parse_max_age(value: Any) -> float:
    """The age in seconds that an earlier answer may have.

    Raises
    ------
    RequestError
        It is no number of seconds up to an hour.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= MAX_AGE:
        return float(value)
    raise RequestError(
        f"max_age={short_repr(value)} is no time: give seconds, from 0 (ask the node in any case) "
        f"to {MAX_AGE:g}. Nothing was sent."
    )


def _is_empty(value: Any) -> bool:
    # Not ``value == ""``: an array compares element by element, and is neither true nor false.
    return value is None or (isinstance(value, str) and value == "")


def _text(what: str, value: Any) -> str:
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
            f"The {what} {short_repr(text)} holds {named}, which means "
            "something else in a DICOM query: give it exactly, without wildcards. Nothing was sent."
        )
    return text


def _optional_text(what: str, value: Any) -> str | None:
    # An empty text is a test that nobody filled in: "any machine" would be a guess.
    return None if value is None else _text(what, value)


def _image_type(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) and value.strip().lower() in PRESETS:
        return PRESETS[value.strip().lower()]
    if isinstance(value, str):
        parts = tuple(part.strip() for part in value.split("\\"))
    elif isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
        parts = tuple(part.strip() for part in value)
    else:
        parts = ()
    known = 3 <= len(parts) <= MAX_VALUES and all(
        part in terms for part, terms in zip(parts, TERMS)
    )
    if not known or not all(re.fullmatch(r"[A-Z0-9_ ]{1,16}", part) for part in parts):
        near = difflib.get_close_matches(short_repr(value).strip("'").lower(), PRESETS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else "give 'portal' or 'portal_dose', or"
        raise RequestError(
            f"The image type {short_repr(value)} is none that RT Images have: {hint} "
            r"a full one is like ORIGINAL\PRIMARY\PORTAL. Nothing was sent."
        )
    return parts


def _date(value: Any, today: dt.date) -> dt.date | None:
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
    if day > today:
        raise RequestError(
            f"The date {day.isoformat()} is in the future (today is {today.isoformat()}): "
            "no image can have it. Nothing was sent."
        )
    return day


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


def _until(value: Any) -> dt.datetime | None:
    if value is None:
        return None
    if isinstance(value, dt.datetime) and value.tzinfo is None and value.year >= FIRST_YEAR:
        return value
    raise RequestError(
        f"The session was completed at {short_repr(value)}, which is no date and time, so nobody "
        "can tell which images were the latest then: open the test list again. Nothing was sent."
    )


def _count(value: Any) -> int | None:
    if _is_empty(value):
        return None
    # QATrack+'s numerical tests give 8.0 for 8, numpy its own numbers; True is none.
    if not isinstance(value, bool) and isinstance(value, (numbers.Real, str)):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = 0.5
        if number.is_integer() and 1 <= number <= MAX_COUNT:
            return int(number)
    raise RequestError(
        f"The count {short_repr(value)} is not a number of images: give a whole number from 1 to "
        f"{MAX_COUNT}. Nothing was sent."
    )


def _select(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and value in SELECTIONS):
        return value
    raise RequestError(
        f"select={short_repr(value)} is not known: give one of {', '.join(SELECTIONS)}. "
        "Nothing was sent."
    )


def _flag(what: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise RequestError(f"{what}={short_repr(value)} must be True or False. Nothing was sent.")
