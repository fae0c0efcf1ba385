"""What a retrieval leaves for its record: in JSON's types, short, without names of people.

:mod:`qatrack_aria.retrieval.timeline` keeps it. Lists are cut here already where a peer decides how
long they are; their full lengths stand beside them.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Collection, Iterable, Sequence

from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.dicom.c_find import QueryRecord
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.dicom.retrieve import RetrieveAttempt
from qatrack_aria.phrases import Phrase, phrase
from qatrack_aria.retrieval.request import Request
from qatrack_aria.retrieval.selection import match_image
from qatrack_aria.retrieval.timeline import LONGEST_TEXT, MOST
from qatrack_aria.text import printable


def of_workflow(
    peer: Peer,
    request: Request,
    *,
    plans: Sequence[PlanRef],
    listed: Collection[ImageRef],
    chosen: Sequence[ImageRef],
    asked: Sequence[QueryRecord],
    attempts: Sequence[RetrieveAttempt],
    refused: Sequence[Phrase],
) -> dict[str, Any]:
    """The account, for :meth:`qatrack_aria.retrieval.timeline.Timeline.tell`.

    Parameters
    ----------
    peer, request : Peer, Request
        Who was asked, and for what.
    plans : sequence of PlanRef
        Those that were found to be meant.
    listed, chosen : collection of ImageRef
        The images that the node listed last, and those of them that are meant.
    asked, attempts : sequence of QueryRecord, sequence of RetrieveAttempt
        The conversation.
    refused : sequence of str
        Why something was rejected at our port.
    """
    plan_uids = frozenset(plan.sop_uid for plan in plans)
    return {
        "node": _short(str(peer)),
        "plans": [_plan(plan) for plan in plans[:MOST]],
        "listed": len(listed),
        "acquired": _acquired(chosen),
        "machine": _short(", ".join(sorted({m for i in chosen for m in i.machines or ()}))),
        "left_out": _counted(_reasons(listed, chosen, request, plan_uids)),
        "queries": [_query(query) for query in _ends(asked)],
        "queries_in_all": len(asked),
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
    return {
        "level": query.level,
        "keys": _short(", ".join(f"{name}={value}" for name, value in query.keys.items())),
        "answers": query.answers,
        "problem": query.problem.as_json if query.problem else None,
        "other_patients": query.other_patients,
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
    """Why each image that was listed is not among the chosen, as far as it is certain."""
    taken = {image.sop_uid for image in chosen}
    # While some of them have no date yet, nobody knows which are the newest.
    ranked = bool(chosen) and all(image.acquired for image in chosen)
    newest = phrase("not_newest_day" if request.select == "day" else "not_newest_series")
    for image in listed:
        if image.sop_uid in taken:
            continue
        verdict = match_image(image, request, plan_uids)
        if verdict.reason is not None:
            yield verdict.reason
        elif ranked:
            yield newest


def _counted(reasons: Iterable[Phrase]) -> list[dict[str, Any]]:
    """Each reason once, the most frequent first."""
    counts = Counter(reasons).most_common()
    some = [{"why": why.as_json, "number": number} for why, number in counts[: MOST - 1]]
    more = sum(number for _, number in counts[MOST - 1 :])
    return [*some, {"why": phrase("more_reasons").as_json, "number": more}] if more else some


def _ends(entries: Sequence[Any]) -> Sequence[Any]:
    """The first and the last: how it began, and what it ended with."""
    return entries if len(entries) <= MOST else [*entries[: MOST // 2], *entries[-MOST // 2 :]]


def _short(text: str) -> str:
    return printable(text, LONGEST_TEXT)
