"""C-MOVE and C-GET: ask for exactly what is wanted, and say what came of it.

What counts is what has arrived in the :class:`~qatrack_aria.dicom.storage_scp.Inbox`: a final
status is only ever used to know how long waiting makes sense, and to explain.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from typing import Any, Callable, Collection, NamedTuple, Sequence, Tuple

from pydicom.dataset import Dataset

from qatrack_aria.dicom import pynetdicom_patches
from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.identifier import PENDING, identifier
from qatrack_aria.dicom.peer import PATIENT_ROOT
from qatrack_aria.dicom.statuses import SUCCESS, UNKNOWN_DESTINATION, WARNING, describe_end
from qatrack_aria.dicom.storage_scp import Inbox
from qatrack_aria.dicom.transports import transport_of
from qatrack_aria.phrases import Phrase, phrase

logger = logging.getLogger(__name__)

#: Seconds before what is missing is asked for again.
PAUSES = (1.0, 3.0)

#: Called with (images arrived, images wanted, bytes arrived) whenever one arrives.
Progress = Callable[[int, int, int], None]


#: Study Instance UID and Series Instance UID.
SeriesKey = Tuple[str, str]


class Instance(NamedTuple):
    """What a transfer needs to know of one instance."""

    study_uid: str
    series_uid: str
    sop_uid: str


class RetrieveAttempt(NamedTuple):
    """One C-MOVE or C-GET, and its end."""

    service: str
    level: str
    asked: int
    arrived: int
    status: int | None
    completed: int | None
    failed: int | None
    broken: Phrase | None

    def __str__(self) -> str:
        head = f"{self.service} at {self.level} level of {self.asked}: {self.arrived} arrived"
        return f"{head}, {self.end}"

    @property
    def end(self) -> str:
        """How it ended, in words."""
        return describe_end(self.status, self.completed, self.failed, self.broken or "")


class Retriever:
    """Brings instances into an inbox over one session.

    Parameters
    ----------
    session : Session
        Opened for the node's retrieve method.
    inbox : Inbox
        Where they arrive.
    progress : callable, optional
        See :data:`Progress`.

    Attributes
    ----------
    attempts : list of RetrieveAttempt
        Every C-MOVE or C-GET made so far.
    """

    def __init__(self, session: Session, inbox: Inbox, progress: Progress | None = None) -> None:
        self.session = session
        self.inbox = inbox
        self.attempts: list[RetrieveAttempt] = []
        self._round = 0  # where those of this round begin
        self._progress = progress

    def bring(
        self,
        patient_id: str,
        instances: Collection[Instance],
        whole_series: Collection[tuple[str, str]] = (),
    ) -> list[str]:
        """Ask for instances, first together, then what is missing one by one; and once more.

        What does not come may come a moment later: servers are short of resources, or have an image
        listed before they can send it.

        Parameters
        ----------
        patient_id : str
            Whose they are.
        instances : collection of Instance
            None of which is here yet.
        whole_series : collection of (str, str)
            Study and Series Instance UIDs of series of which the instances are all there is.

        Returns
        -------
        list of str
            SOP Instance UIDs that did not arrive.

        Raises
        ------
        NodeUnreachableError, AssociationRejectedError
            No association.
        AriaError
            This machine failed to keep what arrived.
        """
        uids = [one.sop_uid for one in instances]
        self.inbox.expect(uids)
        self._ask_for_all(patient_id, instances, whole_series, uids)
        for pause in PAUSES:
            # What came and was not what was asked for would come again.
            if not self.inbox.missing(uids) or self._is_over() or self.inbox.any_instance_refused:
                break
            self._wait(pause, uids)
            self._ask_for_all(patient_id, instances, (), uids)
        return self.inbox.missing(uids)

    def _ask_for_all(
        self,
        patient_id: str,
        instances: Collection[Instance],
        whole_series: Collection[SeriesKey],
        uids: Sequence[str],
    ) -> None:
        self._round = len(self.attempts)
        for (study, series), members in _by_series(instances).items():
            keys = {"StudyInstanceUID": study, "SeriesInstanceUID": series}
            if self.session.peer.query_model == PATIENT_ROOT:
                keys["PatientID"] = patient_id
            for level, group in self._requests(members, (study, series) in whole_series):
                left = self.inbox.missing(group)
                if left and not self._hopeless():
                    self._ask(level, keys, left, uids)

    def _wait(self, seconds: float, uids: Sequence[str]) -> None:
        """Wait, unless all arrive meanwhile."""
        with self.inbox.changed:
            self.inbox.changed.wait_for(
                lambda: all(uid in self.inbox.arrived for uid in uids),
                self.session.deadline.at_most(seconds),
            )

    def _requests(self, uids: Sequence[str], whole: bool) -> Sequence[tuple[str, Sequence[str]]]:
        """The ways to ask for one series' instances, the next only for what is still missing."""
        ways: list[tuple[str, Sequence[str]]] = [("SERIES", uids)] if whole else []
        ways.append(("IMAGE", uids))
        # Not every server takes a list of UIDs; some answer Success to it and send nothing.
        if len(uids) > 1:
            ways += [("IMAGE", [uid]) for uid in uids]
        return ways

    def _is_over(self) -> bool:
        """Whether asking is in vain: no time, a full disk, or nobody there who knows us."""
        if self.session.deadline.expired or self.inbox.failure is not None:
            return True
        return bool(self.attempts) and self.attempts[-1].status == UNKNOWN_DESTINATION

    def _hopeless(self) -> bool:
        if self._is_over():
            return True
        # Two single images in a row that do not come: asking for the rest one by one is in vain.
        asked = self.attempts[self._round :]
        tail = [a for a in asked[-2:] if a.asked == 1 and a.level == "IMAGE"]
        return len(tail) == 2 and not any(attempt.arrived for attempt in tail)

    def _ask(
        self, level: str, keys: dict[str, Any], uids: Sequence[str], all_uids: Sequence[str]
    ) -> None:
        if level == "IMAGE":
            wanted = list(uids) if len(uids) > 1 else uids[0]
            keys = {**keys, "SOPInstanceUID": wanted}
        asked = identifier(level, keys, character_set=self.session.peer.character_set)
        operation = _Operation(self.session, self.inbox, asked)
        broken = operation.run(uids, lambda: self._report(all_uids))
        final = operation.final
        self.attempts.append(
            RetrieveAttempt(
                self.session.peer.retrieve_method,
                level,
                len(uids),
                len(uids) - len(self.inbox.missing(uids)),
                operation.status,
                final.get("NumberOfCompletedSuboperations"),
                final.get("NumberOfFailedSuboperations"),
                broken,
            )
        )
        logger.debug("%s", self.attempts[-1])
        if self.inbox.failure is not None:
            raise self.inbox.failure

    def _report(self, uids: Sequence[str]) -> None:
        if self._progress is not None:
            sizes = [self.inbox.arrived[uid] for uid in uids if uid in self.inbox.arrived]
            self._progress(len(sizes), len(uids), sum(sizes))


