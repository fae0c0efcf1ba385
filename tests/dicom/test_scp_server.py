"""Whoever connects to our port: how many, how long, how much, and that the node gets through."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import ExitStack, contextmanager, suppress
from itertools import repeat
from typing import Any, Iterable, Iterator

import pytest
from pynetdicom.dul import DULServiceProvider

from qatrack_aria.dicom import scp_server, storage_scp
from qatrack_aria.dicom.inbox import MAX_REFUSALS
from qatrack_aria.dicom.limits import MAX_PDU
from qatrack_aria.dicom.scp_connection import Connection
from qatrack_aria.phrases import phrase
from tests.dicom.test_storage_scp import store
from tests.helpers import wire
from tests.helpers.open_port import Port, answers, at_most, image, is_accepted
from tests.helpers.scripted_scp import reset
from tests.helpers.waiting import PATIENCE, until

RT_IMAGE = "1.2.840.10008.5.1.4.1.1.481.1"
A_ABORT = 0x07


def associated(port: Port) -> Any:
    """A connection whose association is established."""
    sock = port.connect()
    sock.sendall(wire.associate_rq(RT_IMAGE))
    assert is_accepted(sock)
    return sock


def is_cut_off(sock: Any, pieces: Iterable[bytes], pause: float = 0.001) -> bool:
    """Whether the other side hangs up before all is sent, with a pause after each piece."""
    sock.settimeout(pause)
    with suppress(ConnectionError):
        for piece in pieces:
            sock.sendall(piece)
            with suppress(socket.timeout):
                if not sock.recv(65536):
                    return True
        return False
    return True


def after_some_looks(port: Port) -> None:
    """Wait until the port has looked a few times whom to cut off."""
    server: Any = port._storage_scp._server
    look, looks = server.service_actions, []

    def counted() -> None:
        look()
        looks.append(look)

    server.service_actions = counted
    assert until(lambda: len(looks) > 3)


@contextmanager
def not_accepting(port: Port) -> Iterator[None]:
    """Have the port too busy to let anybody in."""
    server: Any = port._storage_scp._server
    busy, free = threading.Event(), threading.Event()

    def be_busy() -> None:
        busy.set()
        free.wait(PATIENCE)

    server.service_actions, look = be_busy, server.service_actions
    assert busy.wait(PATIENCE)
    try:
        yield
    finally:
        server.service_actions = look
        free.set()


def last_pdu(received: bytes) -> int:
    """The type of the last PDU."""
    kind = 0
    while received:
        kind, length = struct.unpack(">BxL", received[:6])
        received = received[6 + length :]
    return kind


# --- how much ---------------------------------------------------------------------------------


def test_an_image_sent_in_bytes_arrives(port):
    """The bytes of these tests are right where nothing is spoilt."""
    ds = image()
    port.inbox.expect([ds.SOPInstanceUID])
    with associated(port) as sock:
        sock.sendall(b"".join(wire.store(ds)[1:]))
        assert until(lambda: not port.inbox.missing([ds.SOPInstanceUID]))


def test_who_was_let_in_just_now_is_told_that_we_end_it(port, monkeypatch):
    """Our own thread notes that an association is established after the peer has been told."""
    monkeypatch.setattr(Connection, "is_associated", property(lambda connection: False))
    with associated(port) as sock:
        sock.sendall(struct.pack(">BxL", 0x04, MAX_PDU + 1))
        assert last_pdu(answers(sock)) == A_ABORT


@pytest.mark.parametrize("length", [MAX_PDU + 1, 2**32 - 1])
def test_a_pdu_that_claims_more_than_we_offered_is_not_waited_for(port, length):
    with associated(port) as sock:
        sock.sendall(struct.pack(">BxL", 0x04, length))
        assert last_pdu(answers(sock)) == A_ABORT
    assert port.inbox.refused == [
        f"a connection from 127.0.0.1, which sent a PDU of {length} bytes where {MAX_PDU} "
        "are allowed"
    ]


def test_the_largest_pdu_that_we_offered_is_taken(port):
    ds = image()
    port.inbox.expect([ds.SOPInstanceUID])
    with associated(port) as sock:
        sock.sendall(b"".join(wire.store(ds, piece=MAX_PDU - 6)[1:]))
        assert until(lambda: not port.inbox.missing([ds.SOPInstanceUID]))


def test_a_first_pdu_of_4_gigabytes_costs_no_memory(port):
    with port.connect() as sock:
        with at_most(2**20):
            sock.sendall(struct.pack(">BxL", 0x01, 2**32 - 1))
            assert answers(sock) == b""
    assert "4294967295 bytes" in port.inbox.refused[0]


@pytest.mark.parametrize("control", [wire.DATA, wire.COMMAND])
def test_an_instance_without_an_end_is_cut_off(port, limit, control):
    """A data set, or a command, in ever more pieces."""
    limit(MAX_UNFILED=1_000_000)
    with associated(port) as sock:
        if control == wire.DATA:
            sock.sendall(wire.c_store_rq(RT_IMAGE, "1.2.3"))
        assert is_cut_off(sock, repeat(wire.p_data(control, bytes(16000)), 1000))
    assert "without waiting for responses" in port.inbox.refused[0]


def test_images_sent_without_waiting_for_answers_are_not_piled_up(port, limit):
    limit(MAX_UNFILED=100_000)
    ds = image()
    port.inbox.expect([ds.SOPInstanceUID])
    message = b"".join(wire.store(ds)[1:-1])
    busy = threading.Event()
    receive = port.inbox._receive
    port.inbox._receive = lambda incoming: busy.wait(10) and receive(incoming)
    with associated(port) as sock:
        assert is_cut_off(sock, repeat(message, 1000))
        busy.set()
    assert "without waiting for responses" in port.inbox.refused[0]


def test_the_one_that_sends_too_much_is_cut_off_and_not_the_next_to_send(port, limit):
    limit(MAX_UNFILED=1_000_000)
    ds = image()
    port.inbox.expect([ds.SOPInstanceUID])
    with associated(port) as greedy:
        greedy.sendall(wire.c_store_rq(RT_IMAGE, "1.2.3"))
        for size in (*repeat(16000, 62), 7800):
            greedy.sendall(wire.p_data(wire.DATA, bytes(size)))
        assert until(lambda: sum(connection.unfiled for connection in port.connections) > 999_800)
        assert store(port.peer, ds) == [0x0000]
        assert last_pdu(answers(greedy)) == A_ABORT


# --- how long ---------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", wire.associate_rq(RT_IMAGE)[:40]], ids=["silent", "half"])
def test_who_asks_for_no_association_is_cut_off(port, limit, sent):
    limit(ASSOCIATION_TIMEOUT=0.2)
    with port.connect() as sock:
        with suppress(ConnectionError):  # it may be over already
            sock.sendall(sent)
        assert answers(sock) == b""
    assert port.inbox.refused == [
        "a connection from 127.0.0.1, which did not request an association within 0.2 s"
    ]


def test_bytes_that_trickle_do_not_keep_a_connection_open(port, limit):
    limit(ASSOCIATION_TIMEOUT=0.5)
    with port.connect() as sock:
        request = wire.associate_rq(RT_IMAGE)
        assert is_cut_off(sock, (request[at : at + 1] for at in range(len(request))), pause=0.02)


def test_an_association_in_which_no_image_comes_to_its_end_is_cut_off(tmp_path):
    """Small pieces come all the time, so that it is never idle."""
    with Port(tmp_path) as port, associated(port) as sock:
        port.set_quiet_timeout(0.5)
        sock.sendall(wire.c_store_rq(RT_IMAGE, "1.2.3"))
        assert is_cut_off(sock, repeat(wire.p_data(wire.DATA, b"\0"), 500), pause=0.02)
    assert "sent no complete message within 0.5 s" in port.inbox.refused[0]


def test_an_association_that_falls_silent_is_cut_off_and_noted(tmp_path):
    with Port(tmp_path) as port, associated(port) as sock:
        port.set_quiet_timeout(0.3)
        assert last_pdu(answers(sock)) == A_ABORT
    assert port.inbox.refused == [
        "a connection from 127.0.0.1, which sent no complete message within 0.3 s"
    ]


@pytest.mark.parametrize("half", [b"\x04\0\0\0", wire.p_data(wire.DATA, bytes(1000))[:500]])
def test_the_end_of_a_retrieval_does_not_wait_for_the_rest_of_a_pdu(tmp_path, half, monkeypatch):
    monkeypatch.setattr(storage_scp, "END_TIMEOUT", 3600)
    with ExitStack() as stack:
        with Port(tmp_path) as port:
            for _ in range(5):
                stack.enter_context(associated(port)).sendall(half)


def test_who_hangs_up_leaves_nothing_behind(port):
    """A look whether the port is open, as scanners and monitors take."""
    for _ in range(scp_server.MAX_WAITING):
        port.connect().close()
    assert until(lambda: not port.connections)
    assert port.inbox.refused == []


@pytest.mark.parametrize("hang_up", [socket.socket.close, reset], ids=["closed", "reset"])
def test_who_hangs_up_after_a_few_bytes_is_noted(port, hang_up):
    with port.connect() as sock:
        sock.sendall(b"abc")
        hang_up(sock)
    assert until(lambda: port.inbox.refused)
    assert port.inbox.refused == [
        "a connection from 127.0.0.1, which did not request an association, or not in DICOM"
    ]


def test_a_peer_is_not_taken_to_have_left_before_we_have_begun_to_listen_to_it(port, monkeypatch):
    """A thread on a busy machine may have an identity for a while before it is alive."""
    begun = threading.Event()
    alive = DULServiceProvider.is_alive
    monkeypatch.setattr(DULServiceProvider, "is_alive", lambda dul: begun.is_set() and alive(dul))
    with port.connect() as sock:
        assert until(lambda: [connection for connection in port.connections if connection.served])
        after_some_looks(port)
        begun.set()
        sock.sendall(wire.associate_rq(RT_IMAGE))
        assert is_accepted(sock)


# --- how many ---------------------------------------------------------------------------------


def test_a_crowd_that_says_nothing_does_not_keep_the_node_out(port):
    ds = image()
    port.inbox.expect([ds.SOPInstanceUID])
    with ExitStack() as stack:
        with not_accepting(port):
            for _ in range(40):
                stack.enter_context(port.connect())
        assert store(port.peer, ds) == [0x0000]
        assert len(port.connections) < 20


def test_more_associations_than_allowed_are_rejected(port, limit):
    with ExitStack() as stack:
        for _ in range(18):
            stack.enter_context(associated(port))
        with port.connect() as sock:
            sock.sendall(wire.associate_rq(RT_IMAGE))
            assert not is_accepted(sock)
    assert port.inbox.refused == ["an association request while 10 associations are active"]


def test_refusals_without_number_are_all_counted_and_not_all_remembered(port):
    for _ in range(MAX_REFUSALS + 10):
        port.inbox.record_rejection(phrase("damaged", error="x" * 10_000))
    assert len(port.inbox.refused) == MAX_REFUSALS
    assert port.inbox.refusals == MAX_REFUSALS + 10
    assert len(port.inbox.refused[0]) < 400


def test_what_is_wrong_with_an_image_is_reported_before_who_else_called(port):
    for _ in range(MAX_REFUSALS):
        port.inbox.record_rejection(phrase("unrequested"))
    assert store(port.peer, image()) == [0x0124]
    assert port.inbox.refused[0] == "an instance that was not requested"


# --- what is said of them ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "title", [b"EVIL\x1b[31m", b"A\nB", b"<script>", b"\xff\xfe\xfd", b"\0" * 16, b" " * 16]
)
def test_an_ae_title_of_nonsense_is_one_short_printable_line(port, title):
    with port.connect() as sock:
        sock.sendall(wire.associate_rq(RT_IMAGE, calling=title))
        assert not is_accepted(sock)
    assert until(lambda: port.inbox.refused)
    assert all(line.isprintable() and len(line) < 200 for line in port.inbox.refused)
