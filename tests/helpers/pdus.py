"""DICOM's upper layer in bytes: cut a TCP stream into PDUs (PS3.8 9.3), and look into them.

Of a P-DATA-TF it is known which DIMSE command is inside (PS3.7 E.1: the command set is always in
implicit VR little endian). Both ends put one fragment into each PDU, so no more is looked for.
"""

from __future__ import annotations

import struct
from typing import Any, Iterator, NamedTuple

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)

NAMES = {
    ASSOCIATE_RQ: "A-ASSOCIATE-RQ",
    ASSOCIATE_AC: "A-ASSOCIATE-AC",
    ASSOCIATE_RJ: "A-ASSOCIATE-RJ",
    P_DATA: "P-DATA-TF",
    RELEASE_RQ: "A-RELEASE-RQ",
    RELEASE_RP: "A-RELEASE-RP",
    ABORT: "A-ABORT",
}

COMMANDS = {0x0001: "C-STORE", 0x0010: "C-GET", 0x0020: "C-FIND", 0x0021: "C-MOVE"}
RESPONSE = 0x8000

SOP_CLASS, COMMAND_FIELD, MESSAGE_ID, RESPONDED_TO, DATA_SET_TYPE, STATUS = (
    0x0002,
    0x0100,
    0x0110,
    0x0120,
    0x0800,
    0x0900,
)
NO_DATA_SET = 0x0101
PENDING = (0xFF00, 0xFF01)

# Message control header (PS3.8 E.2).
_IS_COMMAND, _IS_LAST = 1, 2


class Command(NamedTuple):
    """A DIMSE command set: what of it matters to a middleman."""

    name: str
    context: int
    message_id: int
    sop_class: bytes
    status: int | None
    has_data: bool


def pdu(kind: int, body: bytes) -> bytes:
    """A PDU of that type."""
    return struct.pack(">BxL", kind, len(body)) + body


def abort() -> bytes:
    """An A-ABORT of the service user."""
    return pdu(ABORT, bytes(4))


def rejection() -> bytes:
    """An A-ASSOCIATE-RJ: permanent, by the service user, without a reason."""
    return pdu(ASSOCIATE_RJ, bytes([0, 1, 1, 1]))


def release() -> bytes:
    """An A-RELEASE-RQ."""
    return pdu(RELEASE_RQ, bytes(4))


def read(connection: Any) -> Iterator[bytes]:
    """The PDUs that come by a socket, until it is closed from either side."""
    try:
        while True:
            head = _exactly(connection, 6)
            yield head + _exactly(connection, struct.unpack(">L", head[2:])[0])
    except (EOFError, OSError):
        return


def _exactly(connection: Any, length: int) -> bytes:
    pieces = []
    while length:
        piece = connection.recv(min(length, 1 << 20))
        if not piece:
            raise EOFError
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


# --- what is inside ---------------------------------------------------------------------------


def kind(data: bytes) -> int:
    """The type of a PDU."""
    return data[0]


def is_command(data: bytes) -> bool:
    """Whether a PDU holds a command set."""
    return kind(data) == P_DATA and bool(data[11] & _IS_COMMAND)


def ends_message(data: bytes) -> bool:
    """Whether nothing of its DIMSE message follows a PDU."""
    if kind(data) != P_DATA:
        return True
    if not data[11] & _IS_LAST:
        return False
    return not (is_command(data) and command(data).has_data)


def command(data: bytes) -> Command:
    """The command set of a PDU that :func:`is_command`."""
    elements = {tag: value for tag, _, value in _elements(data)}
    field = _number(elements[COMMAND_FIELD])
    name = COMMANDS.get(field & ~RESPONSE, f"0x{field:04X}")
    return Command(
        f"{name}-{'RSP' if field & RESPONSE else 'RQ'}",
        data[10],
        _number(elements.get(MESSAGE_ID) or elements[RESPONDED_TO]),
        elements.get(SOP_CLASS, b""),
        _number(elements[STATUS]) if STATUS in elements else None,
        _number(elements[DATA_SET_TYPE]) != NO_DATA_SET,
    )


def with_status(data: bytes, status: int) -> bytes:
    """The same response with another status."""
    at = next(at for tag, at, _ in _elements(data) if tag == STATUS)
    return data[:at] + struct.pack("<H", status) + data[at + 2 :]


def success(request: Command) -> bytes:
    """A final C-MOVE or C-GET response to a request."""
    field = next(number for number, name in COMMANDS.items() if request.name == f"{name}-RQ")
    body = b"".join(
        struct.pack("<HHL", 0, tag, len(value)) + value
        for tag, value in (
            (SOP_CLASS, request.sop_class),
            (COMMAND_FIELD, struct.pack("<H", field | RESPONSE)),
            (RESPONDED_TO, struct.pack("<H", request.message_id)),
            (DATA_SET_TYPE, struct.pack("<H", NO_DATA_SET)),
            (STATUS, struct.pack("<H", 0)),
        )
    )
    body = struct.pack("<HHLL", 0, 0, 4, len(body)) + body
    header = bytes([request.context, _IS_COMMAND | _IS_LAST])
    return pdu(P_DATA, struct.pack(">L", len(body) + 2) + header + body)


def with_pieces_of(data: bytes, size: int) -> bytes:
    """The same A-ASSOCIATE-RQ or -AC, asking for PDUs of at most `size` bytes (PS3.8 D.1)."""
    at = data.index(b"\x51\x00\x00\x04") + 4
    return data[:at] + struct.pack(">L", size) + data[at + 4 :]


def without_contexts(data: bytes) -> bytes:
    """The same A-ASSOCIATE-AC with every presentation context turned down (PS3.8 9.3.3.2)."""
    changed = bytearray(data)
    at = 74  # the variable items follow the fixed fields of 68 bytes and the header
    while at < len(changed):
        item, length = struct.unpack(">BxH", changed[at : at + 4])
        if item == 0x21:
            changed[at + 6] = 3  # abstract syntax not supported
        at += 4 + length
    return bytes(changed)


def noise(data: bytes) -> bytes:
    """A PDU of the same type and length, of which the content makes no sense."""
    return data[:6] + bytes((37 * at + 11) % 256 for at in range(len(data) - 6))


def _elements(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Element number, place and value of everything in a command set."""
    at = 12
    while at < len(data):
        _, tag, length = struct.unpack("<HHL", data[at : at + 8])
        yield tag, at + 8, data[at + 8 : at + 8 + length]
        at += 8 + length


def _number(value: bytes) -> int:
    return int(struct.unpack("<H", value)[0])
