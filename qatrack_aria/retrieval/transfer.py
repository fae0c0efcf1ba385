"""Retrieve instances from a node into the archive: all of them, or an error.

What a node has listed of an instance is replaced by the header of its file.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any, Callable, Collection, Sequence, TypeVar

from pydicom.dataset import Dataset

from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.attributes import ImageRef, PlanRef, image_ref, plan_ref
from qatrack_aria.dicom.inbox import Inbox, ReceivedInstance
from qatrack_aria.dicom.retrieve import Instance, Progress, RetrieveAttempt, Retriever
from qatrack_aria.dicom.rt_plan import RtPlan
from qatrack_aria.dicom.storage_scp import StorageScp
from qatrack_aria.dicom.transports import transport_of
from qatrack_aria.dicom.uids import (
    CT,
    CT_CLASSES,
    IMAGE_CLASSES,
    PLAN_CLASSES,
    REG,
    REGISTRATION_CLASSES,
    SeriesKey,
    valid_uid,
)
from qatrack_aria.errors import (
    AmbiguousImagesError,
    ArchiveError,
    IncompleteRetrievalError,
    QueryError,
)
from qatrack_aria.retrieval import messages
from qatrack_aria.retrieval.archived_plans import MAX_AGE, archived_plan, gone_from, with_beam
from qatrack_aria.retrieval.node_abilities import load_abilities, save_abilities
from qatrack_aria.retrieval.task import Task
from qatrack_aria.retrieval.timeline import ASSOCIATE, CHECK, MOVE, Timeline

Ref = TypeVar("Ref", ImageRef, PlanRef)


class Transfer:
    """The transfers from one node into the archive: an association, and for C-MOVE our port.

    Parameters
    ----------
    task : Task
        The retrieval.
    progress : callable, optional
        Called whenever an image arrives.
    timeline : Timeline
        Records how long each step takes.

    Attributes
    ----------
    session : Session
        The association, which the queries share.
    inbox : Inbox
        What came over the network.
    """

    def __init__(self, task: Task, progress: Progress | None, timeline: Timeline) -> None:
        self._on_disk = task.on_disk
        self._peer, self._archive, self._deadline = task.peer, task.archive, task.deadline
        self._patient_id = task.request.patient_id
        self._image_classes = CT_CLASSES if task.request.modality == CT else IMAGE_CLASSES
        self._timeline = timeline
        self.inbox = Inbox(self._file, self._compare, self._deadline)
        transport = transport_of(self._peer)
        on_store = self.inbox.handle_c_store if transport.uses_association else None
        self._needs_port = transport.uses_port
        self._stack = contextlib.ExitStack()
        self.session = self._stack.enter_context(
            Session(
                self._peer,
                self._deadline,
                on_store,
                connecting=partial(timeline.step, ASSOCIATE),
            )
        )
        self.session.abilities = self._on_disk(lambda: load_abilities(self._archive, self._peer))
        self._retriever = Retriever(self.session, self.inbox, progress)
        self._storage_scp: StorageScp | None = None
        self._requested: dict[str, Any] = {}  # the requested instances as listed
        self._filed: dict[str, Any] = {}  # the filed ones by their headers
        self._plans: dict[str, RtPlan] = {}  # those that were read

    @property
    def attempts(self) -> Sequence[RetrieveAttempt]:
        """Every C-MOVE or C-GET made so far."""
        return self._retriever.attempts

    def close(self) -> None:
        """Close our port, release the association, and keep what the node can do."""
        self._stack.close()
        with contextlib.suppress(ArchiveError):
            found = self.session.abilities
            self._on_disk(lambda: save_abilities(self._archive, self._peer, found))

    def headers(self, refs: Sequence[Ref]) -> dict[str, Ref]:
        """Return the headers of those that are in the archive, by SOP Instance UID."""
        known = {}
        with self._timeline.step(CHECK):
            for ref, header in zip(refs, self._on_disk(lambda: self._read_headers(refs))):
                if header is not None:
                    known[ref.sop_uid] = self._by_header(ref, header)
        return known

    def read_plan(self, plan: PlanRef) -> RtPlan:
        """Read a plan, and complete the headers of its images by their beams from now on.

        Raises
        ------
        IncompleteRetrievalError
            It did not arrive.
        """
        found = self._on_disk(lambda: archived_plan(self._archive, plan, MAX_AGE))
        if found is None:
            self.retrieve([plan])
            found = self._on_disk(lambda: archived_plan(self._archive, plan))
        if found is None:
            raise gone_from(self._archive)
        self._plans[found.sop_uid] = found
        return found

    def _by_header(self, ref: Ref, header: Dataset) -> Ref:
        """Return what the header of its file says of an instance."""
        found: Any
        if isinstance(ref, PlanRef):
            found = plan_ref(header, from_file=True)
        else:
            found = with_beam(image_ref(header, from_file=True), self._plans)
        return found

    def _classes(self, ref: ImageRef | PlanRef) -> tuple[str, ...]:
        if isinstance(ref, PlanRef):
            return PLAN_CLASSES
        return REGISTRATION_CLASSES if ref.modality == REG else self._image_classes

    def _read_headers(self, refs: Sequence[Ref]) -> list[Dataset | None]:
        return [
            self._archive.header(ref.sop_uid, self._patient_id, self._classes(ref)) for ref in refs
        ]

    def _file(self, incoming: ReceivedInstance) -> Callable[[], None]:
        """File an instance that arrives, in any thread; its header is read only once."""
        listed = self._requested[incoming.sop_uid]
        filing = self._archive.receive(incoming, self._patient_id, self._classes(listed))
        self._filed[incoming.sop_uid] = self._by_header(listed, filing.header)
        return filing.commit

    def _compare(self, incoming: ReceivedInstance) -> None:
        """Require that an instance that arrives again is the same; neither is kept if not."""
        uid = incoming.sop_uid
        if not self._archive.holds(incoming):
            self._archive.discard(uid)
            raise AmbiguousImagesError(
                f"Images: {self._peer} has sent the instance {uid} twice, each time with other "
                "content, and which of them is right cannot be known: ask the node's "
                "administrator why it holds two of that UID, and fetch them again then."
            )

    def retrieve(self, refs: Sequence[Ref], whole: Collection[SeriesKey] = ()) -> dict[str, Ref]:
        """Retrieve instances into the archive, and return their headers by SOP Instance UID.

        Parameters
        ----------
        refs : sequence of ImageRef or PlanRef
            The instances.
        whole : collection of (str, str)
            Series of which these are all instances.

        Raises
        ------
        IncompleteRetrievalError
            Some did not arrive.
        """
        if not refs:
            return {}
        require_uids(refs)
        self._requested.update({ref.sop_uid: ref for ref in refs})
        with self._timeline.step(MOVE):
            self._retrieve(refs, whole)
        return {ref.sop_uid: self._filed[ref.sop_uid] for ref in refs}

    def _retrieve(self, refs: Sequence[Ref], whole: Collection[SeriesKey]) -> None:
        wanted = [Instance(ref.study_uid, ref.series_uid, ref.sop_uid) for ref in refs]
        if self._needs_port and self._storage_scp is None:
            self._storage_scp = self._stack.enter_context(
                StorageScp(self._peer, self.inbox, self._deadline)
            )
        missing = self._retriever.retrieve(self._patient_id, wanted, whole)
        if missing and self.inbox.filing and self._deadline.expired:
            raise ArchiveError(
                f"Archive: the disk of {self._archive.root} has not taken in time what has "
                f"arrived ({len(missing)} of {len(wanted)} are missing after "
                f"{self._deadline.seconds:g} s): have that disk checked, or its network."
            )
        if missing:
            raise IncompleteRetrievalError(
                messages.incomplete(
                    self._peer,
                    "images" if isinstance(refs[0], ImageRef) else "plans",
                    len(wanted),
                    missing,
                    self._retriever.attempts,
                    self.inbox,
                ),
                missing,
            )
        paths = [self._archive.path(ref.sop_uid) for ref in refs]
        if not self._on_disk(lambda: all(path.exists() for path in paths)):
            raise gone_from(self._archive)


def require_uids(refs: Sequence[Any]) -> None:
    """Refuse answers with invalid UIDs: leaving them out would make a partial set.

    Raises
    ------
    QueryError
        An answer has one.
    """
    for ref in refs:
        for uid in (ref.study_uid, ref.series_uid, ref.sop_uid):
            if not valid_uid(uid):
                raise QueryError(
                    f"C-FIND: the node answered with {uid[:70]!r} where a UID belongs, for "
                    "something that matches: it can be neither fetched nor left out. The "
                    "node's administrator must correct it."
                )
