"""What a header says of a plan or an image: read alike from C-FIND answers and from files.

Nothing here trusts its source: an attribute may be missing, empty or nonsense. A C-FIND answer
that lacks an attribute tells nothing (the server may not return that key), so it reads as
``None``, "not known"; a file that lacks it tells that it is absent, which reads as empty.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import math
import re
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

import pydicom
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.valuerep import PersonName

from qatrack_aria.dicom.character_sets import PADDING, plain_text
from qatrack_aria.text import printable

#: Values of an attribute that are read: one more than anybody can ask for, of an ImageType.
MAX_VALUES = 17
#: Dates before are what programs write for none (1 January 0001 or 1900).
EARLIEST_YEAR = 1901


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

    def to_json(self) -> dict[str, Any]:
        """All of it in JSON's types, for :meth:`from_json`."""
        created = self.created.isoformat() if self.created else None
        return {**dataclasses.asdict(self), "created": created}

    @classmethod
    def from_json(cls, note: Mapping[str, Any]) -> PlanRef:
        """Rebuild what :meth:`to_json` was made of."""
        return cls(**{**note, "created": parse_moment(note["created"])})

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

    def to_json(self) -> dict[str, Any]:
        """All of it in JSON's types, for :meth:`from_json`."""
        return {
            **dataclasses.asdict(self),
            "plan_uids": sorted(self.plan_uids or ()),
            "machines": sorted(self.machines or ()),
            "acquired": self.acquired.isoformat() if self.acquired else None,
        }

    @classmethod
    def from_json(cls, note: Mapping[str, Any]) -> ImageRef:
        """Rebuild what :meth:`to_json` was made of, for an image that was read from its file."""
        return cls(
            **{
                **note,
                "image_type": tuple(note["image_type"]),
                "plan_uids": frozenset(note["plan_uids"]),
                "machines": frozenset(note["machines"]),
                "acquired": parse_moment(note["acquired"]),
            }
        )

    @property
    def machine(self) -> str:
        """One name of the machine, for people."""
        return sorted(self.machines)[0] if self.machines else ""

    @property
    def day(self) -> dt.date | None:
        """The day of acquisition."""
        return self.acquired.date() if self.acquired else None

    @property
    def moment(self) -> dt.datetime:
        """`acquired`; what has no date comes before everything else."""
        return self.acquired or dt.datetime.min

    @property
    def order(self) -> tuple[dt.datetime, str]:
        """What images are sorted by: their acquisition, then the SOP Instance UID."""
        return self.moment, self.sop_uid

    @property
    def series_key(self) -> tuple[str, str]:
        """Study and Series Instance UID."""
        return self.study_uid, self.series_uid


def parse_moment(text: str | None) -> dt.datetime | None:
    """A moment in ISO 8601, as :meth:`datetime.datetime.isoformat` writes it."""
    return dt.datetime.fromisoformat(text) if text else None


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
    # The same attribute in answers and files; Station Name only where the other is not filled in.
    machine = text(ds, "RadiationMachineName") or text(ds, "StationName")
    machines = frozenset([machine] if machine else [])
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
        acquired=_acquired(ds, from_file),
        machines=machines if machines or from_file else None,
        dose_unit=text(ds, "PrimaryDosimeterUnit") or ("" if from_file else None),
        peak_kv=_peak_kv(ds),
        from_file=from_file,
    )


#: What is read here, and of files nothing else: converting it all takes twice as long.
READ = frozenset(
    map(
        Tag,
        (
            "SpecificCharacterSet",
            "PatientID",
            "StudyInstanceUID",
            "SeriesInstanceUID",
            "SOPInstanceUID",
            "SOPClassUID",
            "Modality",
            "ImageType",
            "AcquisitionDate",
            "AcquisitionTime",
            "ContentDate",
            "ContentTime",
            "RadiationMachineName",
            "StationName",
            "PrimaryDosimeterUnit",
            "ExposureSequence",
            "ReferencedRTPlanSequence",
            "RTPlanLabel",
            "RTPlanDate",
            "RTPlanTime",
            "StudyID",
        ),
    )
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


#: A keyword's tag; the keywords are all our own.
_tag = functools.lru_cache(maxsize=None)(Tag)


def _values(ds: Dataset, keyword: str) -> Sequence[str]:
    plain = plain_text(ds, _tag(keyword))
    if plain is not None:
        many: Sequence[Any] = plain.split("\\")[:MAX_VALUES]
    else:
        many = _converted_values(ds, keyword)
    return [printable(str(part).strip(PADDING)) for part in many]


def _converted_values(ds: Dataset, keyword: str) -> Sequence[Any]:
    value = _value(ds, keyword)
    if value is None or value == "":
        return []
    # By a wrong VR it can be of any type; some hold names of people.
    many = value[:MAX_VALUES] if isinstance(value, MultiValue) else [value]
    if any(isinstance(part, (bytes, PersonName, Dataset, pydicom.Sequence)) for part in many):
        return []
    return many


def text(ds: Dataset, keyword: str) -> str | None:
    """The first value of an attribute as text without padding; ``None`` if absent or empty."""
    values = _values(ds, keyword)
    return values[0] or None if values else None


def _items(ds: Dataset, keyword: str) -> Sequence[Dataset]:
    value = _value(ds, keyword)
    return value if isinstance(value, pydicom.Sequence) else []


def _acquired(ds: Dataset, from_file: bool) -> dt.datetime | None:
    """Acquisition Date and Time, else Content Date and Time.

    An answer with a day but no time tells nothing: it would rank before all others of its day.
    """
    day, time = _date(ds, "AcquisitionDate"), _time(ds, "AcquisitionTime")
    content_day = _date(ds, "ContentDate")
    if day is None or (time is None and day == content_day):
        day, time = content_day, _time(ds, "ContentTime")
    if day is None or (time is None and not from_file):
        return None
    return dt.datetime.combine(day, time or dt.time())


def _moment(ds: Dataset, date_keyword: str, time_keyword: str) -> dt.datetime | None:
    day = _date(ds, date_keyword)
    return dt.datetime.combine(day, _time(ds, time_keyword) or dt.time()) if day else None


def _date(ds: Dataset, keyword: str) -> dt.date | None:
    value = text(ds, keyword)
    if value is None or not re.fullmatch(r"[0-9]{8}", value):
        return None
    try:
        day = dt.date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError:
        return None
    return day if day.year >= EARLIEST_YEAR else None


def _time(ds: Dataset, keyword: str) -> dt.time | None:
    """A TM value (PS3.5 table 6.2-1), which may stop after hours or minutes."""
    form = r"([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:\.([0-9]{1,6}))?)?)?"
    match = re.fullmatch(form, text(ds, keyword) or "")
    if not match:
        return None
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    try:
        return dt.time(hour, minute, min(second, 59), int((match[4] or "").ljust(6, "0")))
    except ValueError:
        return None


def _peak_kv(ds: Dataset) -> float | None:
    for item in _items(ds, "ExposureSequence"):
        try:
            voltage = float(_value(item, "KVP"))
        except (TypeError, ValueError, OverflowError):
            continue
        if math.isfinite(voltage):
            return voltage
    return None
