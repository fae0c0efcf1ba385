"""Choose the days to search, so that the length of a history makes no difference."""

from __future__ import annotations

import datetime as dt
from typing import Optional, Sequence, Tuple

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.retrieval.matching import may_match
from qatrack_aria.retrieval.request import Request
from qatrack_aria.retrieval.sessions import GAP, NEARBY

#: First and last day; ``None`` leaves an end open.
Days = Tuple[Optional[dt.date], Optional[dt.date]]
EVER: Days = (None, None)
#: Days back from today that are searched one after the other, before the whole history.
WINDOWS = (3, 14, 120)


def windows(request: Request) -> list[Days]:
    """Return the days to search, newest first; each window includes the ones before it."""
    if request.select == "all" or request.series is not None:
        return [EVER]
    if request.date is not None:
        # With the days beside it: a session may run over midnight.
        day = dt.timedelta(days=1)
        return [(request.date - day, request.date + day), EVER]
    # Open towards the future: an imager's clock may be ahead of ours.
    until = request.until.date() if request.until else None
    newest = until or dt.date.today()
    return [*((newest - dt.timedelta(days=days), until) for days in WINDOWS), EVER]


def first_day(
    request: Request,
    plan_uids: frozenset[str],
    since: dt.date | None,
    widest: bool,
    images: Sequence[ImageRef],
) -> dt.date | None:
    """Return the first day to search by Acquisition Date, after a search by Content Date.

    That is the day of the newest image that may match. If there is none, a wider search follows;
    the widest one searches all of its days.

    Parameters
    ----------
    request : Request
        The request.
    plan_uids : frozenset of str
        SOP Instance UIDs of the plans that match.
    since : datetime.date
        The first day of the search.
    widest : bool
        Whether no wider search of days follows.
    images : sequence of ImageRef
        The images found by Content Date.

    Returns
    -------
    datetime.date or None
        The day; ``None`` if this search need not continue.
    """
    moments = [image.acquired for image in images if may_match(image, request, plan_uids)]
    if not moments:
        return since if widest else None
    known = [moment for moment in moments if moment is not None]
    if since is None or len(known) < len(moments):
        return since
    return max(since, (max(known) - NEARBY).date())


def may_begin_before(since: dt.date | None, chosen: Sequence[ImageRef], request: Request) -> bool:
    """Return whether images of the same session may be older than the searched days.

    Parameters
    ----------
    since : datetime.date or None
        The first of those days.
    chosen : sequence of ImageRef
        The images chosen from those found.
    request : Request
        The request; with a date, only that calendar day counts.
    """
    if since is None or request.date is not None:
        return False
    begin = dt.datetime.combine(since, dt.time()) + GAP
    return any(image.acquired is not None and image.acquired < begin for image in chosen)
