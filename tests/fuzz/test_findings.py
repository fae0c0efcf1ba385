"""What fuzzing has found, each in a plain example."""

from __future__ import annotations

import io

import pytest
from pydicom import Sequence
from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode

from qatrack_aria import images_from
from qatrack_aria.dicom.attributes import image_ref, plan_ref
from qatrack_aria.dicom.character_sets import decode_texts
from qatrack_aria.dicom.inbox import UnacceptableInstance
from qatrack_aria.errors import RequestError
from qatrack_aria.retrieval.request import Request
from qatrack_aria.retrieval.signature import signed
from qatrack_aria.storage.archive import Archive
from qatrack_aria.text import printable
from tests.fuzz.spoiling import TAGS, element
from tests.helpers import datasets
from tests.helpers.datasets import PATIENT

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

#: Seven bytes where numbers of eight belong: pydicom raises when the value is asked for.
UNREADABLE = element(0x00200010, "FD", b"RTIMAGE")


def answer(*elements: bytes) -> Dataset:
    return decode(io.BytesIO(b"".join(elements)), False, True)


def test_an_answer_with_a_value_that_cannot_be_read_is_read_without_it():
    ds = answer(UNREADABLE, element(TAGS["RTPlanLabel"], "SH", "Müller".encode()))
    decode_texts(ds, "ISO_IR 192")
    plan = plan_ref(ds)
    assert (plan.label, plan.course) == ("Müller", None)


def test_an_image_with_a_value_that_cannot_be_read_is_taken(tmp_path):
    """Clinac images tell no character set, so that all of their values are gone through."""
    archive = Archive(tmp_path / "archive")
    ds = datasets.image()
    assert "SpecificCharacterSet" not in ds or ds.pop("SpecificCharacterSet")
    arrived = datasets.incoming(ds, explicit=True)
    head, course, rest = arrived.data.partition(b"\x20\x00\x10\x00")
    assert course
    length = int.from_bytes(rest[2:4], "little")
    spoilt = head + element(0x00200010, "FD", b"RTIMAGE") + rest[4 + length :]
    datasets.file_in(archive, arrived._replace(data=spoilt), PATIENT)
    assert archive.header(arrived.sop_uid, PATIENT) is not None


def test_a_data_set_that_ends_in_a_piece_of_a_sequence_is_refused(tmp_path):
    archive = Archive(tmp_path / "archive")
    plan = datasets.incoming(datasets.plan(), explicit=True)
    torn = element(TAGS["SOPInstanceUID"], "SQ", b"") + b"\xfe\xff\x00\xe0\0\0\0\0"
    with pytest.raises(UnacceptableInstance):
        datasets.file_in(archive, plan._replace(data=torn), PATIENT)


def test_a_sequence_in_the_place_of_a_text_is_no_text():
    inner = Dataset()
    inner.PatientName = "Doe^Jane"
    ds = Dataset()
    ds.add_new(TAGS["RadiationMachineName"], "SQ", Sequence([inner]))
    assert image_ref(ds, from_file=True).machine == ""


def test_a_peak_voltage_beyond_all_numbers_is_none():
    exposure = Dataset()
    exposure.add_new(0x00180060, "IS", "1" * 400)
    ds = Dataset()
    ds.ExposureSequence = Sequence([exposure])
    assert image_ref(ds, from_file=True).peak_kv is None


@pytest.mark.parametrize("text", ["TB1\n", "TB1\x1b[2J", "\u202eTB1", "x" * 65])
def test_a_machine_that_cannot_be_shown_is_not_taken_for_one_that_can(text):
    ds = Dataset()
    ds.add_new(TAGS["RadiationMachineName"], "LO", text)
    (machine,) = image_ref(ds).machines or ()
    assert machine == printable(text)
    assert machine.isprintable()
    assert "\\" in machine or len(machine) > 64  # what no request can hold


def test_an_image_type_without_end_stays_short():
    ds = Dataset()
    ds.ImageType = ["ORIGINAL"] * 5000
    kept = image_ref(ds).image_type or ()
    assert len(kept) < 20
    with pytest.raises(RequestError):  # so that nobody can ask for just this
        Request.parse(PATIENT, "WL", ["ORIGINAL", "PRIMARY", "PORTAL", *["ORIGINAL"] * 14])


@pytest.mark.parametrize("where", ["node", "plan_label"])
def test_a_summary_with_half_a_surrogate_is_refused(db, where):
    summary = {
        "node": "aria",
        "request": {"patient_id": PATIENT},
        "plan_label": "WL",
        "course": "",
        "plan_uid": "1.2",
        "images": [{"sop_uid": "1.2.3", "sha256": ""}],
        where: "\ud800",
    }
    with pytest.raises(RequestError):
        images_from(signed(summary))
