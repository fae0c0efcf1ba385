"""Where pynetdicom differs between the versions that are supported, and where it needs a hand."""

from __future__ import annotations

import logging
import socket
import ssl
from socketserver import BaseServer
from typing import Any

import pynetdicom
from pynetdicom import evt, sop_class
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.transport import AssociationSocket, ThreadedAssociationServer

# pynetdicom writes whole identifiers and data sets (patient and staff names) at level INFO.
if logging.getLogger("pynetdicom").level == logging.NOTSET:
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)

_HAS_IPV6 = int(pynetdicom.__version__.split(".")[0]) >= 3


# --- SOP classes ------------------------------------------------------------------------------


def register_private_storage(uid: str, keyword: str) -> None:
    """Make pynetdicom treat a private SOP class as one of Storage.

    Without it a C-STORE of that class is accepted in the negotiation and then refused.
    """
    if uid in sop_class._STORAGE_CLASSES.values():
        return
    register = getattr(sop_class, "register_uid", None)
    if register is not None:
        register(uid, keyword, StorageServiceClass)
    else:  # pynetdicom 2.0
        sop_class._STORAGE_CLASSES[keyword] = uid


# --- calling ----------------------------------------------------------------------------------


class _IPv6Socket(AssociationSocket):
    """The socket of a requestor that calls an IPv6 address."""

    def _create_socket(self, address: Any = ("", 0)) -> socket.socket:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        if self.assoc.network_timeout is not None:
            sock.settimeout(self.assoc.network_timeout)
        self._is_connected = False
        return sock


class _IPv6Entity(ApplicationEntity):
    """pynetdicom before 3 makes IPv4 sockets only; the rest of it does not mind the family."""

    def _create_socket(self, assoc: Any, address: Any, tls_args: Any) -> AssociationSocket:
        sock = _IPv6Socket(assoc, address=address)
        sock.tls_args = tls_args
        return sock


def application_entity(ae_title: str, address: str) -> ApplicationEntity:
    """An application entity that can call `address`, an IPv4 or an IPv6 one."""
    if ":" in address and not _HAS_IPV6:
        return _IPv6Entity(ae_title=ae_title)
    return ApplicationEntity(ae_title=ae_title)


def keep_responses(association: Association) -> None:
    """Give a response back to who waits for it; for associations that we requested.

    pynetdicom (2.0 to 3.0) pauses a requestor's reactor while it waits for a response. Under load
    that reactor may just have passed its stop, and takes the response away as "unexpected".
    """

    def give_back(message: Any, context_id: int) -> None:
        association.dimse.msg_queue.put((context_id, message))

    setattr(association, "_serve_request", give_back)  # noqa: B010


def abort(association: Association) -> None:
    """Abort, and wake the thread that waits for a response, as a lost connection would."""
    association.abort()
    association.dimse.msg_queue.put((None, None))


def without_delay(event: evt.Event) -> None:
    """Send small messages at once (EVT_CONN_OPEN): Nagle's algorithm costs 40 ms for each."""
    connection: Any = event.assoc.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


# --- listening --------------------------------------------------------------------------------


class Listener(ThreadedAssociationServer):
    """An association server that can be stopped at once, with all that it has accepted.

    Attributes
    ----------
    encryption : ssl.SSLContext or None
        What connections are encrypted by. pynetdicom shakes hands while it accepts, so that one
        silent caller keeps all others out, before it is known who calls: here each connection
        does by itself.
    handshake_timeout : float
        Seconds for it.
    """

    encryption: ssl.SSLContext | None = None
    handshake_timeout = 5.0

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection, in a thread of its own."""
        if self.encryption is not None:
            request.settimeout(self.handshake_timeout)
            try:
                request = self.encryption.wrap_socket(request, server_side=True)
            except OSError as error:
                self.not_encrypted(client_address, error)
                self.shutdown_request(request)
                return
            request.settimeout(None)
        super().process_request_thread(request, client_address)

    def not_encrypted(self, client_address: Any, error: OSError) -> None:
        """Told of a connection that did not come to be encrypted."""

    def shutdown(self) -> None:
        """Stop listening; pynetdicom's own looks for itself among those of ``AE.start_server``."""
        BaseServer.shutdown(self)
        self.server_close()

    def end_associations(self, patience: float) -> None:
        """Cut off what is still open after :meth:`shutdown`, and wait for the threads to end.

        Parameters
        ----------
        patience : float
            Seconds to wait for each of them.
        """
        for association in self.active_associations:
            if association.is_established:
                abort(association)
            elif association.dul.socket is not None:
                # Connected, and silent: it waits for an A-ASSOCIATE; None is what a timeout gives.
                association.dul.socket.close()
                association.dul.to_user_queue.put(None)
            association.join(patience)

    def service_actions(self) -> None:
        """Do without a full garbage collection every 60 polls."""


def listener_class(base: type[Listener], host: str) -> type[Listener]:
    """`base`, able to listen on `host` (an address; empty for all IPv4 addresses)."""
    if ":" in host and not _HAS_IPV6:
        return type(base.__name__, (base,), {"address_family": socket.AF_INET6})
    return base


def peer_address(client_address: tuple[Any, ...] | None) -> str:
    """The bare address of a TCP peer, an IPv4 one also where it came in mapped into IPv6."""
    address = str(client_address[0]) if client_address else ""
    return address[7:] if address.startswith("::ffff:") else address
