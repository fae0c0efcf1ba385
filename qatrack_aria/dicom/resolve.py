"""From a host's name to what can be called, and why a call does not come through."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any, Sequence

from qatrack_aria.errors import NodeUnreachableError
from qatrack_aria.text import error_reason

if TYPE_CHECKING:
    from qatrack_aria.dicom.peer import Peer

#: Seconds for a name to resolve, where the caller has no other limit.
PATIENCE = 5.0


def addresses(host: str, port: int, wait: float = PATIENCE) -> list[str]:
    """The IPv4 and IPv6 addresses of a host, in the order to try them.

    The system asks name servers for as long as it likes, half a minute where none answers, and
    cannot be stopped: so it is asked in a thread that is left to itself in the end.

    Parameters
    ----------
    host : str
        A name or an address.
    port : int
        The port to be called.
    wait : float
        Seconds that it may take.

    Raises
    ------
    OSError, UnicodeError
        The name does not resolve, or not in time.
    """
    found: list[Any] = []

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)

    resolver = threading.Thread(target=look_up, name="aria-resolver", daemon=True)
    resolver.start()
    resolver.join(wait)
    if not found:
        raise OSError(f"no name server answered within {wait:g} s")
    if isinstance(found[0], Exception):
        raise found[0]
    return list(dict.fromkeys(str(where[0]) for _, _, _, _, where in found[0]))


def resolve(peer: Peer, wait: float) -> list[str]:
    """The addresses of a node, as :func:`addresses` finds them within so many seconds.

    Raises
    ------
    NodeUnreachableError
        Its host name does not resolve, or not in time.
    """
    try:
        return addresses(peer.remote_host, peer.remote_port, wait)
    except (OSError, UnicodeError) as error:
        raise NodeUnreachableError(
            f"Connection: the host name '{peer.remote_host}' of {peer} does not "
            f"resolve ({error_reason(error)}): check its spelling, or "
            "give the IP address."
        ) from error


def unreachable_error(peer: Peer, reasons: Sequence[str]) -> NodeUnreachableError:
    """The error for a node of which no address takes a connection; `reasons` tell of each."""
    return NodeUnreachableError(
        f"Connection: nothing answers for {peer} ({'; '.join(reasons)}): check host and "
        "port, that the service runs, and the firewalls between."
    )


def connection_failure(address: str, port: int, wait: float) -> str:
    """Why nothing can be reached there, in words; empty if something can.

    Parameters
    ----------
    address : str
        IPv4 or IPv6.
    port : int
        The port.
    wait : float
        Seconds to wait for an answer.
    """
    try:
        socket.create_connection((address, port), timeout=wait).close()
    except socket.timeout:
        return "no answer"
    except OSError as error:
        return error_reason(error)
    return ""
