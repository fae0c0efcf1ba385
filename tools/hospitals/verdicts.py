"""Compare what the app handed over with what the judge expects."""

from __future__ import annotations

import re
from typing import Any, Mapping, NamedTuple, Sequence

import pydicom
from pydicom.dataset import Dataset

from tools.hospitals.choice import AMBIGUOUS, INCOMPLETE, TOO_FEW
from tools.hospitals.judge import Expected
from tools.hospitals.reading import Picture, read_image

RIGHT, RIGHT_ERROR, WRONG, PARTIAL, CRASH, NEEDLESS = (
    "right",
    "right error",
    "wrong",
    "partial",
    "crash",
    "needless error",
)
BAD = (WRONG, PARTIAL, CRASH)


class Verdict(NamedTuple):
    """What came of a request; `reason` says it in a line without names and numbers."""

    kind: str
    reason: str


def of_files(files: Sequence[str], expected: Expected, held: Mapping[str, Dataset]) -> Verdict:
    """Judge a set that was handed over.

    Parameters
    ----------
    files : sequence of str
        The files, in the order of the set.
    expected : Expected
        What the judge expects.
    held : mapping of str to pydicom.dataset.Dataset
        The instances of the hospital by SOP Instance UID.
    """
    got = [pydicom.dcmread(file) for file in files]
    uids = [str(ds.SOPInstanceUID) for ds in got]
    spoilt = [ds for ds in got if not _is_the_same(ds, held.get(str(ds.SOPInstanceUID)))]
    if spoilt:
        return Verdict(WRONG, "an image is not as the hospital holds it")
    if len(set(uids)) < len(uids):
        return Verdict(WRONG, "an image is there twice")
    if frozenset(uids) in expected.sets:
        if not _in_order([read_image(ds) for ds in got]):
            return Verdict(WRONG, "the images are not in the order of acquisition")
        return Verdict(RIGHT, f"{len(uids)} images")
    if not expected.sets:
        too_few = TOO_FEW in expected.errors and AMBIGUOUS not in expected.errors
        early = too_few or INCOMPLETE in expected.errors
        reason = f"a set where there must be {_any_of(expected.errors)}"
        return Verdict(PARTIAL if early else WRONG, reason)
    if any(frozenset(uids) < one for one in expected.sets):
        return Verdict(PARTIAL, "images are missing")
    return Verdict(WRONG, "images that do not belong")


def of_error(error: Exception, expected: Expected, may_fail: bool, is_ours: bool) -> Verdict:
    """Judge an error.

    Parameters
    ----------
    error : Exception
        The error.
    expected : Expected
        What the judge expects.
    may_fail : bool
        Whether an error would be as good as a set.
    is_ours : bool
        Whether it is one of the app's own, named ones.
    """
    name = type(error).__name__
    if not is_ours:
        return Verdict(CRASH, f"{name}: {_without_names(str(error))}")
    if expected.is_set and not may_fail:
        return Verdict(NEEDLESS, f"{name}: {_without_names(str(error))}")
    known = {one.__name__ for one in type(error).__mro__}
    if expected.errors & known or may_fail:
        return Verdict(RIGHT_ERROR, name)
    return Verdict(
        NEEDLESS, f"{_any_of(expected.errors)} was due: {name}: {_without_names(str(error))}"
    )


def _is_the_same(ds: Dataset, other: Any) -> bool:
    return other is not None and all(
        ds.get(keyword) == other.get(keyword)
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "PatientID", "PixelData")
    )


def _in_order(images: Sequence[Picture]) -> bool:
    """Whether images are in the order of acquisition, as far as that is known."""
    moments = [image.moment for image in images if image.moment is not None]
    days = [image.day for image in images if image.day is not None and not image.ends_day]
    return moments == sorted(moments) and (len(moments) < len(images) or days == sorted(days))


def _any_of(errors: Any) -> str:
    return " or ".join(sorted(errors)) or "an error"


def _without_names(message: str) -> str:
    for pattern, instead in (
        (r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?", "<date>"),
        (r"\d+(\.\d+){3,}", "<number>"),
        (r"'[^']*'", "'…'"),
        (r"('…', )+'…'", "'…'"),
        (r"\d+(\.\d+)?", "N"),
    ):
        message = re.sub(pattern, instead, message)
    return message[:150]
