"""Check what a caller asks for, and prepare a retrieval, before anything is sent."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from typing import Any, Callable, Iterator

from qatrack_aria.conf import conf
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.models import AriaNode, Retrieval
from qatrack_aria.retrieval.record import Record, recorded, request_json
from qatrack_aria.retrieval.request import Request, parse_deadline
from qatrack_aria.retrieval.task import Task
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.in_time import in_time


@dataclasses.dataclass(frozen=True)
class Caller:
    """The origin of a request, for the record and for the time allowed.

    `spent` is the part of that time, in seconds, that passed before the call.
    """

    source: str = Retrieval.COMPOSITE
    user: str = ""
    unit: str = ""
    test_list: str = ""
    spent: float = 0.0

    @property
    def fields(self) -> dict[str, str]:
        """The fields of a record that come from the caller."""
        return {name: getattr(self, name) for name in ("source", "user", "unit", "test_list")}


COMPOSITE = Caller()


@dataclasses.dataclass(frozen=True)
class Job(Task):
    """A retrieval that has passed every check that needs no connection, with its record."""

    record: Record
    who: str
    keep_days: int


@contextlib.contextmanager
def prepared(
    names: tuple[Any, Any, Any],
    parse: Callable[[], Request],
    caller: Caller,
    deadline: Any,
) -> Iterator[Job]:
    """Prepare a retrieval, and record whatever happens in the block.

    Parameters
    ----------
    names : tuple of (Any, Any, Any)
        Node, patient ID, and plan or series, as a person gave them.
    parse : callable
        Checks the request.
    caller : Caller
        The origin of the request.
    deadline : Any
        As for :func:`qatrack_aria.retrieval.service.fetch`.

    Raises
    ------
    AriaError
        A check has failed. Nothing was sent.
    """
    node_name, patient_id, plan = names
    known = {"node_name": node_name, "patient_id": patient_id, "plan": plan}
    with recorded(**known, **caller.fields) as record:
        node = record.row.node = AriaNode.objects.named(node_name)
        record.row.node_name = node.name
        request = parse()
        if request.until is not None:
            ahead = dt.timedelta(seconds=node.clock_ahead)
            request = dataclasses.replace(request, until=request.until + ahead)
        record.row.request = request_json(request.as_dict)
        node.require_allowed(request.patient_id)
        node.require_writable("patient ID", request.patient_id)
        if request.plan is not None:
            node.require_writable("plan label", request.plan)
        seconds = parse_deadline(deadline)
        if seconds is None:
            unattended = caller.source in (Retrieval.COMMAND, Retrieval.WATCH)
            seconds = node.command_deadline if unattended else node.deadline
        limit, root = Deadline(seconds, caller.spent), conf.ARCHIVE
        archive = in_time(
            limit, root, lambda: Archive(root, node.character_set, node.name, node.source)
        )
        yield Job(
            request,
            node.peer(),
            archive,
            limit,
            node.clock_ahead,
            record,
            f"a retrieval for {caller.user or 'a ' + caller.source}",
            conf.KEEP_SETS_DAYS,
        )
