"""Summarize the successes and failures of each node from its retrievals."""

from __future__ import annotations

import datetime as dt
import statistics
from collections import defaultdict
from dataclasses import dataclass

from django.db.models import Max, Q, Sum
from django.utils import timezone

from qatrack_aria.errors import Outcome
from qatrack_aria.models import Retrieval
from qatrack_aria.retrieval.record import REOPENED

#: Outcomes that say nothing about the node's failures, such as a mistyped request.
NOT_FAILURES = tuple(
    outcome.value for outcome in (Outcome.RUNNING, Outcome.DONE, Outcome.LISTED, Outcome.USAGE)
)


@dataclass(frozen=True)
class NodeStatistics:
    """The statistics of one node.

    Attributes
    ----------
    name : str
        Its name at the time of the retrievals.
    last_success, last_failure : datetime.datetime or None
        The latest start of such a retrieval. A list is no success, since no image was moved; nor
        are images that were opened again from the archive.
    median : float or None
        Median duration of this month's successful retrievals, in seconds.
    images : int
        Images that were moved this month.
    """

    name: str
    last_success: dt.datetime | None
    last_failure: dt.datetime | None
    median: float | None
    images: int


def node_statistics() -> list[NodeStatistics]:
    """Return the statistics of all nodes with retrievals, in two queries.

    The month is the calendar month in Django's time zone.
    """
    now = timezone.localtime()
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    reopened = Q(request__startswith=f'{{"{REOPENED}"')
    done = Q(status=Outcome.DONE.value) & ~reopened
    failed = ~Q(status__in=NOT_FAILURES)
    names = Retrieval.objects.exclude(node=None).order_by("node_name").values("node_name")
    rows = names.annotate(
        last_success=Max("started", filter=done),
        last_failure=Max("started", filter=failed),
        images=Sum("moved", filter=Q(started__gte=month)),
    )
    taken = defaultdict(list)
    recent = Retrieval.objects.filter(done, started__gte=month, seconds__isnull=False)
    for name, seconds in recent.order_by().values_list("node_name", "seconds"):
        taken[name].append(seconds)
    return [
        NodeStatistics(
            row["node_name"],
            row["last_success"],
            row["last_failure"],
            statistics.median(taken[row["node_name"]]) if taken[row["node_name"]] else None,
            row["images"] or 0,
        )
        for row in rows
    ]
