"""What a header says of a plan or an image: read alike from C-FIND answers and from files.

Nothing here trusts its source: an attribute may be missing, empty or nonsense. A C-FIND answer
that lacks an attribute tells nothing (the server may not return that key), so it reads as
``None``, "not known"; a file that lacks it tells that it is absent, which reads as empty.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Sequence

import pydicom
from pydicom.dataelem import RawDataElement
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

PIXEL_DATA = b"\xe0\x7f\x10\x00"
UNDEFINED_LENGTH = 0xFFFFFFFF


class UnreadableError(Exception):
    """A file that is not a whole DICOM instance."""


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


def read_file(path: Path) -> Dataset:
    """Read the header of an instance and make sure that all of its pixels are there.

    Parameters
    ----------
    path : Path
        A DICOM file (PS3.10).

    Returns
    -------
    Dataset
        Everything before the pixel data.

    Raises
    ------
    UnreadableError
        The file cannot be read, or ends early; the message says how.
    OSError
        The disk did not give it.
    """
    with open(path, "rb") as file:
        try:
            ds = pydicom.dcmread(file, stop_before_pixels=True)
            wanted = _pixel_bytes(ds)
        except Exception as error:  # pydicom raises of every kind on garbage
            if isinstance(error, OSError) and error.errno:
                raise  # the disk's own; pydicom's have no number
            raise UnreadableError(f"it is not readable as DICOM ({error})") from error
        if wanted:
            _check_pixels(file, ds, wanted)
        elif _is_rt_image(ds):
            raise UnreadableError("it has no pixel data")
        else:
            _check_end(file, ds)
    return ds


def _is_rt_image(ds: Dataset) -> bool:
    # The file meta information, too: a file may end before the data set tells.
    classes = (text(ds, "SOPClassUID"), text(ds.file_meta, "MediaStorageSOPClassUID"))
    return RT_IMAGE_STORAGE in classes


def _check_end(file: BinaryIO, ds: Dataset) -> None:
    # pydicom takes a last value that is cut short for a whole one.
    if not len(ds):
        raise UnreadableError("it has no data set")
    last = ds.get_item(max(ds.keys()))
    if not isinstance(last, RawDataElement) or last.length == UNDEFINED_LENGTH:
        return
    if last.value_tell + last.length > file.seek(0, os.SEEK_END):
        raise UnreadableError("it ends inside an attribute")


def _pixel_bytes(ds: Dataset) -> int:
    """Bytes of uncompressed pixel data that the header promises, 0 where it promises none."""
    if "Rows" not in ds or "Columns" not in ds:
        return 0
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax.is_compressed:
        return 1
    frames = int(ds.get("NumberOfFrames") or 1)
    samples = int(ds.get("SamplesPerPixel") or 1)
    bits = int(ds.Rows) * int(ds.Columns) * samples * frames * int(ds.get("BitsAllocated") or 16)
    return (bits + 7) // 8


def _check_pixels(file: BinaryIO, ds: Dataset, wanted: int) -> None:
    # pydicom stops with the file at the pixel data's tag.
    start = file.tell()
    head = file.read(12)
    if head[:4] != PIXEL_DATA:
        raise UnreadableError("it has no pixel data")
    if ds.file_meta.TransferSyntaxUID.is_implicit_VR:
        value_at, (length,) = start + 8, struct.unpack("<L", head[4:8])
    elif len(head) == 12:
        value_at, (length,) = start + 12, struct.unpack("<L", head[8:12])
    else:
        raise UnreadableError("it ends inside the pixel data")
    there = file.seek(0, os.SEEK_END) - value_at
    if ds.file_meta.TransferSyntaxUID.is_compressed:
        length = wanted = 1  # of undefined length; only that something is there can be seen here
    if there < length or length < wanted:
        raise UnreadableError(
            f"it has {max(0, min(there, length))} bytes of pixel data where {wanted} belong"
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
