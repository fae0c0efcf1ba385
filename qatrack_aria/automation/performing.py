"""Perform the test list of a watch with the images of one session."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

from qatrack_aria.automation.listing import Session
from qatrack_aria.errors import NotPerformedError
from qatrack_aria.models import Watch
from qatrack_aria.qatrack import performing
from qatrack_aria.qatrack.collections import UnitCollection, model
from qatrack_aria.qatrack.performing import Work
from qatrack_aria.retrieval.imageset import ImageSet
from qatrack_aria.retrieval.observing import Observed, observing
from qatrack_aria.retrieval.sessions import uids
from qatrack_aria.text import plural


class InProgressError(NotPerformedError):
    """A person has the list in progress; when it is done, this may be tried again."""


class PerformedByPersonError(NotPerformedError):
    """A person has performed the list with these images.

    Attributes
    ----------
    key : int
        The key of that session in QATrack+.
    """

    def __init__(self, message: str, key: int = 0) -> None:
        super().__init__(message)
        self.key = key


def key_of(watch: Watch, images: ImageSet) -> str:
    """Return the key of the performance of a list with these images, whichever watch does it.

    Names are no part of it: a watch, a node or a plan may be renamed.
    """
    parts = [str(watch.collection), images.plan.sop_uid, *sorted(uids(images.images))]
    return f"aria-{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:40]}"


def perform(watch: Watch, images: ImageSet, session: Session, following: dt.datetime | None) -> Any:
    """Perform the list.

    Parameters
    ----------
    watch : Watch
        It has passed :func:`~qatrack_aria.automation.checking.problems`.
    images : ImageSet
        The images of the session, verified.
    session : Session
        The times of these images.
    following : datetime.datetime, optional
        When the next session of the plan began.

    Returns
    -------
    TestListInstance
        The session of QATrack+, which may have been created before.

    Raises
    ------
    NotPerformedError
        It was not, and nothing was saved; the message says why.
    """
    key = key_of(watch, images)
    collection = UnitCollection.find(watch.collection)
    before = performing.performed_as(key)
    if before is not None:
        return before
    if collection is None:
        raise NotPerformedError("QATrack+: the test list is gone: choose another for the watch.")
    work = Work(
        collection=collection,
        day=collection.day(watch.day),
        user=watch.user,
        values={watch.patient_test: watch.patient_id, watch.plan_test: watch.plan},
        started=session.first,
        completed=session.last,
        key=key,
        status=watch.status,
        in_progress=watch.in_progress,
    )
    require_no_other(work, following)
    with observing() as observed:

        def require() -> None:
            _require_these(images, observed)
            require_no_other(work, following)

        try:
            return performing.perform(work, require)
        except NotPerformedError as error:
            if observed.failures:  # what QATrack+ reports follows from it
                raise observed.failures[0] from error
            raise


def require_no_other(work: Work, following: dt.datetime | None) -> None:
    """Require that no person is at this list, nor has performed it with this session.

    A list shows the newest images of when it was completed: so one that was completed after this
    session, and before the next one, was performed with it.

    Raises
    ------
    InProgressError
        Somebody has it in progress.
    PerformedByPersonError
        Somebody has performed it.
    """
    rows = model("TestListInstance").objects.filter(
        unit_test_collection_id=work.collection.row.pk,
        test_list_id=work.collection.test_list(work.day).pk,
    )
    rows = rows.exclude(user_key=work.key)
    open_ = rows.filter(in_progress=True).first()
    if open_ is not None:
        raise InProgressError(
            f"QATrack+: {open_.created_by} has {work.collection} in progress: complete or delete "
            "that session first."
        )
    begun = work.started.replace(second=0, microsecond=0)
    done = rows.filter(work_completed__gte=begun)
    if following is not None:
        done = done.filter(work_completed__lt=following)
    other = done.order_by("work_completed").first()
    if other is not None:
        raise PerformedByPersonError(
            f"QATrack+: {other.created_by} has performed {work.collection} for this session "
            f"already (session {other.pk}): nothing is to be done.",
            other.pk,
        )


def _require_these(images: ImageSet, observed: Observed) -> None:
    """Require that the composite tests were given this session, and of its plan nothing else."""
    wanted = uids(images.images)
    of_plan = [uids(s.images) for s in observed.sets if s.plan.sop_uid == images.plan.sop_uid]
    others = set().union(*of_plan) - wanted
    if others:
        raise NotPerformedError(
            f"QATrack+: the composite tests used {plural(len(others), 'image')} that "
            f"{'is' if len(others) == 1 else 'are'} not of the session ({images.status}): give "
            "them utils=UTILS, and the options of the watch. Nothing was saved."
        )
    narrowed = any({"beam", "energy"} & set(s.request) for s in observed.sets)
    if wanted not in of_plan and not narrowed:
        most = max(map(len, of_plan), default=0)
        raise NotPerformedError(
            f"QATrack+: the composite tests used {most} of the {len(wanted)} images of the session "
            "at most: give them the options of the watch. Nothing was saved."
        )
