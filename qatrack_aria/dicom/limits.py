"""How much a peer may send before it is cut off, whoever has called whom.

pynetdicom takes memory for whatever length a PDU claims, and puts a data set together out of as
many pieces as come.
"""

from __future__ import annotations

from typing import Any

from pynetdicom import evt

from qatrack_aria.dicom.pynetdicom_patches import read_by, socket_of, unfiled_bytes

#: Bytes that have been sent and not yet been filed: 80 images of a TrueBeam.
MAX_UNFILED = 256 * 2**20


def receive(sock: Any, size: int) -> bytearray:
    """Return so many bytes, or fewer if the peer has closed the connection."""
    data = bytearray(size)
    got = 0
    with memoryview(data) as view:
        while got < size:
            try:
                piece = sock.recv_into(view[got:])
            except OSError:
                if not got:
                    raise
                break  # what came before a reset did come
            if not piece:
                break
            got += piece
    return data[:got] if got < size else data


def limit_association(event: evt.Event, max_pdu: int) -> None:
    """Limit what a peer may send on an association that we have requested (EVT_CONN_OPEN).

    A peer that exceeds a limit is disconnected.
    """
    association: Any = event.assoc

    def read(size: int) -> bytearray:
        if size > max_pdu or unfiled_bytes(association) > MAX_UNFILED:
            raise ConnectionError("more than is allowed")
        return receive(socket_of(association), size)

    read_by(association, read)
