"""What a calling peer sends, as bytes: whole, so that tests can then spoil it (PS3.8 9.3)."""

from __future__ import annotations

import struct
from typing import Any, Sequence

from tests.helpers.datasets import encoded

IMPLICIT_VR = b"1.2.840.10008.1.2"
NO_DATA_SET = 0x0101
#: Message control header (PS3.8 E.2).
COMMAND, DATA, LAST = 1, 0, 2

RELEASE_RQ = b"\x05\0\0\0\0\x04\0\0\0\0"


def pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxL", kind, len(body)) + body


def item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body


def associate_rq(
    sop_class: str, calling: bytes = b"VMSDBD", called: bytes = b"QATRACK", more: bytes = b""
) -> bytes:
    """An A-ASSOCIATE-RQ of one presentation context; `more` follows the user information."""
    context = b"\x01\0\0\0" + item(0x30, sop_class.encode()) + item(0x40, IMPLICIT_VR)
    user = item(0x51, struct.pack(">L", 16384)) + item(0x52, b"1.2.826.0.1") + more
    return pdu(
        0x01,
        b"\0\x01\0\0"
        + called.ljust(16)
        + calling.ljust(16)
        + bytes(32)
        + item(0x10, b"1.2.840.10008.3.1.1.1")
        + item(0x20, context)
        + item(0x50, user),
    )


def p_data(control: int, body: bytes) -> bytes:
    """A P-DATA-TF of one fragment."""
    return pdu(0x04, struct.pack(">LBB", len(body) + 2, 1, control) + body)


def element(tag: int, value: bytes) -> bytes:
    """One of a command set: group 0000, implicit VR little endian."""
    return struct.pack("<HHL", 0, tag, len(value)) + value


def c_store_rq(sop_class: str, sop_uid: str, data_set: int = 0) -> bytes:
    """The command of a C-STORE (PS3.7 9.3.1.1)."""
    elements = (
        element(0x0002, _even(sop_class))
        + element(0x0100, struct.pack("<H", 0x0001))
        + element(0x0110, struct.pack("<H", 1))
        + element(0x0700, struct.pack("<H", 0))
        + element(0x0800, struct.pack("<H", data_set))
        + element(0x1000, _even(sop_uid))
    )
    length = element(0x0000, struct.pack("<L", len(elements)))
    return p_data(COMMAND | LAST, length + elements)


def store(ds: Any, piece: int = 16000) -> Sequence[bytes]:
    """All PDUs of an association in which one data set is sent."""
    data = encoded(ds)
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
    return [
        associate_rq(str(ds.SOPClassUID)),
        c_store_rq(str(ds.SOPClassUID), str(ds.SOPInstanceUID)),
        *(p_data(DATA, one) for one in pieces[:-1]),
        p_data(DATA | LAST, pieces[-1]),
        RELEASE_RQ,
    ]


def _even(text: str) -> bytes:
    return text.encode() + b"\0" * (len(text) % 2)
