"""Which images are meant: decided here, image by image, whatever the server filtered.

Each image is judged by what is known of it. What a C-FIND answer does not tell leaves the verdict
open: such an image has to be fetched, and its header decides. So choosing and fetching take turns
until nothing chosen is open any more (:mod:`qatrack_aria.retrieval.workflow`).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from typing import (
    Collection,
    Iterable,
    NamedTuple,
    Sequence,
)

from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.dicom.uids import PLAN_CLASSES
from qatrack_aria.errors import AmbiguousImagesError, AmbiguousPlanError
from qatrack_aria.phrases import Phrase, phrase
from qatrack_aria.retrieval.request import Request


class Match(NamedTuple):
    """Whether an image matches: ``None`` while unknown; if it does not, why."""

    matches: bool | None
    reason: Phrase | None = None


def _differs(code: str, **details: str) -> Match:
    return Match(False, phrase(code, **details))


MATCHES = Match(True)
UNKNOWN = Match(None)
#: How far apart the images of one session may be; a session may run over midnight.
SESSION = dt.timedelta(hours=6)
#: After this time without a new image a session is over.
UNDER_WAY = dt.timedelta(minutes=10)
#: Clocks and time zones of this machine and of an imager may differ; more is a wrong date.
CLOCKS_APART = dt.timedelta(days=1)


# --- plans ------------------------------------------------------------------------------------


def match_plan(plan: PlanRef, request: Request) -> bool | None:
    """Whether a plan is the one named; ``None`` if its header has to be seen."""
    if plan.from_file and not (plan.modality == "RTPLAN" or plan.sop_class in PLAN_CLASSES):
        return False
    if request.names_plan_uid:
        return plan.sop_uid == request.plan
    if plan.label is None:
        return None
    if plan.label != request.plan:
        return False
    if request.course is None:
        return True
    return None if plan.course is None else plan.course == request.course


def require_one_plan(plans: Collection[PlanRef], request: Request) -> None:
    """Refuse to guess between plans of the same label.

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


# --- images -----------------------------------------------------------------------------------


def match_image(image: ImageRef, request: Request, plan_uids: frozenset[str]) -> Match:
    """Whether one image is meant.

    Parameters
    ----------
    image : ImageRef
        From an answer or, better, from a file.
    request : Request
        What was asked.
    plan_uids : frozenset of str
        SOP Instance UIDs of the plans that are meant.
    """
    verdicts = (
        _match_patient(image, request),
        _match_series(image, request),
        match_plan_reference(image, plan_uids),
        _match_type(image, request),
        _match_kv(image, request),
        _match_machine(image, request),
        _match_date(image, request),
    )
    for verdict in verdicts:
        if verdict.matches is False:
            return verdict
    return UNKNOWN if any(verdict.matches is None for verdict in verdicts) else MATCHES


def _match_patient(image: ImageRef, request: Request) -> Match:
    return MATCHES if image.patient_id == request.patient_id else _differs("other_patient")


def _match_series(image: ImageRef, request: Request) -> Match:
    if request.series in (None, image.series_uid):
        return MATCHES
    return _differs("other_series")


def match_plan_reference(image: ImageRef, plan_uids: frozenset[str]) -> Match:
    """Whether one image references one of the plans."""
    if image.plan_uids is None:
        return UNKNOWN
    return MATCHES if image.plan_uids & plan_uids else _differs("other_plan")


def _match_date(image: ImageRef, request: Request) -> Match:
    if image.acquired is None and not image.from_file:
        return UNKNOWN
    if request.date is None and request.until is None:
        return MATCHES
    if image.acquired is None:
        return _differs("undated")
    if request.until is not None and image.acquired > request.until:
        return _differs("after_session")
    if request.date is None or image.day == request.date:
        return MATCHES
    return _differs("other_day")


def _match_machine(image: ImageRef, request: Request) -> Match:
    if request.machine is None:
        return MATCHES
    if image.machines is None:
        return UNKNOWN
    if request.machine in image.machines:
        return MATCHES
    if not image.machine:
        return _differs("unnamed_machine")
    return _differs("other_machine", machine=image.machine)


def _match_kv(image: ImageRef, request: Request) -> Match:
    if request.kv is True:
        return MATCHES
    if image.is_kv is None:
        # The unit is left empty by some imagers: only the file can tell. An answer without the
        # attribute is as open as one without the key.
        return UNKNOWN
    if image.is_kv == (request.kv == "only"):
        return MATCHES
    return _differs("kv" if image.is_kv else "mv")


def _match_type(image: ImageRef, request: Request) -> Match:
    if image.image_type is None:
        return UNKNOWN
    if image.image_type == request.image_type:
        return MATCHES
    return _differs("other_type", image_type=short_image_type(image.image_type))


def short_image_type(image_type: Sequence[str]) -> str:
    """An image type as one says it: the leading ORIGINAL and PRIMARY go without saying."""
    values = list(image_type)
    return "\\".join(values[2:] if values[:2] == ["ORIGINAL", "PRIMARY"] and values[2:] else values)


