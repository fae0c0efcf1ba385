"""A server that lists more than anybody can want, whatever it was asked."""

from __future__ import annotations

import socket
from contextlib import suppress
from copy import copy
from typing import Any

import pytest
from pydicom.dataset import Dataset

from qatrack_aria.dicom import c_find
from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.identifier import identifier
from qatrack_aria.errors import QueryError
from tests.helpers.scripted_scp import PENDING, SUCCESS, accept, called, find_rsp

ASKED = identifier(
    "IMAGE", {"PatientID": "QA_Ü", "Modality": "RTIMAGE"}, ("SOPInstanceUID",), "ISO_IR 192"
)


def image(number: int) -> Dataset:
    ds = Dataset()
    ds.SOPInstanceUID = f"1.2.{number}"
    return ds


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(c_find, "MAX_ANSWERS", 20)
    return 20


def lists(number: int) -> Any:
    """Answers the one query with so many images, unless somebody hangs up."""

    def script(connection: socket.socket) -> None:
        requests = accept(connection)
        request = next(requests)
        with suppress(ConnectionError):
            for each in range(number):
                connection.sendall(find_rsp(request, PENDING, image(each)))
            connection.sendall(find_rsp(request, SUCCESS))
            list(requests)

    return script


def test_a_list_without_end_is_broken_off_and_named(few: int) -> None:
    with called(lists(100 * few)) as peer, Session(peer, Deadline(60)) as session:
        association = session.association
        with pytest.raises(QueryError) as failed:
            c_find.find(session, ASKED, copy)
        assert association.is_aborted or not association.is_alive()
    said = str(failed.value)
    assert said.startswith(f"C-FIND: {peer} lists more than any query can match")
    assert "IMAGE level by Modality=RTIMAGE, PatientID=QA_Ü: 20 answers, and more" in said
    assert "\n" not in said


def test_as_many_answers_as_are_allowed_are_taken(few: int) -> None:
    with called(lists(few)) as peer, Session(peer, Deadline(60)) as session:
        answers, trouble = c_find.find(session, ASKED, copy)
    assert (len(answers), trouble) == (few, None)


@pytest.mark.parametrize("more", [1, 5, c_find.MOST_LATE + 5])
def test_a_query_with_more_answers_than_are_wanted_is_cancelled(more: int) -> None:
    """A server that does not listen is hung up on."""
    with called(lists(10 + more)) as peer, Session(peer, Deadline(60)) as session:
        answers, trouble = c_find.find(session, ASKED, copy, 10)
        again = session.association.is_established if more < c_find.MOST_LATE else False
    assert len(answers) == 10
    assert trouble is not None
    assert trouble.code == "cancelled"
    assert again is (more < c_find.MOST_LATE)


def test_as_many_answers_as_are_wanted_need_no_cancelling() -> None:
    with called(lists(10)) as peer, Session(peer, Deadline(60)) as session:
        answers, trouble = c_find.find(session, ASKED, copy, 10)
    assert (len(answers), trouble) == (10, None)
