"""Our storage SCP: it takes what a retrieval expects, from the node alone, while that one runs."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import socket
import threading
import time
from typing import Callable

import pytest
from pydicom.uid import generate_uid
from pynetdicom import build_context

from qatrack_aria.dicom import pynetdicom_patches
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.inbox import Inbox, ReceivedInstance, UnacceptableInstance
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.dicom.presentation_contexts import STORAGE_CLASSES
from qatrack_aria.dicom.storage_scp import END_TIMEOUT, StorageScp
from qatrack_aria.errors import ArchiveError, ReceiverError
from qatrack_aria.simulator import phantom
from tests.helpers.peers.server import free_port
from tests.helpers.waiting import PATIENCE, until

NOON = dt.datetime.combine(dt.date.today(), dt.time(12))


def image(sop_class: str | None = None):
    """One small image, or something else of the same content."""
    ds = phantom.winston_lutz(phantom.plan("QA_1", "WL"), NOON, full_size=False, count=1)[0]
    if sop_class is not None:
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = sop_class
    return ds


class Shelf:
    """Where an inbox puts things; ``error`` is raised instead, if set."""

    def __init__(self, error: Exception | None = None) -> None:
        self.kept: list[ReceivedInstance] = []
        self.error = error

    def keep(self, incoming: ReceivedInstance) -> None:
        if self.error is not None:
            raise self.error
        self.kept.append(incoming)


class SlowShelf(Shelf):
    """Takes things at once, and has them in their place when ``done``; or finds a ``defect``."""

    def __init__(self) -> None:
        super().__init__()
        self.done = threading.Event()
        self.defect: ArchiveError | None = None

    def keep(self, incoming: ReceivedInstance) -> Callable[[], None]:  # type: ignore[override]
        super().keep(incoming)
        return self.put_in_place

    def put_in_place(self) -> None:
        assert self.done.wait(PATIENCE)
        if self.defect is not None:
            raise self.defect


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture
def inbox(shelf):
    return Inbox(shelf.keep)


@pytest.fixture
def peer():
    return Peer(
        name="aria",
        remote_ae_title="VMSDBD",
        remote_host="127.0.0.1",
        remote_port=104,
        local_ae_title="QATRACK",
        local_host="127.0.0.1",
        local_port=free_port(),
    )


def associate(peer: Peer, ds, calling: str = "VMSDBD", called: str = "QATRACK", source: str = ""):
    ae = pynetdicom_patches.application_entity(calling, peer.local_host)
    ae.acse_timeout = ae.dimse_timeout = 10
    syntax = ds.file_meta.TransferSyntaxUID
    association = ae.associate(
        peer.local_host or "127.0.0.1",
        peer.local_port,
        contexts=[build_context(ds.SOPClassUID, syntax)],
        ae_title=called,
        **({"bind_address": (source, 0)} if source else {}),
    )
    pynetdicom_patches.keep_responses(association)
    return association


def store(peer: Peer, *datasets, **titles) -> list[int]:
    """Send data sets in one association; the statuses of the responses."""
    association = associate(peer, datasets[0], **titles)
    assert association.is_established
    try:
        return [association.send_c_store(ds).Status for ds in datasets]
    finally:
        association.release()


@pytest.mark.parametrize("sop_class", STORAGE_CLASSES)
def test_every_class_that_a_retrieval_may_need_is_taken(peer, inbox, shelf, sop_class):
    """RT Image, RT Plan, CT, REG and Varian's private plan classes."""
    ds = image(sop_class)
    inbox.expect([ds.SOPInstanceUID])
    with StorageScp(peer, inbox):
        assert store(peer, ds) == [0x0000]
    assert [(one.sop_uid, one.sop_class) for one in shelf.kept] == [(ds.SOPInstanceUID, sop_class)]


