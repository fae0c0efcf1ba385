"""One connection to our port, from the moment it is accepted until its threads have ended."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from typing import Any

from qatrack_aria.dicom import pynetdicom_patches

#: An A-ABORT PDU (PS3.8 table 9-26), for a connection whose own thread may be stuck.
A_ABORT = b"\x07\0\0\0\0\x04\0\0\x02\0"


class Connection:
    """One accepted connection.

    Attributes
    ----------
    association : Association or None
        Its association, from the end of a TLS handshake on.
    last_message : float
        When it was accepted, or has last sent a whole message.
    has_sent : bool
        Whether it has sent anything.
    served : bool
        Whether its association has been started, or could not be.
    reading_ended : bool
        Whether the thread that reads from it has ended; pynetdicom may then still wait for an
        A-ASSOCIATE-RQ.
    is_closed : bool
        Whether we have closed it.
    """

    def __init__(self, sock: socket.socket, address: str) -> None:
        self.sock = sock
        self.address = address
        self.association: Any = None
        self.last_message = time.monotonic()
        self.has_sent = False
        self.served = False
        self.reading_ended = False
        self.is_closed = False

    @property
    def is_associated(self) -> bool:
        """Whether its association is established."""
        return self.association is not None and bool(self.association.is_established)

    @property
    def has_requested(self) -> bool:
        """Whether it has requested an association."""
        return self.association is not None and self.association.requestor.primitive is not None

    @property
    def has_ended(self) -> bool:
        """Whether all of its threads have ended."""
        return self.served and not any(thread.is_alive() for thread in self.threads)

    @property
    def threads(self) -> list[Any]:
        """The threads of its association."""
        return [] if self.association is None else pynetdicom_patches.threads_of(self.association)

    @property
    def unfiled(self) -> int:
        """Bytes that it has sent and that have not been processed."""
        if self.association is None:
            return 0
        return pynetdicom_patches.unfiled_bytes(self.association)

    def close(self) -> None:
        """Close the connection now, whatever its threads are doing."""
        self.is_closed = True
        with contextlib.suppress(OSError):
            # Two threads must not write into TLS at once. The peer may know that it is associated
            # before our own thread has noted it.
            if self.has_requested and not isinstance(self.sock, ssl.SSLSocket):
                self.sock.settimeout(0)
                self.sock.send(A_ABORT)
        with contextlib.suppress(OSError):  # it is closed already
            # Not the method of ssl, after which the other thread would read on without TLS.
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
        if self.association is not None and not self.is_associated:
            pynetdicom_patches.stop_waiting(self.association)
