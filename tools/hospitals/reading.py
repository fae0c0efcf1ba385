"""Read the headers of a hospital's images, for the judge.

Nothing here is imported from the app: the judge reads the standard and the README by itself.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from typing import Any, Iterable, NamedTuple

from pydicom.dataset import Dataset

#: kV; below are MV that were written without their thousands, from 1000 on they are in kV.
LOWEST_KV, HIGHEST_KV = 30.0, 1000.0


class Picture(NamedTuple):
    """What the header of one image says.

    ``is_kv`` is ``None`` where the header contradicts itself. ``day`` and ``moment`` are ``None``
    where they cannot be read. With `ends_day` the time is 24:00, which is the midnight after the
    day to one reader and no time to another.
    """

    uid: str
    patient: str
    series: str
    image_type: tuple[str, ...]
    plans: frozenset[str]
    machine: str
    is_kv: bool | None
    day: dt.date | None
    moment: dt.datetime | None
    ends_day: bool = False


class Plan(NamedTuple):
    """What the header of one plan says."""

    uid: str
    patient: str
    label: str
    course: str


def read_plan(ds: Dataset) -> Plan:
    """Read a plan."""
    return Plan(
        _text(ds, "SOPInstanceUID"),
        same(_text(ds, "PatientID")),
        same(_text(ds, "RTPlanLabel")),
        same(_text(ds, "StudyID")),
    )


def read_image(ds: Dataset) -> Picture:
    """Read an image."""
    day, moment, ends_day = _when(ds)
    referenced = (
        _text(item, "ReferencedSOPInstanceUID") for item in ds.get("ReferencedRTPlanSequence") or ()
    )
    return Picture(
        _text(ds, "SOPInstanceUID"),
        same(_text(ds, "PatientID")),
        _text(ds, "SeriesInstanceUID"),
        type_values(_values(ds, "ImageType")),
        frozenset(uid for uid in referenced if uid),
        same(_text(ds, "RadiationMachineName") or _text(ds, "StationName")),
        _is_kv(ds),
        day,
        moment,
        ends_day,
    )


def read(datasets: Iterable[Dataset]) -> tuple[list[Plan], list[Picture]]:
    """Read the plans and the images of a hospital."""
    held = list(datasets)
    plans = [read_plan(ds) for ds in held if ds.Modality == "RTPLAN"]
    return plans, [read_image(ds) for ds in held if ds.Modality == "RTIMAGE"]


def same(text: str) -> str:
    """Return a text as it compares: composed, and without padding."""
    return unicodedata.normalize("NFC", text).strip()


def type_values(values: list[str]) -> tuple[str, ...]:
    """Return the values of an Image Type as they compare."""
    named = [value.strip().upper() for value in values]
    while named and not named[-1]:
        named.pop()
    return tuple(named)


def read_date(text: str) -> dt.date | None:
    """Read a date in the form of DICOM or of ACR-NEMA."""
    digits = re.fullmatch(r"(\d{4})(\.?)(\d\d)\2(\d\d)", text.strip())
    if not digits:
        return None
    try:
        return dt.date(int(digits[1]), int(digits[3]), int(digits[4]))
    except ValueError:
        return None


def read_time(text: str) -> dt.time | None:
    """Read a time in the form of DICOM or of ACR-NEMA."""
    parts = re.fullmatch(r"(\d\d)(?:(:?)(\d\d)(?:\2(\d\d)(?:\.(\d+))?)?)?", text.strip())
    if not parts:
        return None
    hour, minute, second = (int(parts[group] or 0) for group in (1, 3, 4))
    try:
        return dt.time(hour, minute, min(second, 59), int(f"{parts[5] or 0:0<6}"[:6]))
    except ValueError:
        return None


def _when(ds: Dataset) -> tuple[dt.date | None, dt.datetime | None, bool]:
    """Return the day and the moment of an image, and whether its time is 24:00."""
    days, moments, ends_day = [], [], False
    for kind in ("Acquisition", "Content"):
        day = read_date(_text(ds, f"{kind}Date"))
        if day is None:
            continue
        days.append(day)
        text = _text(ds, f"{kind}Time")
        time = read_time(text)
        if time is not None:
            moments.append(dt.datetime.combine(day, time))
        ends_day = ends_day or text.startswith("2400")
    if moments:
        return min(moments).date(), min(moments), False
    return (min(days) if days else None), None, ends_day and bool(days)


def _is_kv(ds: Dataset) -> bool | None:
    """Weigh unit, voltage and description; an image that says nothing is one of an MV imager."""
    votes = set()
    unit = _text(ds, "PrimaryDosimeterUnit").upper()
    if unit in ("MU", "MINUTE"):
        votes.add(unit == "MINUTE")
    for item in ds.get("ExposureSequence") or ():
        try:
            voltage = float(_text(item, "KVP"))
        except ValueError:
            continue
        if voltage > 0:
            votes.add(LOWEST_KV <= voltage < HIGHEST_KV)
    if re.search(r"\d\s*MV\b", _text(ds, "RTImageDescription").upper()):
        votes.add(False)
    if len(votes) > 1:
        return None
    return votes == {True}


def _text(ds: Dataset, keyword: str) -> str:
    value: Any = ds.get(keyword)
    return "" if value is None else str(value).strip().strip("\0")


def _values(ds: Dataset, keyword: str) -> list[str]:
    value: Any = ds.get(keyword)
    if value is None or isinstance(value, str):
        return [value or ""]
    return [str(one) for one in value]
