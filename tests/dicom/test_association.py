"""However a conversation ends: nobody waits for it longer than it takes, and nothing stays open."""

from __future__ import annotations

import socket
import threading
from copy import copy
from dataclasses import replace
from typing import Any

import pytest
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from qatrack_aria.dicom import pynetdicom_patches
from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.c_find import find
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.identifier import identifier
from qatrack_aria.errors import NodeUnreachableError
from tests.helpers import pdus
from tests.helpers.scripted_scp import accept, associate_ac, called, reset, until_closed
from tests.helpers.waiting import PATIENCE, until
from tests.helpers.wire import DATA, p_data

ASKED = identifier("IMAGE", {"PatientID": "QA_1"}, ("SOPInstanceUID",))
HALVES = [b"\x04\0\0\0", p_data(DATA, bytes(1000))[:500]]


@pytest.mark.parametrize("half", HALVES, ids=["in its header", "in its content"])
def test_who_falls_silent_within_a_pdu_is_left_behind(half):
    """The thread that reads the rest would read for ever."""

    def fall_silent(connection: socket.socket) -> None:
        list(accept(connection, more=half))

    with called(fall_silent) as peer, Session(peer, Deadline(600)) as session:
        association = session.association
        sock = association.dul.socket.socket
        session.peer = replace(peer, response_timeout=0.3)
        with pytest.raises(NodeUnreachableError, match=r"was silent for 0\.3 s"):
            find(session, ASKED, copy)
        assert until(lambda: not association.is_alive())
        assert until(lambda: not association.dul.is_alive())
        assert until(lambda: sock.fileno() == -1)


def test_a_connection_that_was_reset_is_closed_on_our_side_too():
    def crash(connection: socket.socket) -> None:
        next(accept(connection))
        reset(connection)

    with called(crash) as peer, Session(peer, Deadline(60)) as session:
        association = session.association
        sock = association.dul.socket.socket
        with pytest.raises(NodeUnreachableError, match="broke off"):
            find(session, ASKED, copy)
        assert until(lambda: sock.fileno() == -1)


def test_an_answer_that_is_no_dicom_leaves_no_connection_open():
    hung_up = threading.Event()

    def answer_as_a_web_server(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        until_closed(connection)
        hung_up.set()

    with called(answer_as_a_web_server) as peer, Session(peer, Deadline(60)) as session:
        with pytest.raises(NodeUnreachableError, match="is this port a DICOM service"):
            session.association  # noqa: B018
        assert hung_up.wait(PATIENCE)


class AtThatMoment(threading.Event):
    """Has somebody break off just when a thread has seen that it may ask, and begins to.

    That thread then waits for the reactor to pause, and this one, which was about to run on, has
    ended instead.
    """

    def __init__(self, association: Any) -> None:
        super().__init__()
        self.set()
        self.association = association
        self.kill, association.kill = association.kill, self.kill_the_running

    def clear(self) -> None:
        super().clear()
        pynetdicom_patches.abort(self.association)

    def kill_the_running(self) -> None:
        self.kill()
        self.association._is_paused = False


def asking(association: Any) -> threading.Thread:
    """A thread that asks, and takes what comes."""

    def ask() -> None:
        list(association.send_c_find(ASKED, StudyRootQueryRetrieveInformationModelFind))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread


def test_breaking_off_wakes_who_waits_for_an_answer():
    waiting = threading.Event()

    def never_answer(connection: socket.socket) -> None:
        next(accept(connection))
        waiting.set()
        until_closed(connection)

    with called(never_answer) as peer, Session(peer, Deadline(60)) as session:
        association = session.association
        thread = asking(association)
        assert waiting.wait(PATIENCE)
        pynetdicom_patches.abort(association)
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_breaking_off_wakes_who_is_just_about_to_ask():
    with called(lambda connection: list(accept(connection))) as peer:
        with Session(peer, Deadline(60)) as session:
            association = session.association
            association._reactor_checkpoint = AtThatMoment(association)
            thread = asking(association)
            thread.join(PATIENCE)
            assert not thread.is_alive()


class AsItBegins(threading.Event):
    """Has the peer hang up just when a thread has seen that it is there, and begins with something.

    What pynetdicom says of it has been taken by others before that thread waits for anything.
    """

    def __init__(self, association: Any, hang_up: threading.Event) -> None:
        super().__init__()
        self.set()
        self.association = association
        self.hang_up = hang_up

    def clear(self) -> None:
        self.hang_up.set()
        self.association.join(PATIENCE)
        assert not self.association.is_alive()
        self.association.dimse.msg_queue.get()
        super().clear()


def ask_and_wait(association: Any) -> None:
    list(association.send_c_find(ASKED, StudyRootQueryRetrieveInformationModelFind))


def release(association: Any) -> None:
    association.release()


@pytest.mark.parametrize("begin", [ask_and_wait, release])
def test_a_peer_that_hangs_up_as_we_begin_is_not_waited_for(begin):
    hang_up = threading.Event()

    def crash(connection: socket.socket) -> None:
        connection.sendall(associate_ac(next(pdus.read(connection))))
        hang_up.wait(PATIENCE)
        reset(connection)

    with called(crash) as peer, Session(peer, Deadline(600)) as session:
        association = session.association
        association.acse_timeout = association.dimse_timeout = 600
        association._reactor_checkpoint = AsItBegins(association, hang_up)
        thread = threading.Thread(target=begin, args=(association,), daemon=True)
        thread.start()
        thread.join(PATIENCE)
        assert not thread.is_alive()
