"""The instances that a C-MOVE or C-GET selects, and its sub-operations (PS3.4 C.4.2 and C.4.3)."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Callable, Sequence

from pydicom.dataset import Dataset
from pynetdicom.association import Association

from .behaviour import Behaviour
from .exchange import PENDING, Exchange
from .find import IDENTIFIER_DOES_NOT_MATCH, UNIQUE_KEYS
from .index import Index
from .matching import has_value, matches, texts

SUCCESS = 0x0000
SOME_FAILED = 0xB000
ALL_FAILED = 0xA702
DESTINATION_UNKNOWN = 0xA801
CLASS_NOT_OFFERED = 0xC001
CANCELLED = 0xFE00

# Statuses of a C-STORE that was not sent, or not answered.
NO_CONTEXT = 0x0122
NO_RESPONSE = 0x0110

Store = Callable[[Dataset], int]


@dataclass
class Progress:
    """The sub-operations of one C-MOVE or C-GET."""

    remaining: int = 0
    completed: int = 0
    failed: int = 0
    warning: int = 0
    failed_uids: list[str] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)

    def count(self, dataset: Dataset, status: int) -> None:
        """Count one sub-operation by the status of its C-STORE."""
        self.remaining -= 1
        self.statuses.add(status)
        if status == SUCCESS:
            self.completed += 1
        elif status >> 12 == 0xB:
            self.warning += 1
        else:
            self.failed += 1
            self.failed_uids.append(str(dataset.SOPInstanceUID))

    @property
    def done(self) -> int:
        """The number of sub-operations that have ended."""
        return self.completed + self.failed + self.warning

    @property
    def final_status(self) -> int:
        """The final status (PS3.4 C.4.2.1.5); as in ARIA, 0xC001 for a class not offered."""
        if NO_CONTEXT in self.statuses:
            return CLASS_NOT_OFFERED
        if self.failed == self.warning == 0:
            return SUCCESS
        return ALL_FAILED if self.failed == self.done else SOME_FAILED


def refusal(behaviour: Behaviour, identifier: Dataset) -> int | None:
    """Return the failure status for a retrieval that is not supported, else None."""
    unique = UNIQUE_KEYS[str(identifier.QueryRetrieveLevel)]
    if not identifier.get(unique) or (is_list(identifier) and not behaviour.uid_lists):
        return IDENTIFIER_DOES_NOT_MATCH
    return None


def is_list(identifier: Dataset) -> bool:
    """Return whether the identifier lists several UIDs at its own level."""
    return len(texts(identifier[UNIQUE_KEYS[str(identifier.QueryRetrieveLevel)]])) > 1


def select(index: Index, identifier: Dataset) -> list[Dataset]:
    """Return the instances with these unique keys; no other key narrows a retrieval."""
    keys = {
        keyword: identifier[keyword]
        for keyword in UNIQUE_KEYS.values()
        if keyword in identifier and has_value(identifier[keyword])
    }
    return [
        dataset
        for dataset in index.candidates("IMAGE", keys)
        if all(matches(dataset.get(key.tag), key) for key in keys.values())
    ]


def perform(
    exchange: Exchange, wanted: Sequence[Dataset], behaviour: Behaviour, store: Store
) -> tuple[int, Progress]:
    """Perform the sub-operations one by one, reporting each.

    Parameters
    ----------
    exchange : Exchange
        The request, for the pending responses.
    wanted : sequence of pydicom.dataset.Dataset
        The instances to send.
    behaviour : Behaviour
        Determines what fails.
    store : callable
        Sends one instance and returns the status of its C-STORE.

    Returns
    -------
    status : int
        The final status; pending, if the association was aborted instead.
    progress : Progress
        The counts.
    """
    progress = Progress(remaining=len(wanted))
    for dataset in behaviour.extra:
        store(dataset)
    for dataset in wanted[: behaviour.abort_after]:
        if exchange.is_cancelled:
            return CANCELLED, progress
        progress.count(dataset, _sub_operation(dataset, behaviour, store))
        if behaviour.pending_responses:
            exchange.respond(PENDING, None, **counts(progress, pending=True))
    if progress.done == behaviour.abort_after:
        return PENDING, progress
    return progress.final_status, progress


def send_all(wanted: Sequence[Dataset], behaviour: Behaviour, store: Store) -> None:
    """Send instances without reporting the results."""
    for dataset in (*behaviour.extra, *wanted):
        _sub_operation(dataset, behaviour, store)


def counts(progress: Progress, pending: bool = False) -> dict[str, int]:
    """Return the counts of a response; only a pending one has the number that remains."""
    numbers = {
        "NumberOfCompletedSuboperations": progress.completed,
        "NumberOfFailedSuboperations": progress.failed,
        "NumberOfWarningSuboperations": progress.warning,
    }
    if pending:
        numbers["NumberOfRemainingSuboperations"] = progress.remaining
    return numbers


def failed_list(progress: Progress) -> Dataset | None:
    """Return the identifier of a final response, None without failures."""
    if not progress.failed_uids:
        return None
    identifier = Dataset()
    identifier.FailedSOPInstanceUIDList = progress.failed_uids
    return identifier


def c_store(
    association: Association, dataset: Dataset, message_id: int, originator: Exchange | None
) -> int:
    """Send one instance; returns a status also if the association has ended or has no context."""
    try:
        status = association.send_c_store(
            dataset,
            msg_id=message_id,
            originator_aet=originator.calling_ae_title if originator else None,
            originator_id=originator.message_id if originator else None,
        )
    except ValueError:  # no presentation context was accepted for it
        return NO_CONTEXT
    except RuntimeError:  # the association is not, or no longer, established
        # pynetdicom gives up an association of which no presentation context was accepted
        nothing_fits = association.rejected_contexts and not association.accepted_contexts
        return NO_CONTEXT if nothing_fits else NO_RESPONSE
    return int(status.get("Status", NO_RESPONSE))


def _sub_operation(dataset: Dataset, behaviour: Behaviour, store: Store) -> int:
    uids = {str(dataset.SOPInstanceUID), str(dataset.SeriesInstanceUID)}
    if behaviour.unmovable & uids:
        return NO_RESPONSE
    if behaviour.silent_losses & uids:
        return SUCCESS
    if behaviour.on_send is not None:
        dataset = behaviour.on_send(copy.deepcopy(dataset))
    if behaviour.duplicates:
        store(dataset)
    return store(dataset)
