"""How much a peer may send before it is cut off, whoever has called whom.

pynetdicom takes memory for whatever length a PDU claims, and puts a data set together out of as
many pieces as come. It reads them 4096 bytes at a time, too, which is a third of a receiver's work.
"""

from __future__ import annotations

import functools
from typing import Any

from pynetdicom import evt

#: Bytes that have been sent and not yet been filed: 80 images of a TrueBeam.
MAX_UNFILED = 256 * 2**20


def unfiled(association: Any) -> int:
    """Bytes that came on an association and that nobody has taken."""
    dimse = association.dimse
    begun = dimse.message
    with dimse.msg_queue.mutex:
        whole = [message for _, message in dimse.msg_queue.queue]
    # What a C-STORE brings, or an answer.
    sets = [getattr(message, kind, None) for message in whole for kind in ("DataSet", "Identifier")]
    size = sum(data.getbuffer().nbytes for data in sets if data is not None)
    if begun is not None:
        size += begun.data_set.tell() + begun.encoded_command_set.tell()
    return int(size)


def receive(sock: Any, size: int) -> bytearray:
    """So many bytes, or fewer if the peer has hung up."""
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
    """Bound what comes on an association that we have requested (EVT_CONN_OPEN).

    Who breaks a limit has hung up, as far as the association can tell.
    """
    association: Any = event.assoc
    connection = association.dul.socket
    connection.recv = functools.partial(_receive, association, connection, max_pdu)


def _receive(association: Any, connection: Any, max_pdu: int, size: int) -> bytearray:
    if size > max_pdu or unfiled(association) > MAX_UNFILED:
        raise ConnectionError("more than is allowed")
    return receive(connection.socket, size)
