"""List a patient's plans at a node, and a plan's images day by day.

This only queries, and moves no images. The queries are those of a retrieval, so that the lists show
what a retrieval would find. One more query asks for the approval of plans.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from dataclasses import dataclass
from typing import Any, Iterator, Sequence

from qatrack_aria.browse.groups import (
    CompositeCode,
    ImageGroup,
    composite_codes,
    group_images,
    name_plan,
)
from qatrack_aria.browse.node_session import node_session
from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.dicom.c_find import find
from qatrack_aria.dicom.finder import Finder
from qatrack_aria.dicom.identifier import identifier
from qatrack_aria.dicom.values import text
from qatrack_aria.errors import AriaError, PlanNotFoundError
from qatrack_aria.models import AriaNode
from qatrack_aria.retrieval import messages
from qatrack_aria.retrieval.date_windows import EVER, Days
from qatrack_aria.retrieval.history import list_history
from qatrack_aria.retrieval.matching import match_plan, match_plan_reference, may_match
from qatrack_aria.retrieval.request import Request, parse_patient_id
from qatrack_aria.retrieval.task import Task
from qatrack_aria.storage.archive import Archive

WHO = "a user browsing in the admin"
#: Rows of one page: two years of daily images in four groups each.
MOST_GROUPS = 2000


@dataclass(frozen=True)
class Plan:
    """A listed plan; ``status`` is its Approval Status, empty if the node does not return it."""

    ref: PlanRef
    status: str


@dataclass(frozen=True)
class PlanImages:
    """A plan's images.

    Attributes
    ----------
    plan : PlanRef
        The plan.
    days : list of (datetime.date or None, list of ImageGroup)
        The newest day first, and its earliest images first; images without a date are last.
    codes : list of CompositeCode
        Composite tests that fetch the newest, one for each image type.
    searched : (datetime.date or None, datetime.date or None)
        First and last listed day; ``(None, None)`` for the whole history.
    left_out : int
        Groups beyond :data:`MOST_GROUPS`, the oldest ones.
    here : set of str
        SOP Instance UIDs of the images that are in the archive.
    """

    plan: PlanRef
    days: list[tuple[dt.date | None, list[ImageGroup]]]
    codes: list[CompositeCode]
    searched: Days
    left_out: int
    here: set[str]


def list_plans(node: AriaNode, patient_id: Any) -> list[Plan]:
    """List a patient's plans.

    Parameters
    ----------
    node : AriaNode
        The node to query.
    patient_id : str
        As a person typed it.

    Returns
    -------
    list of Plan
        Sorted by label, and the newest first where labels are equal.

    Raises
    ------
    AriaError
        As for a retrieval.
    """
    with _finder(node, patient_id) as (finder, _):
        listed = _plans(finder)
        approvals = _approvals(finder) if listed else {}
    listed.sort(key=lambda plan: plan.created or dt.datetime.min, reverse=True)
    listed.sort(key=lambda plan: (plan.label is None, (plan.label or "").lower()))
    return [Plan(plan, approvals.get(plan.sop_uid, "")) for plan in listed]


def list_plan_images(
    node: AriaNode, patient_id: Any, plan_uid: str, days: Days = EVER
) -> PlanImages:
    """List a plan's images, day by day.

    Parameters
    ----------
    node, patient_id
        As for :func:`list_plans`.
    plan_uid : str
        SOP Instance UID of the plan.
    days : (datetime.date or None, datetime.date or None)
        First and last day. If no images are found and the last day is open, the whole history is
        listed: the images may be older, or the node may not search by day.

    Raises
    ------
    PlanNotFoundError
        The patient has no such plan.
    AriaError
        As for a retrieval.
    """
    with _finder(node, patient_id) as (finder, archive):
        listed = _plans(finder)
        plan = next((one for one in listed if one.sop_uid == plan_uid), None)
        if plan is None:
            raise PlanNotFoundError(
                f"Plan: {finder.session.peer} does not list that plan among the {len(listed)} "
                f"plans of patient '{finder.patient_id}': go back to the list of plans."
            )
        images, searched = _images(finder, archive, plan.sop_uid, days)
    plan_name = name_plan(plan, listed, node, finder.patient_id)
    found = group_images(images, plan, plan_name)
    return PlanImages(
        plan,
        _by_day(found[:MOST_GROUPS]),
        composite_codes(images, plan, plan_name, finder.patient_id, node.name),
        searched,
        len(found[MOST_GROUPS:]),
        {image.sop_uid for image in images if _is_here(archive, image)},
    )


def list_new_images(
    node: AriaNode, request: Request, days: Days, counts: Any, *, whole: bool
) -> tuple[list[ImageRef] | None, dict[str, Any]]:
    """List the images of some days that may match a request, unless the node counts as before.

    Parameters
    ----------
    node : AriaNode
        The node to query.
    request : Request
        What is wanted; of its plans, any counts.
    days : (datetime.date or None, datetime.date or None)
        First and last day.
    counts : dict
        What the node counted before.
    whole : bool
        Whether the whole history is listed where nothing is found: not every node matches dates.

    Returns
    -------
    tuple of (list of ImageRef or None, dict)
        The images, ``None`` if the counts are as before; and what it counts now, in JSON's types.

    Raises
    ------
    PlanNotFoundError
        The patient has no such plan.
    AriaError
        As for a retrieval.
    """
    with _finder(node, request.patient_id, "a watch", yields=True) as (finder, archive):
        studies = finder.by_series.studies() or {}
        now = {uid: list(both) for uid, both in studies.items()}
        if now and now == counts:
            return None, now
        listed = _plans(finder)
        uids = frozenset(i.sop_uid for i in listed if match_plan(i, request) is not False)
        if not uids:
            message = messages.no_plan(finder.session.peer, request, listed, finder.queries)
            raise PlanNotFoundError(message)
        task = Task(request, finder.session.peer, archive, finder.session.deadline, clock_ahead=0)
        by_days = finder.relational and finder.by_days.supported
        images = finder.images(*days) if by_days else []
        if not images and (whole or not by_days):
            images = list_history(task, finder)
    found = [image for image in images if may_match(image, request, uids)]
    return list({image.sop_uid: image for image in found}.values()), now


@contextlib.contextmanager
def _finder(
    node: AriaNode, patient_id: Any, who: str = WHO, *, yields: bool = False
) -> Iterator[tuple[Finder, Archive]]:
    """Check the request, and open an association for queries."""
    node.require_active()
    patient_id = parse_patient_id(patient_id)
    node.require_allowed(patient_id)
    node.require_writable("patient ID", patient_id)
    with node_session(node, who, yields=yields) as (session, archive):
        yield Finder(session, patient_id), archive


def _plans(finder: Finder) -> list[PlanRef]:
    return list({plan.sop_uid: plan for plan in finder.plans(None)}.values())


def _approvals(finder: Finder) -> dict[str, str]:
    """Return the Approval Status of each plan, where the node returns it.

    This is a separate query: ARIA may return no answers to a query with an unusual return key, and
    the list of plans must not depend on that.
    """
    if not finder.relational:
        return {}
    asked = identifier(
        "IMAGE",
        {"PatientID": finder.patient_id, "Modality": "RTPLAN"},
        ("SOPInstanceUID", "ApprovalStatus"),
        finder.session.peer.character_set,
    )
    try:
        answers, _ = find(
            finder.session,
            asked,
            lambda answer: (text(answer, "SOPInstanceUID"), text(answer, "ApprovalStatus")),
        )
    except AriaError:
        return {}
    return {uid: status for uid, status in answers if uid and status}


def _images(
    finder: Finder, archive: Archive, plan_uid: str, days: Days
) -> tuple[list[ImageRef], Days]:
    """Return the images that reference the plan, or may, and the days of which they are all."""
    uids = frozenset([plan_uid])
    request = Request(finder.patient_id, plan_uid, ())
    session = finder.session
    task = Task(request, session.peer, archive, session.deadline, clock_ahead=0)
    found: list[ImageRef] = []
    for searched in dict.fromkeys([days, EVER] if finder.relational else [EVER]):
        images = list_history(task, finder) if searched == EVER else finder.images(*searched)
        of_plan = [i for i in images if match_plan_reference(i, uids).matches is not False]
        found = list({image.sop_uid: image for image in of_plan}.values())
        within = [image for image in found if _lies_in(image, days)]
        if within:
            return within, days
    return ([], days) if days[1] is not None else (found, EVER)


def _lies_in(image: ImageRef, days: Days) -> bool:
    # A search by two dates also finds some images of an earlier day, but not all of them.
    if image.acquired is None:
        return days == EVER
    day, (first, last) = image.acquired.date(), days
    return (first is None or first <= day) and (last is None or day <= last)


def _by_day(found: Sequence[ImageGroup]) -> list[tuple[dt.date | None, list[ImageGroup]]]:
    days: dict[dt.date | None, list[ImageGroup]] = {}
    for group in found:
        days.setdefault(group.day, []).append(group)
    return [(day, sorted(some, key=lambda group: group.order)) for day, some in days.items()]


def _is_here(archive: Archive, image: ImageRef) -> bool:
    try:
        return archive.path(image.sop_uid).exists()
    except AriaError:  # not a valid UID
        return False
