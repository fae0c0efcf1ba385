"""Choose the set of images that a request asks for, or refuse where choosing would be guessing.

Images that may match have to be retrieved before they can be chosen from, so choosing and
retrieving alternate (:mod:`qatrack_aria.retrieval.workflow`).
"""

from __future__ import annotations

import dataclasses
from typing import Collection, Iterable, Sequence

from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.errors import AmbiguousImagesError, AmbiguousPlanError
from qatrack_aria.retrieval import doubts
from qatrack_aria.retrieval.matching import match_image, may_match
from qatrack_aria.retrieval.request import Request
from qatrack_aria.retrieval.sessions import (
    GAP,
    NEARBY,
    newest_series,
    newest_session,
    series_of,
    sessions,
    span,
    surroundings,
    uids,
)
from qatrack_aria.text import plural

#: Reasons of an answer for which no file is fetched to confirm them.
NOT_BY_FILE = ("other_patient", "other_series", "other_description", "other_frame")
#: Reasons that lie in the time alone; empty for a time that is of another session.
BY_TIME = ("", "other_day", "after_session")


def candidates(
    images: Iterable[ImageRef], request: Request, plan_uids: frozenset[str]
) -> list[ImageRef]:
    """Return the images that have to be known before a set can be chosen.

    Returns
    -------
    list of ImageRef
        If any of them is still unknown, their headers are needed before calling this again.
    """
    possible = [image for image in images if may_match(image, request, plan_uids)]
    if not possible or request.select == "all":
        return possible
    undated = [image for image in possible if image.acquired is None and not image.from_file]
    if undated:
        return undated  # one of these may be the newest, so none can be ranked yet
    if request.select == "day":
        return _newest_day(possible)
    session = newest_session(possible)
    if request.select == "session":
        return session
    if request.select == "series":
        return newest_series(possible) or session
    touched = series_of(session)
    return [i for i in possible if i.series_key in touched or i in session]


def settle(
    images: Collection[ImageRef], request: Request, plan_uids: frozenset[str]
) -> list[ImageRef]:
    """Choose the set, from images that are known; an empty list if none match.

    Raises
    ------
    AmbiguousImagesError
        It is uncertain which images belong together, or there are more than the request's count.
    TooFewImagesError
        There are fewer than the request's count.
    """
    chosen = _choose([i for i in images if may_match(i, request, plan_uids)], request)
    if chosen:
        doubts.require_certain(chosen, images, request, plan_uids)
    return chosen


def to_verify(
    chosen: Sequence[ImageRef],
    images: Iterable[ImageRef],
    request: Request,
    plan_uids: frozenset[str],
) -> list[ImageRef]:
    """Return the images among the chosen ones that only an answer excludes from the set.

    Their files have to confirm that: an answer may name one of two plans, a wrong machine, or a
    wrong time.
    """
    if request.settles(len(uids(chosen))):
        return []
    times, series = [surroundings(session) for session in sessions(chosen)], series_of(chosen)
    whole_days = {image.day for image in chosen} if request.select == "day" else set()
    found, taken = [], uids(chosen)
    for image in images:
        reason = match_image(image, request, plan_uids).reason
        code = reason.code if reason else ""
        if image.from_file or image.sop_uid in taken or code in NOT_BY_FILE:
            continue
        beside = image.series_key in series
        if code in BY_TIME:
            if beside:
                found.append(image)
            continue
        at_the_time = any(begin <= image.latest and image.moment <= end for begin, end in times)
        if code == "other_plan":
            # Of other series, which often are of other plans, only where the set is of several.
            among = at_the_time and (beside or len(series) > 1)
        else:
            among = image.day in whole_days or any(
                begin - GAP <= image.latest and image.moment <= end + GAP for begin, end in times
            )
        if code in ("kv", "mv"):
            # By the unit in the answer: some MV imagers write that of kV images, and kV images
            # from MOSAIQ carry that of MV ones. These may be a whole session.
            newer = not times or image.latest >= times[0][0] - GAP
            among = among or newer or beside or request.select == "all"
        if among or (beside and not (image.acquired and times)):
            found.append(image)
    return found


def nearby(
    chosen: Sequence[ImageRef],
    images: Iterable[ImageRef],
    request: Request,
    plan_uids: frozenset[str],
) -> list[ImageRef]:
    """Return the images that were acquired within some hours of the chosen ones."""
    newest = max(image.moment for image in chosen)
    any_day = dataclasses.replace(request, date=None)
    return [
        image
        for image in images
        if image.acquired is not None
        and abs(image.acquired - newest) <= NEARBY
        and may_match(image, any_day, plan_uids)
    ]


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


# --- choosing ---------------------------------------------------------------------------------


def _newest_day(possible: Sequence[ImageRef]) -> list[ImageRef]:
    newest = max(possible, key=lambda image: image.moment)
    return [image for image in possible if image.day == newest.day]


def _choose(possible: Sequence[ImageRef], request: Request) -> list[ImageRef]:
    if not possible or request.select == "all":
        return list(possible)
    if request.select == "day":
        of_day = _newest_day(possible)
        if of_day[0].day is None and len(uids(of_day)) > 1:
            raise AmbiguousImagesError(_untimed(of_day, request))
        return of_day
    session, series = newest_session(possible), newest_series(possible)
    if request.select == "series":
        if not series:
            raise AmbiguousImagesError(
                f"Images: the newest images of {request.subject} lie in several series and "
                "have one time, or none: say select='day' for all of the day, or name one by "
                "series=."
            )
        return series
    # Images of a day without times may be of several sessions.
    certain = len(uids(session)) == 1 or all(image.acquired for image in session)
    if certain and (request.select == "session" or uids(session) == uids(series)):
        return session
    readings = [session, series] if certain else [series]
    settled = [reading for reading in readings if request.settles(len(uids(reading)))]
    if len(settled) == 1 and request.select != "session":
        return settled[0]
    if max(len(uids(session)), len(uids(series))) < request.least:
        return session
    if not certain:
        raise AmbiguousImagesError(_untimed(session, request))
    raise AmbiguousImagesError(_two_readings(session, series, request))


def _untimed(images: Sequence[ImageRef], request: Request) -> str:
    number, day = len(uids(images)), images[0].day
    lacking, whole_day = f"{number} of {request.subject} have no readable date", ""
    if day is not None:
        lacking = f"{number} of {request.subject}, of {day.isoformat()}, have no readable time"
        whole_day = "select='day' for all of the day, "
    return (
        f"Images: the newest {lacking}, so it is unknown which were taken together: say "
        f"select='series' for the newest series, {whole_day}select='all' for all of the plan, or "
        "correct them in ARIA."
    )


def _two_readings(session: Sequence[ImageRef], series: Sequence[ImageRef], request: Request) -> str:
    spread = len(series_of(session))
    has = plural(len(uids(session)), "image") + (f" in {spread} series" if spread > 1 else "")
    holds = plural(len(uids(series)), "image")
    alone = f"the newest series holds {holds} of {span(series)}" if series else "none is the newest"
    return (
        f"Images: the newest session of {request.subject} has {has} of {span(session)}, and "
        f"{alone}: it is unknown which of them may belong together. Say select='session' for the "
        "session, select='series' for the newest series, select='day' for all of the day, or give "
        "count= if one of these numbers is right."
    )
