"""One association with a node: opened with every wait bounded, and named when it fails."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Callable, ContextManager

from pynetdicom import build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import Verification

from qatrack_aria.dicom import pynetdicom_patches, tls
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.limits import limit_association
from qatrack_aria.dicom.peer import PATIENT_ROOT, STUDY_ROOT, Peer
from qatrack_aria.dicom.rejection import rejection_error
from qatrack_aria.dicom.resolve import connection_failure, resolve, unreachable_error
from qatrack_aria.dicom.tls import TlsProblem
from qatrack_aria.dicom.transports import transport_of
from qatrack_aria.dicom.uids import (
    CT_IMAGE_STORAGE,
    PLAN_CLASSES,
    RT_IMAGE_STORAGE,
    SPATIAL_REGISTRATION_STORAGE,
    VARIAN_PLAN_CLASSES,
)
from qatrack_aria.errors import (
    AssociationRejectedError,
    NodeBusyError,
    NodeUnreachableError,
)
from qatrack_aria.text import error_reason

#: SOP Class UID of C-FIND for each query model of a node (PS3.4 C.6).
FIND_MODELS = {
    STUDY_ROOT: "1.2.840.10008.5.1.4.1.2.2.1",
    PATIENT_ROOT: "1.2.840.10008.5.1.4.1.2.1.1",
}

#: What may be sent to us. All in the uncompressed transfer syntaxes, which every peer must offer.
STORAGE_CLASSES = (
    RT_IMAGE_STORAGE,
    *PLAN_CLASSES,
    CT_IMAGE_STORAGE,
    SPATIAL_REGISTRATION_STORAGE,
)
TRANSFER_SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")

#: Larger than any image's usual PDU: fewer pieces to put together (measured; 16382 is the default).
MAX_PDU = 131072

#: Seconds before a node that was too busy to associate is called again.
BUSY_PAUSES = (1.0, 3.0)

for _number, _uid in enumerate(VARIAN_PLAN_CLASSES):
    pynetdicom_patches.register_private_storage(_uid, f"VarianRTPlanStorage{_number}")


def storage_contexts() -> list[PresentationContext]:
    """The presentation contexts of everything that may be sent to us."""
    return [build_context(uid, list(TRANSFER_SYNTAXES)) for uid in STORAGE_CLASSES]


class Session:
    """A conversation with one node: the association, opened at first need and again if it breaks.

    Parameters
    ----------
    peer : Peer
        The node.
    deadline : Deadline
        No wait goes beyond it.
    on_store : callable, optional
        Takes the C-STORE event of a C-GET and returns its status.
    verification : bool
        Ask for C-ECHO too.
    connecting : callable, optional
        Returns a context manager in which the association is opened, for instance a timer.

    Raises
    ------
    NodeUnreachableError, AssociationRejectedError
        By whatever needs the association.
    """

    def __init__(
        self,
        peer: Peer,
        deadline: Deadline,
        on_store: Any = None,
        verification: bool = False,
        connecting: Callable[[], ContextManager[Any]] = contextlib.nullcontext,
    ) -> None:
        self.peer = peer
        self._verification = verification
        self.deadline = deadline
        self._on_store = on_store
        self._connecting = connecting
        self._logging = contextlib.ExitStack()
        self._association: Association | None = None
        self._message_id = 0

    def __enter__(self) -> Session:
        self._logging.enter_context(pynetdicom_patches.private_logging())
        return self

    def __exit__(self, *error: object) -> None:
        with self._logging:
            self.close()

    @property
    def association(self) -> Association:
        """An established association."""
        if self._association is None or not self._association.is_established:
            with self._connecting():
                self.close()
                self._association = self._open()
        return self._association

    def next_message_id(self) -> int:
        """The message ID for the next request, the only one whose responses are taken then."""
        self._message_id = self._message_id % 0xFFFF + 1
        pynetdicom_patches.keep_responses(self.association, self._message_id)
        return self._message_id

    def close(self) -> None:
        """Release the association, or abort it where the peer does not answer."""
        association, self._association = self._association, None
        if association is None:
            return
        if association.is_established:
            association.acse_timeout = self.deadline.at_most(2.0)
            association.release()
            association.join(pynetdicom_patches.ABORT_TIMEOUT)
        if association.is_alive():
            pynetdicom_patches.abort(association)
            association.join(2.0)

    def abort(self) -> None:
        """Break off at once."""
        association, self._association = self._association, None
        if association is not None:
            pynetdicom_patches.abort(association)

    def context(self, service: str) -> Any:
        """Return the SOP class of C-FIND, or of the node's way of retrieving, if it is offered."""
        model = self._model(service)
        if model not in [cx.abstract_syntax for cx in self.association.accepted_contexts]:
            root = self.peer.query_model.title()
            raise AssociationRejectedError(
                f"Association: {self.peer} takes our calls but does not offer {service} in the "
                f"{root} Root model: choose another query model or retrieve method for this node."
            )
        return model

    def _model(self, service: str) -> str:
        models = FIND_MODELS if service == "C-FIND" else transport_of(self.peer).models
        return models[self.peer.query_model]

    def echo(self) -> int | None:
        """One C-ECHO (PS3.7 9.1.5).

        Returns
        -------
        int or None
            The status; ``None`` where the node does not offer Verification.

        Raises
        ------
        NodeUnreachableError
            No answer.
        """
        message_id = self.next_message_id()
        association = self.association
        if Verification not in [cx.abstract_syntax for cx in association.accepted_contexts]:
            return None
        association.dimse_timeout = self.deadline.at_most(self.peer.response_timeout)
        began = time.monotonic()
        try:
            status = association.send_c_echo(message_id)
        except RuntimeError:  # it was broken off just now
            raise self.lost("C-ECHO", 0) from None
        if "Status" not in status:
            raise self.lost("C-ECHO", time.monotonic() - began)
        return int(status.Status)

    def lost(self, during: str, waited: float) -> NodeUnreachableError:
        """The error for a conversation that ended in the midst.

        Parameters
        ----------
        during : str
            The step.
        waited : float
            Seconds since the node was last heard of.
        """
        if self.deadline.expired:
            what = f"did not finish within the {self.deadline.seconds:g} s allowed in total"
            cure = "raise the node's deadline, or ask again"
        elif waited >= self.peer.response_timeout:
            what = f"was silent for {self.peer.response_timeout:g} s"
            cure = "ask again; if it stays so, ask whoever runs it"
        else:
            what = "broke off the association"
            cure = "ask again; if it stays so, ask whoever runs it to look into its log"
        return NodeUnreachableError(f"{during}: {self.peer} {what}: {cure}.")

    def _open(self) -> Association:
        """Associate; and once or twice more where the node is only too busy."""
        for pause in BUSY_PAUSES:
            try:
                return self._associate()
            except NodeBusyError:
                if self.deadline.remaining <= pause:
                    raise
            time.sleep(pause)
        return self._associate()

    def _associate(self) -> Association:
        targets = resolve(self.peer, self.deadline.at_most(self.peer.connect_timeout))
        reasons = []
        for address in targets:
            try:
                association, connected = self._request(address)
            except OSError as error:  # no socket of that family: a machine without IPv6
                reasons.append(f"{address}: {error_reason(error)}")
                continue
            if association.is_established:
                return association
            trouble = self._no_tls(address, association)
            if trouble is not None:
                raise trouble.error(self.peer)
            if connected:
                raise rejection_error(self.peer, association)
            reasons.append(f"{address}: {self._why_not(address)}")
        raise unreachable_error(self.peer, reasons)

    def _request(self, address: str) -> tuple[Association, bool]:
        connected: list[Any] = []
        ae = pynetdicom_patches.application_entity(self.peer.local_ae_title, address)
        # pynetdicom's own default, none, waits for as long as the system does: over two minutes.
        ae.connection_timeout = self.deadline.at_most(self.peer.connect_timeout)
        ae.acse_timeout = self.deadline.at_most(self.peer.response_timeout)
        ae.dimse_timeout = self.deadline.at_most(self.peer.response_timeout)
        ae.network_timeout = None  # a quiet association is no failure; every wait has its own end
        handlers: list[Any] = [
            *pynetdicom_patches.NO_DELAY,
            (evt.EVT_CONN_OPEN, pynetdicom_patches.end_in_time),
            (evt.EVT_CONN_OPEN, limit_association, [MAX_PDU]),
            (evt.EVT_CONN_OPEN, lambda event: connected.append(event.address)),
        ]
        contexts, roles = self._contexts()
        if self._on_store is not None:
            handlers.append((evt.EVT_C_STORE, self._on_store))
        association = ae.associate(
            address,
            self.peer.remote_port,
            contexts=contexts,
            ae_title=self.peer.remote_ae_title,
            max_pdu=MAX_PDU,
            ext_neg=roles,
            evt_handlers=handlers,
            tls_args=self._tls_args(),
        )
        pynetdicom_patches.keep_responses(association)
        if not association.is_established:
            association.kill()  # after an answer that is no DICOM, its connection is still open
        return association, bool(connected)

    def _tls_args(self) -> tuple[Any, str] | None:
        if self.peer.tls is None:
            return None
        return tls.client_context(self.peer.tls), self.peer.remote_host

    def _no_tls(self, address: str, association: Association) -> TlsProblem | None:
        """Why there is no TLS, if that is what the association failed for."""
        answered = association.acceptor.primitive is not None
        if self.peer.tls is None or answered or self.deadline.expired:
            return None
        wait = self.deadline.at_most(1.0)
        where = (address, self.peer.remote_port)
        return tls.probe(*where, self.peer.tls, self.peer.remote_host, wait)

    def _contexts(self) -> tuple[list[PresentationContext], list[Any]]:
        transport = transport_of(self.peer)
        contexts = [build_context(self._model(service)) for service in ("C-FIND", transport.name)]
        if self._verification:
            contexts.append(build_context(Verification))
        if not transport.uses_association:
            return contexts, []
        roles = [build_role(uid, scp_role=True) for uid in STORAGE_CLASSES]
        return contexts + storage_contexts(), roles

    def _why_not(self, address: str) -> str:
        """Ask the system once more, briefly: pynetdicom only logs why a connection failed."""
        if self.deadline.expired:
            return "no time left"
        why = connection_failure(address, self.peer.remote_port, self.deadline.at_most(1.0))
        if why == "no answer":
            return f"{why} within {self.peer.connect_timeout:g} s"
        return why or "connected only at the second try"
