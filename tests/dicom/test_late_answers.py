"""A server that goes on answering after it has said that it is done."""

from __future__ import annotations

import socket
from copy import copy

from pydicom.dataset import Dataset

from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.c_find import find
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.identifier import identifier
from qatrack_aria.dicom.values import text
from tests.helpers.scripted_scp import PENDING, SUCCESS, accept, called, find_rsp


def series(uid: str) -> Dataset:
    ds = Dataset()
    ds.SeriesInstanceUID = uid
    return ds


def late_by_one(connection: socket.socket) -> None:
    """Ends the first query, then answers it; and answers the second as it should."""
    requests = accept(connection)
    first = next(requests)
    connection.sendall(
        find_rsp(first, SUCCESS)
        + find_rsp(first, PENDING, series("1.2.3"))
        + find_rsp(first, SUCCESS)
    )
    second = next(requests)
    connection.sendall(find_rsp(second, PENDING, series("1.2.4")) + find_rsp(second, SUCCESS))
    list(requests)


def test_an_answer_that_comes_late_is_not_taken_for_one_to_the_next_query():
    """It would end the next list before its own answers, and the newest images would be missing."""
    asked = identifier("SERIES", {"StudyInstanceUID": "1.2"}, ("SeriesInstanceUID",))
    with called(late_by_one) as peer, Session(peer, Deadline(10)) as session:
        assert find(session, asked, copy) == ([], None)
        (answer,), trouble = find(session, asked, copy)
    assert (text(answer, "SeriesInstanceUID"), trouble) == ("1.2.4", None)