class _Operation:
    """One C-MOVE or C-GET. Its responses are read in a thread, so that every wait has an end.

    A server need not send pending responses, and may be silent for long between images: what
    keeps the wait alive is an image *or* a response, which no single call of pynetdicom sees.
    """

    def __init__(self, session: Session, inbox: Inbox, identifier: Dataset) -> None:
        self.session = session
        self.inbox = inbox
        self.final = Dataset()
        self._identifier = identifier
        self._ended = False
        self._heard = time.monotonic()

    @property
    def status(self) -> int | None:
        """The final status, if there was one."""
        return self.final.get("Status")

    def run(self, uids: Sequence[str], report: Callable[[], None]) -> Phrase | None:
        """Wait until the images are here, or there is no more sense in waiting.

        Returns
        -------
        Phrase or None
            Why the wait was broken off; ``None`` if it came to its end.
        """
        self.session.context(transport_of(self.session.peer).name)
        message_id = self.session.next_message_id()
        association = self.session.association
        # The thread's own wait is the longest; the ones below are those that count.
        association.dimse_timeout = self.session.deadline.remaining + 5
        thread = threading.Thread(
            target=self._read_responses,
            args=(association, message_id),
            daemon=True,
        )
        thread.start()
        broken: Phrase | None = phrase("interrupted")
        try:
            broken = self._wait(uids, report)
        finally:
            if broken or not self._ended:
                self.session.abort()
            thread.join(5.0)
        return broken

    def _read_responses(self, association: Any, message_id: int) -> None:
        peer = self.session.peer
        try:
            responses = transport_of(peer).request(association, self._identifier, message_id, peer)
            for status, _ in responses:
                with self.inbox.changed:
                    self._heard = time.monotonic()
                    if status.get("Status") not in PENDING:
                        self.final = status
                    self.inbox.changed.notify_all()
        except (RuntimeError, ValueError):
            pass  # the association ended just before the request; there is no final response
        finally:
            with self.inbox.changed:
                self._heard = time.monotonic()
                self._ended = True
                self.inbox.changed.notify_all()

    def _wait(self, uids: Sequence[str], report: Callable[[], None]) -> Phrase | None:
        peer, deadline = self.session.peer, self.session.deadline
        count, refusals = len(self.inbox.arrived), self.inbox.refusals
        with self.inbox.changed:
            while True:
                if len(self.inbox.arrived) != count or self.inbox.refusals != refusals:
                    count, refusals = len(self.inbox.arrived), self.inbox.refusals
                    self._heard = time.monotonic()
                    report()
                missing = any(uid not in self.inbox.arrived for uid in uids)
                if self.inbox.failure is not None:
                    # The node is told before we hang up, and may end it by itself.
                    patience = deadline.at_most(pynetdicom_patches.ABORT_TIMEOUT)
                    self.inbox.changed.wait_for(self._is_over, patience)
                    return phrase("local_failure")
                if self._is_over() and not (missing and self._more_may_come()):
                    return None if self.status is not None else phrase("broken_off")
                # With all here, or the final response, only stragglers and our disk are waited for.
                patience = peer.grace if self._ended or not missing else peer.quiet_timeout
                left = self._heard + patience - time.monotonic()
                if deadline.expired:
                    return phrase("out_of_time", seconds=f"{deadline.seconds:g}")
                if left <= 0 and not self.inbox.filing:
                    return None if self._ended else phrase("silent", seconds=f"{patience:g}")
                self.inbox.changed.wait(deadline.at_most(left if left > 0 else deadline.seconds))

    def _is_over(self) -> bool:
        # What came last may still be on its way to the disk.
        return self._ended and not self.inbox.filing

    def _more_may_come(self) -> bool:
        # Images can come after the final response, but not where the node says that it failed.
        return self.status in (SUCCESS, WARNING)


def _by_series(instances: Collection[Instance]) -> dict[tuple[str, str], list[str]]:
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in instances:
        groups[one.study_uid, one.series_uid].append(one.sop_uid)
    return groups
