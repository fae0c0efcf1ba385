"""One answer of a long list, decoded by pydicom and by us."""

from __future__ import annotations

import time
from functools import partial
from io import BytesIO
from typing import Any, Callable

from pynetdicom.dsutils import decode, encode

from qatrack_aria.dicom.attributes import image_ref
from qatrack_aria.dicom.plain_answers import plain_answer
from qatrack_aria.dicom.queries import IMAGE_KEYS
from tests.helpers.datasets import image
from tools.benchmark.measure import Samples, side_by_side

BY_PYDICOM, BY_US = "pydicom, every value", "ours, what the search needs"
TIMES = 500


def decoding(_: Any, runs: int) -> dict[str, Samples]:
    """One C-FIND answer, decoded."""
    answer = image(PatientID="QA_TB1")
    for element in list(answer):
        if element.keyword not in (*IMAGE_KEYS, "PatientID"):
            del answer[element.tag]
    encoded = bytes(encode(answer, True, True) or b"")
    rows = side_by_side(
        {
            BY_PYDICOM: partial(_microseconds, partial(_by_pydicom, encoded)),
            BY_US: partial(_microseconds, partial(_by_us, encoded)),
        },
        4 * runs,
        "µs",
    )
    for samples in rows.values():
        samples.note = f"{len(answer)} elements, {len(encoded)} bytes"
    return rows


def _by_pydicom(encoded: bytes) -> None:
    for element in decode(BytesIO(encoded), True, True).iterall():
        str(element.value)


def _by_us(encoded: bytes) -> None:
    answer = plain_answer(encoded, implicit_vr=True)
    if answer is None:
        raise ValueError("the answer is left to pydicom")
    image_ref(answer)


def _microseconds(do: Callable[[], None]) -> float:
    begin = time.process_time()
    for _ in range(TIMES):
        do()
    return (time.process_time() - begin) / TIMES * 1e6
