"""What a header says of a plan or an image: read alike from C-FIND answers and from files.

Nothing here trusts its source: an attribute may be missing, empty or nonsense. A C-FIND answer
that lacks an attribute tells nothing (the server may not return that key), so it reads as
``None``, "not known"; a file that lacks it tells that it is absent, which reads as empty.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any, Sequence

import pydicom
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

RT_PLAN_STORAGE = "1.2.840.10008.5.1.4.1.1.481.5"
RT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.481.1"
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
SPATIAL_REGISTRATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.1"
#: Halcyon's plans are of private classes (seen in several clients of ARIA).
VARIAN_PLAN_CLASSES = (
    "1.2.246.352.70.1.70",
    "1.2.246.352.70.1.71",
    "1.2.246.352.70.1.72",
)
PLAN_CLASSES = (RT_PLAN_STORAGE, *VARIAN_PLAN_CLASSES)


@dataclass(frozen=True)
class PlanRef:
    """One RT Plan, as far as it is known.

    ``label`` and ``course`` are ``None`` where the server did not tell; ``created`` is the RT
    Plan Date and Time.
    """

    patient_id: str | None
    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class: str | None = None
    modality: str | None = None
    label: str | None = None
    course: str | None = None
    created: dt.datetime | None = None
    from_file: bool = False

    def __str__(self) -> str:
        course = f"course {self.course}" if self.course else "no course given"
        made = self.created.strftime("%Y-%m-%d %H:%M") if self.created else "no date given"
        return f"{self.label or '?'} ({course}, {made}, UID {self.sop_uid})"


@dataclass(frozen=True)
class ImageRef:
    """One RT Image, as far as it is known; ``None`` means that nobody told yet.

    ``acquired`` is Acquisition Date and Time, else Content Date and Time: the dates of series,
    study and instance creation say when something was filed or exported. ``dose_unit`` is the
    Primary Dosimeter Unit, MU for MV images and MINUTE for kV ones.
    """

    patient_id: str | None
    study_uid: str
    series_uid: str
    sop_uid: str
    modality: str | None = None
    image_type: tuple[str, ...] | None = None
    plan_uids: frozenset[str] | None = None
    acquired: dt.datetime | None = None
    machines: frozenset[str] | None = None
    dose_unit: str | None = None
    peak_kv: float | None = None
    from_file: bool = False

    @property
    def is_kv(self) -> bool | None:
        """Whether the beam was kV; ``None`` while unknown.

        The unit is empty or absent in images of other makers; the exposure's KVP then tells. An
        image whose file says neither counts as MV: portal imagers are MV devices.
        """
        if self.dose_unit == "MINUTE":
            return True
        if self.dose_unit == "MU":
            return False
        if not self.from_file:
            return None
        return self.peak_kv is not None and 0 < self.peak_kv < 1000

    @property
    def machine(self) -> str:
        """One name of the machine, for people."""
        return sorted(self.machines)[0] if self.machines else ""


def valid_uid(value: object) -> bool:
    """Whether `value` is a UID (PS3.5 section 9), and so safe in a file name.

    Leading zeros in a component are let pass: they are wrong, seen in the field, and harmless.
    """
    return (
        isinstance(value, str)
        and len(value) <= 64
        and re.fullmatch(r"[0-9]+(\.[0-9]+)+", value) is not None
    )


def plan_ref(ds: Dataset, *, from_file: bool = False) -> PlanRef:
    """Read a plan's header or a C-FIND answer."""
    unknown = "" if from_file else None
    return PlanRef(
        **_identity(ds),
        sop_class=text(ds, "SOPClassUID"),
        modality=text(ds, "Modality"),
        label=text(ds, "RTPlanLabel") or unknown,
        course=text(ds, "StudyID") or unknown,
        created=_moment(ds, "RTPlanDate", "RTPlanTime"),
        from_file=from_file,
    )


def image_ref(ds: Dataset, *, from_file: bool = False) -> ImageRef:
    """Read an image's header or a C-FIND answer."""
    image_type = tuple(_values(ds, "ImageType"))
    machines = frozenset(filter(None, (text(ds, "RadiationMachineName"), text(ds, "StationName"))))
    plans = frozenset(
        uid
        for item in _items(ds, "ReferencedRTPlanSequence")
        for uid in [text(item, "ReferencedSOPInstanceUID")]
        if uid
    )
    return ImageRef(
        **_identity(ds),
        modality=text(ds, "Modality"),
        image_type=image_type if image_type or from_file else None,
        plan_uids=plans if plans or from_file else None,
        acquired=_moment(ds, "AcquisitionDate", "AcquisitionTime")
        or _moment(ds, "ContentDate", "ContentTime"),
        machines=machines if machines or from_file else None,
        dose_unit=text(ds, "PrimaryDosimeterUnit") or ("" if from_file else None),
        peak_kv=_peak_kv(ds),
        from_file=from_file,
    )


def _identity(ds: Dataset) -> Any:
    return {
        "patient_id": text(ds, "PatientID"),
        "study_uid": text(ds, "StudyInstanceUID") or "",
        "series_uid": text(ds, "SeriesInstanceUID") or "",
        "sop_uid": text(ds, "SOPInstanceUID") or "",
    }


def _value(ds: Dataset, keyword: str) -> Any:
    try:
        return ds.get(keyword)
    except Exception:  # a value that cannot be converted is as good as none
        return None


def _values(ds: Dataset, keyword: str) -> Sequence[str]:
    value = _value(ds, keyword)
    if value is None or value == "":
        return []
    # By a wrong VR it can be of any type.
    many = value if isinstance(value, MultiValue) else [value]
    return [str(part).strip(" \0") for part in many]


def text(ds: Dataset, keyword: str) -> str | None:
    """The first value of an attribute as text without padding; ``None`` if absent or empty."""
    values = _values(ds, keyword)
    return values[0] or None if values else None


def _items(ds: Dataset, keyword: str) -> Sequence[Dataset]:
    value = _value(ds, keyword)
    return value if isinstance(value, pydicom.Sequence) else []


def _moment(ds: Dataset, date_keyword: str, time_keyword: str) -> dt.datetime | None:
    date = text(ds, date_keyword)
    if date is None or not re.fullmatch(r"\d{8}", date):
        return None
    try:
        day = dt.datetime.strptime(date, "%Y%m%d")
    except ValueError:
        return None
    return dt.datetime.combine(day.date(), _time(text(ds, time_keyword)))


def _time(value: str | None) -> dt.time:
    """A TM value (PS3.5 table 6.2-1), which may stop after hours or minutes; else midnight."""
    match = re.fullmatch(r"(\d{2})(?:(\d{2})(?:(\d{2})(?:\.(\d{1,6}))?)?)?", value or "")
    if not match:
        return dt.time()
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    try:
        return dt.time(hour, minute, min(second, 59), int((match[4] or "").ljust(6, "0")))
    except ValueError:
        return dt.time()


def _peak_kv(ds: Dataset) -> float | None:
    for item in _items(ds, "ExposureSequence"):
        try:
            return float(_value(item, "KVP"))
        except (TypeError, ValueError):
            continue
    return None
