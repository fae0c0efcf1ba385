"""Host names to addresses, and the reason why a connection fails."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any, Sequence

from qatrack_aria.errors import NodeUnreachableError
from qatrack_aria.text import error_reason

if TYPE_CHECKING:
    from qatrack_aria.dicom.peer import Peer

#: Seconds to resolve a name, by default.
RESOLVE_TIMEOUT = 5.0


def addresses(host: str, port: int, wait: float = RESOLVE_TIMEOUT) -> list[str]:
    """Return the IPv4 and IPv6 addresses of a host, in the order to try them.

    The system queries name servers without a limit of ours, half a minute where none answers, and
    cannot be interrupted. So it does so in a thread, which is abandoned after `wait`.

    Parameters
    ----------
    host : str
        A name or an address.
    port : int
        The port.
    wait : float
        Seconds to wait.

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
    """Return the addresses of a node, found by :func:`addresses` within `wait` seconds.

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
    """Return the error for a node no address of which accepts a connection, each with a reason."""
    return NodeUnreachableError(
        f"Connection: nothing answers for {peer} ({'; '.join(reasons)}): check host and "
        "port, that the service runs, and the firewalls between."
    )


def connection_failure(address: str, port: int, wait: float) -> str:
    """Return in words why a connection fails; empty if it does not.

    Parameters
    ----------
    address : str
        IPv4 or IPv6.
    port : int
        The port.
    wait : float
        Seconds to wait for it.
    """
    try:
        socket.create_connection((address, port), timeout=wait).close()
    except socket.timeout:
        return "no answer"
    except OSError as error:
        return error_reason(error)
    return ""
