"""Choose the set of images that a request asks for, or refuse where choosing would be guessing.

Images that may match are chosen too. They have to be retrieved before choosing again, so choosing
and retrieving alternate (:mod:`qatrack_aria.retrieval.workflow`).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from typing import Collection, Iterable, Sequence

from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.errors import AmbiguousImagesError, AmbiguousPlanError, TooFewImagesError
from qatrack_aria.retrieval.matching import may_match
from qatrack_aria.retrieval.request import Request
from qatrack_aria.text import plural

#: How far apart the images of one session may be; a session may run over midnight.
SESSION = dt.timedelta(hours=6)
#: After this time without a new image a session is over.
UNDER_WAY = dt.timedelta(minutes=10)
#: Clocks and time zones of this machine and of an imager may differ; more is a wrong date.
CLOCKS_APART = dt.timedelta(days=1)


def choose(
    images: Iterable[ImageRef], request: Request, plan_uids: frozenset[str]
) -> list[ImageRef]:
    """Choose the images that match, or that may match and have to be retrieved first.

    Returns
    -------
    list of ImageRef
        If any of them is still unknown, their headers are needed before choosing again.
    """
    possible = [image for image in images if may_match(image, request, plan_uids)]
    if not possible or request.select == "all":
        return possible
    undated = [image for image in possible if image.acquired is None and not image.from_file]
    if undated:
        return undated  # one of these may be the newest, so none can be ranked yet
    newest = max(possible, key=lambda image: (image.moment, image.series_uid))
    if request.select == "day":
        return [image for image in possible if image.day == newest.day]
    return [image for image in possible if image.series_key == newest.series_key]


def may_grow(chosen: Sequence[ImageRef], request: Request) -> bool:
    """Return whether the session may still be under way, so that more images may follow."""
    if request.until is not None:
        return False
    if request.count is not None and len(chosen) >= request.count:
        return False
    newest = max(image.moment for image in chosen)
    return abs(dt.datetime.now() - newest) < UNDER_WAY


def same_session(
    chosen: Sequence[ImageRef],
    images: Iterable[ImageRef],
    request: Request,
    plan_uids: frozenset[str],
) -> list[ImageRef]:
    """Return the images that may be of the same session, whatever their series and day."""
    newest = max(image.moment for image in chosen)
    any_day = dataclasses.replace(request, date=None)
    return [
        image
        for image in images
        if image.acquired is not None
        and abs(image.acquired - newest) <= SESSION
        and may_match(image, any_day, plan_uids)
    ]


# --- refusing to guess ------------------------------------------------------------------------


def require_one_plan(plans: Collection[PlanRef], request: Request) -> None:
    """Refuse to choose between plans of the same label.

    Raises
    ------
    AmbiguousPlanError
        There are several; the message lists them with course and date.
    """
    if len(plans) < 2:
        return
    listed = "; ".join(
        str(plan) for plan in sorted(plans, key=lambda p: (p.course or "", p.sop_uid))
    )
    raise AmbiguousPlanError(
        f"Plan: {len(plans)} plans of patient '{request.patient_id}' are labelled "
        f"'{request.plan}': {listed}. Say which by course=, by machine= if they are of different "
        "machines, or give the plan's UID instead of its label."
    )


def require_count(chosen: Sequence[ImageRef], request: Request) -> None:
    """Refuse a set of fewer images than the request's count; an empty one has another error.

    Raises
    ------
    TooFewImagesError
        There are fewer.
    """
    if request.count is None or not 0 < len(chosen) < request.count:
        return
    days = sorted({image.acquired.date() for image in chosen if image.acquired})
    of = f" of {days[-1].isoformat()}" if days else ""
    raise TooFewImagesError(
        f"Images: {plural(len(chosen), 'image')}{of} found for plan '{request.plan}', you asked "
        f"for at least {request.count}: is the session still under way? If its images lie in "
        "several series, say select='day'."
    )


def require_unambiguous(
    chosen: Sequence[ImageRef],
    images: Collection[ImageRef],
    request: Request,
    plan_uids: frozenset[str],
) -> None:
    """Refuse where the headers do not show which images belong together.

    Raises
    ------
    AmbiguousImagesError
        Images lack the date that would decide or have one in the future, their series continues
        after the session, or the newest image is alone in its series while others of about its
        time are alone in theirs.
    """
    _require_dates(chosen, images, request, plan_uids)
    _require_past(chosen, request)
    _require_whole_session(chosen, images, request, plan_uids)
    # Each of these options says which images belong together.
    decided = (request.select, request.count, request.series) != (None, None, None)
    if decided or len(chosen) != 1:
        return
    series = Counter(image.series_key for image in same_session(chosen, images, request, plan_uids))
    singles = sum(1 for number in series.values() if number == 1)
    if singles > 1:
        raise AmbiguousImagesError(
            f"Images: the newest series of {chosen[0].day} holds one image, and {singles - 1} "
            "more series within six hours hold one each: they may belong together. Say "
            "select='day' for all of the day, or select='series' for the newest one alone."
        )


def _require_dates(
    chosen: Sequence[ImageRef],
    images: Collection[ImageRef],
    request: Request,
    plan_uids: frozenset[str],
) -> None:
    any_day = dataclasses.replace(request, date=None, until=None)
    possible = [image for image in images if may_match(image, any_day, plan_uids)]
    # An answer without a date proves nothing: the server may not return that key.
    undated = {i.sop_uid for i in possible if i.from_file and i.acquired is None}
    taken = {image.sop_uid for image in chosen}
    beside = {image.series_key for image in chosen}
    in_doubt = {i.sop_uid for i in possible if i.series_key in beside} & undated - taken
    # Harmless where there is only one series; among several, the newest is unknown.
    several = len({image.series_key for image in possible}) > 1
    if several and taken <= undated and request.select != "all":
        in_doubt = undated
    if in_doubt:
        raise AmbiguousImagesError(
            f"Images: {len(in_doubt)} of the images that may match carry neither an acquisition "
            "nor a content date, so it is unknown whether they belong to the set: say "
            "select='all' without a date and count=, or correct them in ARIA."
        )


def _require_past(chosen: Sequence[ImageRef], request: Request) -> None:
    if request.date is not None or request.until is not None or request.select == "all":
        return
    newest = max(image.moment for image in chosen)
    if newest > dt.datetime.now() + CLOCKS_APART:
        raise AmbiguousImagesError(
            f"Images: the newest of plan '{request.plan}' are dated {newest:%Y-%m-%d %H:%M}, which "
            "is in the future, so it is unknown which are the newest: set the imager's clock and "
            "correct them in ARIA, or name the day that you want by date=."
        )


def _require_whole_session(
    chosen: Sequence[ImageRef],
    images: Iterable[ImageRef],
    request: Request,
    plan_uids: frozenset[str],
) -> None:
    """Refuse a part of a series: an imager's clock that is ahead would cut it at the session's end.

    Raises
    ------
    AmbiguousImagesError
        Images of the same series were acquired after the session.
    """
    if request.until is None or request.count == len(chosen):
        return
    any_time = dataclasses.replace(request, until=None)
    series = {image.series_key for image in chosen}
    after = [
        image
        for image in images
        if image.series_key in series
        and image.acquired is not None
        and image.acquired > request.until
        and may_match(image, any_time, plan_uids)
    ]
    if after:
        raise AmbiguousImagesError(
            f"Images: {len(chosen)} images were acquired up to the end of the session, "
            f"{request.until:%Y-%m-%d %H:%M}, and {len(after)} more of the same series after it: "
            "is the imager's clock ahead? Then enter that at the node; or give count= if the first "
            f"{len(chosen)} are the set."
        )
