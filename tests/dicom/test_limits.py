"""A node that we call sends more than it may: by malice, or by a fault."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from copy import copy
from typing import Any

import pytest

from qatrack_aria import fetch_images
from qatrack_aria.dicom import limits
from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.c_find import find
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.identifier import identifier
from qatrack_aria.errors import AriaError, NodeUnreachableError
from qatrack_aria.simulator import phantom
from tests.helpers.aria import NOON, PATIENT, plan, uids, winston_lutz
from tests.helpers.open_port import at_most
from tests.helpers.scripted_scp import PENDING, SUCCESS, accept, called, find_rsp
from tests.helpers.wire import DATA, LAST, p_data

MEGABYTE = bytes(2**20)


def fetch(**options: Any) -> Any:
    return fetch_images("aria", PATIENT, "WL", **options)


@pytest.mark.parametrize("pdu_type", [2, 4], ids=["A-ASSOCIATE-AC", "P-DATA-TF"])
def test_a_pdu_that_claims_four_gigabytes_is_no_answer(node: Any, pdu_type: int) -> None:
    """It is neither waited for, nor is memory taken for what it claims or for what comes of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        node.remote_port = server.getsockname()[1]
        node.save()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(struct.pack(">BBL", pdu_type, 0, 0xFFFFFFFF))
                with suppress(ConnectionError):
                    for _ in range(64):
                        connection.sendall(MEGABYTE)
                    while connection.recv(65536):
                        pass

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            with at_most(16 * len(MEGABYTE)), pytest.raises(NodeUnreachableError):
                fetch(deadline=5)
        finally:
            thread.join(10)


def test_an_image_without_end_is_cut_off_in_a_c_get(
    serve: Any, node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.retrieve_method = "C-GET"
    node.save()
    wl = plan()
    # Of 0.4 MB, which is several PDUs: the second is too many.
    serve(wl, phantom.winston_lutz(wl, NOON, True, count=1, machine_type="ias3"))
    monkeypatch.setattr(limits, "MAX_UNFILED", 100_000)
    with pytest.raises(AriaError, match=r"Transfer|C-FIND"):
        fetch(deadline=5)


def test_images_of_usual_size_come_by_c_get(serve: Any, node: Any) -> None:
    node.retrieve_method = "C-GET"
    node.save()
    wl = plan()
    mine = winston_lutz(wl)
    serve(wl, mine)
    assert uids(fetch()) == uids(mine)


# --- an answer of a hundred megabytes ---------------------------------------------------------


def answering(data: bytes, **changes: Any) -> Any:
    """A node that answers a query with one answer of those bytes."""

    def answer(connection: socket.socket) -> None:
        requests = accept(connection)
        request = next(requests)
        with suppress(ConnectionError):
            connection.sendall(find_rsp(request, PENDING, SHORT))
            head, _, _ = find_rsp(request, PENDING, b"LAST").partition(p_data(DATA | LAST, b"LAST"))
            connection.sendall(head)
            for at in range(0, len(data), 16000):
                connection.sendall(p_data(DATA, data[at : at + 16000]))
            connection.sendall(p_data(DATA | LAST, b"") + find_rsp(request, SUCCESS))
            list(requests)

    return called(answer, **changes)


def element(number: int, value: bytes) -> bytes:
    return struct.pack("<HHL", 0x0011, number % 0xFFFF, len(value)) + value


SHORT = struct.pack("<HHL", 0x0008, 0x0018, 6) + b"1.2.3\0"


def test_an_answer_of_a_hundred_megabytes_does_not_outlast_the_deadline() -> None:
    """Six seconds were spent on decoding it."""
    huge = b"".join(element(number, b"x" * 8) for number in range(7_000_000 // 16)) * 4
    with answering(huge) as peer, Session(peer, Deadline(3)) as session:
        began = time.monotonic()
        with pytest.raises(NodeUnreachableError, match="an answer of more than 262144 bytes"):
            find(session, identifier("IMAGE", {"PatientID": "QA_1"}), copy)
        assert time.monotonic() - began < 3


def test_an_answer_with_long_descriptions_is_read() -> None:
    long = b"".join(element(number, b"x" * 64) for number in range(1000))
    with answering(long) as peer, Session(peer, Deadline(10)) as session:
        answers, problem = find(session, identifier("IMAGE", {"PatientID": "QA_1"}), copy)
    assert (len(answers), problem) == (2, None)
