"""Group images into acquisition sessions: images that were taken together, whatever their series.

An image whose header has a day but no readable time may be of any session of that day, so it is of
none here; where it could be of the set, :mod:`qatrack_aria.retrieval.selection` refuses to choose.
"""

from __future__ import annotations

import datetime as dt
from typing import Iterable, Sequence

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.uids import SeriesKey

#: After this time without an image the next one belongs to another session.
GAP = dt.timedelta(minutes=30)
#: Images that are that near to a session are mentioned; it may have been interrupted.
NEARBY = dt.timedelta(hours=6)
#: The least time without a new image after which a session is over.
LEAST_SILENCE = dt.timedelta(minutes=1)


def uids(images: Iterable[ImageRef]) -> set[str]:
    """Return the SOP Instance UIDs of images."""
    return {image.sop_uid for image in images}


def series_of(images: Iterable[ImageRef]) -> set[SeriesKey]:
    """Return the keys of all series that the images are in."""
    return {image.series_key for image in images}


def sessions(images: Iterable[ImageRef]) -> list[list[ImageRef]]:
    """Group the images that have a time into sessions, the oldest first."""
    found: list[list[ImageRef]] = []
    for image in sorted((i for i in images if i.acquired), key=lambda i: i.order):
        if found and image.moment - found[-1][-1].moment <= GAP:
            found[-1].append(image)
        else:
            found.append([image])
    return found


def newest_session(images: Sequence[ImageRef]) -> list[ImageRef]:
    """Return the images of the newest session.

    If the newest day is that of images without a time alone, these are returned, and if no image
    has a date, all are.
    """
    grouped = sessions(images)
    newest = grouped[-1] if grouped else []
    untimed = [image for image in images if not image.acquired and image.day]
    last_day = max((image.day for image in (*untimed, *newest) if image.day), default=None)
    if last_day is None:
        return list(images)
    if not newest or newest[-1].moment.date() < last_day:
        return [image for image in untimed if image.day == last_day]
    return newest


def newest_series(images: Sequence[ImageRef]) -> list[ImageRef]:
    """Return the images in the series of the newest image; none if that is several series."""
    session = newest_session(images)
    last = max((image.moment for image in session), default=dt.datetime.min)
    keys = series_of(image for image in session if image.moment == last)
    return [image for image in images if image.series_key in keys] if len(keys) == 1 else []


def rest_of_sessions(chosen: Sequence[ImageRef], images: Iterable[ImageRef]) -> list[ImageRef]:
    """Return what of `images` is in a session with the chosen ones, and not chosen itself."""
    taken = uids(chosen)
    rest: list[ImageRef] = []
    for session in sessions((*chosen, *images)):
        if taken & uids(session):
            rest += [image for image in session if image.sop_uid not in taken]
    return rest


def surroundings(session: Sequence[ImageRef]) -> tuple[dt.datetime, dt.datetime]:
    """Return from when to when images may be of a session too."""
    moments = [image.moment for image in session]
    gap = max(_largest_gap(moments), LEAST_SILENCE)
    return min(moments) - gap, max(moments) + gap


def span(images: Sequence[ImageRef]) -> str:
    """Return the first and the last time of images, for people.

    Of images without a time only the days are given; undated ones are left out.
    """
    moments = [image.moment for image in images if image.acquired]
    days = sorted({image.day for image in images if image.day and not image.acquired})
    parts = [_from_to(min(moments), max(moments))] if moments else []
    if days:
        first, last = days[0].isoformat(), days[-1].isoformat()
        of_days = first if first == last else f"{first} to {last}"
        parts.append(f"{of_days} at an unknown time")
    return " and ".join(parts) or "an unknown time"


def _from_to(first: dt.datetime, last: dt.datetime) -> str:
    begin, end = f"{first:%Y-%m-%d %H:%M}", f"{last:%Y-%m-%d %H:%M}"
    if begin == end:
        return begin
    return f"{begin} to {end[11:] if begin[:10] == end[:10] else end}"


def may_be_of(image: ImageRef, session: Iterable[ImageRef]) -> bool:
    """Return whether an image without a time may be of a session, by its day.

    A session that ends just before midnight may go on after it.
    """
    begin = image.moment - GAP
    end = image.moment + dt.timedelta(days=1) + GAP
    return any(begin <= other.moment < end for other in session)


def silence_needed(chosen: Sequence[ImageRef]) -> dt.timedelta:
    """Return how long no image must have come until the newest session counts as over."""
    newest = sessions(chosen)[-1:]
    moments = [image.moment for session in newest for image in session]
    return max(3 * _largest_gap(moments), LEAST_SILENCE)


def _largest_gap(moments: Iterable[dt.datetime]) -> dt.timedelta:
    ordered = sorted(moments)
    gaps = (after - before for before, after in zip(ordered, ordered[1:]))
    return max(gaps, default=dt.timedelta())
