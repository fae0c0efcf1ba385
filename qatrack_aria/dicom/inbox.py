"""The inbox of one retrieval: it answers each C-STORE, and records what has arrived.

The instances come to our port (C-MOVE) or on the association that we opened (C-GET).
"""

from __future__ import annotations

import logging
import threading
from typing import Callable, Collection, Iterable, NamedTuple, Optional

from pynetdicom import evt

from qatrack_aria.dicom import threads
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.errors import ArchiveError, AriaError
from qatrack_aria.phrases import Phrase, phrase
from qatrack_aria.text import printable

logger = logging.getLogger(__name__)

# Statuses of a C-STORE response (PS3.4 B.2.3 and PS3.7 C).
SUCCESS = 0x0000
NOT_AUTHORIZED = 0x0124
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900

FILED_AT_ONCE = 2  # instances: the one being written to disk, and the next, which is arriving
NOT_TAKEN = phrase("not_taken")
MAX_UNSUPPORTED = 200  # recorded; a usual peer proposes those of what it sends, some all they know
MAX_REFUSALS = 1000  # recorded; a peer that never stops sending must not fill the memory


class ReceivedInstance(NamedTuple):
    """One instance as received from the network, not checked yet."""

    sop_uid: str
    sop_class: str
    transfer_syntax: str
    data: bytes


class UnacceptableInstance(Exception):
    """An instance that is not what was requested.

    Attributes
    ----------
    reason : Phrase
        Why.
    """

    def __init__(self, reason: Phrase) -> None:
        super().__init__(str(reason))
        self.reason = reason


#: Checks an instance, and returns what remains to be done to file it, if anything: that may run
#: while the next one arrives. Both raise UnacceptableInstance or ArchiveError.
Receive = Callable[[ReceivedInstance], Optional[Callable[[], None]]]
#: Compares an instance with the one of that UID that has been filed. Raises AriaError if its
#: content is another one.
Compare = Callable[[ReceivedInstance], None]


