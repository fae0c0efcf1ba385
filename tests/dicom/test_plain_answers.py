"""Answers that are read by their bytes, and those that are left to pydicom."""

from __future__ import annotations

import struct

from qatrack_aria.dicom.plain_answers import plain_answer
from qatrack_aria.dicom.values import number

SERIES_UID, COUNT = 0x0020000E, 0x00201209


def element(tag: int, value: bytes) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


def test_a_plain_answer_has_its_texts_without_padding() -> None:
    assert plain_answer(element(SERIES_UID, b"1.2.3\0"), implicit_vr=True) == {SERIES_UID: "1.2.3"}


def test_sequences_without_end_within_each_other_are_left_to_pydicom() -> None:
    """A hostile answer must not exhaust the stack."""
    item, sequence = 0xFFFEE000, 0x300C0002
    header = struct.pack("<HHL", item >> 16, item & 0xFFFF, 0xFFFFFFFF)
    within = struct.pack("<HHL", sequence >> 16, sequence & 0xFFFF, 0xFFFFFFFF)
    assert plain_answer((within + header) * 5000, implicit_vr=True) is None


def test_an_answer_with_a_count_is_plain() -> None:
    """A list of series, each with its number of instances, is as long as a history."""
    answer = plain_answer(element(SERIES_UID, b"1.2.3\0") + element(COUNT, b"12"), implicit_vr=True)
    assert answer is not None
    assert number(answer, "NumberOfSeriesRelatedInstances") == 12
