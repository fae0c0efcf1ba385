"""The attributes of a plan or an image, read alike from C-FIND answers and from files.

No source is trusted: an attribute may be missing, empty or nonsense. A C-FIND answer without an
attribute proves nothing (the server may not return that key), so it reads as ``None``, unknown. A
file without it proves that it is absent, which reads as empty.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from dataclasses import dataclass
from typing import Any, Mapping

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from qatrack_aria.dicom import acquisition, image_times, slices
from qatrack_aria.dicom.acquisition import Acquisition
from qatrack_aria.dicom.beam_quality import described_quality, quality
from qatrack_aria.dicom.plain_answers import PlainAnswer
from qatrack_aria.dicom.rt_plan import Beam
from qatrack_aria.dicom.slices import Slice
from qatrack_aria.dicom.uids import CT, SeriesKey
from qatrack_aria.dicom.values import date, decimal, items, text, texts, time


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

    ``acquired`` is the moment of acquisition by the clock of the imager: Acquisition Date and Time,
    or Content Date and Time if they are alone or a little earlier. The dates of series, study and
    instance creation give the time of filing or export. Where a file has a date but no readable
    time, ``acquired_on`` is its day; ``saved`` is the other one of two times that differ.
    ``dose_unit`` is the Primary Dosimeter Unit, ``peak_kv`` the KVP in kV, and ``described`` what
    label and description say (``"MV"``, ``"kV"`` or empty). ``acquisition`` is read from files
    only; ``beam`` is the beam of the plan where that was read. ``description`` is the Series
    Description, ``frame`` the Frame of Reference UID. ``slice`` is read from the files of CT
    images, and ``related``, the frames that a registration relates, from its file.
    """

    patient_id: str | None
    study_uid: str
    series_uid: str
    sop_uid: str
    modality: str | None = None
    image_type: tuple[str, ...] | None = None
    plan_uids: frozenset[str] | None = None
    acquired: dt.datetime | None = None
    acquired_on: dt.date | None = None
    saved: dt.datetime | None = None
    machines: frozenset[str] | None = None
    dose_unit: str | None = None
    peak_kv: float | None = None
    described: str = ""
    acquisition: Acquisition | None = None
    beam: Beam | None = None
    description: str | None = None
    frame: str | None = None
    related: frozenset[str] | None = None
    slice: Slice | None = None
    from_file: bool = False

    @property
    def is_kv(self) -> bool | None:
        """Whether the beam was kV; ``None`` while unknown, or where the signs disagree.

        See :func:`qatrack_aria.dicom.beam_quality.quality`. In an answer only the unit is known.
        """
        if not self.from_file and not self.dose_unit:
            return None
        return quality(self.dose_unit, self.peak_kv, self.described)

    def to_json(self) -> dict[str, Any]:
        """Return all fields in JSON's types, for :meth:`from_json`."""
        return {
            **dataclasses.asdict(self),
            "plan_uids": sorted(self.plan_uids or ()),
            "machines": sorted(self.machines or ()),
            "related": None if self.related is None else sorted(self.related),
            "acquired": self.acquired.isoformat() if self.acquired else None,
            "acquired_on": self.acquired_on.isoformat() if self.acquired_on else None,
            "saved": self.saved.isoformat() if self.saved else None,
        }

    @classmethod
    def from_json(cls, note: Mapping[str, Any]) -> ImageRef:
        """Rebuild from :meth:`to_json` an image that was read from its file."""
        day, beam, acquired = note["acquired_on"], note["beam"], note["acquisition"]
        place, related = note["slice"], note["related"]
        return cls(
            **{
                **note,
                "acquisition": Acquisition.from_json(acquired) if acquired else None,
                "beam": Beam(**beam) if beam else None,
                "slice": Slice.from_json(place) if place else None,
                "image_type": tuple(note["image_type"]),
                "plan_uids": frozenset(note["plan_uids"]),
                "machines": frozenset(note["machines"]),
                "related": frozenset(related) if related is not None else None,
                "acquired": parse_moment(note["acquired"]),
                "acquired_on": dt.date.fromisoformat(day) if day else None,
                "saved": parse_moment(note["saved"]),
            }
        )

    @property
    def machine(self) -> str:
        """One name of the machine, for people."""
        return sorted(self.machines)[0] if self.machines else ""

    @property
    def energy(self) -> float | None:
        """The nominal energy in MV, by the image, else by its beam in the plan."""
        own = self.acquisition.energy if self.acquisition else None
        if own is None and self.beam is not None and not self.is_kv:
            return self.beam.energy
        return own

    @property
    def fff(self) -> bool | None:
        """Whether the beam was flattening filter free, by the image, else by the plan."""
        own = self.acquisition.fff if self.acquisition else None
        return self.beam.fff if own is None and self.beam is not None else own

    @property
    def day(self) -> dt.date | None:
        """The day of acquisition."""
        return self.acquired.date() if self.acquired else self.acquired_on

    @property
    def moment(self) -> dt.datetime:
        """`acquired`, else the begin of the day; an image without a date comes before all."""
        return self.acquired or dt.datetime.combine(self.day or dt.date.min, dt.time())

    @property
    def latest(self) -> dt.datetime:
        """`acquired`, else the end of the day, which is the latest that it can have been."""
        return self.acquired or dt.datetime.combine(self.day or dt.date.min, dt.time.max)

    @property
    def order(self) -> tuple[dt.datetime, str]:
        """The sort key of images: time of acquisition, then SOP Instance UID."""
        return self.moment, self.sop_uid

    @property
    def place(self) -> tuple[float, dt.datetime, str]:
        """The sort key of the images of one set: the position of a slice, else its time."""
        height = self.slice.height if self.slice else None
        return (height or 0.0, *self.order)

    @property
    def series_key(self) -> SeriesKey:
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


