"""Texts from outside: read alike from answers and from files, whatever else is broken in them."""

from __future__ import annotations

import io
import socket
import struct
from copy import copy
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.dsutils import decode

from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.c_find import find
from qatrack_aria.dicom.character_sets import decode_texts
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.identifier import identifier
from qatrack_aria.dicom.inbox import ReceivedInstance
from qatrack_aria.dicom.uids import RT_PLAN_STORAGE
from qatrack_aria.storage.archive import Archive
from tests.fuzz.spoiling import TAGS, element
from tests.helpers import datasets
from tests.helpers.scripted_scp import PENDING, SUCCESS, accept, called, find_rsp

#: A name in Cyrillic letters, which pydicom would read as others where no character set is stated.
WORD, RAW, SET = "Жук", "Жук".encode("iso8859-5"), "ISO_IR 144"
#: Seven bytes where numbers of eight belong: pydicom raises when the value is asked for.
UNREADABLE = element(TAGS["StudyID"], "FD", b"RTIMAGE")
LABEL = element(TAGS["RTPlanLabel"], "SH", RAW)
STATED = element(TAGS["SpecificCharacterSet"], "CS", SET.encode())

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def from_the_wire(*elements: bytes) -> Dataset:
    return decode(io.BytesIO(b"".join(elements)), False, True)


@pytest.mark.parametrize("stated", [b"", STATED], ids=["no character set", "a character set"])
def test_a_value_that_cannot_be_read_is_left_out_and_the_others_stay(stated: bytes) -> None:
    ds = from_the_wire(stated, UNREADABLE, LABEL)
    decode_texts(ds, SET)
    assert "StudyID" not in ds
    assert [element.value for element in ds][-1] == WORD


@pytest.mark.parametrize(
    ("character_set", "raw"),
    [("ISO_IR 192", WORD.encode()), (SET, RAW)],
)
def test_a_text_that_does_not_say_its_set_is_read_in_that_of_the_node(
    character_set: str, raw: bytes
) -> None:
    ds = from_the_wire(element(TAGS["RTPlanLabel"], "SH", raw))
    decode_texts(ds, character_set)
    assert ds.RTPlanLabel == WORD


def test_a_text_that_says_its_set_is_not_touched() -> None:
    stated = element(TAGS["SpecificCharacterSet"], "CS", b"ISO_IR 100")
    ds = from_the_wire(stated, element(TAGS["RTPlanLabel"], "SH", "Müller".encode("latin-1")))
    decode_texts(ds, SET)
    assert ds.RTPlanLabel == "Müller"


# --- where they come from ---------------------------------------------------------------------


def implicit(tag: int, value: bytes) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


@pytest.mark.parametrize("stated", ["", SET], ids=["no character set", "a character set"])
def test_an_answer_is_read_so(stated: str) -> None:
    sent = (
        implicit(TAGS["SpecificCharacterSet"], stated.encode())
        + implicit(0x00189073, b"seven b")  # Acquisition Duration, a number of eight
        + implicit(TAGS["RTPlanLabel"], RAW)
    )

    def answer(connection: socket.socket) -> None:
        requests = accept(connection)
        request = next(requests)
        connection.sendall(find_rsp(request, PENDING, sent) + find_rsp(request, SUCCESS))
        list(requests)

    with called(answer, character_set=SET) as peer:
        with Session(peer, Deadline(10)) as session:
            (ds,), trouble = find(session, identifier("IMAGE", {"PatientID": "QA_1"}), copy)
    assert trouble is None
    assert [one.value for one in ds] == [stated, WORD]


@pytest.mark.parametrize("stated", [b"", STATED], ids=["no character set", "a character set"])
def test_a_file_is_read_so(tmp_path: Path, stated: bytes) -> None:
    archive = Archive(tmp_path / "archive", SET)
    data = b"".join(
        (
            stated,
            element(TAGS["SOPInstanceUID"], "UI", b"1.2.3\0"),
            element(TAGS["PatientID"], "LO", b"QA_1"),
            UNREADABLE,
            LABEL,
        )
    )
    datasets.file_in(
        archive,
        ReceivedInstance("1.2.3", RT_PLAN_STORAGE, str(ExplicitVRLittleEndian), data),
        "QA_1",
    )
    header = archive.header("1.2.3", "QA_1")
    assert header is not None
    assert "StudyID" not in header
    assert header.RTPlanLabel == WORD
