"""Read a C-FIND answer whose values are the same in every character set, without pydicom.

A list of years has ten thousand answers, and pydicom takes most of the time for elements that are
never looked at. Nearly all answers are plain: ASCII, well-formed, of the value representations that
the dictionary gives. Whatever is not plain is left to pydicom.
"""

from __future__ import annotations

import struct
from typing import Dict, List, Union

from qatrack_aria.dicom.character_sets import PADDING, STRINGS, dictionary_vr
from qatrack_aria.text import MAX_LENGTH

#: Value representations with a length of four bytes in explicit VR (PS3.5 7.1.2).
_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR"))
_LONG |= frozenset((b"UT", b"UV"))
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


class PlainAnswer(Dict[int, Union[str, List["PlainAnswer"]]]):
    """The elements of an answer by their tags: all values of one, as text, or the items of one."""


class _NotPlain(Exception):
    """An element is left to pydicom."""


def plain_answer(encoded: bytes, implicit_vr: bool) -> PlainAnswer | None:
    """Read an answer in little endian.

    Parameters
    ----------
    encoded : bytes
        The data set as it was received (PS3.5 section 7).
    implicit_vr : bool
        Whether its transfer syntax has implicit value representations.

    Returns
    -------
    PlainAnswer or None
        ``None`` if pydicom has to read it.
    """
    try:
        answer, _ = _read(encoded, 0, len(encoded), implicit_vr, False)
    except (_NotPlain, struct.error, RecursionError):  # the last of sequences within sequences
        return None
    return answer


def _read(
    encoded: bytes, at: int, end: int, implicit_vr: bool, delimited: bool
) -> tuple[PlainAnswer, int]:
    """Read a data set, up to `end` or its delimitation item, and return where it ended."""
    answer = PlainAnswer()
    last = -1
    while at < end:
        tag, vr, length, at = _header(encoded, at, implicit_vr)
        if delimited and tag == _ITEM_END and length == 0:
            return answer, at
        if tag <= last or tag >= _ITEM:
            raise _NotPlain
        last = tag
        if vr == "SQ":
            answer[tag], at = _items(encoded, at, end, length, implicit_vr)
            continue
        if vr not in STRINGS or at + length > end:
            raise _NotPlain
        answer[tag] = _text(encoded[at : at + length])
        at += length
    if delimited or at != end:
        raise _NotPlain
    return answer, at


def _header(encoded: bytes, at: int, implicit_vr: bool) -> tuple[int, str, int, int]:
    """Return an element's tag, value representation, length, and where its value begins."""
    group, element, length = struct.unpack_from("<HHL", encoded, at)
    tag = group << 16 | element
    if implicit_vr or group == 0xFFFE:
        return tag, dictionary_vr(tag), length, at + 8
    vr = encoded[at + 4 : at + 6]
    if vr.decode("latin-1") != dictionary_vr(tag):
        raise _NotPlain
    if vr in _LONG:
        (length,) = struct.unpack_from("<L", encoded, at + 8)
        return tag, vr.decode("ascii"), length, at + 12
    return tag, vr.decode("ascii"), length >> 16, at + 8


def _items(
    encoded: bytes, at: int, end: int, length: int, implicit_vr: bool
) -> tuple[list[PlainAnswer], int]:
    delimited = length == _UNDEFINED
    if not delimited:
        if at + length > end:
            raise _NotPlain
        end = at + length
    items: list[PlainAnswer] = []
    while at < end:
        tag, _, size, at = _header(encoded, at, implicit_vr)
        if delimited and tag == _SEQUENCE_END and size == 0:
            return items, at
        if tag != _ITEM or (size != _UNDEFINED and at + size > end):
            raise _NotPlain
        stop = end if size == _UNDEFINED else at + size
        item, at = _read(encoded, at, stop, implicit_vr, size == _UNDEFINED)
        items.append(item)
    if delimited:
        raise _NotPlain
    return items, at


def _text(value: bytes) -> str:
    if len(value) > MAX_LENGTH:
        raise _NotPlain
    text = value.decode("ascii", "replace").rstrip(PADDING)
    if not text.isprintable() or "\ufffd" in text:
        raise _NotPlain
    return text
