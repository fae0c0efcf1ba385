"""The attributes of a plan or an image, read alike from C-FIND answers and from files.

No source is trusted: an attribute may be missing, empty or nonsense. A C-FIND answer without an
attribute proves nothing (the server may not return that key), so it reads as ``None``, unknown. A
file without it proves that it is absent, which reads as empty.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from dataclasses import dataclass
from typing import Any, Mapping

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from qatrack_aria.dicom.values import converted, date, items, moment, text, texts, time


@dataclass(frozen=True)
class PlanRef:
    """One RT Plan, as far as it is known.

    ``label`` and ``course`` are ``None`` where the server did not return them; ``created`` is the
    RT Plan Date and Time.
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
        """Return all fields in JSON's types, for :meth:`from_json`."""
        created = self.created.isoformat() if self.created else None
        return {**dataclasses.asdict(self), "created": created}

    @classmethod
    def from_json(cls, note: Mapping[str, Any]) -> PlanRef:
        """Rebuild a plan from :meth:`to_json`."""
        return cls(**{**note, "created": parse_moment(note["created"])})

    def __str__(self) -> str:
        course = f"course {self.course}" if self.course else "no course given"
        made = self.created.strftime("%Y-%m-%d %H:%M") if self.created else "no date given"
        return f"{self.label or '?'} ({course}, {made}, UID {self.sop_uid})"


@dataclass(frozen=True)
class ImageRef:
    """One RT Image, as far as it is known; ``None`` means not known yet.

    ``acquired`` is Acquisition Date and Time, else Content Date and Time: the dates of series,
    study and instance creation give the time of filing or export. ``dose_unit`` is the
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

        The unit is empty or absent in images of other vendors; the exposure's KVP then decides. A
        file with neither counts as MV: portal imagers are MV devices.
        """
        if self.dose_unit == "MINUTE":
            return True
        if self.dose_unit == "MU":
            return False
        if not self.from_file:
            return None
        return self.peak_kv is not None and 0 < self.peak_kv < 1000

    def to_json(self) -> dict[str, Any]:
        """Return all fields in JSON's types, for :meth:`from_json`."""
        return {
            **dataclasses.asdict(self),
            "plan_uids": sorted(self.plan_uids or ()),
            "machines": sorted(self.machines or ()),
            "acquired": self.acquired.isoformat() if self.acquired else None,
        }

    @classmethod
    def from_json(cls, note: Mapping[str, Any]) -> ImageRef:
        """Rebuild from :meth:`to_json` an image that was read from its file."""
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
        """`acquired`; an image without a date comes before all others."""
        return self.acquired or dt.datetime.min

    @property
    def order(self) -> tuple[dt.datetime, str]:
        """The sort key of images: time of acquisition, then SOP Instance UID."""
        return self.moment, self.sop_uid

    @property
    def series_key(self) -> tuple[str, str]:
        """Study and Series Instance UID."""
        return self.study_uid, self.series_uid


def parse_moment(text: str | None) -> dt.datetime | None:
    """Read a date and time in ISO 8601, as :meth:`datetime.datetime.isoformat` writes it."""
    return dt.datetime.fromisoformat(text) if text else None


# --- readers: each takes a data set, whether it is a file's, and the keywords to read ---------


def _text(ds: Dataset, from_file: bool, keyword: str) -> str | None:
    return text(ds, keyword)


def _text_or_absent(ds: Dataset, from_file: bool, keyword: str) -> str | None:
    return text(ds, keyword) or ("" if from_file else None)


def _uid(ds: Dataset, from_file: bool, keyword: str) -> str:
    return text(ds, keyword) or ""


def _moment(ds: Dataset, from_file: bool, *keywords: str) -> dt.datetime | None:
    return moment(ds, *keywords)


def _image_type(ds: Dataset, from_file: bool, keyword: str) -> tuple[str, ...] | None:
    values = tuple(texts(ds, keyword))
    return values if values or from_file else None


def _plan_uids(ds: Dataset, from_file: bool, keyword: str) -> frozenset[str] | None:
    uids = (text(item, "ReferencedSOPInstanceUID") for item in items(ds, keyword))
    plans = frozenset(uid for uid in uids if uid)
    return plans if plans or from_file else None


def _machines(ds: Dataset, from_file: bool, name: str, station: str) -> frozenset[str] | None:
    # The same attribute in answers and files; Station Name only where the other is empty.
    machine = text(ds, name) or text(ds, station)
    if machine:
        return frozenset([machine])
    return frozenset() if from_file else None


def _acquired(
    ds: Dataset,
    from_file: bool,
    acquisition_date: str,
    acquisition_time: str,
    content_date: str,
    content_time: str,
) -> dt.datetime | None:
    """Read Acquisition Date and Time, else Content Date and Time.

    An answer with a date but no time counts as unknown: it would rank before all others of its day.
    """
    day, at = date(ds, acquisition_date), time(ds, acquisition_time)
    content_day = date(ds, content_date)
    if day is None or (at is None and day == content_day):
        day, at = content_day, time(ds, content_time)
    if day is None or (at is None and not from_file):
        return None
    return dt.datetime.combine(day, at or dt.time())


def _peak_kv(ds: Dataset, from_file: bool, keyword: str) -> float | None:
    for item in items(ds, keyword):
        try:
            voltage = float(converted(item, "KVP"))
        except (TypeError, ValueError, OverflowError):
            continue
        if math.isfinite(voltage):
            return voltage
    return None


#: Field by field: the reader, and the keywords that it reads.
_BOTH: dict[str, Any] = {
    "patient_id": (_text, "PatientID"),
    "study_uid": (_uid, "StudyInstanceUID"),
    "series_uid": (_uid, "SeriesInstanceUID"),
    "sop_uid": (_uid, "SOPInstanceUID"),
    "modality": (_text, "Modality"),
}
_PLAN: dict[str, Any] = {
    **_BOTH,
    "sop_class": (_text, "SOPClassUID"),
    "label": (_text_or_absent, "RTPlanLabel"),
    "course": (_text_or_absent, "StudyID"),
    "created": (_moment, "RTPlanDate", "RTPlanTime"),
}
_IMAGE: dict[str, Any] = {
    **_BOTH,
    "image_type": (_image_type, "ImageType"),
    "plan_uids": (_plan_uids, "ReferencedRTPlanSequence"),
    "acquired": (_acquired, "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"),
    "machines": (_machines, "RadiationMachineName", "StationName"),
    "dose_unit": (_text_or_absent, "PrimaryDosimeterUnit"),
    "peak_kv": (_peak_kv, "ExposureSequence"),
}

#: Tags of all that is read above. Of a file all else is dropped: converting it takes twice as long.
READ = frozenset(
    Tag(keyword)
    for _, *keywords in (*_PLAN.values(), *_IMAGE.values(), (None, "SpecificCharacterSet"))
    for keyword in keywords
)


def plan_ref(ds: Dataset, *, from_file: bool = False) -> PlanRef:
    """Read a plan from the header of a file, or from a C-FIND answer."""
    return PlanRef(**_read(ds, from_file, _PLAN), from_file=from_file)


def image_ref(ds: Dataset, *, from_file: bool = False) -> ImageRef:
    """Read an image from the header of a file, or from a C-FIND answer."""
    return ImageRef(**_read(ds, from_file, _IMAGE), from_file=from_file)


def _read(ds: Dataset, from_file: bool, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: read(ds, from_file, *keywords) for name, (read, *keywords) in fields.items()}
