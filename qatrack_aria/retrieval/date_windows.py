"""Which days of a history to search, so that its length makes no difference."""

from __future__ import annotations

import datetime as dt
from typing import Optional, Sequence, Tuple

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.retrieval import selection
from qatrack_aria.retrieval.request import Request

#: First and last day; ``None`` is without an end.
Days = Tuple[Optional[dt.date], Optional[dt.date]]
EVER: Days = (None, None)
#: Days back from today that are searched one after the other, before the whole history.
WINDOWS = (3, 14, 120)


def windows(request: Request) -> list[Days]:
    """The days to search, newest first, each with all that were searched before."""
    if request.select == "all" or request.series is not None:
        return [EVER]
    if request.date is not None:
        return [(request.date, request.date), EVER]
    # Without an end: an imager's clock may be ahead of ours.
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
    """From which day on images matter that a search by Content Date does not find.

    From that of the newest that it finds and that may be meant. If there is none, a wider search
    goes on; the widest looks into all of its days.

    Parameters
    ----------
    request : Request
        What is asked for.
    plan_uids : frozenset of str
        The plans that may be meant.
    since : datetime.date
        The first day of the search.
    widest : bool
        Whether no wider search of days follows.
    images : sequence of ImageRef
        What was found.

    Returns
    -------
    datetime.date or None
        The day; ``None`` if it is not worth going on.
    """
    judged = [(image, selection.match_image(image, request, plan_uids).matches) for image in images]
    moments = [image.acquired for image, meant in judged if meant is not False]
    if not moments:
        return since if widest else None
    told = [moment for moment in moments if moment is not None]
    if since is None or len(told) < len(moments):
        return since
    return max(since, (max(told) - selection.SESSION).date())


def may_begin_before(since: dt.date | None, chosen: Sequence[ImageRef], request: Request) -> bool:
    """Whether images of the same session may be older than the searched days.

    Parameters
    ----------
    since : datetime.date or None
        The first of those days.
    chosen : sequence of ImageRef
        The images that were chosen among what was found.
    request : Request
        Who names a day means it as the calendar has it.
    """
    if since is None or request.date is not None:
        return False
    begin = dt.datetime.combine(since, dt.time()) + selection.SESSION
    return any(image.acquired is not None and image.acquired < begin for image in chosen)
