"""What became of each watch on one day: what a physicist looks at in the morning."""

from __future__ import annotations

import dataclasses
import datetime as dt
import statistics
from typing import Any, Iterable

from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from qatrack_aria.automation.service import active, due, states_of
from qatrack_aria.models import Watch, WatchedSession, WatchState
from qatrack_aria.qatrack import performing
from qatrack_aria.qatrack.collections import UnitCollection
from qatrack_aria.qatrack.context import clinic_moment, clinic_time

#: Days of which the delays are shown.
TREND = dt.timedelta(days=30)
#: How long after it is due a watch looks at the latest, if anything looks after it.
LATE = dt.timedelta(minutes=15)
#: QATrack+'s codes of a test that was compared (``qatrack.qa.models``).
COMPARED = ("ok", "tolerance", "action")


@dataclasses.dataclass(frozen=True)
class Seen:
    """One session of a watch.

    Attributes
    ----------
    row : WatchedSession
        What is recorded of it.
    counts : dict of str to int
        How many tests passed, were in tolerance and in action; empty if it was not performed.
    is_reviewed : bool
        Whether the list has been reviewed.
    address : str
        Of the list in QATrack+; empty if it was not performed.
    """

    row: WatchedSession
    counts: dict[str, int]
    is_reviewed: bool
    address: str


@dataclasses.dataclass(frozen=True)
class Line:
    """One watch.

    Attributes
    ----------
    watch : Watch
        The watch.
    state : WatchState, optional
        What its last look came to.
    collection : str
        The test list on its unit; empty if it performs none.
    due : datetime.datetime, optional
        When the list is due.
    is_overdue : bool
        Whether it was due before the day ended, and there are no images since.
    seen : list of Seen
        The sessions of the day, the newest first.
    last : WatchedSession, optional
        The last session before the end of the day.
    """

    watch: Watch
    state: WatchState | None
    collection: str
    due: dt.datetime | None
    is_overdue: bool
    seen: list[Seen]
    last: WatchedSession | None


def lines(day: dt.date) -> list[Line]:
    """Return a line for each active watch."""
    begin = clinic_moment(dt.datetime.combine(day, dt.time()))
    end = clinic_moment(dt.datetime.combine(day + dt.timedelta(days=1), dt.time()))
    watches = Watch.objects.filter(is_active=True).select_related("node", "user")
    states = states_of(watches)
    return [_line(watch, states.get(watch.pk), begin, end) for watch in watches]


def is_asleep(now: dt.datetime) -> bool:
    """Return whether a watch has been due for so long that nothing seems to look after it."""
    then = now - LATE
    watches = due(active([]), then)
    states = states_of(watches)
    looked = [(watch, getattr(states.get(watch.pk), "looked", None)) for watch in watches]
    return any((last or watch.since) <= then for watch, last in looked)


def _line(watch: Watch, state: WatchState | None, begin: dt.datetime, end: dt.datetime) -> Line:
    rows = list(
        WatchedSession.objects.filter(watch=watch, first__gte=begin, first__lt=end)
        .select_related("retrieval")
        .order_by("-first")
    )
    before = WatchedSession.objects.filter(watch=watch, first__lt=end).order_by("-first")
    last = rows[0] if rows else before.first()
    collection = UnitCollection.find(watch.collection)
    due = collection.row.due_date if collection is not None else None
    return Line(
        watch=watch,
        state=state,
        collection=str(collection) if collection is not None else "",
        due=due,
        is_overdue=due is not None and due < min(end, timezone.now()) and not rows,
        seen=_seen(rows),
        last=last,
    )


def _seen(rows: Iterable[WatchedSession]) -> list[Seen]:
    saved = performing.saved({row.performed_as for row in rows if row.performed_as})
    found = []
    for row in rows:
        session = saved.get(row.performed_as or 0)
        counts = session.pass_fail_summary() if session is not None else {}
        found.append(
            Seen(
                row,
                {code: counts[code] for code in COMPARED if counts.get(code)},
                bool(session is not None and session.all_reviewed),
                _address(session),
            )
        )
    return found


def _address(session: Any) -> str:
    if session is None:
        return ""
    for name in ("review_test_list_instance", "view_test_list_instance"):
        try:
            return reverse(name, args=[session.pk])
        except NoReverseMatch:
            continue
    return ""


@dataclasses.dataclass(frozen=True)
class Delays:
    """How long after their last image lists were performed, in minutes."""

    lists: int
    median: float
    worst: float


def delays(until: dt.datetime) -> Delays | None:
    """Return the delays of the lists that were performed in the days before; ``None`` without any.

    Sessions that were there before their watch are not among them.
    """
    rows = WatchedSession.objects.filter(
        state=WatchedSession.PERFORMED, performed__gt=until - TREND, performed__lte=until
    ).select_related("watch")
    minutes = [
        (row.performed - row.last).total_seconds() / 60
        for row in rows
        if row.performed is not None and row.found - row.last < dt.timedelta(days=1)
    ]
    if not minutes:
        return None
    return Delays(len(minutes), statistics.median(minutes), max(minutes))


def as_json(line: Line) -> dict[str, Any]:
    """Return a line in JSON's types, for a monitor."""
    return {
        "watch": line.watch.name,
        "test_list": line.collection,
        "due": line.due and line.due.isoformat(),
        "overdue": line.is_overdue,
        "looked": line.state and line.state.looked and line.state.looked.isoformat(),
        "failure": line.state.message if line.state is not None else "",
        "sessions": [
            {
                "first": clinic_time(seen.row.first).isoformat(),
                "last": clinic_time(seen.row.last).isoformat(),
                "images": seen.row.images,
                "state": seen.row.state,
                "message": seen.row.message,
                "tests": seen.counts,
                "reviewed": seen.is_reviewed,
            }
            for seen in line.seen
        ],
    }
