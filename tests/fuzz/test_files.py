"""Spoilt instances: filed only if whole, the one that was announced, and of the right patient."""

from __future__ import annotations

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qatrack_aria.dicom.attributes import image_ref, plan_ref
from qatrack_aria.dicom.inbox import UnacceptableInstance
from qatrack_aria.dicom.part10 import UnreadableError
from qatrack_aria.errors import ArchiveError
from qatrack_aria.storage.archive import Archive, read_checked
from tests.fuzz.conftest import fuzz, tried
from tests.fuzz.spoiling import elements, spoilt
from tests.helpers import datasets
from tests.helpers.datasets import PATIENT

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

IMAGE, PLAN = datasets.image(), datasets.plan()


def pixels(ds: pydicom.Dataset) -> int:
    return int(ds.Rows) * int(ds.Columns) * (int(ds.BitsAllocated) // 8)


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("whole", [IMAGE, PLAN], ids=["image", "plan"])
def test_spoilt_data_sets(tmp_path, whole, explicit):
    archive = Archive(tmp_path / "archive")
    right = datasets.incoming(whole, explicit=explicit)

    @fuzz(40)
    @given(spoilt(right.data) | elements())
    def keep(data):
        tried["instances"] += 1
        try:
            datasets.file_in(archive, right._replace(data=data), PATIENT)
        except UnacceptableInstance:
            return
        path = archive.path(right.sop_uid)
        ds = pydicom.dcmread(path)
        assert ds.SOPInstanceUID == right.sop_uid
        assert ds.PatientID.strip() == PATIENT
        if "Rows" in ds and "Columns" in ds:
            assert len(ds.PixelData) >= pixels(ds)
        header = archive.header(right.sop_uid, PATIENT)
        image_ref(header, from_file=True)
        plan_ref(header, from_file=True)

    keep()


def test_spoilt_files(tmp_path):
    """With their preamble and file meta information, as a disk may give them back."""
    path = datasets.save(IMAGE, tmp_path / "image.dcm")
    right = path.read_bytes()

    @fuzz(60)
    @given(spoilt(right) | st.binary(max_size=400))
    def read(data):
        tried["files"] += 1
        path.chmod(0o600)
        path.write_bytes(data)
        try:
            ds = read_checked(path, IMAGE.SOPInstanceUID, PATIENT)
        except (UnacceptableInstance, UnreadableError):
            return
        assert ds.SOPInstanceUID == IMAGE.SOPInstanceUID
        whole = pydicom.dcmread(path, force=True)
        if "Rows" in whole and "Columns" in whole:
            assert len(whole.PixelData) >= pixels(whole)

    read()


def test_an_archive_takes_no_name_from_the_wire(tmp_path):
    archive = Archive(tmp_path / "archive")
    right = datasets.incoming(IMAGE)

    @fuzz(30)
    @given(st.text(max_size=80) | st.sampled_from(["../../x", "1.2\0", "1.2\n", "1..2", "/", "C:"]))
    def keep(name):
        tried["names of instances"] += 1
        with pytest.raises((ArchiveError, UnacceptableInstance)):
            datasets.file_in(archive, right._replace(sop_uid=name), PATIENT)

    keep()
    assert list(archive.instances.rglob("*.dcm")) == []
