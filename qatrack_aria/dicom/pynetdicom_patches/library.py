"""pynetdicom as a whole: its log, its SOP classes, and the addresses that it knows."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from typing import Any, Iterator

import pynetdicom
from pynetdicom import _config, sop_class
from pynetdicom.ae import ApplicationEntity
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.transport import AssociationSocket, ThreadedAssociationServer

_HAS_IPV6 = int(pynetdicom.__version__.split(".")[0]) >= 3

_logging_lock = threading.Lock()
_logging_users = 0
_logging_before: tuple[bool, bool, int] = (True, True, logging.NOTSET)


@contextlib.contextmanager
def private_logging() -> Iterator[None]:
    """Keep patients and staff out of pynetdicom's log while one of our associations is open.

    At level INFO pynetdicom logs whole identifiers. Where no level is set, its errors, which ours
    repeat in plain words, would go to standard error. Both settings are restored when our last
    association has ended, for other users of pynetdicom in the same process.
    """
    global _logging_users, _logging_before
    logger = logging.getLogger("pynetdicom")
    with _logging_lock:
        if not _logging_users:
            identifiers = _config.LOG_REQUEST_IDENTIFIERS, _config.LOG_RESPONSE_IDENTIFIERS
            _logging_before = (*identifiers, logger.level)
            _config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False
            if logger.level == logging.NOTSET:
                logger.setLevel(logging.CRITICAL)
        _logging_users += 1
    try:
        yield
    finally:
        with _logging_lock:
            _logging_users -= 1
            if not _logging_users:
                _config.LOG_REQUEST_IDENTIFIERS = _logging_before[0]
                _config.LOG_RESPONSE_IDENTIFIERS = _logging_before[1]
                if _logging_before[2] == logging.NOTSET and logger.level == logging.CRITICAL:
                    logger.setLevel(logging.NOTSET)


def register_storage(uid: str, keyword: str) -> None:
    """Make pynetdicom treat a SOP class that it does not know as one of Storage.

    Without it, pynetdicom accepts the class in the negotiation and then refuses each C-STORE.
    """
    if uid in sop_class._STORAGE_CLASSES.values():
        return
    register = getattr(sop_class, "register_uid", None)
    if register is not None:
        register(uid, keyword, StorageServiceClass)
    else:  # pynetdicom 2.0
        sop_class._STORAGE_CLASSES[keyword] = uid


class _IPv6Socket(AssociationSocket):
    """The socket of a requestor, for an IPv6 address."""

    def _create_socket(self, address: Any = ("", 0)) -> socket.socket:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        if self.assoc.network_timeout is not None:
            sock.settimeout(self.assoc.network_timeout)
        self._is_connected = False
        return sock


class _IPv6Entity(ApplicationEntity):
    """An application entity with IPv6 sockets; pynetdicom before 3 makes IPv4 ones only."""

    def _create_socket(self, assoc: Any, address: Any, tls_args: Any) -> AssociationSocket:
        sock = _IPv6Socket(assoc, address=address)
        sock.tls_args = tls_args
        return sock


def application_entity(ae_title: str, address: str) -> ApplicationEntity:
    """Return an application entity that can connect to `address`, IPv4 or IPv6."""
    if ":" in address and not _HAS_IPV6:
        return _IPv6Entity(ae_title=ae_title)
    return ApplicationEntity(ae_title=ae_title)


def listener_class(
    base: type[ThreadedAssociationServer], host: str
) -> type[ThreadedAssociationServer]:
    """Return `base`, able to listen on `host` (an address; empty for all IPv4 addresses)."""
    if ":" in host and not _HAS_IPV6:
        return type(base.__name__, (base,), {"address_family": socket.AF_INET6})
    return base


def peer_address(client_address: tuple[Any, ...] | None) -> str:
    """Return the address of a TCP peer, as IPv4 also where it is mapped into IPv6."""
    address = str(client_address[0]) if client_address else ""
    return address[7:] if address.startswith("::ffff:") else address
