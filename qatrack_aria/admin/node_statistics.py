"""How each node has been doing, from the rows of its retrievals."""

from __future__ import annotations

import datetime as dt
import statistics
from collections import defaultdict
from dataclasses import dataclass

from django.db.models import Max, Q, Sum
from django.utils import timezone

from qatrack_aria.errors import Outcome
from qatrack_aria.models import Retrieval

#: Who has typed something wrong, or was too early, says nothing about the node.
NOT_ITS_FAULT = (Outcome.RUNNING.value, Outcome.DONE.value, Outcome.USAGE.value)


@dataclass(frozen=True)
class NodeStatistics:
    """The line of one node.

    Attributes
    ----------
    name : str
        As it was called then.
    last_success, last_failure : datetime.datetime or None
        When such retrievals were started.
    median : float or None
        Seconds that this month's successful ones took.
    images : int
        Images that were moved this month.
    """

    name: str
    last_success: dt.datetime | None
    last_failure: dt.datetime | None
    median: float | None
    images: int


def node_statistics() -> list[NodeStatistics]:
    """The lines of all nodes that have rows, in two queries.

    A month is the calendar's, in Django's time zone.
    """
    now = timezone.localtime()
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    done = Q(status=Outcome.DONE.value)
    failed = ~Q(status__in=NOT_ITS_FAULT)
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
