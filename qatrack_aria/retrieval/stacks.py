"""Require that CT slices are one whole scan: without a gap, in one orientation and spacing."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import Any, Callable, Sequence

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.slices import Slice
from qatrack_aria.errors import AmbiguousImagesError, IncompleteRetrievalError
from qatrack_aria.retrieval.request import Request
from qatrack_aria.text import plural

#: Decimals to which direction cosines and spacings have to agree.
DECIMALS = 3
#: The part of the usual distance by which two slices may be nearer or farther; positions are
#: rounded in headers.
TOLERANCE = 0.1


def require_stack(images: Sequence[ImageRef], request: Request) -> None:
    """Require that slices are one whole scan.

    Parameters
    ----------
    images : sequence of ImageRef
        The slices of a set, by their files.
    request : Request
        The request, for the message.

    Raises
    ------
    AmbiguousImagesError
        They are of several scans, orientations or spacings, or one has no position.
    IncompleteRetrievalError
        Slices are missing between others.
    """
    slices = [image.slice or Slice() for image in images]
    head = f"CT: of the {plural(len(slices), 'slice')} of {request.subject}"
    lost = sum(1 for one in slices if one.height is None)
    if lost:
        raise AmbiguousImagesError(
            f"{head}, {lost} have no position or orientation, so it is unknown whether they are "
            "one scan: choose another series by description= or series=."
        )
    _require_one("orientation", slices, head, lambda one: _rounded(one.normal))
    _require_one("pixel spacing", slices, head, lambda one: _rounded(one.spacing))
    _require_one("matrix", slices, head, lambda one: one.shape)
    if len({image.frame for image in images}) > 1:
        raise AmbiguousImagesError(
            f"{head}, some differ in their frame of reference: they are not one scan. Choose "
            "another series by description= or series=, or have it corrected in ARIA."
        )
    _require_one_scan(slices, head)
    _require_no_gap(slices, head)


def _rounded(values: Sequence[float] | None) -> Any:
    return tuple(round(value, DECIMALS) + 0.0 for value in values or ())


def _require_one(
    what: str, slices: Sequence[Slice], head: str, value: Callable[[Slice], Any]
) -> None:
    counted = Counter(value(one) for one in slices)
    if len(counted) > 1:
        parts = " and ".join(str(number) for _, number in counted.most_common())
        raise AmbiguousImagesError(
            f"{head}, {parts} differ in their {what}: they are not one scan. Choose another series "
            "by description= or series=, or have it corrected in ARIA."
        )


def _require_one_scan(slices: Sequence[Slice], head: str) -> None:
    """Refuse two scans in one series, which may be interleaved; a scan has a range of its own."""
    ranges = {}
    for scan in {one.scan for one in slices}:
        heights = [one.height or 0.0 for one in slices if one.scan == scan]
        ranges[scan] = min(heights), max(heights), len(heights)
    ordered = sorted(ranges.values())
    for (_, end, here), (begin, _, there) in zip(ordered, ordered[1:]):
        if begin < end:
            raise AmbiguousImagesError(
                f"{head}, {here} and {there} are of different acquisitions at the same place: "
                "these are two scans in one series. Have them separated in ARIA."
            )


def _require_no_gap(slices: Sequence[Slice], head: str) -> None:
    heights = sorted(one.height or 0.0 for one in slices)
    steps = [after - before for before, after in zip(heights, heights[1:])]
    usual = statistics.median(steps) if steps else 0.0
    for before, step in zip(heights, steps):
        if step < usual * TOLERANCE or usual == 0:
            raise AmbiguousImagesError(
                f"{head}, two lie at {before:.1f} mm: these are two scans in one series, or one "
                "slice twice. Have it corrected in ARIA."
            )
        if abs(step - usual) > usual * TOLERANCE:
            missing = max(1, round(step / usual) - 1)
            raise IncompleteRetrievalError(
                f"{head}, {plural(missing, 'slice')} {'is' if missing == 1 else 'are'} missing "
                f"between {before:.1f} and {before + step:.1f} mm (they are {usual:.2f} mm apart "
                "elsewhere): ask again in a minute; if it stays, the series in ARIA has a gap."
            )
