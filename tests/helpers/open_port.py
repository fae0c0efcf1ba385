"""Our storage SCP with an open port, filing into a real archive, and what it says to a caller."""

from __future__ import annotations

import socket
import tracemalloc
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from qatrack_aria.dicom import scp_server
from qatrack_aria.dicom.inbox import Inbox
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.dicom.storage_scp import StorageScp
from qatrack_aria.storage.archive import Archive
from tests.helpers import datasets
from tests.helpers.peers.server import free_port
from tests.helpers.waiting import PATIENCE

PATIENT = datasets.PATIENT


@contextmanager
def at_most(most: int) -> Iterator[None]:
    """No more bytes than so many are taken, at any moment and by all threads together."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most


class Port:
    """A receiver at work, and what reaches it.

    Attributes
    ----------
    peer : Peer
        The node that it lets in.
    inbox : Inbox
        It files into an archive, as in a retrieval for :data:`PATIENT`.
    """

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.archive = Archive(folder)
        self.inbox = Inbox(lambda incoming: self.archive.receive(incoming, PATIENT).commit)
        known = {
            "name": "aria",
            "remote_ae_title": "VMSDBD",
            "remote_host": "127.0.0.1",
            "remote_port": 104,
            "local_ae_title": "QATRACK",
            "local_host": "127.0.0.1",
            "local_port": free_port(),
        }
        self.peer = Peer(**{**known, **changes})
        self._storage_scp = StorageScp(self.peer, self.inbox)

    def __enter__(self) -> Port:
        self._storage_scp.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._storage_scp.__exit__(*error)

    def connect(self) -> socket.socket:
        """A connection that nothing was sent on yet."""
        sock = socket.create_connection((self.peer.local_host, self.peer.local_port), PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def set_quiet_timeout(self, seconds: float) -> None:
        """From now on cut off an association in which no whole message has come for so long."""
        server: Any = self._storage_scp._server
        server.quiet_timeout = seconds

    @property
    def connections(self) -> list[Any]:
        """Who is inside."""
        server: Any = self._storage_scp._server
        return list(server.connections)


def answers(sock: socket.socket) -> bytes:
    """All that comes until the other side hangs up."""
    received = b""
    try:
        while True:
            piece = sock.recv(65536)
            if not piece:
                return received
            received += piece
    except ConnectionError:
        return received


def is_accepted(sock: socket.socket) -> bool:
    """Whether the next answer is an A-ASSOCIATE-AC; it is read whole."""
    head = sock.recv(6, socket.MSG_WAITALL)
    if len(head) < 6:
        return False
    sock.recv(int.from_bytes(head[2:], "big"), socket.MSG_WAITALL)
    return head[0] == 0x02


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    """An open port."""
    with Port(tmp_path / "archive") as opened:
        yield opened


@pytest.fixture
def limit(monkeypatch: Any) -> Callable[..., None]:
    """Make limits so small that a test can reach them."""

    def change(**limits: Any) -> None:
        for name, value in limits.items():
            monkeypatch.setattr(scp_server, name, value)

    return change


def image(**changes: Any) -> Any:
    """A small portal image with a UID of its own."""
    from pydicom.uid import generate_uid

    uid = generate_uid()
    return datasets.image(SOPInstanceUID=uid, **changes)
