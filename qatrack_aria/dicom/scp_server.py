"""The server behind our port: its connections are bounded in number, size and time.

pynetdicom allocates memory for whatever length a PDU claims, waits for the rest of it without
limit, and assembles a data set from any number of fragments. Here no peer, malicious or faulty, can
exhaust memory or threads, or keep out the node that is to send images. A peer that exceeds a limit
is disconnected; the others are not affected.
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
from qatrack_aria.dicom.scp_connection import Connection

#: Connections without an association. One more closes the oldest: an honest peer requests its
#: association within milliseconds.
MAX_WAITING = 8
#: Associations at a time. ARIA was seen to use one, but a node may send from several machines.
MAX_ASSOCIATIONS = 10
#: Seconds from the connection to the association, including a TLS handshake.
ASSOCIATION_TIMEOUT = 10.0


class BoundedServer(ThreadedAssociationServer):
    """An association server with bounded connections.

    Attributes
    ----------
    encryption : ssl.SSLContext or None
        The TLS context of the connections. pynetdicom would do the handshake while it accepts, so
        that one silent peer keeps out all others. Here each connection does its own.
    max_pdu : int
        The longest PDU in bytes that we have offered to receive.
    quiet_timeout : float
        Seconds within which each association has to send a whole message.
    """

    #: Connections that wait to be accepted; beyond that number TCP delays some by a second.
    request_queue_size = 128
    encryption: ssl.SSLContext | None = None
    max_pdu = 16382
    quiet_timeout = 60.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.connections: list[Connection] = []
        super().__init__(*args, **kwargs)
        # pynetdicom counts all connections as associations.
        self.ae.maximum_associations = MAX_WAITING + MAX_ASSOCIATIONS
        # Its own timers would end a quiet association just before ours, without a record.
        self.ae.acse_timeout = self.ae.network_timeout = None
        self.bind(evt.EVT_CONN_OPEN, self._attach_association)
        self.bind(evt.EVT_PDU_RECV, self._limit_unfiled)
        self.bind(evt.EVT_DIMSE_RECV, self._note_message)

    def connection_rejected(self, address: str, why: str) -> None:
        """Record a connection that we closed, and `why` in words that follow "which"."""

    def not_encrypted(self, address: str, error: OSError) -> None:
        """Record a connection whose TLS handshake failed."""

    # --- accepting ----------------------------------------------------------------------------

    def process_request(self, request: Any, client_address: Any) -> None:
        """Accept a connection; close the oldest without an association if there are too many."""
        waiting = [
            connection
            for connection in self.connections
            if not connection.is_associated and not connection.is_closed
        ]
        if len(waiting) >= MAX_WAITING:
            self._disconnect(waiting[0], "kept others waiting without requesting an association")
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
            if self.encryption is None or self._handshake(connection, self.encryption):
                super().process_request_thread(connection.sock, client_address)
        finally:
            connection.served = True

    def _handshake(self, connection: Connection, encryption: ssl.SSLContext) -> bool:
        connection.sock.settimeout(ASSOCIATION_TIMEOUT)
        try:
            sock = encryption.wrap_socket(
                connection.sock, server_side=True, do_handshake_on_connect=False
            )
            connection.sock = sock  # from here on it can be closed
            sock.do_handshake()
        except OSError as error:
            if not connection.is_closed:
                self.not_encrypted(connection.address, error)
            self.shutdown_request(connection.sock)
            return False
        sock.settimeout(None)
        return True

    def _attach_association(self, event: evt.Event) -> None:
        association: Any = event.assoc
        sock = pynetdicom_patches.socket_of(association)
        connection = next(one for one in list(self.connections) if one.sock is sock)
        connection.association = association
        pynetdicom_patches.read_by(association, functools.partial(self._read, connection))
        pynetdicom_patches.decode_by(association, functools.partial(self._decode, connection))
        run = functools.partial(self._run, connection)
        pynetdicom_patches.run_by(association, run, functools.partial(self._run_reader, connection))

    # --- receiving ----------------------------------------------------------------------------

    def _read(self, connection: Connection, size: int) -> bytearray:
        """Read as pynetdicom's AssociationSocket.recv does, but bounded and in larger pieces."""
        if size > self.max_pdu:
            self._disconnect(
                connection, f"sent a PDU of {size} bytes where {self.max_pdu} are allowed"
            )
            raise ConnectionError("too long")
        data = receive(connection.sock, size)
        connection.has_sent = connection.has_sent or bool(data)
        return data

    def _decode(self, connection: Connection, decode: Any, data: bytearray) -> Any:
        try:
            return decode(data)
        except Exception as error:
            self._disconnect(connection, f"sent a PDU that cannot be read ({type(error).__name__})")
            raise

    def _limit_unfiled(self, event: evt.Event) -> None:
        if not isinstance(event.pdu, P_DATA_TF):
            return
        sizes = [
            (connection.unfiled, connection)
            for connection in list(self.connections)
            if not connection.is_closed
        ]
        if sum(size for size, _ in sizes) > MAX_UNFILED:
            size, largest = max(sizes, key=lambda pair: pair[0])
            self._disconnect(
                largest, f"sent {size} bytes in one message, or without waiting for responses"
            )

    def _note_message(self, event: evt.Event) -> None:
        connection = next(one for one in list(self.connections) if one.association is event.assoc)
        connection.last_message = time.monotonic()

    def _run(self, connection: Connection, run: Any) -> None:
        # An unexpected message ends pynetdicom's thread and leaves the rest as it is.
        try:
            run()
        except Exception as error:
            self._disconnect(connection, f"sent data that are not DICOM ({type(error).__name__})")

    def _run_reader(self, connection: Connection, run: Any) -> None:
        try:
            self._run(connection, run)
        finally:
            # Thread.is_alive() does not show it: it is false before the thread starts, too.
            connection.reading_ended = True

    # --- disconnecting ------------------------------------------------------------------------

    def service_actions(self) -> None:
        """Disconnect, every few milliseconds, the connections that have exceeded a limit."""
        now = time.monotonic()
        for connection in list(self.connections):
            if connection.has_ended:
                connection.sock.close()
                self.connections.remove(connection)
            elif connection.reading_ended:
                if connection.has_sent and not connection.has_requested:
                    self._disconnect(connection, "did not request an association, or not in DICOM")
                # Without a byte sent it was a test whether the port is open. A thread that began
                # to wait after an earlier close() has to be woken.
                connection.close()
            elif not connection.is_closed:
                self._limit_silence(connection, now - connection.last_message)

    def _limit_silence(self, connection: Connection, seconds: float) -> None:
        if not connection.is_associated and seconds > ASSOCIATION_TIMEOUT:
            why = f"did not request an association within {ASSOCIATION_TIMEOUT:g} s"
            self._disconnect(connection, why)
        elif seconds > self.quiet_timeout:
            why = f"sent no complete message within {self.quiet_timeout:g} s"
            self._disconnect(connection, why)

    def shutdown(self) -> None:
        """Stop listening, and close the connections: a handshake would be waited for."""
        with contextlib.suppress(OSError):  # some systems refuse it for a listening socket
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for connections
        BaseServer.shutdown(self)  # pynetdicom's looks for itself among those of its own AE
        for connection in self.connections:
            connection.close()
        self.server_close()

    def end_associations(self, timeout: float) -> None:
        """Close the connections left after :meth:`shutdown`, and wait for their threads.

        Parameters
        ----------
        timeout : float
            Seconds to wait for all of them.
        """
        until = time.monotonic() + timeout
        for connection in self.connections:
            connection.close()
        for connection in self.connections:
            for thread in connection.threads:
                if thread.ident is not None:
                    thread.join(max(0.0, until - time.monotonic()))
            connection.sock.close()

    def _disconnect(self, connection: Connection, why: str) -> None:
        if not connection.is_closed:
            self.connection_rejected(connection.address, why)
            connection.close()
