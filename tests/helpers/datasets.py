"""Phantom data sets in the forms in which they travel: a file, an answer, an incoming instance."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any, Sequence

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.dicom.inbox import ReceivedInstance
from qatrack_aria.simulator import phantom
from qatrack_aria.simulator.phantom.plans import BEAMS
from qatrack_aria.storage.archive import Archive

PATIENT = "QA_TB1"
LABEL = "WL"
TAKEN = dt.datetime(2026, 11, 20, 8, 30)
PLAN_UID = "1.2.246.352.71.5.1"
#: The attribute by which an image is a kV image.
KV = {"dose_unit": "MINUTE"}


def plan(
    beams: Sequence[str] = BEAMS, energies: Sequence[str] = ("6X",), **changes: Any
) -> Dataset:
    """A plan; `changes` overwrite attributes, ``None`` removes one."""
    created = dt.datetime(2026, 1, 15, 9, 30)
    made = phantom.plan(PATIENT, LABEL, created=created, beams=beams, energies=energies)
    return change(made, changes)


def image(**changes: Any) -> Dataset:
    """A portal image of 64 × 64 pixels; `changes` as for `plan`."""
    taken = phantom.winston_lutz(plan(), TAKEN, full_size=False, count=1)[0]
    return change(taken, changes)


def change(ds: Dataset, changes: dict[str, Any]) -> Dataset:
    for keyword, value in changes.items():
        if value is None:
            del ds[keyword]
        else:
            setattr(ds, keyword, value)
    return ds


def encoded(ds: Dataset, *, explicit: bool = False) -> bytes:
    """A data set as it goes over the wire, without preamble and file meta information."""
    buffer = io.BytesIO()
    bare = Dataset()
    bare.update(ds)
    options: dict[str, Any] = {"implicit_vr": not explicit, "little_endian": True}
    if int(pydicom.__version__.split(".")[0]) < 3:
        bare.is_implicit_VR, bare.is_little_endian = not explicit, True
        options = {}
    pydicom.dcmwrite(buffer, bare, **options)
    return buffer.getvalue()


def incoming(ds: Dataset, *, explicit: bool = False, **changes: Any) -> ReceivedInstance:
    """An instance as the receiver hands it on."""
    syntax: UID = ExplicitVRLittleEndian if explicit else ImplicitVRLittleEndian
    data = encoded(ds, explicit=explicit)
    arrived = ReceivedInstance(str(ds.SOPInstanceUID), str(ds.SOPClassUID), str(syntax), data)
    return arrived._replace(**changes)


def file_in(archive: Archive, arrived: ReceivedInstance, patient_id: str) -> Dataset:
    """File an instance as a retrieval does; its header."""
    pending = archive.receive(arrived, patient_id)
    pending.commit()
    return pending.header


def save(ds: Dataset, path: Path) -> Path:
    """A DICOM file at `path`."""
    return phantom.save(ds, path.parent).rename(path)


def image_ref(number: int = 1, **changes: Any) -> ImageRef:
    """What is known of one portal image after it was fetched."""
    known = {
        "patient_id": PATIENT,
        "study_uid": "1.2.3.1",
        "series_uid": "1.2.3.2",
        "sop_uid": f"1.2.3.4.{number}",
        "modality": "RTIMAGE",
        "image_type": ("ORIGINAL", "PRIMARY", "PORTAL"),
        "plan_uids": frozenset({PLAN_UID}),
        "acquired": TAKEN + dt.timedelta(seconds=number),
        "machines": frozenset({"TB1"}),
        "dose_unit": "MU",
        "from_file": True,
    }
    return ImageRef(**{**known, **changes})


def series_refs(name: str, *numbers: int, **changes: Any) -> list[ImageRef]:
    """Images of one series; their numbers give the order of acquisition, in seconds."""
    return [image_ref(number, series_uid=f"1.2.3.{name}", **changes) for number in numbers]


def plan_ref(**changes: Any) -> PlanRef:
    """What is known of one plan after it was found."""
    known = {
        "patient_id": PATIENT,
        "study_uid": "1.2.3.1",
        "series_uid": "1.2.3.3",
        "sop_uid": PLAN_UID,
        "sop_class": "1.2.840.10008.5.1.4.1.1.481.5",
        "modality": "RTPLAN",
        "label": LABEL,
        "course": "C1",
    }
    return PlanRef(**{**known, **changes})
