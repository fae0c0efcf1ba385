"""Fetch the images of a request: a complete set, or an error that says why not.

Check the request, wait for the destination, find and retrieve the images
(:mod:`qatrack_aria.retrieval.workflow`), hand them over, and keep a record.
"""

from __future__ import annotations

import contextlib
from typing import Any, Callable

from qatrack_aria.dicom.attributes import PlanRef
from qatrack_aria.dicom.retrieve import Progress
from qatrack_aria.dicom.uids import CT
from qatrack_aria.errors import ArchiveError, AriaError, Outcome, SearchUnfinishedError
from qatrack_aria.phrases import phrase
from qatrack_aria.retrieval.answer_cache import Answer, AnswerCache, remove_expired, repeated
from qatrack_aria.retrieval.hand_over import MOST_REPAIRS, damaged_again, hand_over
from qatrack_aria.retrieval.imageset import ImageSet
from qatrack_aria.retrieval.job import COMPOSITE, Caller, Job, prepared
from qatrack_aria.retrieval.knowledge import remove_unused
from qatrack_aria.retrieval.plan_reading import plan_reader
from qatrack_aria.retrieval.record import Record
from qatrack_aria.retrieval.remembering import remove_old
from qatrack_aria.retrieval.request import Request, parse_max_age
from qatrack_aria.retrieval.running import require_time, running
from qatrack_aria.retrieval.timeline import LAY_OUT, PRUNE
from qatrack_aria.retrieval.workflow import SearchResult, Workflow
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
    return _fetch(
        (node_name, patient_id, plan),
        lambda: Request.parse(patient_id, plan, image_type, **options),
        caller,
        deadline,
        max_age,
        progress,
    )


def fetch_series(
    node_name: Any,
    patient_id: Any,
    modality: Any = CT,
    image_type: Any = None,
    *,
    caller: Caller = COMPOSITE,
    deadline: Any = None,
    max_age: Any = 0,
    progress: Progress | None = None,
    **options: Any,
) -> ImageSet:
    """Fetch the newest series of a patient that refers to no plan.

    Takes and raises the same as :func:`fetch`; see :meth:`Request.parse_series`.
    """
    subject = options.get("description") or options.get("label") or modality
    return _fetch(
        (node_name, patient_id, subject),
        lambda: Request.parse_series(patient_id, modality, image_type, **options),
        caller,
        deadline,
        max_age,
        progress,
    )


def _fetch(
    names: tuple[Any, Any, Any],
    parse: Callable[[], Request],
    caller: Caller,
    deadline: Any,
    max_age: Any,
    progress: Progress | None,
) -> ImageSet:
    with prepared(names, parse, caller, deadline) as job:
        age = parse_max_age(max_age)
        cache = AnswerCache(job.archive, job.peer, dict(job.request.as_dict))
        answer = job.on_disk(lambda: cache.get(age, job.deadline.allowed))
        images = repeated(answer, job.record)
        if images is None:
            job.record.begin()
            require_time(job.deadline)
            images = _fetch_anew(job, cache, age, progress)
    if not images.plan.sop_uid:
        return images
    return images.with_plan(plan_reader(names[0], images.plan, caller, deadline))


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
    names = node_name, patient_id, plan

    def parse() -> Request:
        return Request.parse(patient_id, plan, image_type, **options)

    with prepared(names, parse, caller, deadline) as job:
        job.record.success = Outcome.LISTED
        job.record.begin()
        with running(job) as workflow:
            found = workflow.find(retrieve=False)
        job.record.row.message = f"{len(found.images)} images listed; none were to be moved."
    return found


def find_plan(
    node_name: Any, patient_id: Any, plan: Any, *, caller: Caller = COMPOSITE, **options: Any
) -> PlanRef:
    """Find the one plan of that label; raises as :func:`fetch` does."""
    names = node_name, patient_id, plan
    with prepared(names, lambda: Request.parse(*names[1:], **options), caller, None) as job:
        job.record.success = Outcome.LISTED
        job.record.begin()
        with running(job) as workflow:
            found = workflow.find_plan()
        job.record.row.message = f"Plan {found} found; no images were requested."
    return found


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
    with running(job, progress) as workflow:
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
