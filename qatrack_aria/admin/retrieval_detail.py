"""Prepare the page of one retrieval, in the order of its steps."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from qatrack_aria.dicom.statuses import describe_end
from qatrack_aria.errors import Outcome
from qatrack_aria.models import Retrieval
from qatrack_aria.phrases import read_phrase
from qatrack_aria.retrieval.timeline import HIGHEST, LONGEST_TEXT, StoredTimeline
from qatrack_aria.text import printable, short_repr

#: No retrieval may take longer (:data:`qatrack_aria.validators.SECONDS`).
LONGEST_DEADLINE = dt.timedelta(hours=1)
LONGEST_MESSAGE = 5_000  # characters


class Bar(NamedTuple):
    """A step and its share of the total time; `share` is a percentage without a sign, for SVG."""

    name: str
    time: str
    share: str


def when(row: Retrieval) -> str:
    """Return the start, to the second, which distinguishes retrievals of one minute."""
    return timezone.localtime(row.started).strftime("%Y-%m-%d %H:%M:%S")


def details(row: Retrieval) -> dict[str, Any]:
    """Return the context of the template; each text is one printable line.

    Parameters
    ----------
    row : Retrieval
        The retrieval; another version may have written it, or a person may have edited it.
    """
    stored = StoredTimeline(row.timeline)
    queries, transfers = stored.items("queries"), stored.items("transfers")
    return {
        "started": when(row),
        "duration": _duration(row),
        "caller": _caller(row),
        "node": stored.text("node") or (row.node_name and f"node '{_line(row.node_name)}'"),
        "message": printable(row.message, LONGEST_MESSAGE),
        "stopped_at": _phrase(stored.values.get("stopped_at")),
        "remarks": [_phrase(remark.values) for remark in stored.items("remarks")],
        "request": _request(row),
        "plans": [
            _texts(plan, "label", "course", "created", "uid") for plan in stored.items("plans")
        ],
        "listed": stored.number("listed"),
        "acquired": stored.text("acquired"),
        "machine": stored.text("machine"),
        "queries": [_query(query) for query in queries],
        "more_queries": max(0, stored.number("queries_in_all") - len(queries)),
        "left_out": _counts(stored, "left_out"),
        "megabytes": f"{row.bytes / 1e6:.1f} MB",
        "transfers": [_transfer(transfer) for transfer in transfers],
        "more_transfers": max(0, stored.number("transfers_in_all") - len(transfers)),
        "rejected": _counts(stored, "refused"),
        "bars": _bars(stored, row.seconds),
        "folder": printable(row.folder, LONGEST_MESSAGE),
        "has_steps": bool(stored.values),
    }


# --- the beginning ----------------------------------------------------------------------------


def _duration(row: Retrieval) -> str:
    if row.seconds is not None:
        return _("It took %s s.") % f"{row.seconds:.{1 if row.seconds >= 1 else 2}f}"
    if row.status != Outcome.RUNNING.value:
        return ""
    if timezone.now() - row.started > LONGEST_DEADLINE:
        return _(
            "It was killed: its end was never written, and no retrieval may take longer than an "
            "hour. A web server kills requests that take too long; so does a restart."
        )
    return _("It is still running, or was killed: its end is not written yet.")


def _caller(row: Retrieval) -> str:
    source = _("Requested by: %s") % (row.source_label or _("unknown"))
    parts = ((_("user"), row.user), (_("unit"), row.unit), (_("test list"), row.test_list))
    known = ", ".join(f"{word} {value}" for word, value in parts if value)
    return _line(f"{source} ({known})" if known else source)


def _request(row: Retrieval) -> list[tuple[str, str]]:
    """Return the request, with its patient and plan even if it was invalid."""
    values = {"patient_id": row.patient_id, "plan": row.plan, **StoredTimeline(row.request).values}
    return [(_label(name), _line(value)) for name, value in values.items()]


# --- the timeline -----------------------------------------------------------------------------


def _phrase(stored: Any) -> str:
    return read_phrase(stored, _)


def _query(query: StoredTimeline) -> dict[str, Any]:
    numbers = {key: query.number(key) for key in ("answers", "other_patients")}
    problem = _phrase(query.values.get("problem"))
    return {**_texts(query, "level", "keys"), "problem": problem, **numbers}


def _transfer(transfer: StoredTimeline) -> dict[str, Any]:
    status, completed, failed = (
        transfer.number(key) if transfer.values.get(key) is not None else None
        for key in ("status", "completed", "failed")
    )
    end = describe_end(status, completed, failed, _phrase(transfer.values.get("broken")))
    numbers = {key: transfer.number(key) for key in ("asked", "arrived")}
    return {**_texts(transfer, "service", "level"), "end": printable(end, LONGEST_TEXT), **numbers}


def _texts(stored: StoredTimeline, *names: str) -> dict[str, str]:
    return {name: stored.text(name) for name in names}


def _counts(stored: StoredTimeline, name: str) -> list[tuple[str, int]]:
    return [(_phrase(one.values.get("why")), one.number("number")) for one in stored.items(name)]


def _bars(stored: StoredTimeline, seconds: float | None) -> list[Bar]:
    """Return the steps in their order, and the rest of the total time."""
    steps = [
        (_phrase(s.values.get("step")), s.seconds("seconds"), s.number("times"))
        for s in stored.items("steps")
    ]
    spent = sum(taken for _name, taken, _times in steps)
    total = max(spent, seconds if seconds is not None and seconds < HIGHEST else 0.0)
    if not steps or not total:
        return []
    bars = [
        _bar(f"{name} ({_times_text(times)})" if times > 1 else name, taken, total)
        for name, taken, times in steps
    ]
    return [*bars, _bar(_("other"), total - spent, total)]


def _times_text(times: int) -> str:
    return ngettext("%d time", "%d times", times) % times


def _bar(name: str, seconds: float, total: float) -> Bar:
    return Bar(name, f"{seconds:.2f} s", f"{100 * seconds / total:.1f}")


def _label(name: str) -> str:
    return _("patient ID") if name == "patient_id" else _line(name).replace("_", " ")


def _line(value: Any) -> str:
    return printable(value if isinstance(value, str) else short_repr(value), LONGEST_TEXT)
