"""A peer that we call, played in bytes: it answers what a test says, and when."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager, suppress
from typing import Any, Callable, Iterator

from qatrack_aria.dicom.peer import Peer
from tests.helpers import pdus
from tests.helpers.datasets import encoded
from tests.helpers.waiting import PATIENCE
from tests.helpers.wire import COMMAND, DATA, IMPLICIT_VR, LAST, element, item, p_data, pdu

SUCCESS, PENDING = 0x0000, 0xFF00
NO_DATA_SET = 0x0101
FIND = b"1.2.840.10008.5.1.4.1.2.2.1\0"
#: The fields of an A-ASSOCIATE-RQ that an -AC repeats, and where its items begin.
FIXED, ITEMS = slice(6, 74), 74


@contextmanager
def called(script: Callable[[socket.socket], Any], **changes: Any) -> Iterator[Peer]:
    """Who is to be called; the connection is treated by `script`, in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)

        def serve() -> None:
            with suppress(OSError), server.accept()[0] as connection:
                connection.settimeout(PATIENCE)
                script(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        peer = Peer("aria", "VMSDBD", "127.0.0.1", port, "QATRACK", "127.0.0.1", 11112, **changes)
        try:
            yield peer
        finally:
            thread.join(2 * PATIENCE)


def accept(connection: socket.socket, more: bytes = b"") -> Iterator[pdus.Command]:
    """Accept the association, with `more` at once after it; then the requests that come."""
    received = pdus.read(connection)
    connection.sendall(associate_ac(next(received)) + more)
    for data in received:
        if pdus.is_command(data):
            yield pdus.command(data)
        elif pdus.kind(data) == pdus.RELEASE_RQ:
            connection.sendall(pdu(pdus.RELEASE_RP, bytes(4)))


def until_closed(connection: socket.socket) -> None:
    """Take whatever comes until the other side hangs up."""
    with suppress(ConnectionError):
        while connection.recv(65536):
            pass


def reset(connection: socket.socket) -> None:
    """Hang up without a word, as a machine that crashes."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def associate_ac(request: bytes) -> bytes:
    """The A-ASSOCIATE-AC that accepts all presentation contexts, in implicit VR."""
    contexts, at = b"", ITEMS
    while at < len(request):
        kind, length = struct.unpack(">BxH", request[at : at + 4])
        if kind == 0x20:
            contexts += item(0x21, bytes([request[at + 4], 0, 0, 0]) + item(0x40, IMPLICIT_VR))
        at += 4 + length
    user = item(0x51, struct.pack(">L", 16384)) + item(0x52, b"1.2.826.0.1")
    application = item(0x10, b"1.2.840.10008.3.1.1.1")
    return pdu(0x02, request[FIXED] + application + contexts + item(0x50, user))


def find_rsp(request: pdus.Command, status: int, answer: Any = None) -> bytes:
    """A C-FIND response (PS3.7 9.3.2.2); `answer` is its identifier, or the bytes of one."""
    elements = (
        element(0x0002, FIND)
        + element(0x0100, struct.pack("<H", 0x8020))
        + element(0x0120, struct.pack("<H", request.message_id))
        + element(0x0800, struct.pack("<H", NO_DATA_SET if answer is None else 0))
        + element(0x0900, struct.pack("<H", status))
    )
    command = p_data(COMMAND | LAST, element(0, struct.pack("<L", len(elements))) + elements)
    if answer is None:
        return command
    return command + p_data(DATA | LAST, answer if isinstance(answer, bytes) else encoded(answer))
