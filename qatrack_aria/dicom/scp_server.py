"""Our port while a retrieval runs: how many come in, how long they take, how much they send.

pynetdicom reads whatever length a PDU claims, waits for its rest as long as the peer likes, and
puts a data set together out of as many pieces as come. Here nobody who connects, by malice or by a
fault, can use up this machine's memory or threads, or keep out the node that is to send images.
Who breaks a limit is cut off; the others do not notice.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
import time
from socketserver import BaseServer
from typing import Any

from pynetdicom import evt
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.transport import ThreadedAssociationServer

from qatrack_aria.dicom import pynetdicom_patches
from qatrack_aria.dicom.limits import MAX_UNFILED, receive

#: Connections that are no associations yet. If one more comes, the oldest goes: an honest peer asks
#: for its association within milliseconds.
MAX_WAITING = 8
#: Associations at a time. ARIA was seen to use one, but a node may send from several machines.
MAX_ASSOCIATIONS = 10
#: Seconds from the connection to the association, a TLS handshake among them.
ADMISSION = 10.0
#: An A-ABORT PDU (PS3.8 table 9-26), for a connection whose own thread may be stuck.
A_ABORT = b"\x07\0\0\0\0\x04\0\0\x02\0"


class Connection:
    """One connection that was let in.

    Attributes
    ----------
    association : Association or None
        What came of it, from the end of a TLS handshake on.
    heard : float
        When it connected, or has last sent a whole message.
    spoke : bool
        Whether it has sent anything.
    served : bool
        Whether its association has been started, or has come to nothing.
    has_left : bool
        Whether the connection is over for the thread that reads from it; pynetdicom then still
        waits for the peer to say who it is.
    is_cut : bool
        Whether we have hung up.
    """

    def __init__(self, sock: socket.socket, address: str) -> None:
        self.sock = sock
        self.address = address
        self.association: Any = None
        self.heard = time.monotonic()
        self.spoke = False
        self.served = False
        self.has_left = False
        self.is_cut = False

    @property
    def is_associated(self) -> bool:
        """Whether its association is established."""
        return self.association is not None and bool(self.association.is_established)

    @property
    def has_asked(self) -> bool:
        """Whether it has asked for an association."""
        return self.association is not None and self.association.requestor.primitive is not None

    @property
    def is_gone(self) -> bool:
        """Whether none of its threads is left."""
        return self.served and not any(thread.is_alive() for thread in self.threads)

    @property
    def threads(self) -> list[Any]:
        """Those of its association."""
        return [] if self.association is None else pynetdicom_patches.threads_of(self.association)

    @property
    def unfiled(self) -> int:
        """Bytes that it has sent and that nobody has taken."""
        if self.association is None:
            return 0
        return pynetdicom_patches.unfiled_bytes(self.association)

    def hang_up(self) -> None:
        """End the connection now, whatever its threads are doing."""
        self.is_cut = True
        with contextlib.suppress(OSError):
            # Two threads may not write into TLS at once.
            if self.is_associated and not isinstance(self.sock, ssl.SSLSocket):
                self.sock.settimeout(0)
                self.sock.send(A_ABORT)
        with contextlib.suppress(OSError):  # it is closed already
            # Not that of ssl, which would have the other thread read on without TLS.
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
        if self.association is not None and not self.is_associated:
            # It waits for an A-ASSOCIATE; None is what a timeout gives.
            pynetdicom_patches.stop_waiting(self.association)


class BoundedServer(ThreadedAssociationServer):
    """An association server whose connections are bounded in number, size and time.

    Attributes
    ----------
    encryption : ssl.SSLContext or None
        What connections are encrypted by. pynetdicom shakes hands while it accepts, so that one
        silent caller keeps all others out, before it is known who calls: here each connection
        does by itself.
    max_pdu : int
        Bytes of a PDU that we have offered to take.
    quiet_timeout : float
        Seconds in which each association has to send a whole message.
    """

    #: Connections that wait to be accepted; of more than so many, TCP delays some by a second.
    request_queue_size = 128
    encryption: ssl.SSLContext | None = None
    max_pdu = 16382
    quiet_timeout = 60.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.connections: list[Connection] = []
        super().__init__(*args, **kwargs)
        # pynetdicom counts all connections as associations.
        self.ae.maximum_associations = MAX_WAITING + MAX_ASSOCIATIONS
        # Its own timers would end what is too quiet just before the gate does, without a note.
        self.ae.acse_timeout = self.ae.network_timeout = None
        self.bind(evt.EVT_CONN_OPEN, self._come_in)
        self.bind(evt.EVT_PDU_RECV, self._weigh)
        self.bind(evt.EVT_DIMSE_RECV, self._hear)

    def connection_rejected(self, address: str, why: str) -> None:
        """Note a connection that was cut off, and `why` in words that follow "which"."""

    def not_encrypted(self, address: str, error: OSError) -> None:
        """Note a connection on which the TLS handshake failed."""

    # --- coming in ----------------------------------------------------------------------------

    def process_request(self, request: Any, client_address: Any) -> None:
        """Let a connection in, and make room for it."""
        waiting = [
            connection
            for connection in self.connections
            if not connection.is_associated and not connection.is_cut
        ]
        if len(waiting) >= MAX_WAITING:
            self._turn_out(waiting[0], "kept others waiting without asking for an association")
        self.connections.append(
            Connection(request, pynetdicom_patches.peer_address(client_address))
        )
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection, in a thread of its own."""
        connection = next(
            connection for connection in list(self.connections) if connection.sock is request
        )
        try:
            if self.encryption is None or self._shake_hands(connection, self.encryption):
                super().process_request_thread(connection.sock, client_address)
        finally:
            connection.served = True

    def _shake_hands(self, connection: Connection, encryption: ssl.SSLContext) -> bool:
        connection.sock.settimeout(ADMISSION)
        try:
            sock = encryption.wrap_socket(
                connection.sock, server_side=True, do_handshake_on_connect=False
            )
            connection.sock = sock  # from here on it can be hung up
            sock.do_handshake()
        except OSError as error:
            if not connection.is_cut:
                self.not_encrypted(connection.address, error)
            self.shutdown_request(connection.sock)
            return False
        sock.settimeout(None)
        return True

    def _come_in(self, event: evt.Event) -> None:
        association: Any = event.assoc
        sock = pynetdicom_patches.socket_of(association)
        connection = next(one for one in list(self.connections) if one.sock is sock)
        connection.association = association
        pynetdicom_patches.read_by(association, functools.partial(self._read, connection))
        pynetdicom_patches.decode_by(association, functools.partial(self._decode, connection))
        run = functools.partial(self._run, connection)
        pynetdicom_patches.run_by(association, run, functools.partial(self._read_on, connection))

    # --- what it sends ------------------------------------------------------------------------

    def _read(self, connection: Connection, size: int) -> bytearray:
        """What pynetdicom's AssociationSocket.recv does, within bounds and in larger pieces."""
        if size > self.max_pdu:
            self._turn_out(
                connection, f"sent a PDU of {size} bytes where {self.max_pdu} are allowed"
            )
            raise ConnectionError("too long")
        data = receive(connection.sock, size)
        connection.spoke = connection.spoke or bool(data)
        return data

    def _decode(self, connection: Connection, decode: Any, data: bytearray) -> Any:
        try:
            return decode(data)
        except Exception as error:
            self._turn_out(connection, f"sent a PDU that cannot be read ({type(error).__name__})")
            raise

    def _weigh(self, event: evt.Event) -> None:
        if not isinstance(event.pdu, P_DATA_TF):
            return
        loads = [
            (connection.unfiled, connection)
            for connection in list(self.connections)
            if not connection.is_cut
        ]
        if sum(load for load, _ in loads) > MAX_UNFILED:
            load, heaviest = max(loads, key=lambda pair: pair[0])
            self._turn_out(heaviest, f"sent {load} bytes without an end, or without waiting")

    def _hear(self, event: evt.Event) -> None:
        self._connection(event.assoc).heard = time.monotonic()

    def _run(self, connection: Connection, run: Any) -> None:
        # pynetdicom's threads die of what they do not understand, and leave the rest as it is.
        try:
            run()
        except Exception as error:
            self._turn_out(connection, f"sent what is no DICOM ({type(error).__name__})")

    def _read_on(self, connection: Connection, run: Any) -> None:
        try:
            self._run(connection, run)
        finally:
            # Thread.is_alive() cannot tell: it is false also of a thread that is about to begin.
            connection.has_left = True

    def _connection(self, association: Any) -> Connection:
        return next(
            connection
            for connection in list(self.connections)
            if connection.association is association
        )

    # --- going out ----------------------------------------------------------------------------

    def service_actions(self) -> None:
        """Called every few milliseconds: see who is to go."""
        now = time.monotonic()
        for connection in list(self.connections):
            if connection.is_gone:
                connection.sock.close()
                self.connections.remove(connection)
            elif connection.has_left:
                self._see_off(connection)
            elif connection.is_cut:
                continue
            elif not connection.is_associated and now - connection.heard > ADMISSION:
                self._turn_out(connection, f"asked for no association within {ADMISSION:g} s")
            elif now - connection.heard > self.quiet_timeout:
                self._turn_out(connection, f"sent no whole message in {self.quiet_timeout:g} s")

    def _see_off(self, connection: Connection) -> None:
        if connection.spoke and not connection.has_asked:
            self._turn_out(connection, "asked for no association, or not in DICOM")
        # Else it was a look whether the port is open. It may have been cut off before there was
        # a thread that waits for what it says: that one is to be woken.
        connection.hang_up()

    def shutdown(self) -> None:
        """Stop listening, and hang up: a thread that shakes hands would be waited for."""
        with contextlib.suppress(OSError):  # not every system does that to a socket that listens
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for connections
        BaseServer.shutdown(self)  # pynetdicom's looks for itself among those of its own AE
        for connection in self.connections:
            connection.hang_up()
        self.server_close()

    def end_associations(self, patience: float) -> None:
        """Cut off what is still open after :meth:`shutdown`, and wait for the threads to end.

        Parameters
        ----------
        patience : float
            Seconds to wait for all of them.
        """
        until = time.monotonic() + patience
        for connection in self.connections:
            connection.hang_up()
        for connection in self.connections:
            for thread in connection.threads:
                if thread.ident is not None:
                    thread.join(max(0.0, until - time.monotonic()))
            connection.sock.close()

    def _turn_out(self, connection: Connection, why: str) -> None:
        if not connection.is_cut:
            self.connection_rejected(connection.address, why)
            connection.hang_up()
