"""Write the messages of a retrieval: why it failed, or what was left out.

Each says what was requested, what was found instead, and what to do.
"""

from __future__ import annotations

from typing import Collection, Sequence

from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.dicom.c_find import QueryRecord
from qatrack_aria.dicom.inbox import Inbox
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.dicom.retrieve import RetrieveAttempt
from qatrack_aria.dicom.statuses import CLASS_REFUSED, SUCCESS
from qatrack_aria.dicom.storage_scp import OTHER_ADDRESS
from qatrack_aria.dicom.transports import transport_of
from qatrack_aria.errors import IncompleteRetrievalError
from qatrack_aria.retrieval.matching import (
    exclusion_reasons,
    match_plan_reference,
    short_image_type,
)
from qatrack_aria.retrieval.request import Request
from qatrack_aria.retrieval.selection import nearby
from qatrack_aria.text import plural

FEW = 3  # proposals of a node that are named
MANY = 12  # labels are listed up to this number


def no_plan(
    peer: Peer, request: Request, listed: Sequence[PlanRef], queries: Sequence[QueryRecord]
) -> str:
    """Say why none of the plans that the node lists matches."""
    wanted = request.subject
    patient = f"patient '{request.patient_id}'"
    same_label = [plan for plan in listed if plan.label == request.plan]
    if request.course and same_label:
        courses = ", ".join(sorted({f"'{plan.course}'" for plan in same_label}))
        return (
            f"Plan: {peer} has {wanted} of {patient} in course {courses}, not in "
            f"'{request.course}': correct the course."
        )
    labels = sorted({plan.label for plan in listed if plan.label})
    unlabelled = sum(1 for plan in listed if plan.label is None)
    if labels and any(query.unnamed for query in queries):
        # They may be of a patient whose plans nobody here may see.
        seen = f"it lists {plural(len(listed), 'plan')} without a patient ID"
        advice = "check the label; if the plan is new, ask again in a minute"
    elif labels:
        more = f" and {len(labels) - MANY} more" if len(labels) > MANY else ""
        seen = f"it lists {', '.join(repr(label) for label in labels[:MANY])}{more}"
        advice = "check the label; if the plan is new, ask again in a minute"
    elif unlabelled:
        seen = f"it lists {unlabelled} plans and returns no label of them"
        advice = "only their files hold the labels: run without --list"
    elif any(query.other_patients for query in queries) and not request.patient_id.isascii():
        other_patients = max(query.other_patients for query in queries)
        seen = f"{other_patients} answers are of another patient ID, or of none"
        advice = "the server may answer in another character set than the node's"
    else:
        seen = f"it lists no RT Plan ({'; '.join(str(query) for query in queries[-3:])})"
        advice = "check the patient ID; ARIA sometimes returns no answers for a while: ask again"
    return f"Plan: {peer} has no {wanted} of {patient}: {seen}; {advice}."


def no_images(
    peer: Peer, request: Request, images: Sequence[ImageRef], plan_uids: frozenset[str]
) -> str:
    """Say why none of the images that the node lists matches."""
    return (
        f"Images: no images match at {peer} for {request.subject} of patient "
        f"'{request.patient_id}': {explain_none(images, request, plan_uids)}. If they were "
        "acquired a moment ago, ask again in a minute."
    )


def unfinished(peer: Peer, looked: int, total: int, seconds: float) -> str:
    """Say how far a search has come that was not finished in time."""
    return (
        f"Images: {looked:,} of about {total:,} images looked through at {peer} in "
        f"{seconds:g} s; ask again: the search goes on from there (manage.py fetch_aria, which may "
        "take longer, does it at once)."
    )


def incomplete(
    peer: Peer,
    what: str,
    wanted: int,
    missing: Sequence[str],
    attempts: Sequence[RetrieveAttempt],
    inbox: Inbox,
) -> str:
    """Say how a transfer ended that left instances missing; `missing` are their UIDs."""
    said = f" ({'; '.join(str(attempt) for attempt in attempts[-2:])})" if attempts else ""
    refused = _rejected(attempts, inbox)
    advice = _advice(peer, attempts, inbox)
    return (
        f"Transfer: {len(missing)} of {wanted} {what} did not arrive from {peer}, the first "
        f"{missing[0]}{said}{refused}; {advice}. No set is handed over."
    )


def cannot_verify(
    excluded: Sequence[ImageRef], chosen: Sequence[ImageRef], error: IncompleteRetrievalError
) -> IncompleteRetrievalError:
    """Return the error for images of which only answers say that they are not of the set."""
    return IncompleteRetrievalError(
        f"Images: by the node's answers, {len(excluded)} beside the {len(chosen)} that match do "
        "not, and their files cannot be fetched to confirm that: give count= if they are not of "
        f"the set. {error}",
        error.missing,
    )


