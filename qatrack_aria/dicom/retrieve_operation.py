"""One C-MOVE or C-GET, and the wait for its images.

A final status only serves to know how long waiting makes sense, and to explain: what counts is
what has arrived in the :class:`~qatrack_aria.dicom.inbox.Inbox`.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Sequence

from pydicom.dataset import Dataset

from qatrack_aria.dicom import threads
from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.identifier import PENDING
from qatrack_aria.dicom.inbox import Inbox
from qatrack_aria.dicom.pynetdicom_patches import waiting
from qatrack_aria.dicom.statuses import SUCCESS, WARNING
from qatrack_aria.dicom.transports import transport_of
from qatrack_aria.phrases import Phrase, phrase

END_TIMEOUT = 5.0  # s: far above what the thread of an aborted association needs to end


class RetrieveOperation:
    """One C-MOVE or C-GET. Its responses are read in a thread, so that every wait is bounded.

    A server need not send pending responses, and may be silent for long between images. An image
    *or* a response prolongs the wait, which no single call of pynetdicom sees. A connection to our
    port does not: anyone can make one.

    Attributes
    ----------
    final : Dataset
        The final response; empty if there was none.
    """

    def __init__(self, session: Session, inbox: Inbox, identifier: Dataset) -> None:
        self.session = session
        self.inbox = inbox
        self.final = Dataset()
        self._identifier = identifier
        self._ended = False
        self._last_activity = time.monotonic()

    @property
    def status(self) -> int | None:
        """The final status, if there was one."""
        return self.final.get("Status")

    def run(self, uids: Sequence[str], report: Callable[[], None]) -> Phrase | None:
        """Send the request, and wait until the images have arrived or waiting makes no sense.

        Parameters
        ----------
        uids : sequence of str
            SOP Instance UIDs of the images.
        report : callable
            Called whenever an image arrives.

        Returns
        -------
        Phrase or None
            Why the wait was broken off; ``None`` if it came to its end.
        """
        self.session.context(transport_of(self.session.peer).name)
        self.inbox.record_unsupported(self.session.refused_storage)
        message_id = self.session.next_message_id()
        association = self.session.association
        # The thread's own wait is the longest; those below are the ones that count.
        association.dimse_timeout = self.session.deadline.remaining + 5
        thread = threading.Thread(
            target=self._read_responses, args=(association, message_id), daemon=True
        )
        threads.start(thread)
        broken: Phrase | None = phrase("interrupted")
        try:
            broken = self._wait(uids, report)
        finally:
            if broken or not self._ended:
                self.session.abort()
            thread.join(self.session.deadline.briefly(END_TIMEOUT))
        return broken

    def _read_responses(self, association: Any, message_id: int) -> None:
        peer = self.session.peer
        try:
            responses = transport_of(peer).request(association, self._identifier, message_id, peer)
            for status, _ in responses:
                with self.inbox.changed:
                    self._last_activity = time.monotonic()
                    if status.get("Status") not in PENDING:
                        self.final = status
                    self.inbox.changed.notify_all()
        except (RuntimeError, ValueError):
            pass  # the association ended just before the request; there is no final response
        finally:
            with self.inbox.changed:
                self._last_activity = time.monotonic()
                self._ended = True
                self.inbox.changed.notify_all()

    def _wait(self, uids: Sequence[str], report: Callable[[], None]) -> Phrase | None:
        peer, deadline = self.session.peer, self.session.deadline
        seen = self._instances_seen
        with self.inbox.changed:
            while True:
                if self._instances_seen != seen:
                    seen = self._instances_seen
                    self._last_activity = time.monotonic()
                    report()
                missing = any(uid not in self.inbox.arrived for uid in uids)
                if self.inbox.failure is not None:
                    # The node learns of it before we abort, and may end the operation by itself.
                    limit = deadline.at_most(waiting.ABORT_TIMEOUT)
                    self.inbox.changed.wait_for(self._is_over, limit)
                    return phrase("local_failure")
                if self._is_over() and not (missing and self._more_may_come()):
                    return None if self.status is not None else phrase("broken_off")
                # With all images, or the final response, only late images and our disk remain.
                limit = peer.grace if self._ended or not missing else peer.quiet_timeout
                left = self._last_activity + limit - time.monotonic()
                if deadline.expired:
                    return phrase("out_of_time", seconds=f"{deadline.seconds:g}")
                if left <= 0 and not self.inbox.filing:
                    return None if self._ended else phrase("silent", seconds=f"{limit:g}")
                self.inbox.changed.wait(deadline.at_most(left if left > 0 else deadline.seconds))

    @property
    def _instances_seen(self) -> tuple[int, int]:
        # Not the rejected connections: a stranger's would prolong the wait for the node's images.
        return len(self.inbox.arrived), self.inbox.instances_refused

    def _is_over(self) -> bool:
        # The last image may still be on its way to the disk.
        return self._ended and not self.inbox.filing

    def _more_may_come(self) -> bool:
        # Images can arrive after the final response, but not after one that reports a failure.
        return self.status in (SUCCESS, WARNING)
