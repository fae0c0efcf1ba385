"""What composite tests call."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

from qatrack_aria.errors import AriaError
from qatrack_aria.models import Retrieval
from qatrack_aria.qatrack.context import CallContext, clinic_day, read_context
from qatrack_aria.retrieval.imageset import ImageSet
from qatrack_aria.retrieval.job import Caller
from qatrack_aria.retrieval.service import fetch, reopen

logger = logging.getLogger("qatrack_aria")


def fetch_images(
    node: str | None,
    patient_id: str,
    plan: str,
    image_type: Any = "portal",
    *,
    utils: Any = None,
    date: Any = None,
    count: Any = None,
    machine: Any = None,
    course: Any = None,
    series: Any = None,
    select: Any = None,
    kv: Any = False,
    max_age: float = 60,
    deadline: float | None = None,
) -> ImageSet:
    """Fetch the newest images of a plan: all of them, or an error that says why not.

    Parameters
    ----------
    node : str or None
        Name of an ARIA node as configured in the admin; ``None`` for the default one.
    patient_id : str
        Patient ID of the QA patient, exactly.
    plan : str
        RT Plan Label, or the SOP Instance UID of an RT Plan.
    image_type : str or sequence of str
        ``"portal"``, ``"portal_dose"``, or a full Image Type such as
        ``"ORIGINAL\\\\PRIMARY\\\\PORTAL"``.
    utils : object, optional
        QATrack+'s ``UTILS``: it tells who asks, and when the session was: "newest" then means
        the newest up to its end, so that opening an old list brings the images of its day.
    date : date, datetime or str, optional
        Only images acquired on that day. What a date test of QATrack+ gives is understood.
    count : int, optional
        An error if there are fewer images.
    machine : str, optional
        Only images of this machine.
    course : str, optional
        Course of the plan, where several plans have the label.
    series : str, optional
        Only images of this series, by its Series Instance UID.
    select : {"series", "day", "all"}, optional
        The newest series (the default), all series of the newest day, or everything.
    kv : bool or "only"
        ``True``: kV images too; ``"only"``: kV images and no others.
    max_age : float
        Seconds for which the last answer to the same request will do; 0 asks the node anyhow.
    deadline : float, optional
        Seconds that this may take in all; default: as configured for the node. With `utils`, the
        composites of one request share them: the web server's limit is one for all.

    Returns
    -------
    ImageSet
        With ``.path``, a folder that holds just these images.

    Raises
    ------
    AriaError
        One of :mod:`qatrack_aria.errors`; its message is one line for people.
    """
    if isinstance(date, dt.datetime):
        date = clinic_day(date)
    now = read_context(utils)
    try:
        return fetch(
            node,
            patient_id,
            plan,
            image_type,
            caller=_caller(now),
            deadline=deadline,
            max_age=max_age,
            date=date,
            count=count,
            machine=machine,
            course=course,
            series=series,
            select=select,
            kv=kv,
            until=now.until,
        )
    except AriaError as error:
        # QATrack+ shows the frames of the traceback before the message, in a tooltip: spare them.
        raise error.with_traceback(None) from None


def fetch_status(*args: Any, **kwargs: Any) -> str:
    """Fetch as :func:`fetch_images` does, and say on one line what came of it.

    For a visible string-composite test beside those that calculate: QATrack+ hides a message in a
    tooltip. Takes the same arguments.

    Returns
    -------
    str
        What is there, what is waited for, or what went wrong; never empty, and never an error.
    """
    try:
        return fetch_images(*args, **kwargs).status
    except AriaError as error:
        return str(error)
    except Exception as error:
        logger.exception("fetch_status failed")
        return f"Unexpected: {type(error).__name__}: {' '.join(str(error).split())}"[:500]


def images_from(summary: Any, *, utils: Any = None) -> ImageSet:
    """Open the images of an earlier result again, from the archive and without the network.

    Parameters
    ----------
    summary : dict
        What ``images.summary`` gave, as QATrack+ stored it.
    utils : object, optional
        QATrack+'s ``UTILS``; it tells who asks.

    Returns
    -------
    ImageSet
        The same images in a new folder.

    Raises
    ------
    AriaError
        The summary is none, the node may not fetch this patient (any more), or some of the images
        are no longer in the archive; the message says which.
    """
    try:
        return reopen(summary, caller=_caller(read_context(utils)))
    except AriaError as error:
        raise error.with_traceback(None) from None


def _caller(now: CallContext) -> Caller:
    return Caller(Retrieval.COMPOSITE, now.user, now.unit, now.test_list, now.spent)


#: QATrack+'s coming "local site code": ``LSC.fetch_images(...)`` in every procedure.
LOCAL_SITE_CODE_FUNCTIONS = {
    "fetch_images": fetch_images,
    "fetch_status": fetch_status,
    "images_from": images_from,
}