def test_the_bytes_are_kept_as_they_came(peer, inbox, shelf):
    ds = image()
    inbox.expect([ds.SOPInstanceUID])
    with StorageScp(peer, inbox):
        store(peer, ds)
    (incoming,) = shelf.kept
    assert ds.PixelData in incoming.data
    assert incoming.transfer_syntax == ds.file_meta.TransferSyntaxUID


def test_what_nobody_asked_for_is_refused(peer, inbox, shelf):
    expected, stranger = image(), image()
    inbox.expect([expected.SOPInstanceUID])
    with StorageScp(peer, inbox):
        assert store(peer, stranger, expected) == [0x0124, 0x0000]
    assert [one.sop_uid for one in shelf.kept] == [expected.SOPInstanceUID]
    assert inbox.refused == ["an instance that was not requested"]


def test_the_same_instance_twice_is_kept_once(peer, inbox, shelf):
    ds = image()
    inbox.expect([ds.SOPInstanceUID])
    with StorageScp(peer, inbox):
        assert store(peer, ds, copy.deepcopy(ds)) == [0x0000, 0x0000]
    assert len(shelf.kept) == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnacceptableInstance("an instance of another patient"), 0xA900),
        (ArchiveError("disk full"), 0xA700),
    ],
)
def test_what_cannot_be_kept_is_answered_with_a_failure(peer, inbox, shelf, error, status):
    shelf.error = error
    ds = image()
    inbox.expect([ds.SOPInstanceUID])
    with StorageScp(peer, inbox):
        assert store(peer, ds) == [status]
    assert inbox.missing([ds.SOPInstanceUID]) == [ds.SOPInstanceUID]


def until_filed(inbox: Inbox) -> None:
    with inbox.changed:
        assert inbox.changed.wait_for(lambda: inbox.filing == 0, PATIENCE)


def test_the_next_image_may_come_while_the_disk_works_on_the_one_before(peer):
    shelf = SlowShelf()
    inbox = Inbox(shelf.keep)
    ds = image()
    inbox.expect([ds.SOPInstanceUID])
    with StorageScp(peer, inbox):
        assert store(peer, ds) == [0x0000]
        assert inbox.missing([ds.SOPInstanceUID]) == [ds.SOPInstanceUID]
        shelf.done.set()
        until_filed(inbox)
    assert inbox.missing([ds.SOPInstanceUID]) == []


def test_an_image_that_comes_again_while_it_is_filed_is_filed_once(peer):
    shelf = SlowShelf()
    inbox = Inbox(shelf.keep)
    ds = image()
    inbox.expect([ds.SOPInstanceUID])
    with StorageScp(peer, inbox):
        assert store(peer, ds, copy.deepcopy(ds)) == [0x0000, 0x0000]
        shelf.done.set()
        until_filed(inbox)
    assert len(shelf.kept) == 1


def test_no_more_than_one_image_is_ahead_of_the_disk(peer):
    """Or a fast network would fill the memory with what a slow disk has yet to take."""
    shelf = SlowShelf()
    inbox = Inbox(shelf.keep)
    first, second = image(), image()
    inbox.expect([first.SOPInstanceUID, second.SOPInstanceUID])
    answers: list[int] = []
    with StorageScp(peer, inbox):
        sending = threading.Thread(target=lambda: answers.extend(store(peer, first, second)))
        sending.start()
        with inbox.changed:
            assert inbox.changed.wait_for(lambda: inbox.filing == 2, PATIENCE)
        sending.join(0.2)
        assert sending.is_alive()
        shelf.done.set()
        sending.join(PATIENCE)
    assert answers == [0x0000, 0x0000]


def test_a_disk_that_fails_at_last_has_the_next_image_refused(peer):
    shelf = SlowShelf()
    shelf.defect = ArchiveError("disk full")
    shelf.done.set()
    inbox = Inbox(shelf.keep)
    first, second = image(), image()
    inbox.expect([first.SOPInstanceUID, second.SOPInstanceUID])
    with StorageScp(peer, inbox):
        assert store(peer, first, second)[1] == 0xA700
    assert inbox.failure is shelf.defect
    assert inbox.arrived == {}