def choose(
    images: Iterable[ImageRef], request: Request, plan_uids: frozenset[str]
) -> list[ImageRef]:
    """The images that are meant, or may be and have to be looked at first.

    Returns
    -------
    list of ImageRef
        If any of them is still open, their headers are needed before choosing again.
    """
    possible = [
        image for image in images if match_image(image, request, plan_uids).matches is not False
    ]
    if not possible or request.select == "all":
        return possible
    untold = [image for image in possible if image.acquired is None and not image.from_file]
    if untold:
        return untold  # one of these may be the newest: nothing can be ranked before
    newest = max(possible, key=lambda image: (image.moment, image.series_uid))
    if request.select == "day":
        return [image for image in possible if image.day == newest.day]
    return [image for image in possible if image.series_key == newest.series_key]


def require_unambiguous(
    chosen: Sequence[ImageRef],
    images: Collection[ImageRef],
    request: Request,
    plan_uids: frozenset[str],
) -> None:
    """Refuse where the headers leave it open which images belong together.

    Raises
    ------
    AmbiguousImagesError
        Images lack the date by which they would be told apart or carry one of the future, their
        series goes on after the session, or the newest image is alone in its series while others
        of about its time are alone in theirs.
    """
    _require_dates(chosen, images, request, plan_uids)
    _require_past(chosen, request)
    _require_whole_session(chosen, images, request, plan_uids)
    # Any of these says what is wanted.
    settled = (request.select, request.count, request.series) != (None, None, None)
    if settled or len(chosen) != 1:
        return
    series = Counter(image.series_key for image in same_session(chosen, images, request, plan_uids))
    singles = sum(1 for number in series.values() if number == 1)
    if singles > 1:
        raise AmbiguousImagesError(
            f"Images: the newest series of {chosen[0].day} holds one image, and {singles - 1} "
            "more series within six hours hold one each: they may belong together. Say "
            "select='day' for all of the day, or select='series' for the newest one alone."
        )


def may_grow(chosen: Sequence[ImageRef], request: Request) -> bool:
    """Whether more images of the same set may be on their way: while a session is under way."""
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
    """The images that are meant and may be of the same session, whatever their series and day."""
    newest = max(image.moment for image in chosen)
    return [
        image
        for image in images
        if image.acquired is not None
        and abs(image.acquired - newest) <= SESSION
        and match_image(image, dataclasses.replace(request, date=None), plan_uids).matches
        is not False
    ]


def _require_dates(
    chosen: Sequence[ImageRef],
    images: Collection[ImageRef],
    request: Request,
    plan_uids: frozenset[str],
) -> None:
    any_day = dataclasses.replace(request, date=None, until=None)
    possible = [
        image for image in images if match_image(image, any_day, plan_uids).matches is not False
    ]
    # An answer without a date proves nothing: the server may not return that key.
    undated = {i.sop_uid for i in possible if i.from_file and i.acquired is None}
    taken = {image.sop_uid for image in chosen}
    beside = {image.series_key for image in chosen}
    in_doubt = {i.sop_uid for i in possible if i.series_key in beside} & undated - taken
    # Harmless inside the one series that there is; else nobody knows which is the newest.
    several = len({image.series_key for image in possible}) > 1
    if several and taken <= undated and request.select != "all":
        in_doubt = undated
    if in_doubt:
        raise AmbiguousImagesError(
            f"Images: {len(in_doubt)} of the images that may be meant carry neither an acquisition "
            "nor a content date, so nobody can tell whether they belong to the set: say "
            "select='all' without a date and count=, or sort them out in ARIA."
        )


def _require_past(chosen: Sequence[ImageRef], request: Request) -> None:
    if request.date is not None or request.until is not None or request.select == "all":
        return
    newest = max(image.moment for image in chosen)
    if newest > dt.datetime.now() + CLOCKS_APART:
        raise AmbiguousImagesError(
            f"Images: the newest of plan '{request.plan}' are dated {newest:%Y-%m-%d %H:%M}, which "
            "is in the future, so nobody can tell which are the newest: set the imager's clock and "
            "correct them in ARIA, or name the day that you want by date=."
        )


def _require_whole_session(
    chosen: Sequence[ImageRef],
    images: Iterable[ImageRef],
    request: Request,
    plan_uids: frozenset[str],
) -> None:
    """Half a series is no set: a clock that is ahead would cut it at the session's end."""
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
        and match_image(image, any_time, plan_uids).matches is not False
    ]
    if after:
        raise AmbiguousImagesError(
            f"Images: {len(chosen)} images were acquired up to the end of the session, "
            f"{request.until:%Y-%m-%d %H:%M}, and {len(after)} more of the same series after it: "
            "is the imager's clock ahead? Then say so at the node; or give count= if the first "
            f"{len(chosen)} are the set."
        )


def excluded(
    images: Iterable[ImageRef], request: Request, plan_uids: frozenset[str]
) -> dict[Phrase, list[ImageRef]]:
    """The images that are not meant, by the reason why."""
    reasons: dict[Phrase, list[ImageRef]] = {}
    for image in images:
        verdict = match_image(image, request, plan_uids)
        if verdict.reason is not None:
            reasons.setdefault(verdict.reason, []).append(image)
    return reasons