class Inbox:
    """The instances that are expected, that have arrived, and that were refused.

    Parameters
    ----------
    receive : callable
        See :data:`Receive`.
    compare : callable, optional
        See :data:`Compare`; by default a second instance of a UID counts as the same.
    deadline : Deadline, optional
        The end of every wait for the disk.

    Attributes
    ----------
    changed : threading.Condition
        Notified whenever anything below changes.
    arrived : dict of str to int
        SOP Instance UID and size in bytes of the instances that are filed.
    filing : int
        Number of instances that were accepted and are being filed.
    refused : list of Phrase
        Reasons of the refusals, C-STOREs before connections; :data:`MAX_REFUSALS` at most.
    refusals : int
        Number of refusals, also those that are not recorded.
    instances_refused : int
        How many of them were C-STOREs: a connection may be a stranger's, an instance is the node's.
    unsupported : list of str
        What was proposed in a negotiation and refused: classes and transfer syntaxes, in words.
    failure : AriaError or None
        The first failure of this machine, or contradiction, after which waiting is useless.
    """

    def __init__(
        self,
        receive: Receive,
        compare: Compare = lambda incoming: None,
        deadline: Deadline | None = None,
    ) -> None:
        self.changed = threading.Condition()
        self.arrived: dict[str, int] = {}
        self.filing = 0
        self.refused: list[Phrase] = []
        self.refusals = 0
        self.instances_refused = 0
        self.unsupported: list[str] = []
        self.failure: AriaError | None = None
        self._receive = receive
        self._compare = compare
        self._deadline = deadline
        self._expected: set[str] = set()
        self._accepted: set[str] = set()
        self._being_filed: dict[str, ReceivedInstance] = {}
        self._receiving = threading.Lock()

    def expect(self, uids: Collection[str]) -> None:
        """Accept these SOP Instance UIDs too from now on."""
        with self.changed:
            self._expected.update(uids)

    def missing(self, uids: Collection[str]) -> list[str]:
        """Return those of the SOP Instance UIDs that have not arrived."""
        with self.changed:
            return [uid for uid in uids if uid not in self.arrived]

    def handle_c_store(self, event: evt.Event) -> int:
        """Answer one C-STORE request; returns the status of the response."""
        request = event.request
        uid = str(request.AffectedSOPInstanceUID or "")
        with self.changed:
            expected = uid in self._expected
        if not expected:
            return self._refuse(phrase("unrequested"), NOT_AUTHORIZED)
        incoming = ReceivedInstance(
            uid,
            str(request.AffectedSOPClassUID or ""),
            str(event.context.transfer_syntax),
            request.DataSet.getvalue() if request.DataSet else b"",
        )
        try:
            return self._take(incoming)
        except UnacceptableInstance as error:
            return self._refuse(error.reason, DOES_NOT_MATCH)
        except ArchiveError as error:
            self._fail(error)
            return self._refuse(NOT_TAKEN, OUT_OF_RESOURCES)
        except AriaError as error:
            self._fail(error)
            return self._refuse(phrase("other_content"), DOES_NOT_MATCH)
        except Exception as error:  # malformed data make pydicom raise errors of any type
            logger.warning("receiver: an instance cannot be checked: %s", type(error).__name__)
            return self._refuse(phrase("unchecked"), DOES_NOT_MATCH)

    @property
    def _patience(self) -> float:
        """Seconds to wait for the disk; -1 without a limit, as locks have it."""
        return -1 if self._deadline is None else self._deadline.at_most(self._deadline.seconds)

    def _wait_for(self, condition: Callable[[], bool]) -> bool:
        """Wait until the condition holds, or a failure; returns whether all is well."""
        patience = None if self._deadline is None else self._patience
        with self.changed:
            over = self.changed.wait_for(lambda: condition() or bool(self.failure), patience)
            return over and self.failure is None

    def _take(self, incoming: ReceivedInstance) -> int:
        """Check an instance, and have it filed; returns the status."""
        uid = incoming.sop_uid
        if not self._receiving.acquire(timeout=self._patience):
            return self._refuse(NOT_TAKEN, OUT_OF_RESOURCES)
        try:
            if uid in self._accepted:
                return self._take_again(incoming)
            commit = self._receive(incoming)
            with self.changed:
                self._accepted.add(uid)
                self._being_filed[uid] = incoming
                self.filing += 1
                self.changed.notify_all()
        finally:
            self._receiving.release()
        self._start_filing(incoming, commit)
        if not self._wait_for(lambda: self.filing < FILED_AT_ONCE):
            return self._refuse(NOT_TAKEN, OUT_OF_RESOURCES)
        return SUCCESS

    def _take_again(self, incoming: ReceivedInstance) -> int:
        """Compare an instance with the one of that UID that has come before."""
        uid = incoming.sop_uid
        if self._being_filed.get(uid) == incoming:
            return SUCCESS
        if not self._wait_for(lambda: uid in self.arrived):
            return self._refuse(NOT_TAKEN, OUT_OF_RESOURCES)
        self._compare(incoming)
        return SUCCESS

    def _start_filing(self, incoming: ReceivedInstance, commit: Callable[[], None] | None) -> None:
        uid, size = incoming.sop_uid, len(incoming.data)
        thread = threading.Thread(target=self._file, args=(uid, size, commit), daemon=True)
        try:
            threads.start(thread, ArchiveError)
        except ArchiveError:
            self._file(uid, size, commit)  # what has arrived is kept
            raise

    def _file(self, uid: str, size: int, commit: Callable[[], None] | None) -> None:
        try:
            if commit is not None:
                commit()
            logger.debug("C-STORE of %s: %d bytes are filed", uid, size)
            with self.changed:
                self.arrived[uid] = size
        except ArchiveError as error:
            self._fail(error)
        finally:
            with self.changed:
                self.filing -= 1
                self._being_filed.pop(uid, None)
                self.changed.notify_all()

    def _fail(self, error: AriaError) -> None:
        with self.changed:
            self.failure = self.failure or error

    def record_unsupported(self, names: Iterable[str]) -> None:
        """Record classes and transfer syntaxes that were refused in a negotiation."""
        with self.changed:
            new = [printable(name, 200) for name in names]
            self.unsupported = list(dict.fromkeys([*self.unsupported, *new]))[:MAX_UNSUPPORTED]

    def record_rejection(self, reason: Phrase) -> None:
        """Record a connection that was rejected."""
        self._record(reason, len(self.refused))

    def _refuse(self, reason: Phrase, status: int) -> int:
        with self.changed:
            self.instances_refused += 1
            self._record(reason, 0)  # refused instances explain more than rejected connections
        return status

    def _record(self, reason: Phrase, place: int) -> None:
        logger.debug("rejected: %s", reason)
        with self.changed:
            self.refused.insert(place, reason)
            del self.refused[MAX_REFUSALS:]
            self.refusals += 1
            self.changed.notify_all()