def test_a_full_disk_is_a_failure_of_this_machine_that_ends_the_wait(peer, inbox, shelf):
    shelf.error = ArchiveError("disk full")
    ds = image()
    inbox.expect([ds.SOPInstanceUID])
    with StorageScp(peer, inbox):
        store(peer, ds)
    assert inbox.failure is shelf.error


@pytest.mark.parametrize("titles", [{"calling": "OTHER"}, {"called": "OTHER"}])
def test_calls_with_another_ae_title_are_rejected(peer, inbox, titles):
    with StorageScp(peer, inbox):
        assert associate(peer, image(), **titles).is_rejected
    assert "OTHER" in inbox.refused[0]


def test_a_connection_from_another_address_is_closed(peer, inbox):
    with StorageScp(peer, inbox):
        association = associate(peer, image(), source="127.0.0.5")
        assert not association.is_established
    assert inbox.refused == ["a connection from 127.0.0.5, which is not an address of the node"]


def test_a_class_that_is_not_offered_is_not_accepted(peer, inbox):
    with StorageScp(peer, inbox):
        association = associate(peer, image("1.2.840.10008.5.1.4.1.1.4"))  # MR Image Storage
        assert not association.is_established


@pytest.mark.parametrize("host", ["127.0.0.1", "", "::1"])
def test_it_is_gone_when_the_retrieval_ends(peer, inbox, host):
    """Even with a connection open whose peer says nothing."""
    if host == "::1" and not has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    before = set(threading.enumerate())
    peer = dataclasses.replace(peer, local_host=host, remote_host=host or "127.0.0.1")
    with StorageScp(peer, inbox):
        silent = socket.create_connection((peer.remote_host, peer.local_port))
        # Connections are accepted one after the other: once this one is, so is the first.
        associate(peer, image()).release()
    with silent, socket.socket(_family(host)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, peer.local_port))
        silent.settimeout(PATIENCE)
        assert silent.recv(1) == b""  # closed from the other side
    assert until(lambda: set(threading.enumerate()) <= before)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def _family(host: str) -> int:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def test_an_association_under_way_ends_with_the_retrieval(peer, inbox):
    with StorageScp(peer, inbox):
        association = associate(peer, image())
        assert association.is_established
    association.join(PATIENCE)
    assert not association.is_established


def test_an_image_that_takes_long_to_check_does_not_outlast_the_deadline(peer):
    """A header of a hundred megabytes was waited for, five seconds after the deadline."""
    checked, begun = threading.Event(), threading.Event()

    def check(incoming: ReceivedInstance) -> None:
        begun.set()
        checked.wait(PATIENCE)

    inbox, ds = Inbox(check), image()
    inbox.expect([ds.SOPInstanceUID])
    sending = threading.Thread(target=lambda: associate(peer, ds).send_c_store(ds))
    with StorageScp(peer, inbox, Deadline(10, spent=10)):
        sending.start()
        assert begun.wait(PATIENCE)
        began = time.monotonic()
    took = time.monotonic() - began
    checked.set()
    sending.join(PATIENCE)
    assert took < END_TIMEOUT / 2


def test_a_port_in_use_is_named(peer, inbox):
    with socket.create_server(("127.0.0.1", peer.local_port)):
        with pytest.raises(ReceiverError, match=f"port {peer.local_port}"):
            StorageScp(peer, inbox).__enter__()


def test_an_address_that_is_not_this_machines_is_named(peer, inbox):
    peer = dataclasses.replace(peer, local_host="192.0.2.1")
    with pytest.raises(ReceiverError, match="not an address of this machine"):
        StorageScp(peer, inbox).__enter__()


def test_a_uid_that_is_a_path_is_only_ever_compared(peer, inbox, shelf):
    ds = image()
    ds.SOPInstanceUID = generate_uid()
    inbox.expect(["../../x"])
    with StorageScp(peer, inbox):
        assert store(peer, ds) == [0x0124]
    assert shelf.kept == []
