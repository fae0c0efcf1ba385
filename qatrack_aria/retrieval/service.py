"""The service: from a request to a complete set of images, or a clear reason.

Check the request, wait for our turn, find and retrieve (:mod:`qatrack_aria.retrieval.workflow`),
hand over; and keep a record of it all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from typing import Any, Iterator

from qatrack_aria.conf import conf
from qatrack_aria.dicom.attributes import ImageRef, PlanRef, image_ref
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.dicom.retrieve import Progress
from qatrack_aria.errors import AriaError, BusyError, IncompleteRetrievalError, RequestError
from qatrack_aria.models import AriaNode, Retrieval
from qatrack_aria.phrases import phrase
from qatrack_aria.retrieval.answer_cache import AnswerCache, remove_expired
from qatrack_aria.retrieval.imageset import ImageSet
from qatrack_aria.retrieval.lock import hold_destination
from qatrack_aria.retrieval.provenance import Provenance
from qatrack_aria.retrieval.record import Record, recorded, request_json
from qatrack_aria.retrieval.request import MAX_AGE, Request, parse_deadline, parse_max_age
from qatrack_aria.retrieval.timeline import LAY_OUT, LOCK, PRUNE
from qatrack_aria.retrieval.workflow import SearchResult, Workflow
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.set_folder import lay_out, prune


@dataclasses.dataclass(frozen=True)
class Caller:
    """Who asks, and from where: for the record and for the time allowed.

    `spent` are the seconds of that time that went by before the call.
    """

    source: str = Retrieval.COMPOSITE
    user: str = ""
    unit: str = ""
    test_list: str = ""
    spent: float = 0.0


COMPOSITE = Caller()


def fetch(
    node_name: Any,
    patient_id: Any,
    plan: Any,
    image_type: Any = "portal",
    *,
    caller: Caller = COMPOSITE,
    deadline: Any = None,
    max_age: Any = 0,
    progress: Progress | None = None,
    **options: Any,
) -> ImageSet:
    """Bring the images that are meant, all of them.

    Parameters
    ----------
    node_name, patient_id, plan, image_type, **options : Any
        As a person gave them; see :meth:`Request.parse`.
    caller : Caller
        Who asks.
    deadline : float, optional
        Seconds allowed in total; default: the node's, for this kind of caller.
    max_age : float
        Seconds for which an earlier answer to the same request will do.
    progress : callable, optional
        Told whenever an image arrives.

    Returns
    -------
    ImageSet
        Complete and verified.

    Raises
    ------
    AriaError
        Which one, and its message, say what to do.
    """
    with _recorded(node_name, patient_id, plan, caller) as record:
        order = _order(record, node_name, patient_id, plan, image_type, caller, deadline, options)
        age = parse_max_age(max_age)
        cache = AnswerCache(order.archive, order.peer, dict(order.request.as_dict))
        images = _recall(cache, age, record)
        if images is None:
            record.begin()
            _require_time(order.deadline)
            images = _fetch_anew(order, cache, age, record, progress)
    return images


def preview(
    node_name: Any,
    patient_id: Any,
    plan: Any,
    image_type: Any = "portal",
    *,
    caller: Caller = COMPOSITE,
    deadline: Any = None,
    **options: Any,
) -> SearchResult:
    """Find what :func:`fetch` would bring, and move nothing; takes and raises the same.

    Returns
    -------
    SearchResult
        Images of which the node does not tell enough are in it as well.
    """
    with _recorded(node_name, patient_id, plan, caller) as record:
        order = _order(record, node_name, patient_id, plan, image_type, caller, deadline, options)
        record.begin()
        with _visit(order, record, None) as visit:
            found = visit.find(bring=False)
        record.row.message = f"{len(found.images)} images listed; none were to be moved."
    return found


def find_plan(
    node_name: Any, patient_id: Any, plan: Any, *, caller: Caller = COMPOSITE, **options: Any
) -> PlanRef:
    """Find the one plan of that label; raises as :func:`fetch` does."""
    with _recorded(node_name, patient_id, plan, caller) as record:
        order = _order(record, node_name, patient_id, plan, "portal", caller, None, options)
        record.begin()
        with _visit(order, record, None) as visit:
            found = visit.find_plan()
        record.row.message = f"Plan {found} found; no image was asked for."
    return found


def reopen(summary: Any, *, caller: Caller = COMPOSITE) -> ImageSet:
    """Lay out the images of an earlier summary again, from the archive alone.

    Parameters
    ----------
    summary : dict
        What :attr:`ImageSet.summary` gave; whoever posts it may have changed it.
    caller : Caller
        Who asks.

    Raises
    ------
    RequestError
        It is no such summary.
    PatientNotAllowedError
        The node does not list this patient among those it may fetch.
    IncompleteRetrievalError
        Images are missing from the archive; the message says how many and which.
    """
    earlier = Provenance.parse(summary)
    with _recorded(earlier.node, earlier.patient_id, earlier.plan, caller) as record:
        node = record.row.node = AriaNode.objects.named(earlier.node)
        node.require_allowed(earlier.patient_id)
        record.row.request = request_json({"reopened": len(earlier.sop_uids)})
        archive = Archive(conf.ARCHIVE, node.character_set)
        cache = AnswerCache(archive, node.name, "reopened", earlier.sop_uids)
        images = _recall(cache, MAX_AGE, record)
        if images is None:
            record.begin()
            with record.timeline.step(LAY_OUT):
                images = _lay_out_again(archive, node, earlier, record)
            cache.put(images, record.row.pk)
    return images


def _lay_out_again(
    archive: Archive, node: AriaNode, earlier: Provenance, record: Record
) -> ImageSet:
    images = [_archived(archive, uid, earlier.patient_id) for uid in earlier.sop_uids]
    missing = [uid for uid, image in zip(earlier.sop_uids, images) if image is None]
    if missing:
        raise IncompleteRetrievalError(
            f"Archive: {len(missing)} of {len(images)} images of the earlier result are not in "
            f"{archive.root} (the first: {missing[0]}): fetch them again, with date= if they "
            "are not the newest any more.",
            missing,
        )
    there = [image for image in images if image]
    if not all(earlier.plan_uid in (image.plan_uids or ()) for image in there):
        raise RequestError(
            f"Summary: its images do not reference the plan '{earlier.plan}' that it names: "
            "somebody has edited it. Fetch the images again. Nothing was opened."
        )
    folder, ordered, files = lay_out(archive, there)
    record.row.found = record.row.already_here = len(files)
    record.row.folder = str(folder)
    return ImageSet(
        folder,
        files,
        node=node.name,
        request=earlier.request,
        plan=earlier.plan_ref,
        images=ordered,
    )


def _archived(archive: Archive, sop_uid: str, patient_id: str) -> ImageRef | None:
    header = archive.header(sop_uid, patient_id)
    return None if header is None else image_ref(header, from_file=True)


# --- what is asked ----------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Order:
    """A request that has passed all that can be refused before anything is sent."""

    request: Request
    peer: Peer
    archive: Archive
    deadline: Deadline
    who: str
    keep_days: int


def _recorded(
    node_name: Any, patient_id: Any, plan: Any, caller: Caller
) -> contextlib.AbstractContextManager[Record]:
    return recorded(
        node_name=node_name,
        patient_id=patient_id,
        plan=plan,
        source=caller.source,
        user=caller.user,
        unit=caller.unit,
        test_list=caller.test_list,
    )


def _order(
    record: Record,
    node_name: Any,
    patient_id: Any,
    plan: Any,
    image_type: Any,
    caller: Caller,
    deadline: Any,
    options: dict[str, Any],
) -> _Order:
    node = record.row.node = AriaNode.objects.named(node_name)
    record.row.node_name = node.name
    request = Request.parse(patient_id, plan, image_type, **options)
    if request.until is not None:
        ahead = dt.timedelta(seconds=node.clock_ahead)
        request = dataclasses.replace(request, until=request.until + ahead)
    record.row.request = request_json(request.as_dict)
    node.require_allowed(request.patient_id)
    node.require_writable("patient ID", request.patient_id)
    node.require_writable("plan label", request.plan)
    seconds = parse_deadline(deadline)
    if seconds is None:
        of_command = caller.source == Retrieval.COMMAND
        seconds = node.command_deadline if of_command else node.deadline
    return _Order(
        request,
        node.peer(),
        Archive(conf.ARCHIVE, node.character_set),
        Deadline(seconds, caller.spent),
        f"a retrieval for {caller.user or 'a ' + caller.source}",
        conf.KEEP_SETS_DAYS,
    )


def _require_time(deadline: Deadline) -> None:
    if deadline.expired:
        raise BusyError(
            f"Time: the composite tests of this list have used the {deadline.seconds:g} s that "
            "they may take together: change any field, and those still missing go on. Nothing was "
            "sent."
        )


# --- from the cache, or anew ---------------------------------------------------------------------


def _recall(cache: AnswerCache, max_age: float, record: Record) -> ImageSet | None:
    """The images that were handed over lately, or the failure of a few seconds ago."""
    answer = cache.get(max_age)
    if answer is None:
        return None
    record.repeat(answer.row)
    if answer.failure is not None:
        raise answer.failure
    return answer.images


def _fetch_anew(
    order: _Order, cache: AnswerCache, max_age: float, record: Record, progress: Progress | None
) -> ImageSet:
    row = record.row.pk
    try:
        with _visit(order, record, progress) as visit:
            # Whoever held the destination while we waited may have asked for just this.
            answer = cache.get(max_age)
            others = None if answer is None else answer.images
            if others is not None:
                images = others
                record.timeline.remark(phrase("shared"))
            else:
                found = visit.find(bring=True)
                with record.timeline.step(LAY_OUT):
                    images = _hand_over(visit, found)
                cache.put(images, row)
    except AriaError as failure:
        cache.put_failure(failure, row)
        raise
    if others is not None:
        record.row.found = record.row.already_here = len(others)
    record.row.folder, record.row.message = images.path, images.status
    with record.timeline.step(PRUNE):
        prune(order.archive, order.keep_days)
        remove_expired(order.archive)
    return images


@contextlib.contextmanager
def _visit(order: _Order, record: Record, progress: Progress | None) -> Iterator[Workflow]:
    """Our turn at the node."""
    ask = (order.peer, order.request, order.archive, order.deadline)
    with contextlib.ExitStack() as stack:
        with record.timeline.step(LOCK):
            stack.enter_context(
                hold_destination(order.archive, order.peer, order.deadline, order.who)
            )
        visit = stack.enter_context(Workflow(*ask, progress, record.timeline))
        try:
            yield visit
        finally:
            _count(visit, record)
            record.timeline.add(visit.report)


def _count(visit: Workflow, record: Record) -> None:
    arrived = visit.inbox.arrived
    here = [image.sop_uid for image in visit.chosen if image.from_file]
    record.row.found = len(visit.chosen)
    record.row.moved = sum(1 for image in visit.chosen if image.sop_uid in arrived)
    record.row.already_here = sum(1 for uid in here if uid not in arrived)
    record.row.refused = visit.inbox.refusals
    record.row.bytes = sum(arrived.values())


def _hand_over(visit: Workflow, found: SearchResult) -> ImageSet:
    folder, images, files = lay_out(visit.archive, found.images)
    return ImageSet(
        folder,
        files,
        node=visit.peer.name,
        request=visit.request.as_dict,
        plan=found.plan,
        images=images,
        moved=sum(1 for image in images if image.sop_uid in visit.inbox.arrived),
        remark=" ".join(found.remarks),
    )
