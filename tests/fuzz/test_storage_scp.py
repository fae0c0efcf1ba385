"""Bytes of every kind, thrown at an open port: it goes on taking images, and only right ones."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any, Sequence

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dicom.test_storage_scp import store
from tests.fuzz.conftest import fuzz, tried
from tests.fuzz.spoiling import WORDS, spoilt
from tests.helpers import wire
from tests.helpers.datasets import PATIENT
from tests.helpers.open_port import Port, image, is_accepted
from tests.helpers.waiting import until

#: Asked for by the retrieval, and what is spoilt on the way.
WANTED = image()
PDUS = wire.store(WANTED)
# What dies in a thread, and what pydicom says of odd values, belongs to no log.
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")

associations = st.one_of(
    st.just(PDUS[0]),
    spoilt(PDUS[0]),
    st.sampled_from(WORDS).map(
        lambda title: wire.associate_rq(str(WANTED.SOPClassUID), title[:16])
    ),
)
messages = st.one_of(
    spoilt(b"".join(PDUS[1:])),
    st.lists(st.sampled_from(PDUS), max_size=8).map(b"".join),
    st.lists(st.sampled_from(PDUS) | spoilt(PDUS[1]), max_size=4).map(b"".join),
    st.binary(max_size=2000),
)


def converse(port: Port, first: bytes, then: bytes, patient: bool) -> None:
    """Call, and send; `patient` peers hear what is said to them before they go."""
    with port.connect() as sock, suppress(OSError):
        sock.settimeout(0.1)
        sock.sendall(first)
        with suppress(socket.timeout):
            is_accepted(sock)
        sock.sendall(then)
        if patient:
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass


def kept(port: Port) -> Sequence[Any]:
    return [pydicom.dcmread(path) for path in port.archive.instances.rglob("*.dcm")]


@pytest.fixture(scope="module")
def open_port(tmp_path_factory: Any) -> Any:
    """A port that stays open all the time, as that of a retrieval that takes long."""
    with Port(tmp_path_factory.mktemp("fuzz") / "archive") as port:
        port.inbox.expect([WANTED.SOPInstanceUID])
        yield port


def still_works(port: Port) -> None:
    ds = image()
    port.inbox.expect([ds.SOPInstanceUID])
    assert store(port.peer, ds) == [0x0000]
    assert until(lambda: not port.connections), "threads are left"
    for file in kept(port):
        assert until(lambda uid=file.SOPInstanceUID: uid in port.inbox.arrived)
        assert file.PatientID == PATIENT
        assert len(file.PixelData) >= file.Rows * file.Columns * 2
    for line in port.inbox.refused:
        assert line.isprintable()
        assert len(line) < 320


def test_any_bytes_leave_the_port_working(open_port):
    @fuzz(15)
    @given(st.binary(max_size=3000), st.binary(max_size=300), st.booleans())
    def throw(first, then, patient):
        tried["bytes at the port"] += 1
        converse(open_port, first, then, patient)

    throw()
    still_works(open_port)


def test_spoilt_associations_leave_the_port_working(open_port):
    @fuzz(40)
    @given(associations, messages, st.booleans())
    def throw(first, then, patient):
        tried["associations at the port"] += 1
        converse(open_port, first, then, patient)

    throw()
    still_works(open_port)
