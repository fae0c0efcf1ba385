"""Retrieval of known instances by C-MOVE or C-GET: together first, then what is missing."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import Any, Callable, Collection, NamedTuple, Sequence

from qatrack_aria.dicom.abilities import MOVE_LISTS
from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.identifier import identifier
from qatrack_aria.dicom.inbox import Inbox
from qatrack_aria.dicom.peer import PATIENT_ROOT
from qatrack_aria.dicom.retrieve_operation import RetrieveOperation
from qatrack_aria.dicom.statuses import UNKNOWN_DESTINATION, describe_end
from qatrack_aria.dicom.uids import SeriesKey
from qatrack_aria.phrases import Phrase

logger = logging.getLogger(__name__)

#: Seconds before what is missing is requested again.
PAUSES = (1.0, 3.0)

#: Called with (images arrived, images wanted, bytes arrived) whenever one arrives.
Progress = Callable[[int, int, int], None]


class Instance(NamedTuple):
    """The UIDs by which an instance is retrieved."""

    study_uid: str
    series_uid: str
    sop_uid: str


class RetrieveAttempt(NamedTuple):
    """One C-MOVE or C-GET, and how it ended."""

    service: str
    level: str
    requested: int
    arrived: int
    status: int | None
    completed: int | None
    failed: int | None
    broken: Phrase | None

    def __str__(self) -> str:
        end = describe_end(self.status, self.completed, self.failed, self.broken or "")
        head = f"{self.service} at {self.level} level of {self.requested}: {self.arrived} arrived"
        return f"{head}, {end}"


class Retriever:
    """Retrieves instances into an inbox over one session.

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
        self._round = 0  # index of the first attempt of this round
        self._progress = progress

    def retrieve(
        self,
        patient_id: str,
        instances: Collection[Instance],
        whole_series: Collection[SeriesKey] = (),
    ) -> list[str]:
        """Request instances together, then the missing ones singly; again after each pause.

        An instance that does not arrive may arrive a moment later: servers are short of resources,
        or list an image before they can send it.

        Parameters
        ----------
        patient_id : str
            Their Patient ID.
        instances : collection of Instance
            The instances, none of which has arrived yet.
        whole_series : collection of (str, str)
            Study and Series Instance UIDs of series that consist of these instances only.

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
        self._request_all(patient_id, instances, whole_series, uids)
        for pause in PAUSES:
            # An instance that was refused would be sent again.
            if not self.inbox.missing(uids) or self._is_over() or self.inbox.instances_refused:
                break
            self._wait(pause, uids)
            self._request_all(patient_id, instances, (), uids)
        missing = self.inbox.missing(uids)
        if not missing:
            self._request_again(patient_id, instances, uids)
        return missing

    def _request_all(
        self,
        patient_id: str,
        instances: Collection[Instance],
        whole_series: Collection[SeriesKey],
        uids: Sequence[str],
    ) -> None:
        self._round = len(self.attempts)
        lists = self.session.abilities.get(MOVE_LISTS) is not False
        series: dict[SeriesKey, list[str]] = defaultdict(list)
        for one in instances:
            series[one.study_uid, one.series_uid].append(one.sop_uid)
        for key, members in series.items():
            keys = self._keys(patient_id, key)
            for level, group in _requests(members, key in whole_series):
                left = self.inbox.missing(group)
                if len(left) > 1 and level == "IMAGE" and not lists:
                    continue
                if left and not self._should_stop():
                    self._request(level, keys, left, uids)
        self._learn_from(self.attempts[self._round :])

    def _learn_from(self, attempts: Sequence[RetrieveAttempt]) -> None:
        """Note whether the node takes a list of UIDs: one by one, the same may have arrived."""
        single = any(one.arrived for one in attempts if one.requested == 1)
        for one in attempts:
            if one.level == "IMAGE" and one.requested > 1 and (one.arrived or single):
                evidence = f"{one.arrived} of {one.requested} arrived"
                self.session.abilities.learn(MOVE_LISTS, one.arrived > 0, evidence)

    def _request_again(
        self, patient_id: str, instances: Collection[Instance], uids: Sequence[str]
    ) -> None:
        """Request from each further series what is listed in several.

        What arrives is compared (:class:`~qatrack_aria.dicom.inbox.Inbox`): there it may be another
        image of the same UID.
        """
        requested = set()
        for one in instances:
            if one.sop_uid in requested and not self._is_over():
                keys = self._keys(patient_id, (one.study_uid, one.series_uid))
                self._request("IMAGE", keys, [one.sop_uid], uids)
            requested.add(one.sop_uid)

    def _keys(self, patient_id: str, series: SeriesKey) -> dict[str, Any]:
        keys = dict(zip(("StudyInstanceUID", "SeriesInstanceUID"), series))
        if self.session.peer.query_model == PATIENT_ROOT:
            keys["PatientID"] = patient_id
        return keys

    def _wait(self, seconds: float, uids: Sequence[str]) -> None:
        """Wait, at most until all have arrived."""
        with self.inbox.changed:
            self.inbox.changed.wait_for(
                lambda: all(uid in self.inbox.arrived for uid in uids),
                self.session.deadline.at_most(seconds),
            )

    def _is_over(self) -> bool:
        """Return whether no request can succeed: no time, a full disk, or unknown to the node."""
        if self.session.deadline.expired or self.inbox.failure is not None:
            return True
        return bool(self.attempts) and self.attempts[-1].status == UNKNOWN_DESTINATION

    def _should_stop(self) -> bool:
        if self._is_over():
            return True
        # Once two single images in a row have not arrived, the others will not either.
        tail = [
            attempt
            for attempt in self.attempts[self._round :][-2:]
            if attempt.requested == 1 and attempt.level == "IMAGE"
        ]
        return len(tail) == 2 and not any(attempt.arrived for attempt in tail)

    def _request(
        self, level: str, keys: dict[str, Any], uids: Sequence[str], all_uids: Sequence[str]
    ) -> None:
        if level == "IMAGE":
            keys = {**keys, "SOPInstanceUID": list(uids) if len(uids) > 1 else uids[0]}
        request = identifier(level, keys, character_set=self.session.peer.character_set)
        operation = RetrieveOperation(self.session, self.inbox, request)
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


def _requests(uids: Sequence[str], whole: bool) -> list[tuple[str, Sequence[str]]]:
    """Return the requests for one series' instances, each for what the previous ones missed."""
    requests: list[tuple[str, Sequence[str]]] = [("SERIES", uids)] if whole else []
    requests.append(("IMAGE", uids))
    # Not every server accepts a list of UIDs; some answer Success to it and send nothing.
    if len(uids) > 1:
        requests += [("IMAGE", [uid]) for uid in uids]
    return requests
