"""Our own storage SCP: it listens as long as one retrieval lasts, for the instances of that one.

What becomes of each C-STORE is decided by the :class:`~qatrack_aria.dicom.inbox.Inbox`.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import Any, Collection

from pynetdicom import AE, evt

from qatrack_aria.dicom import pynetdicom_patches, threads, tls
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.inbox import Inbox
from qatrack_aria.dicom.limits import MAX_PDU
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.dicom.presentation_contexts import refused_proposals, storage_contexts
from qatrack_aria.dicom.resolve import addresses
from qatrack_aria.dicom.scp_server import MAX_ASSOCIATIONS, BoundedServer
from qatrack_aria.errors import ReceiverError
from qatrack_aria.phrases import phrase
from qatrack_aria.text import error_reason, printable

logger = logging.getLogger(__name__)

OTHER_ADDRESS = "is not an address of the node"
END_TIMEOUT = 5.0  # s: far above what aborted associations need to end
LEAST_END_TIMEOUT = 0.5  # s: also after the deadline; sending an A-ABORT takes about 0.1
POLL = 0.01  # s: how often socketserver checks whether to stop; it cannot wait for an event


class _Server(BoundedServer):
    """Accepts connections from the addresses of the node only."""

    allowed: Collection[str] = ()
    inbox: Inbox

    def verify_request(self, request: Any, client_address: Any) -> bool:
        address = pynetdicom_patches.peer_address(client_address)
        if address in self.allowed:
            return True
        self.connection_rejected(address, OTHER_ADDRESS)
        return False

    def connection_rejected(self, address: str, why: str) -> None:
        self.inbox.record_rejection(phrase("connection", address=address, why=why))

    def not_encrypted(self, address: str, error: OSError) -> None:
        problem = tls.explain(error)
        why = problem.what if problem else "does not finish the handshake"
        self.connection_rejected(address, f"{why} (TLS)")

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.warning("receiver: a connection from %s failed", client_address[0], exc_info=True)


class StorageScp:
    """The storage SCP of one retrieval, listening while the ``with`` block lasts.

    Parameters
    ----------
    peer : Peer
        Our AE title, address and port, and the node that may call.
    inbox : Inbox
        Answers each C-STORE.
    deadline : Deadline, optional
        The end of waiting for threads that hang, such as in the disk.

    Raises
    ------
    ReceiverError
        On entering: we cannot listen on the port, or start a thread that does.
    """

    def __init__(self, peer: Peer, inbox: Inbox, deadline: Deadline | None = None) -> None:
        self.peer = peer
        self._deadline = deadline
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
                    (evt.EVT_ACCEPTED, self._negotiated),
                    (evt.EVT_C_STORE, self.inbox.handle_c_store),
                ],
                server_class=pynetdicom_patches.listener_class(_Server, host),
            )
        except (OSError, UnicodeError) as error:
            raise ReceiverError(
                f"Receiver: our storage SCP '{self.peer.local_ae_title}' cannot listen on "
                f"{host or 'any address'} port {self.peer.local_port} "
                f"({error_reason(error)}): another program may use the "
                "port, or the node's local host is not an address of this machine."
            ) from error
        self._server.inbox = self.inbox
        self._server.encryption = encryption
        self._server.max_pdu = MAX_PDU
        self._server.quiet_timeout = self.peer.quiet_timeout
        self._server.allowed = self._allowed()
        thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL,), name="aria-receiver", daemon=True
        )
        try:
            threads.start(thread)
        except ReceiverError:
            self._server.server_close()
            raise
        self._thread = thread
        self._logging.enter_context(pynetdicom_patches.private_logging())
        return self

    def __exit__(self, *error: object) -> None:
        if self._server is None or self._thread is None:
            return
        with self._logging:
            self._server.shutdown()
            self._thread.join()
            patience = self._deadline.briefly(END_TIMEOUT) if self._deadline else END_TIMEOUT
            self._server.end_associations(patience)

    def _allowed(self) -> set[str]:
        found: set[str] = set()
        for host in (self.peer.remote_host, *self.peer.extra_hosts):
            with contextlib.suppress(OSError, UnicodeError):
                found.update(addresses(host, self.peer.remote_port, self.peer.connect_timeout))
        return found

    def _negotiated(self, event: evt.Event) -> None:
        requested = event.assoc.requestor.requested_contexts
        refused = event.assoc.rejected_contexts
        self.inbox.record_unsupported(refused_proposals(requested, refused))

    def _rejected(self, event: evt.Event) -> None:
        request = event.assoc.requestor.primitive
        calling = printable(str(request.calling_ae_title))
        called = printable(str(request.called_ae_title))
        expected = (self.peer.remote_ae_title, self.peer.local_ae_title)
        if (calling, called) == expected:
            reason = phrase("call_while_busy", number=MAX_ASSOCIATIONS)
        else:
            reason = phrase(
                "call",
                calling=calling,
                called=called,
                expected_calling=expected[0],
                expected_called=expected[1],
            )
        self.inbox.record_rejection(reason)
