"""What is copied out names nobody but the patient, whatever else is broken in it."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from qatrack_aria.dicom.part10 import without_staff
from qatrack_aria.simulator import phantom
from tests.helpers.aria import NOON, plan

LOGIN = "physicist7"
DURATION = Tag("AcquisitionDuration")

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def spoil(ds: Dataset) -> None:
    """Put in a value that becomes one that cannot be read in :func:`copied`."""
    ds[DURATION] = DataElement(DURATION, "SH", LOGIN[:6])


@pytest.fixture
def image() -> Dataset:
    """An image with logins on it and in it."""
    (ds, *_) = phantom.winston_lutz(plan(), NOON, full_size=False)
    ds.OperatorsName = ds.PerformingPhysicianName = LOGIN
    ds.ReferencedImageSequence = Sequence([Dataset()])
    ds.ReferencedImageSequence[0].OperatorsName = LOGIN
    return ds


def copied(image: Dataset, folder: Path) -> Dataset:
    path = phantom.save(image, folder)
    # Six bytes of text, where the number is to be of eight.
    written = path.read_bytes()
    path.write_bytes(written.replace(b"SH\6\0" + LOGIN[:6].encode(), b"FD\6\0" + b"secret"))
    data = without_staff(path.read_bytes())
    assert LOGIN.encode() not in data
    return pydicom.dcmread(io.BytesIO(data))


def test_no_login_is_left_and_the_pixels_are_as_they_were(image: Dataset, tmp_path: Path) -> None:
    copy = copied(image, tmp_path)
    assert copy.PixelData == image.PixelData
    assert copy.PatientName == image.PatientName


@pytest.mark.parametrize("inner", [False, True], ids=["on it", "in it"])
def test_a_value_that_cannot_be_read_is_left_out(
    image: Dataset, tmp_path: Path, inner: bool
) -> None:
    holder = image.ReferencedImageSequence[0] if inner else image
    spoil(holder)
    copy = copied(image, tmp_path)
    assert DURATION not in (copy.ReferencedImageSequence[0] if inner else copy)