def _created(ds: Dataset, from_file: bool, day: str, at: str) -> dt.datetime | None:
    """Read the date and time of a plan; midnight where only the date is there."""
    found = date(ds, day)
    return dt.datetime.combine(found, time(ds, at) or dt.time()) if found else None


def _image_type(ds: Dataset, from_file: bool, keyword: str) -> tuple[str, ...] | None:
    values = list(texts(ds, keyword))
    while values and not values[-1]:
        values.pop()
    return tuple(value.upper() for value in values) if values or from_file else None


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


def _related(ds: Dataset, from_file: bool, keyword: str, frame: str) -> frozenset[str] | None:
    """Read which frames of reference a spatial registration relates (PS3.3 C.20.2)."""
    frames = (text(item, frame) for item in (ds, *items(ds, keyword)))
    found = frozenset(one for one in frames if one)
    return found if from_file and items(ds, keyword) else None


def _peak_kv(ds: Dataset, from_file: bool, exposures: str, keyword: str) -> float | None:
    voltages = (decimal(item, keyword) for item in (*items(ds, exposures), ds))
    return next((voltage for voltage in voltages if voltage is not None), None)


def _described(ds: Dataset, from_file: bool, *keywords: str) -> str:
    return described_quality(" ".join(text(ds, keyword) or "" for keyword in keywords))


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
    "created": (_created, "RTPlanDate", "RTPlanTime"),
}
_IMAGE: dict[str, Any] = {
    **_BOTH,
    "image_type": (_image_type, "ImageType"),
    "plan_uids": (_plan_uids, "ReferencedRTPlanSequence"),
    "machines": (_machines, "RadiationMachineName", "StationName"),
    "dose_unit": (_text_or_absent, "PrimaryDosimeterUnit"),
    "peak_kv": (_peak_kv, "ExposureSequence", "KVP"),
    "described": (_described, "RTImageLabel", "RTImageDescription"),
    "description": (_text_or_absent, "SeriesDescription"),
    "frame": (_text_or_absent, "FrameOfReferenceUID"),
    "related": (_related, "RegistrationSequence", "FrameOfReferenceUID"),
}

#: Tags of all that is read above. Of a file all else is dropped: converting it takes twice as long.
READ = frozenset(
    Tag(keyword)
    for _, *keywords in (
        *_PLAN.values(),
        *_IMAGE.values(),
        (
            None,
            *image_times.KEYWORDS,
            *acquisition.KEYWORDS,
            *slices.KEYWORDS,
            "SpecificCharacterSet",
        ),
    )
    for keyword in keywords
)


def plan_ref(ds: Dataset | PlainAnswer, *, from_file: bool = False) -> PlanRef:
    """Read a plan from the header of a file, or from a C-FIND answer."""
    return PlanRef(**_read(ds, from_file, _PLAN), from_file=from_file)


def image_ref(ds: Dataset | PlainAnswer, *, from_file: bool = False) -> ImageRef:
    """Read an image from the header of a file, or from a C-FIND answer."""
    found = _read(ds, from_file, _IMAGE)
    found.update(image_times.read(ds, from_file))
    if from_file and found["modality"] == CT:
        found["slice"] = slices.read_slice(ds)
    elif from_file:
        found["acquisition"] = acquisition.acquisition(ds)
    return ImageRef(**found, from_file=from_file)


def _read(ds: Any, from_file: bool, fields: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: read(ds, from_file, *keywords) for name, (read, *keywords) in fields.items()}
    return {name: value if name == "sop_uid" else _shared(value) for name, value in found.items()}


@functools.lru_cache(maxsize=1024, typed=True)
def _shared(value: Any) -> Any:
    """Return a value as it was first read: nearly all that images of a history have is the same."""
    return value
