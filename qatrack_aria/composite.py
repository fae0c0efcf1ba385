"""Provide the functions that composite tests call."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any, Callable

from qatrack_aria.errors import AriaError
from qatrack_aria.models import Retrieval
from qatrack_aria.qatrack.context import CallContext, clinic_day, read_context
from qatrack_aria.retrieval import service
from qatrack_aria.retrieval.imageset import ImageSet
from qatrack_aria.retrieval.job import Caller
from qatrack_aria.retrieval.observing import noted
from qatrack_aria.retrieval.reopening import reopen

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
    beam: Any = None,
    energy: Any = None,
    series: Any = None,
    select: Any = None,
    kv: Any = False,
    unfinished: bool = False,
    max_age: float = 60,
    deadline: float | None = None,
) -> ImageSet:
    """Fetch the newest images of a plan: all of them, or an error with the reason.

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
        QATrack+'s ``UTILS``: the user, the unit and the time of the session. "Newest" then means
        the newest up to the end of the session, so that an old list shows the images of its day.
    date : date, datetime or str, optional
        Only images acquired on that day. Values of QATrack+'s date tests are accepted.
    count : int or (int, int), optional
        The least number of images, fewer are an error; or the least and the most.
    machine : str, optional
        Only images of this machine.
    course : str, optional
        Course of the plan, where several plans have the label.
    beam : str, int or sequence of them, optional
        Only images of this beam, by its name in the plan, or by its number; several names in a
        list, or between commas. The plan is fetched for that, and kept for a day.
    energy : float or str, optional
        Only images of this energy: ``6`` for 6 MV, ``"6X"`` for a flattened beam, ``"6X-FFF"``.
    series : str, optional
        Only images of this series, by its Series Instance UID.
    select : {"session", "series", "day", "all"}, optional
        The newest session: images of the plan that were taken together. Without `select`, that is
        an error if it is not one series. Or the newest series, all of the newest day, or all.
    kv : bool or "only"
        ``True``: kV images too; ``"only"``: only kV images.
    unfinished : bool
        Accept a session that may still be under way.
    max_age : float
        Seconds for which the last answer to the same request is repeated; 0 queries the node.
    deadline : float, optional
        Seconds that this may take in total; default: as configured for the node. With `utils`, the
        composites of one web request share them, as they share the web server's limit.

    Returns
    -------
    ImageSet
        Its ``.path`` is a folder that holds only these images.

    Raises
    ------
    AriaError
        One of :mod:`qatrack_aria.errors`; its message is one line for people.
    """
    if isinstance(date, dt.datetime):
        date = clinic_day(date)
    now = read_context(utils)
    try:
        return noted(
            lambda: service.fetch(
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
                beam=beam,
                energy=energy,
                series=series,
                select=select,
                kv=kv,
                unfinished=unfinished,
                until=now.until,
            )
        )
    except AriaError as error:
        # QATrack+ shows the traceback before the message, in a tooltip: leave it out.
        raise error.with_traceback(None) from None


def fetch_series(
    node: str | None,
    patient_id: str,
    modality: str = "CT",
    image_type: Any = None,
    *,
    utils: Any = None,
    plan: Any = None,
    registered: bool = False,
    description: Any = None,
    protocol: Any = None,
    label: Any = None,
    machine: Any = None,
    date: Any = None,
    count: Any = None,
    energy: Any = None,
    series: Any = None,
    select: Any = None,
    kv: Any = False,
    unfinished: bool = False,
    max_age: float = 60,
    deadline: float | None = None,
) -> ImageSet:
    """Fetch the newest series of a patient that refers to no plan: a whole scan, or an error.

    The slices of a CT (cone beam CT too) are one scan without a gap, in one orientation and
    spacing, in the order of their positions; localizers are left out.

    Parameters
    ----------
    node, patient_id, utils, date, series, select, kv, unfinished, max_age, deadline
        As for :func:`fetch_images`.
    modality : {"CT", "RTIMAGE"}
        Modality. RT Images are those that reference no plan; they need `machine` or `label`.
    image_type : str, optional
        As for :func:`fetch_images`; by default any of CT, and ``"portal"`` of RT Images.
    plan : str, optional
        Only the CT of this RT Plan: that which has its frame of reference. A cone beam CT has one
        of its own, and is found only with `registered`.
    registered : bool
        Scans that a spatial registration relates to the plan's frame of reference, too. All
        registrations of the patient are retrieved for that, once each.
    description, protocol, label : str, optional
        Series Description, Protocol Name, RT Image Label; ``*`` stands for any letters, capitals
        make no difference.
    machine : str, optional
        Radiation Machine Name, or Station Name.
    count : int or (int, int), optional
        The least number of slices, or the least and the most.
    energy : float or str, optional
        Energy of RT Images.

    Returns
    -------
    ImageSet
        Its ``.path`` is a folder that holds only these slices.

    Raises
    ------
    AriaError
        As :func:`fetch_images`.
    """
    if isinstance(date, dt.datetime):
        date = clinic_day(date)
    now = read_context(utils)
    narrowed: dict[str, Any] = {
        "planned_for": plan,
        "registered": registered,
        "description": description,
        "protocol": protocol,
        "label": label,
        "machine": machine,
        "date": date,
        "count": count,
        "energy": energy,
        "series": series,
        "select": select,
        "kv": kv,
        "unfinished": unfinished,
    }
    narrowed.update(deadline=deadline, max_age=max_age, until=now.until, caller=_caller(now))
    asked = node, patient_id, modality, image_type
    try:
        return noted(lambda: service.fetch_series(*asked, **narrowed))
    except AriaError as error:
        raise error.with_traceback(None) from None


def fetch_status(*args: Any, fetch: Callable[..., ImageSet] | None = None, **kwargs: Any) -> str:
    """Fetch as :func:`fetch_images` does, or `fetch`, and return the outcome as one line.

    Use it in a visible string-composite test beside those that calculate, since QATrack+ shows an
    error in a tooltip only. It takes the same arguments.

    Returns
    -------
    str
        The images, the test that is not filled in yet, or the error; never empty.
    """
    try:
        return (fetch or fetch_images)(*args, **kwargs).status
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
        The value of ``images.summary``, as QATrack+ stored it.
    utils : object, optional
        QATrack+'s ``UTILS``: the user, the unit and the test list.

    Returns
    -------
    ImageSet
        The same images in a new folder.

    Raises
    ------
    AriaError
        The summary is invalid, the node may not fetch this patient (any more), or some of the
        images are no longer in the archive; the message says which.
    """
    try:
        return noted(lambda: reopen(summary, caller=_caller(read_context(utils))))
    except AriaError as error:
        raise error.with_traceback(None) from None


def _caller(now: CallContext) -> Caller:
    return Caller(Retrieval.COMPOSITE, now.user, now.unit, now.test_list, now.spent)


#: For the "local site code" of a future QATrack+: ``LSC.fetch_images(...)`` in every procedure.
LOCAL_SITE_CODE_FUNCTIONS = {
    "fetch_images": fetch_images,
    "fetch_series": fetch_series,
    "fetch_status": fetch_status,
    "images_from": images_from,
}
