"""The service: from a request to a complete set of images, or a clear reason.

Check the request, wait for our turn, find and bring (:mod:`qatrack_aria.visit`), hand over; and
keep a record of it all.
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any, Iterator

from qatrack_aria.archive import Archive
from qatrack_aria.conf import conf
from qatrack_aria.deadline import Deadline
from qatrack_aria.dicom.move import Progress
from qatrack_aria.imageset import ImageSet, lay_out, prune
from qatrack_aria.lock import hold_destination
from qatrack_aria.models import AriaNode, Retrieval
from qatrack_aria.record import Record, recorded
from qatrack_aria.request import Request, parse_deadline
from qatrack_aria.visit import Found, Visit


@dataclasses.dataclass(frozen=True)
class Caller:
    """Who asks, and from where: for the record and for the time allowed."""

    source: str = Retrieval.COMPOSITE
    user: str = ""


COMPOSITE = Caller()


def fetch(
    node_name: Any,
    patient_id: Any,
    plan: Any,
    image_type: Any = "portal",
    *,
    caller: Caller = COMPOSITE,
    deadline: Any = None,
    progress: Progress | None = None,
    **options: Any,
) -> ImageSet:
    """Bring the images that are meant, all of them.

    Parameters
    ----------
    node_name, patient_id, plan, image_type, **options : Any
        As a person gave them; see :meth:`Request.parse`.
    caller : Caller
        Who asks.
    deadline : float, optional
        Seconds allowed in total; default: the node's, for this kind of caller.
    progress : callable, optional
        Told whenever an image arrives.

    Returns
    -------
    ImageSet
        Complete and verified.

    Raises
    ------
    AriaError
        Which one, and its message, say what to do.
    """
    asked = (node_name, patient_id, plan, image_type)
    with _attempt(asked, options, caller, deadline, progress) as (record, visit):
        images = _hand_over(visit, visit.find(bring=True))
        record.folder, record.message = images.path, images.status
        prune(visit.archive, conf.KEEP_SETS_DAYS)
    return images


def look(
    node_name: Any,
    patient_id: Any,
    plan: Any,
    image_type: Any = "portal",
    *,
    caller: Caller = COMPOSITE,
    deadline: Any = None,
    **options: Any,
) -> Found:
    """Find what :func:`fetch` would bring, and move nothing; takes and raises the same.

    Returns
    -------
    Found
        Images of which the node does not tell enough are in it as well.
    """
    asked = (node_name, patient_id, plan, image_type)
    with _attempt(asked, options, caller, deadline, None) as (record, visit):
        found = visit.find(bring=False)
        record.message = f"{len(found.images)} images listed; nothing was to be moved."
    return found


@contextlib.contextmanager
def _attempt(
    asked: tuple[Any, Any, Any, Any],
    options: dict[str, Any],
    caller: Caller,
    deadline: Any,
    progress: Progress | None,
) -> Iterator[tuple[Record, Visit]]:
    """A visit at the node that was asked for, with a record however it ends."""
    node_name, patient_id, plan, image_type = asked
    with recorded(node_name, patient_id, plan, source=caller.source, user=caller.user) as record:
        # First everything that can be refused before anything is sent.
        node = record.node = AriaNode.objects.named(node_name)
        request = Request.parse(patient_id, plan, image_type, **options)
        record.node_name, record.request = node.name, dict(request.as_dict)
        node.require_allowed(request.patient_id)
        seconds = parse_deadline(deadline)
        if seconds is None:
            of_command = caller.source == Retrieval.COMMAND
            seconds = node.command_deadline if of_command else node.deadline
        peer, archive = node.peer(), Archive(conf.ARCHIVE)

        time = Deadline(seconds)
        who = f"a retrieval for {caller.user or 'a ' + caller.source}"
        with hold_destination(archive, peer, time, who):
            with Visit(peer, request, archive, time, progress) as visit:
                try:
                    yield record, visit
                finally:
                    _count(visit, record)


def _count(visit: Visit, record: Record) -> None:
    arrived = visit.inbox.arrived
    here = [image.sop_uid for image in visit.chosen if image.from_file]
    record.found = len(visit.chosen)
    record.moved = sum(1 for image in visit.chosen if image.sop_uid in arrived)
    record.already_here = sum(1 for uid in here if uid not in arrived)
    record.refused = len(visit.inbox.refused)
    record.bytes = sum(arrived.values())


def _hand_over(visit: Visit, found: Found) -> ImageSet:
    folder, images, files = lay_out(visit.archive, found.images)
    return ImageSet(
        folder,
        files,
        node=visit.peer.name,
        request=visit.request.as_dict,
        plan=found.plan,
        images=images,
        moved=sum(1 for image in images if image.sop_uid in visit.inbox.arrived),
        note=_note(found),
    )


def _note(found: Found) -> str:
    if not found.left_out:
        return ""
    counts = ", ".join(f"{number} {reason}" for reason, number in sorted(found.left_out.items()))
    return f"Left out of the same series: {counts}."
