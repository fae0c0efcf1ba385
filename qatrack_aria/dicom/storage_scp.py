"""Our own storage SCP: it lives as long as one retrieval and takes what that one expects.

Two parts: the :class:`Inbox` decides what becomes of each C-STORE, whether it comes to our port
(C-MOVE) or back on the association we opened (C-GET); the :class:`StorageScp` is the port.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import Any, Callable, Collection, NamedTuple, Optional

from pynetdicom import AE, evt

from qatrack_aria.dicom import pynetdicom_patches, tls
from qatrack_aria.dicom.association import MAX_PDU, storage_contexts
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.dicom.resolve import addresses
from qatrack_aria.dicom.scp_server import MAX_ASSOCIATIONS, BoundedServer
from qatrack_aria.errors import ArchiveError, AriaError, ReceiverError
from qatrack_aria.phrases import Phrase, phrase
from qatrack_aria.text import error_reason, printable

logger = logging.getLogger(__name__)

# Statuses of a C-STORE response (PS3.4 B.2.3 and PS3.7 C).
SUCCESS = 0x0000
NOT_AUTHORIZED = 0x0124
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900

PATIENCE = 5.0  # s: far above what aborted associations need to end
POLL = 0.01  # s: socketserver looks this often whether it shall stop; it can wait on nothing else
FILED_AT_ONCE = 2  # instances: one that the disk still works on, and the next, which comes
NOT_TAKEN = phrase("not_taken")
REMEMBERED = 1000  # refusals; a peer that goes on and on must not fill the memory


class ReceivedInstance(NamedTuple):
    """One instance as it came from the wire; nothing of it is checked yet."""

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


#: Takes what came, and returns what is left to be done for it to be filed, if anything: that may
#: be done while the next one comes. Raises UnacceptableInstance or ArchiveError, as does what it
#: returns.
Keep = Callable[[ReceivedInstance], Optional[Callable[[], None]]]


class Inbox:
    """What is expected, what has arrived, and what was rejected.

    Parameters
    ----------
    keep : callable
        See :data:`Keep`.

    Attributes
    ----------
    changed : threading.Condition
        Notified whenever anything below changes.
    arrived : dict of str to int
        SOP Instance UID and size in bytes of what is filed.
    filing : int
        Instances that came, were found right, and are about to be filed.
    refused : list of Phrase
        Why others were rejected, C-STOREs before connections; :data:`REMEMBERED` at most.
    refusals : int
        How many were rejected, also those that are not remembered.
    any_instance_refused : bool
        Whether a C-STORE was among them.
    failure : AriaError or None
        The first failure of this machine, after which waiting is in vain.
    """

    def __init__(self, keep: Keep) -> None:
        self.changed = threading.Condition()
        self.arrived: dict[str, int] = {}
        self.filing = 0
        self.refused: list[Phrase] = []
        self.refusals = 0
        self.any_instance_refused = False
        self.failure: AriaError | None = None
        self._keep = keep
        self._expected: set[str] = set()
        self._taken: set[str] = set()
        self._looking = threading.Lock()

    def expect(self, uids: Collection[str]) -> None:
        """From now on these SOP Instance UIDs are taken too."""
        with self.changed:
            self._expected.update(uids)

    def missing(self, uids: Collection[str]) -> list[str]:
        """Those that have not arrived."""
        with self.changed:
            return [uid for uid in uids if uid not in self.arrived]

    def take(self, event: evt.Event) -> int:
        """Answer one C-STORE request.

        Returns
        -------
        int
            The status of the response.
        """
        request = event.request
        uid = str(request.AffectedSOPInstanceUID or "")
        with self.changed:
            expected, here = uid in self._expected, uid in self._taken
        if not expected:
            return self._refuse(phrase("unrequested"), NOT_AUTHORIZED)
        if here:
            return SUCCESS  # sent twice
        incoming = ReceivedInstance(
            uid,
            str(request.AffectedSOPClassUID or ""),
            str(event.context.transfer_syntax),
            request.DataSet.getvalue() if request.DataSet else b"",
        )
        try:
            with self._looking:
                file = self._keep(incoming)
        except UnacceptableInstance as error:
            return self._refuse(error.reason, DOES_NOT_MATCH)
        except ArchiveError as error:
            self._failed(error)
            return self._refuse(NOT_TAKEN, OUT_OF_RESOURCES)
        except Exception as error:  # pydicom raises of every kind on what a peer can think of
            logger.warning("receiver: an instance cannot be checked: %s", type(error).__name__)
            return self._refuse(phrase("unchecked"), DOES_NOT_MATCH)
        with self.changed:
            self._taken.add(uid)
            self.filing += 1
            self.changed.notify_all()
        size = len(incoming.data)
        threading.Thread(target=self._file, args=(uid, size, file), daemon=True).start()
        with self.changed:
            self.changed.wait_for(lambda: self.filing < FILED_AT_ONCE)
            failed = self.failure is not None
        return self._refuse(NOT_TAKEN, OUT_OF_RESOURCES) if failed else SUCCESS

    def _file(self, uid: str, size: int, file: Callable[[], None] | None) -> None:
        try:
            if file is not None:
                file()
            logger.debug("C-STORE of %s: %d bytes are filed", uid, size)
            with self.changed:
                self.arrived[uid] = size
        except ArchiveError as error:
            self._failed(error)
        finally:
            with self.changed:
                self.filing -= 1
                self.changed.notify_all()

    def _failed(self, error: AriaError) -> None:
        with self.changed:
            self.failure = self.failure or error

    def reject(self, reason: Phrase) -> None:
        """Note a connection that was rejected."""
        self._note(reason, len(self.refused))

    def _refuse(self, reason: Phrase, status: int) -> int:
        self.any_instance_refused = True
        self._note(reason, 0)  # what is wrong with our images matters more than who else called
        return status

    def _note(self, reason: Phrase, place: int) -> None:
        logger.debug("rejected: %s", reason)
        with self.changed:
            self.refused.insert(place, reason)
            del self.refused[REMEMBERED:]
            self.refusals += 1
            self.changed.notify_all()


class _Server(BoundedServer):
    """Lets in only the addresses of the node."""

    allowed: Collection[str] = ()
    inbox: Inbox

    def verify_request(self, request: Any, client_address: Any) -> bool:
        address = pynetdicom_patches.peer_address(client_address)
        if address in self.allowed:
            return True
        self.connection_rejected(address, "is no address of the node")
        return False

    def connection_rejected(self, address: str, why: str) -> None:
        self.inbox.reject(phrase("connection", address=address, why=why))

    def not_encrypted(self, address: str, error: OSError) -> None:
        trouble = tls.explain(error)
        why = trouble.what if trouble else "does not finish the handshake"
        self.connection_rejected(address, f"{why} (TLS)")

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.warning("receiver: a connection from %s failed", client_address[0], exc_info=True)


class StorageScp:
    """The storage SCP of one retrieval, listening while the ``with`` block lasts.

    Parameters
    ----------
    peer : Peer
        Gives our AE title, address and port, and who may call.
    inbox : Inbox
        Decides about each C-STORE.

    Raises
    ------
    ReceiverError
        On entering: the port cannot be had.
    """

    def __init__(self, peer: Peer, inbox: Inbox) -> None:
        self.peer = peer
        self.inbox = inbox
        self._logging = contextlib.ExitStack()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> StorageScp:
        ae = AE(ae_title=self.peer.local_ae_title)
        ae.require_called_aet = True
        ae.require_calling_aet = [self.peer.remote_ae_title]
        ae.maximum_pdu_size = MAX_PDU
        ae.dimse_timeout = self.peer.quiet_timeout
        host = self.peer.local_host
        encryption = tls.server_context(self.peer.tls) if self.peer.tls else None
        try:
            self._server = ae.make_server(
                (host, self.peer.local_port),
                contexts=storage_contexts(),
                evt_handlers=[
                    *pynetdicom_patches.NO_DELAY,
                    (evt.EVT_CONN_OPEN, pynetdicom_patches.end_in_time),
                    (evt.EVT_REJECTED, self._rejected),
                    (evt.EVT_C_STORE, self.inbox.take),
                ],
                server_class=pynetdicom_patches.listener_class(_Server, host),
            )
        except (OSError, UnicodeError) as error:
            raise ReceiverError(
                f"Receiver: our storage SCP '{self.peer.local_ae_title}' cannot listen on "
                f"{host or 'any address'} port {self.peer.local_port} "
                f"({error_reason(error)}): another program may use the "
                "port, or the node's local host is no address of this machine."
            ) from error
        self._server.inbox = self.inbox
        self._server.encryption = encryption
        self._server.max_pdu = MAX_PDU
        self._server.quiet_timeout = self.peer.quiet_timeout
        self._server.allowed = self._allowed()
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL,), name="aria-receiver", daemon=True
        )
        self._logging.enter_context(pynetdicom_patches.private_logging())
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._server is None or self._thread is None:
            return
        with self._logging:
            self._server.shutdown()
            self._thread.join()
            self._server.end_associations(PATIENCE)

    def _allowed(self) -> set[str]:
        found: set[str] = set()
        for host in (self.peer.remote_host, *self.peer.extra_hosts):
            try:
                found.update(addresses(host, self.peer.remote_port, self.peer.connect_timeout))
            except (OSError, UnicodeError):
                continue
        return found

    def _rejected(self, event: evt.Event) -> None:
        request = event.assoc.requestor.primitive
        titles = (printable(str(request.calling_ae_title)), printable(str(request.called_ae_title)))
        expected = (self.peer.remote_ae_title, self.peer.local_ae_title)
        if titles == expected:
            self.inbox.reject(phrase("call_while_busy", number=MAX_ASSOCIATIONS))
            return
        self.inbox.reject(
            phrase(
                "call",
                calling=titles[0],
                called=titles[1],
                expected_calling=expected[0],
                expected_called=expected[1],
            )
        )
