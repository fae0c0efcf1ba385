"""Run a prepared retrieval: wait for the destination, and record what was found and moved."""

from __future__ import annotations

import contextlib
from typing import Iterator

from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.retrieve import Progress
from qatrack_aria.errors import BusyError
from qatrack_aria.models import Retrieval
from qatrack_aria.retrieval.job import Job
from qatrack_aria.retrieval.lock import hold_destination
from qatrack_aria.retrieval.record import Record
from qatrack_aria.retrieval.timeline import LOCK
from qatrack_aria.retrieval.workflow import Workflow


def require_time(deadline: Deadline) -> None:
    """Require that there is time left; raises :class:`BusyError`."""
    if deadline.expired:
        raise BusyError(
            f"Time: the composite tests of this list have used the {deadline.seconds:g} s that "
            "they may take together: change any field to continue with those still missing. "
            "Nothing was sent."
        )


@contextlib.contextmanager
def running(job: Job, progress: Progress | None = None) -> Iterator[Workflow]:
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