def _advice(peer: Peer, attempts: Sequence[RetrieveAttempt], inbox: Inbox) -> str:
    """Say what to do about instances that did not arrive."""
    transport = transport_of(peer)
    nothing_came = not inbox.arrived and not inbox.instances_refused
    # A node that proposes every class it knows says nothing about these instances.
    if 0 < len(inbox.unsupported) <= FEW:
        return transport.advice_if_refused(" and ".join(inbox.unsupported))
    if nothing_came and any(attempt.status == SUCCESS for attempt in attempts):
        advice = transport.advice_if_none_arrive(peer)
        if advice:
            return advice
    if attempts and attempts[-1].status in CLASS_REFUSED:
        return (
            "what has arrived is kept; if asking again does not help, the node may not send images "
            "of this SOP class or compression to our AE title: its administrator can tell"
        )
    if any(attempt.broken and attempt.broken.code == "out_of_time" for attempt in attempts):
        return (
            "what has arrived is kept: ask again; if that does not help, ask for one day (date=), "
            "or raise the node's deadline"
        )
    return "what has arrived is kept: ask again"


def _rejected(attempts: Sequence[RetrieveAttempt], inbox: Inbox) -> str:
    """Name what our port rejected, as far as it may be why instances are missing.

    Anyone can connect to our port. A node whose connection was rejected does not report the
    instance as completed; if it does, the connection was a stranger's.
    """
    if not inbox.refused:
        return ""
    first = inbox.refused[0]
    if inbox.instances_refused:
        return f"; rejected: {first}"
    if all(one.status == SUCCESS and (one.completed or inbox.arrived) for one in attempts):
        return ""
    other_host = first.details.get("why") == OTHER_ADDRESS
    hint = " (if that is the node, add it to the node's extra hosts)" if other_host else ""
    return f"; rejected: {first}{hint}"


def remarks(
    chosen: Sequence[ImageRef],
    images: Collection[ImageRef],
    request: Request,
    plan_uids: frozenset[str],
) -> list[str]:
    """Say which images near the chosen ones were left out."""
    sentences = []
    series = {image.series_key for image in chosen}
    beside = exclusion_reasons((i for i in images if i.series_key in series), request, plan_uids)
    if beside:
        counts = ", ".join(f"{len(group)} {reason}" for reason, group in sorted(beside.items()))
        sentences.append(f"Left out of the same series: {counts}.")
    taken = {image.sop_uid for image in chosen}
    more = [
        image
        for image in nearby(chosen, images, request, plan_uids)
        if image.sop_uid not in taken and image.series_key not in series
    ]
    if more:
        count = len({image.series_key for image in more})
        sentences.append(
            f"Within six hours of them there {'is' if len(more) == 1 else 'are'} "
            f"{plural(len(more), 'image')} more of this plan in {count} other series."
        )
    return sentences


def explain_none(images: Sequence[ImageRef], request: Request, plan_uids: frozenset[str]) -> str:
    """Say in one sentence why no image matches, with numbers and days."""
    if not images:
        where = f"in series {request.series}" if request.series else "of this patient"
        return f"the node lists no RT Image {where}"
    of_plan = [
        image for image in images if match_plan_reference(image, plan_uids).matches is not False
    ]
    seen = plural(len(images), "image")
    if not of_plan and request.plan is None:
        return f"{seen} seen, all of which reference a plan"
    if not of_plan:
        return f"{seen} seen, none of which references this plan"
    verb = "references" if len(of_plan) == 1 else "reference"
    if any(image.plan_uids is None for image in of_plan):
        verb = "may reference"
    found = f"{verb} this plan" if request.plan is not None else "seen"
    reasons = exclusion_reasons(of_plan, request, plan_uids)
    counts = [
        f"all {len(group)} are {reason}"
        if len(group) == len(of_plan) > 1
        else f"{len(group)} {reason}"
        for reason, group in sorted(reasons.items(), key=lambda item: -len(item[1]))
    ]
    return (
        f"{plural(len(of_plan), 'image')}{_days(of_plan)} {found}, {', '.join(counts)}; "
        f"you asked for {_describe(request)}"
    )


def _describe(request: Request) -> str:
    parts = [short_image_type(request.image_type) or request.modality]
    named = {
        "series description": request.description,
        "protocol": request.protocol,
        "label": request.label,
        "plan": request.planned_for,
    }
    parts += [f"of {what} {value}" for what, value in named.items() if value]
    if request.date:
        parts.append(f"of {request.date.isoformat()}")
    if request.until:
        parts.append(f"until {request.until:%Y-%m-%d %H:%M}")
    if request.machine:
        parts.append(f"on {request.machine}")
    if request.beam:
        parts.append(f"of beam {' or '.join(map(str, request.beam))}")
    if request.energy:
        parts.append(f"of energy {request.energy}")
    if request.kv == "only":
        parts.append("kV only")
    return " ".join(parts)


def _days(images: Sequence[ImageRef]) -> str:
    days = sorted({image.acquired.date() for image in images if image.acquired})
    if not days:
        return ""
    if len(days) == 1:
        return f" of {days[0].isoformat()}"
    return f" of {days[0].isoformat()} to {days[-1].isoformat()}"
