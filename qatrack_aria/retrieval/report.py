"""Report on a retrieval for its record: in JSON's types, short, without names of people.

:mod:`qatrack_aria.retrieval.timeline` keeps the report. Lists whose length a peer decides are
shortened here; their full lengths are reported beside them.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Collection, Iterable, Sequence

from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.dicom.c_find import QueryRecord
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.dicom.retrieve import RetrieveAttempt
from qatrack_aria.phrases import Phrase, phrase
from qatrack_aria.retrieval.matching import match_image
from qatrack_aria.retrieval.request import Request
from qatrack_aria.retrieval.timeline import LONGEST_TEXT, MOST
from qatrack_aria.text import printable


def build_report(
    peer: Peer,
    request: Request,
    *,
    plans: Sequence[PlanRef],
    listed: Collection[ImageRef],
    chosen: Sequence[ImageRef],
    queries: Sequence[QueryRecord],
    attempts: Sequence[RetrieveAttempt],
    refused: Sequence[Phrase],
) -> dict[str, Any]:
    """Return the report, for :meth:`qatrack_aria.retrieval.timeline.Timeline.add`.

    Parameters
    ----------
    peer, request : Peer, Request
        The node and the request.
    plans : sequence of PlanRef
        The plans that match.
    listed, chosen : collection of ImageRef
        The images that the node listed last, and those of them that match.
    queries, attempts : sequence of QueryRecord, sequence of RetrieveAttempt
        The queries and the transfers.
    refused : sequence of Phrase
        Why our port rejected something.
    """
    plan_uids = frozenset(plan.sop_uid for plan in plans)
    return {
        "node": _short(str(peer)),
        "plans": [_plan(plan) for plan in plans[:MOST]],
        "listed": len(listed),
        "acquired": _acquired(chosen),
        "machine": _short(", ".join(sorted({m for i in chosen for m in i.machines or ()}))),
        "left_out": _counted(_reasons(listed, chosen, request, plan_uids)),
        "queries": [_query(query) for query in _ends(queries)],
        "queries_in_all": len(queries),
        "transfers": [_transfer(attempt) for attempt in _ends(attempts)],
        "transfers_in_all": len(attempts),
        "refused": _counted(refused),
    }


def _plan(plan: PlanRef) -> dict[str, str]:
    return {
        "label": _short(plan.label or ""),
        "course": _short(plan.course or ""),
        "created": plan.created.strftime("%Y-%m-%d %H:%M") if plan.created else "",
        "uid": _short(plan.sop_uid),
    }


def _query(query: QueryRecord) -> dict[str, Any]:
    """Return a query in JSON's types; what is rare is left out where it is not there."""
    rare: dict[str, Any] = {}
    if query.problem:
        rare["problem"] = query.problem.as_json
    if query.other_patients:
        rare["other_patients"] = query.other_patients
    return {
        "level": query.level,
        "keys": _short(", ".join(f"{name}={value}" for name, value in query.keys.items())),
        "answers": query.answers,
        **rare,
    }


def _transfer(attempt: RetrieveAttempt) -> dict[str, Any]:
    return {
        "service": attempt.service,
        "level": attempt.level,
        "asked": attempt.requested,
        "arrived": attempt.arrived,
        "status": attempt.status,
        "completed": attempt.completed,
        "failed": attempt.failed,
        "broken": attempt.broken.as_json if attempt.broken else None,
    }


def _acquired(chosen: Iterable[ImageRef]) -> str:
    moments = [image.acquired for image in chosen if image.acquired]
    if not moments:
        return ""
    first, last = (str(moment.replace(microsecond=0)) for moment in (min(moments), max(moments)))
    return first if first == last else f"{first} to {last}"


def _reasons(
    listed: Iterable[ImageRef],
    chosen: Sequence[ImageRef],
    request: Request,
    plan_uids: frozenset[str],
) -> Iterable[Phrase]:
    """Yield why each listed image was not chosen, as far as it is certain."""
    taken = {image.sop_uid for image in chosen}
    # While some of them have no date yet, the newest are unknown.
    ranked = bool(chosen) and all(image.acquired for image in chosen)
    code = {"day": "not_newest_day", "series": "not_newest_series"}.get(request.select or "")
    newest = phrase(code or "not_newest_session")
    for image in listed:
        if image.sop_uid in taken:
            continue
        result = match_image(image, request, plan_uids)
        if result.reason is not None:
            yield result.reason
        elif ranked:
            yield newest


def _counted(reasons: Iterable[Phrase]) -> list[dict[str, Any]]:
    """Return each reason once, the most frequent first."""
    counts = Counter(reasons).most_common()
    some = [{"why": why.as_json, "number": number} for why, number in counts[: MOST - 1]]
    more = sum(number for _, number in counts[MOST - 1 :])
    return [*some, {"why": phrase("more_reasons").as_json, "number": more}] if more else some


def _ends(entries: Sequence[Any]) -> Sequence[Any]:
    """Return the first and the last entries of a long list."""
    return entries if len(entries) <= MOST else [*entries[: MOST // 2], *entries[-MOST // 2 :]]


def _short(text: str) -> str:
    return printable(text, LONGEST_TEXT)
