"""Fetch the images of a request: a complete set, or an error that says why not.

Check the request, wait for the destination, find and retrieve the images
(:mod:`qatrack_aria.retrieval.workflow`), hand them over, and keep a record.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any, Iterator

from qatrack_aria.conf import conf
from qatrack_aria.dicom.attributes import PlanRef
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.retrieve import Progress
from qatrack_aria.errors import (
    ArchiveError,
    AriaError,
    BusyError,
    Outcome,
    SearchUnfinishedError,
)
from qatrack_aria.models import AriaNode, Retrieval
from qatrack_aria.phrases import phrase
from qatrack_aria.retrieval.answer_cache import Answer, AnswerCache, remove_expired
from qatrack_aria.retrieval.hand_over import MOST_REPAIRS, damaged_again, hand_over, open_again
from qatrack_aria.retrieval.imageset import ImageSet
from qatrack_aria.retrieval.job import COMPOSITE, Caller, Job, prepared
from qatrack_aria.retrieval.knowledge import remove_unused
from qatrack_aria.retrieval.lock import hold_destination
from qatrack_aria.retrieval.provenance import Provenance
from qatrack_aria.retrieval.record import REOPENED, Record, recorded, request_json
from qatrack_aria.retrieval.remembering import remove_old
from qatrack_aria.retrieval.request import MAX_AGE, parse_max_age
from qatrack_aria.retrieval.timeline import LAY_OUT, LOCK, PRUNE
from qatrack_aria.retrieval.workflow import SearchResult, Workflow
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.in_time import in_time
from qatrack_aria.storage.set_folder import DamagedError, prune


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
    """Fetch all images that match a request.

    Parameters
    ----------
    node_name, patient_id, plan, image_type, **options : Any
        As a person gave them; see :meth:`Request.parse`.
    caller : Caller
        The origin of the request.
    deadline : float, optional
        Seconds allowed in total; default: the node's, for this kind of caller.
    max_age : float
        Seconds for which an earlier answer to the same request may be repeated.
    progress : callable, optional
        Called whenever an image arrives.

    Returns
    -------
    ImageSet
        Complete and verified.

    Raises
    ------
    AriaError
        Its class and its message say what to do.
    """
    names = node_name, patient_id, plan
    with prepared(names, image_type, caller, deadline, options) as job:
        age = parse_max_age(max_age)
        cache = AnswerCache(job.archive, job.peer, dict(job.request.as_dict))
        answer = job.on_disk(lambda: cache.get(age, job.deadline.allowed))
        images = _repeat(answer, job.record)
        if images is None:
            job.record.begin()
            _require_time(job.deadline)
            images = _fetch_anew(job, cache, age, progress)
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
    """List what :func:`fetch` would fetch, without moving images; takes and raises the same.

    Returns
    -------
    SearchResult
        Includes images of which the node does not return enough to match them.
    """
    with prepared((node_name, patient_id, plan), image_type, caller, deadline, options) as job:
        job.record.success = Outcome.LISTED
        job.record.begin()
        with _workflow(job) as workflow:
            found = workflow.find(retrieve=False)
        job.record.row.message = f"{len(found.images)} images listed; none were to be moved."
    return found


def find_plan(
    node_name: Any, patient_id: Any, plan: Any, *, caller: Caller = COMPOSITE, **options: Any
) -> PlanRef:
    """Find the one plan of that label; raises as :func:`fetch` does."""
    with prepared((node_name, patient_id, plan), "portal", caller, None, options) as job:
        job.record.success = Outcome.LISTED
        job.record.begin()
        with _workflow(job) as workflow:
            found = workflow.find_plan()
        job.record.row.message = f"Plan {found} found; no images were requested."
    return found


def _repeat(answer: Answer | None, record: Record) -> ImageSet | None:
    """Return the images of an earlier answer, or raise its failure; ``None`` if there is none."""
    if answer is None:
        return None
    record.repeat(answer.row)
    if answer.failure is not None:
        raise answer.failure
    return answer.images


def _require_time(deadline: Deadline) -> None:
    if deadline.expired:
        raise BusyError(
            f"Time: the composite tests of this list have used the {deadline.seconds:g} s that "
            "they may take together: change any field to continue with those still missing. "
            "Nothing was sent."
        )


def _fetch_anew(
    job: Job, cache: AnswerCache, max_age: float, progress: Progress | None
) -> ImageSet:
    record, row = job.record, job.record.row
    try:
        images = _fetch_whole(job, cache, max_age, progress)
    except SearchUnfinishedError:
        raise  # the next call goes on at once
    except AriaError as failure:
        with contextlib.suppress(ArchiveError):
            allowed, repeated = job.deadline.allowed, failure  # Python unbinds the other name
            job.on_disk(lambda: cache.put_failure(repeated, row.pk, allowed))
        raise
    row.folder, row.message = images.path, images.status
    with record.timeline.step(PRUNE), contextlib.suppress(ArchiveError):
        job.on_disk(lambda: _tidy_up(job))
    return images


def _tidy_up(job: Job) -> None:
    prune(job.archive, job.keep_days)
    remove_expired(job.archive)
    remove_unused(job.archive)
    remove_old(job.archive, job.keep_days)


def _fetch_whole(
    job: Job, cache: AnswerCache, max_age: float, progress: Progress | None
) -> ImageSet:
    """Fetch the images; those that are damaged in the archive are removed, and fetched again."""
    repairs = 0
    while True:
        try:
            return _fetch_once(job, cache, max_age, progress)
        except DamagedError as error:
            repairs += 1
            if repairs > MOST_REPAIRS:
                raise damaged_again(job.archive, error) from error


def _fetch_once(
    job: Job, cache: AnswerCache, max_age: float, progress: Progress | None
) -> ImageSet:
    record, row = job.record, job.record.row
    with _workflow(job, progress) as workflow:
        # While this one waited, another may have fetched the same images.
        shared = _shared(record, job.on_disk(lambda: cache.get(max_age)))
        if shared is None:
            found = workflow.find(retrieve=True)
            images = _hand_over(job, workflow, found)
            if found.is_final:
                with contextlib.suppress(ArchiveError):
                    job.on_disk(lambda: cache.put(images, row.pk))
            return images
    row.found = row.already_here = len(shared)
    return shared


def _hand_over(job: Job, workflow: Workflow, found: SearchResult) -> ImageSet:
    timeline = job.record.timeline
    with timeline.step(LAY_OUT):
        try:
            return job.on_disk(lambda: hand_over(workflow, found))
        except DamagedError as error:
            damaged = error
    # Outside of the step, which is not the one that this retrieval ends at.
    timeline.remark(phrase("repaired", number=len(damaged.sop_uids)))
    raise damaged


def _shared(record: Record, answer: Answer | None) -> ImageSet | None:
    if answer is not None and answer.images is not None:
        record.timeline.remark(phrase("shared"))
        return answer.images
    return None


@contextlib.contextmanager
def _workflow(job: Job, progress: Progress | None = None) -> Iterator[Workflow]:
    """Hold the destination, and record what the workflow has found and moved."""
    record = job.record
    with contextlib.ExitStack() as stack:
        with record.timeline.step(LOCK):
            yields = record.row.source == Retrieval.WATCH
            held = hold_destination(job.archive, job.peer, job.deadline, job.who, yields=yields)
            stack.enter_context(held)
        workflow = stack.enter_context(Workflow(job, progress, record.timeline))
        try:
            yield workflow
        finally:
            _count(workflow, record)
            record.timeline.add(workflow.report)


def _count(workflow: Workflow, record: Record) -> None:
    arrived = workflow.inbox.arrived
    here = [image.sop_uid for image in workflow.chosen if image.from_file]
    record.row.found = len(workflow.chosen)
    record.row.moved = sum(1 for image in workflow.chosen if image.sop_uid in arrived)
    record.row.already_here = sum(1 for uid in here if uid not in arrived)
    record.row.refused = workflow.inbox.refusals
    record.row.bytes = sum(arrived.values())


# --- from the archive alone -------------------------------------------------------------------


def reopen(summary: Any, *, caller: Caller = COMPOSITE) -> ImageSet:
    """Lay out the images of an earlier summary again, from the archive alone.

    Parameters
    ----------
    summary : dict
        A value of :attr:`ImageSet.summary`; a browser may have changed it.
    caller : Caller
        The origin of the request.

    Raises
    ------
    RequestError
        The summary is not as this site has signed it.
    PatientNotAllowedError
        The node does not list this patient among those it may fetch.
    IncompleteRetrievalError
        The archive does not have all images as they were handed over, from that node; the message
        says how many and which.
    """
    with recorded(**caller.fields) as record:
        earlier = Provenance.parse(summary)
        record.know(node_name=earlier.node, patient_id=earlier.patient_id, plan=earlier.plan)
        node = record.row.node = AriaNode.objects.named(earlier.node)
        node.require_allowed(earlier.patient_id)
        record.row.request = request_json({REOPENED: len(earlier.sop_uids)})
        on_disk = partial(in_time, Deadline(node.deadline, caller.spent), conf.ARCHIVE)
        archive = on_disk(lambda: Archive(conf.ARCHIVE, node.character_set, node.name))
        # The signature stands for all that a summary says.
        cache = AnswerCache(archive, node.name, node.character_set, earlier.signature)
        images = _repeat(on_disk(lambda: cache.get(MAX_AGE)), record)
        if images is None:
            record.begin()
            with record.timeline.step(LAY_OUT):
                images = on_disk(lambda: open_again(archive, node.name, earlier))
            record.row.found = record.row.already_here = len(images)
            record.row.folder = images.path
            with contextlib.suppress(ArchiveError):
                on_disk(partial(cache.put, images, record.row.pk))
    return images
