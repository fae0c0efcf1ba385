"""Put the images of a phantom into a plan, or a patient, of a simulated ARIA."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from qatrack_aria.simulator.phantom.acquisition import reference
from qatrack_aria.simulator.phantom.files import date, time

APART = dt.timedelta(seconds=35)


def adopted(folder: Path, plan: Dataset, acquired: dt.datetime) -> list[Dataset]:
    """Return the images of a folder as images of a plan, acquired one after another.

    CT slices become those of one scan of the plan's patient.
    """
    images = [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]
    series = generate_uid()
    for index, image in enumerate(images):
        image.PatientID, image.SpecificCharacterSet = plan.PatientID, "ISO_IR 192"
        if image.Modality == "CT":
            _date(image, acquired)
            continue
        _date(image, acquired + index * APART)
        image.StudyInstanceUID, image.SeriesInstanceUID = plan.StudyInstanceUID, series
        image.ReferencedRTPlanSequence = [reference(plan)]
    return images


def _date(image: Any, acquired: dt.datetime) -> None:
    for kind in ("Acquisition", "Content"):
        setattr(image, f"{kind}Date", date(acquired))
        setattr(image, f"{kind}Time", time(acquired))
