"""List the acquisition sessions of a watch's plan at its node.

What is listed is a claim that shows where to look; the images themselves are fetched, with every
proof, before anything is done with them.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from typing import Any, Iterable, Sequence

from qatrack_aria.browse.listing import list_new_images
from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.models import Watch
from qatrack_aria.qatrack.context import clinic_moment
from qatrack_aria.retrieval.request import Request
from qatrack_aria.retrieval.sessions import sessions


@dataclasses.dataclass(frozen=True)
class Session:
    """Images of a plan that were taken together.

    Attributes
    ----------
    first, last : datetime.datetime
        The moments of its first and last image, by the clocks of the clinic, with a time zone.
    images : int
        Their number.
    digest : str
        Of their SOP Instance UIDs: another one, if there are others.
    """

    first: dt.datetime
    last: dt.datetime
    images: int
    digest: str


@dataclasses.dataclass(frozen=True)
class Listing:
    """What a node has of a watch's plan.

    Attributes
    ----------
    counts : dict
        Its numbers of series and instances, in JSON's types; empty if it does not count.
    sessions : list of Session, optional
        The oldest first; ``None`` if its counts are those that were known.
    untimed : int
        Images of which it does not return the time, so that only their files can tell.
    """

    counts: dict[str, Any]
    sessions: list[Session] | None
    untimed: int = 0


def request_of(watch: Watch) -> Request:
    """Return the request of a watch, checked; raises :class:`RequestError`."""
    return Request.parse(watch.patient_id, watch.plan, watch.image_type, **watch.options)


def list_sessions(
    watch: Watch, since: dt.datetime, counts: dict[str, Any], *, whole: bool
) -> Listing:
    """List the sessions that began at a moment or after it.

    Parameters
    ----------
    watch : Watch
        What to look for.
    since : datetime.datetime
        With a time zone.
    counts : dict
        The counts of the last listing, whose images are known.
    whole : bool
        Whether the whole history is listed where nothing is found by days.

    Raises
    ------
    AriaError
        As for a retrieval.
    """
    day = since.astimezone(clinic_moment(dt.datetime.now()).tzinfo).date() - dt.timedelta(days=1)
    found, now = list_new_images(watch.node, request_of(watch), (day, None), counts, whole=whole)
    if found is None:
        return Listing(now, None)
    timed = [image for image in found if image.acquired]
    ahead = watch.node.clock_ahead
    listed = [session_of(images, ahead) for images in sessions(timed)]
    untimed = [image for image in found if not image.acquired and _may_be_new(image, day)]
    return Listing(now, [one for one in listed if one.first >= since], len(untimed))


def session_of(images: Sequence[ImageRef], clock_ahead: float) -> Session:
    """Return the session of some images that have times; the imager's clock is ahead of ours."""
    moments = [_moment(image, clock_ahead) for image in images]
    return Session(min(moments), max(moments), len(images), digest_of(images))


def digest_of(images: Iterable[ImageRef]) -> str:
    """Return a digest of the SOP Instance UIDs of images."""
    return digest_of_uids({image.sop_uid for image in images})


def digest_of_uids(uids: Iterable[str]) -> str:
    """Return a digest of some UIDs, whatever their order."""
    return hashlib.sha256("\n".join(sorted(uids)).encode()).hexdigest()


def _moment(image: ImageRef, clock_ahead: float) -> dt.datetime:
    return clinic_moment(image.moment - dt.timedelta(seconds=clock_ahead))


def _may_be_new(image: ImageRef, since: dt.date) -> bool:
    return image.day is None or image.day >= since
