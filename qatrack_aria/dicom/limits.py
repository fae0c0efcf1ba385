"""Limits on what a peer may send, on associations that it or we have requested.

pynetdicom allocates memory for whatever length a PDU claims, and assembles a data set from any
number of fragments.
"""

from __future__ import annotations

from typing import Any, Callable

from pynetdicom import evt

from qatrack_aria.dicom.pynetdicom_patches import (
    answer_bytes,
    read_by,
    socket_of,
    unfiled_bytes,
)

#: Bytes of a PDU. More than the usual one of an image: fewer fragments to assemble (measured; the
#: default is 16382).
MAX_PDU = 131072
#: Bytes that have been sent and are not filed yet: 80 images of a TrueBeam.
MAX_UNFILED = 256 * 2**20
#: Bytes of one answer to a query, or of another response. Usual are a few hundred. pynetdicom
#: decodes an answer in one go, which no deadline can end: a hundred megabytes took six seconds.
MAX_ANSWER = 256 * 2**10


def receive(sock: Any, size: int) -> bytearray:
    """Read `size` bytes, or fewer if the peer has closed the connection."""
    data = bytearray(size)
    got = 0
    with memoryview(data) as view:
        while got < size:
            try:
                received = sock.recv_into(view[got:])
            except OSError:
                if not got:
                    raise
                break  # what arrived before a reset counts
            if not received:
                break
            got += received
    return data[:got] if got < size else data


def limit_association(event: evt.Event, exceeded: Callable[[str], None]) -> None:
    """Limit what a peer may send on an association that we have requested (EVT_CONN_OPEN).

    A peer that exceeds a limit is disconnected.

    Parameters
    ----------
    event : Event
        The connection has been opened.
    exceeded : callable
        Called with what the peer did, in words that follow the peer's name.
    """
    association: Any = event.assoc

    def read(size: int) -> bytearray:
        why = _exceeded(association, size)
        if why:
            exceeded(why)
            raise ConnectionError(why)
        return receive(socket_of(association), size)

    read_by(association, read)


def _exceeded(association: Any, size: int) -> str:
    """Return which limit the peer exceeds; empty if none."""
    if size > MAX_PDU:
        return f"sent a PDU of {size} bytes where {MAX_PDU} are allowed"
    if unfiled_bytes(association) > MAX_UNFILED:
        return f"sent more than {MAX_UNFILED} bytes without waiting for responses"
    if answer_bytes(association) > MAX_ANSWER:
        return f"sent an answer of more than {MAX_ANSWER} bytes"
    return ""
