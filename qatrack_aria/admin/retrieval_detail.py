"""The page of one retrieval: what its row holds, in the order of a story."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

from django.utils import timezone

from qatrack_aria.errors import Outcome
from qatrack_aria.models import Retrieval
from qatrack_aria.retrieval.timeline import HIGHEST, LONGEST_TEXT, StoredTimeline
from qatrack_aria.text import printable, short_repr

#: No retrieval may take longer (:data:`qatrack_aria.validators.SECONDS`).
LONGEST_DEADLINE = dt.timedelta(hours=1)
LONGEST_MESSAGE = 5_000  # characters


class Bar(NamedTuple):
    """A step and its part of the whole; `share` is a percentage, written as SVG wants it."""

    name: str
    time: str
    share: str


def when(row: Retrieval) -> str:
    """The start, to the second: several of one minute are told apart."""
    return timezone.localtime(row.started).strftime("%Y-%m-%d %H:%M:%S")


def details(row: Retrieval) -> dict[str, Any]:
    """What the template shows; every text is one line, and harmless once it is escaped.

    Parameters
    ----------
    row : Retrieval
        As it is in the database: perhaps of an earlier version, or edited by hand.
    """
    told = StoredTimeline(row.story)
    queries, transfers = told.items("queries"), told.items("transfers")
    return {
        "started": when(row),
        "took": _took(row),
        "who": _who(row),
        "node": told.text("node") or (row.node_name and f"node '{_line(row.node_name)}'"),
        "message": printable(row.message, LONGEST_MESSAGE),
        "stopped_at": told.text("stopped_at"),
        "remarks": [remark.text("said") for remark in told.items("remarks")],
        "asked": _asked(row),
        "plans": [
            _texts(plan, "label", "course", "created", "uid") for plan in told.items("plans")
        ],
        "listed": told.number("listed"),
        "acquired": told.text("acquired"),
        "machine": told.text("machine"),
        "queries": [_query(query) for query in queries],
        "more_queries": max(0, told.number("queries_in_all") - len(queries)),
        "left_out": _counts(told, "left_out"),
        "megabytes": f"{row.bytes / 1e6:.1f} MB",
        "transfers": [_transfer(transfer) for transfer in transfers],
        "more_transfers": max(0, told.number("transfers_in_all") - len(transfers)),
        "refused": _counts(told, "refused"),
        "bars": _bars(told, row.seconds),
        "folder": printable(row.folder, LONGEST_MESSAGE),
        "is_told": bool(told.values),
    }


# --- the beginning ----------------------------------------------------------------------------


def _took(row: Retrieval) -> str:
    if row.seconds is not None:
        return f"It took {row.seconds:.{1 if row.seconds >= 1 else 2}f} s."
    if row.status != Outcome.RUNNING.value:
        return ""
    if timezone.now() - row.started > LONGEST_DEADLINE:
        return (
            "It was killed: its end was never written, and none may take longer than an hour. "
            "A web server kills what takes it too long; so does a restart."
        )
    return "It is still running, or was killed: its end is not written yet."


def _who(row: Retrieval) -> str:
    source = f"A {row.get_source_display()} asked for it" if row.source else "It was asked for"
    parts = (("user", row.user), ("unit", row.unit), ("test list", row.test_list))
    known = ", ".join(f"{word} {value}" for word, value in parts if value)
    return _line(f"{source} ({known})" if known else source)


def _asked(row: Retrieval) -> list[tuple[str, str]]:
    """The request; its patient and plan even where it was not understood."""
    values = {"patient_id": row.patient_id, "plan": row.plan, **StoredTimeline(row.request).values}
    return [(_label(name), _line(value)) for name, value in values.items()]


# --- what was kept ----------------------------------------------------------------------------


def _query(query: StoredTimeline) -> dict[str, Any]:
    numbers = {key: query.number(key) for key in ("answers", "other_patients")}
    return {**_texts(query, "level", "keys", "trouble"), **numbers}


def _transfer(transfer: StoredTimeline) -> dict[str, Any]:
    numbers = {key: transfer.number(key) for key in ("asked", "arrived")}
    return {**_texts(transfer, "service", "level", "end"), **numbers}


def _texts(told: StoredTimeline, *names: str) -> dict[str, str]:
    return {name: told.text(name) for name in names}


def _counts(told: StoredTimeline, name: str) -> list[tuple[str, int]]:
    return [(entry.text("why"), entry.number("number")) for entry in told.items(name)]


def _bars(told: StoredTimeline, seconds: float | None) -> list[Bar]:
    """The steps in their order, and what is left of the whole time."""
    steps = [(s.text("step"), s.seconds("seconds"), s.number("times")) for s in told.items("steps")]
    spent = sum(taken for _, taken, _ in steps)
    whole = max(spent, seconds if seconds is not None and seconds < HIGHEST else 0.0)
    if not steps or not whole:
        return []
    bars = [
        _bar(f"{name} ({times} times)" if times > 1 else name, taken, whole)
        for name, taken, times in steps
    ]
    return [*bars, _bar("other", whole - spent, whole)]


def _bar(name: str, seconds: float, whole: float) -> Bar:
    return Bar(name, f"{seconds:.2f} s", f"{100 * seconds / whole:.1f}")


def _label(name: str) -> str:
    return "patient ID" if name == "patient_id" else _line(name).replace("_", " ")


def _line(value: Any) -> str:
    return printable(value if isinstance(value, str) else short_repr(value), LONGEST_TEXT)
