"""The listening side of the simulator: sockets, threads and presentation contexts."""

from __future__ import annotations

import logging
import threading
from socketserver import BaseServer
from typing import Any, Callable, Mapping

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.transport import ThreadedAssociationServer

from qatrack_aria.dicom import pynetdicom_patches

from .exchange import KINDS, PATIENT_ROOT, STUDY_ROOT, Exchange

LOGGER = logging.getLogger(__name__)

POLL_INTERVAL = 0.01  # s; stopping waits for it
JOIN_TIMEOUT = 10  # s; an aborted association ends much earlier

# An acceptor chooses by its own order: implicit VR first, as a DB Service 16.1 was seen to choose.
_QUERY_SYNTAXES: list[str | UID] = [ImplicitVRLittleEndian, ExplicitVRLittleEndian]

_VERIFICATION = "1.2.840.10008.1.1"


def supported_contexts(
    patient_root: bool, c_get: bool, storage: Mapping[str, list[str | UID]]
) -> list[PresentationContext]:
    """Return the presentation contexts that the simulator supports as an acceptor.

    Parameters
    ----------
    patient_root, c_get : bool
        Whether Patient Root and C-GET are offered.
    storage : mapping of str to list of UID
        The transfer syntaxes of each SOP class in the archive, also private ones. With C-GET they
        are accepted in the reversed role only: the client is the SCP (PS3.4 C.5.3.1.1).
    """
    models = (STUDY_ROOT, PATIENT_ROOT) if patient_root else (STUDY_ROOT,)
    operations = ("1", "2", "3") if c_get else ("1", "2")
    classes = [f"{model}.{operation}" for model in models for operation in operations]
    contexts = [build_context(uid, _QUERY_SYNTAXES) for uid in (_VERIFICATION, *classes)]
    if c_get:
        for sop_class, syntaxes in storage.items():
            context = build_context(sop_class, syntaxes)
            context.scu_role, context.scp_role = False, True
            contexts.append(context)
    return contexts


def _is_ours(request: Any) -> bool:
    return type(request) in KINDS and bool(request.is_valid_request)


def _prepare(listener: Listener, association: Association) -> None:
    """Prepare the association of a client that has just connected."""
    pynetdicom_patches.end_waits_with_connection(association)
    association.acceptor.supported_contexts = listener.contexts_now()

    def serve(request: Any, context_id: int) -> None:
        try:
            listener.serve(Exchange(association, request, context_id, listener.send))
        except Exception:
            LOGGER.exception("The simulator failed to answer %s", KINDS[type(request)])
            association.abort()

    pynetdicom_patches.serve_by(association, _is_ours, serve)


class Listener(ThreadedAssociationServer):
    """An association server that starts and stops at once, with contexts that may change.

    Parameters
    ----------
    contexts_now : callable
        Returns the presentation contexts to support; called for each association.
    serve : callable
        Answers an `Exchange`.
    """

    def __init__(
        self,
        *args: Any,
        contexts_now: Callable[[], list[PresentationContext]],
        serve: Callable[[Exchange], None],
        **kwargs: Any,
    ) -> None:
        self.contexts_now = contexts_now
        self.serve = serve
        kwargs["request_handler"] = pynetdicom_patches.handler_class(_prepare)
        super().__init__(*args, **kwargs)
        for kind, handler in (
            *pynetdicom_patches.NO_DELAY,
            (evt.EVT_CONN_OPEN, pynetdicom_patches.end_in_time),
        ):
            self.bind(kind, handler)
        self._answering = threading.Lock()
        self._ending = False
        self._thread = threading.Thread(
            target=self.serve_forever, args=(POLL_INTERVAL,), name="simulated ARIA", daemon=True
        )

    def begin(self) -> None:
        """Accept connections in a thread."""
        self._thread.start()

    def send(self, association: Association, response: Any, context_id: int) -> None:
        """Send a response, unless its association is being aborted: none may follow an abort."""
        with self._answering:
            if not self._ending:
                pynetdicom_patches.send_response(association, response, context_id)

    def shutdown(self) -> None:
        """Stop listening; pynetdicom's method requires a server of ``AE.start_server``."""
        BaseServer.shutdown(self)
        self.server_close()

    def end(self) -> None:
        """Abort the remaining associations, and wait for their threads."""
        self._thread.join(JOIN_TIMEOUT)
        with self._answering:
            self._ending = True
        for association in self.active_associations:
            if association.is_established:
                pynetdicom_patches.abort(association)
            else:
                pynetdicom_patches.close_unassociated(association)
            association.join(JOIN_TIMEOUT)

    def service_actions(self) -> None:
        """Do nothing; pynetdicom's method runs a full garbage collection every 60 polls."""
