"""Read the RT Plan of images that were handed over, whenever its beams are asked for."""

from __future__ import annotations

import dataclasses
import time
from typing import Any, Callable

from qatrack_aria.dicom.attributes import PlanRef
from qatrack_aria.dicom.rt_plan import RtPlan
from qatrack_aria.errors import Outcome
from qatrack_aria.retrieval.archived_plans import MAX_AGE, archived_plan
from qatrack_aria.retrieval.job import COMPOSITE, Caller, prepared
from qatrack_aria.retrieval.request import Request
from qatrack_aria.retrieval.running import require_time, running
from qatrack_aria.text import plural


def plan_reader(
    node_name: Any, plan: PlanRef, caller: Caller, deadline: Any
) -> Callable[[], RtPlan]:
    """Return what reads a plan later, in what is left of the caller's time."""
    begun = time.monotonic()

    def read() -> RtPlan:
        spent = caller.spent + time.monotonic() - begun
        later = dataclasses.replace(caller, spent=spent)
        return read_plan(node_name, plan, caller=later, deadline=deadline)

    return read


def read_plan(
    node_name: Any, plan: PlanRef, *, caller: Caller = COMPOSITE, deadline: Any = None
) -> RtPlan:
    """Read a plan that a node has listed: from the archive, else from the node.

    Raises
    ------
    AriaError
        It cannot be read; the message says why.
    """
    names = node_name, plan.patient_id, plan.sop_uid
    with prepared(names, lambda: Request.parse(*names[1:]), caller, deadline) as job:
        known = job.on_disk(lambda: archived_plan(job.archive, plan, MAX_AGE))
        if known is not None:
            job.record.repeat(None)
            return known
        job.record.success = Outcome.LISTED
        job.record.begin()
        require_time(job.deadline)
        with running(job) as workflow:
            found = workflow.read_plan(plan)
        job.record.row.message = f"Plan {plan} read: {plural(len(found.beams), 'beam')}."
    return found
