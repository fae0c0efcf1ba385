"""The association with a node, with bounded waits and named failures."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Callable, ContextManager

from pynetdicom import build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import Verification

from qatrack_aria.dicom import pynetdicom_patches, tls
from qatrack_aria.dicom.abilities import Abilities
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.limits import MAX_PDU, limit_association
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.dicom.presentation_contexts import (
    FIND_MODELS,
    STORAGE_CLASSES,
    requested_storage_contexts,
    uid_name,
)
from qatrack_aria.dicom.pynetdicom_patches import waiting
from qatrack_aria.dicom.rejection import rejection_error
from qatrack_aria.dicom.resolve import connection_failure, resolve, unreachable_error
from qatrack_aria.dicom.tls import TlsProblem
from qatrack_aria.dicom.transports import transport_of
from qatrack_aria.dicom.uids import RT_IMAGE_STORAGE
from qatrack_aria.errors import (
    AssociationRejectedError,
    NodeBusyError,
    NodeUnreachableError,
)
from qatrack_aria.text import error_reason

#: Seconds before another attempt to associate with a node that was too busy.
BUSY_PAUSES = (1.0, 3.0)


class Session:
    """The association with one node, opened when it is needed, and again after it broke off.

    Parameters
    ----------
    peer : Peer
        The node.
    deadline : Deadline
        The limit of every wait.
    on_store : callable, optional
        Handles the C-STORE event of a C-GET, and returns the status of the response.
    verification : bool
        Offer C-ECHO too.
    connecting : callable, optional
        Returns a context manager in which the association is opened, for instance a timer.

    Attributes
    ----------
    abilities : Abilities
        What the node has turned out to be able to do.

    Raises
    ------
    NodeUnreachableError, AssociationRejectedError
        From everything that needs the association.
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
        self.abilities = Abilities()
        self._verification = verification
        self.deadline = deadline
        self._on_store = on_store
        self._connecting = connecting
        self._logging = contextlib.ExitStack()
        self._association: Association | None = None
        self._message_id = 0
        self._exceeded: list[str] = []  # the limits for which we have disconnected the node

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
        """Return the ID of the next message; from then on only its responses are accepted."""
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
            association.join(self.deadline.briefly(waiting.ABORT_TIMEOUT))
        if association.is_alive():
            pynetdicom_patches.abort(association)
            association.join(self.deadline.briefly(2.0))

    def abort(self) -> None:
        """Abort the association at once."""
        association, self._association = self._association, None
        if association is not None:
            pynetdicom_patches.abort(association)

    def context(self, service: str) -> Any:
        """Return the SOP class of C-FIND, or of the node's retrieve method.

        Raises
        ------
        AssociationRejectedError
            The node does not offer it.
        """
        model = self._model(service)
        if model not in [cx.abstract_syntax for cx in self.association.accepted_contexts]:
            root = self.peer.query_model.title()
            raise AssociationRejectedError(
                f"Association: {self.peer} accepts the association but does not offer {service} "
                f"in the {root} Root model: choose another query model or retrieve method for this "
                "node."
            )
        return model

    @property
    def refused_storage(self) -> list[str]:
        """The name of RT Image Storage if the node does not send it by C-GET, in a list."""
        accepted = {context.abstract_syntax for context in self.association.accepted_contexts}
        if self._on_store is None or RT_IMAGE_STORAGE in accepted:
            return []
        return [uid_name(RT_IMAGE_STORAGE)]

    def _model(self, service: str) -> str:
        models = FIND_MODELS if service == "C-FIND" else transport_of(self.peer).models
        return models[self.peer.query_model]

    def echo(self) -> int | None:
        """Send one C-ECHO (PS3.7 9.1.5).

        Returns
        -------
        int or None
            The status; ``None`` where the node does not offer Verification.

        Raises
        ------
        NodeUnreachableError
            There was no response.
        """
        message_id = self.next_message_id()
        association = self.association
        if Verification not in [cx.abstract_syntax for cx in association.accepted_contexts]:
            return None
        association.dimse_timeout = self.deadline.at_most(self.peer.response_timeout)
        began = time.monotonic()
        try:
            status = association.send_c_echo(message_id)
        except RuntimeError:  # the association has just ended
            raise self.no_response_error("C-ECHO", 0) from None
        if "Status" not in status:
            raise self.no_response_error("C-ECHO", time.monotonic() - began)
        return int(status.Status)

    def no_response_error(self, during: str, waited: float) -> NodeUnreachableError:
        """Return the error for a response that did not come.

        Parameters
        ----------
        during : str
            The step.
        waited : float
            Seconds since the last response.
        """
        if self.deadline.expired:
            what = f"did not finish within the total of {self.deadline.seconds:g} s"
            advice = "raise the node's deadline, ask for one day (date=), or ask again"
        elif self._exceeded:
            what = f"{self._exceeded[-1]}, so we aborted"
            advice = "its administrator must check its log"
        elif waited >= self.peer.response_timeout:
            what = f"was silent for {self.peer.response_timeout:g} s"
            advice = "ask again; if that does not help, ask its administrator"
        else:
            what = "broke off the association"
            advice = "ask again; if that does not help, ask its administrator to check its log"
        return NodeUnreachableError(f"{during}: {self.peer} {what}: {advice}.")

    def _open(self) -> Association:
        """Associate; if the node is only too busy, try again after each pause."""
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
            except OSError as error:  # no socket of that family, as on a machine without IPv6
                reasons.append(f"{address}: {error_reason(error)}")
                continue
            if association.is_established:
                return association
            problem = self._tls_problem(address, association)
            if problem is not None:
                raise problem.error(self.peer)
            if connected:
                raise rejection_error(self.peer, association)
            reasons.append(f"{address}: {self._connection_failure(address)}")
        raise unreachable_error(self.peer, reasons)

    def _request(self, address: str) -> tuple[Association, bool]:
        connected: list[Any] = []
        ae = pynetdicom_patches.application_entity(self.peer.local_ae_title, address)
        # pynetdicom's default, None, leaves it to the system, which waits for over two minutes.
        ae.connection_timeout = self.deadline.at_most(self.peer.connect_timeout)
        ae.acse_timeout = self.deadline.at_most(self.peer.response_timeout)
        ae.dimse_timeout = self.deadline.at_most(self.peer.response_timeout)
        ae.network_timeout = None  # silence is no failure; each wait has its own limit
        handlers: list[Any] = [
            *pynetdicom_patches.NO_DELAY,
            (evt.EVT_CONN_OPEN, pynetdicom_patches.end_in_time),
            (evt.EVT_CONN_OPEN, limit_association, [self._exceeded.append]),
            (evt.EVT_CONN_OPEN, lambda event: connected.append(event.address)),
        ]
        contexts, roles = self._contexts()
        encryption = tls.client_context(self.peer.tls) if self.peer.tls else None
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
            tls_args=encryption and (encryption, self.peer.remote_host),
        )
        pynetdicom_patches.keep_responses(association)
        if not association.is_established:
            association.kill()  # after an answer that is not DICOM the connection is still open
        return association, bool(connected)

    def _tls_problem(self, address: str, association: Association) -> TlsProblem | None:
        """Return the TLS problem that made the association fail, if it was one."""
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
        return contexts + requested_storage_contexts(), roles

    def _connection_failure(self, address: str) -> str:
        """Return why a connection failed, by trying again: pynetdicom only logs the reason."""
        if self.deadline.expired:
            return "no time left"
        why = connection_failure(address, self.peer.remote_port, self.deadline.at_most(1.0))
        if why == "no answer":
            return f"{why} within {self.peer.connect_timeout:g} s"
        return why or "connected at the second attempt only"
