"""One request of a client, and the responses to it.

A simulator has to misbehave as well. So it writes its responses itself: pynetdicom's service
classes leave a handler little choice.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, Callable

from pydicom.dataset import Dataset
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_FIND, C_GET, C_MOVE
from pynetdicom.dsutils import decode, encode

from qatrack_aria.dicom.pynetdicom_patches import is_cancelled

KINDS = {C_FIND: "C-FIND", C_MOVE: "C-MOVE", C_GET: "C-GET"}

PENDING = 0xFF00

PATIENT_ROOT = "1.2.840.10008.5.1.4.1.2.1"
STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2"
"""Prefixes of the SOP classes of a query model; .1 is FIND, .2 MOVE and .3 GET (PS3.4 C.6)."""


class Exchange:
    """A C-FIND, C-MOVE or C-GET request, to be answered on its association.

    Parameters
    ----------
    association : pynetdicom.association.Association
        The association.
    request : C_FIND, C_MOVE or C_GET
        The request primitive.
    context_id : int
        The presentation context's ID.
    send : callable
        Sends a response primitive, given the association, the primitive and the context's ID.
    """

    def __init__(
        self,
        association: Association,
        request: Any,
        context_id: int,
        send: Callable[[Association, Any, int], None],
    ) -> None:
        self.association = association
        self.kind = KINDS[type(request)]
        self.message_id: int = request.MessageID
        self.patient_root = str(request.AffectedSOPClassUID).startswith(f"{PATIENT_ROOT}.")
        self.destination = str(getattr(request, "MoveDestination", None) or "").strip()
        self.calling_ae_title = str(association.requestor.ae_title).strip()
        self._request = request
        self._context_id = context_id
        self._send = send
        contexts = {context.context_id: context for context in association.accepted_contexts}
        self._syntax = contexts[context_id].transfer_syntax[0]
        self.identifier = decode(
            request.Identifier, self._syntax.is_implicit_VR, self._syntax.is_little_endian
        )

    @property
    def is_cancelled(self) -> bool:
        """Whether the client has sent a C-CANCEL."""
        return is_cancelled(self.association, self.message_id)

    def respond(self, status: int, identifier: Dataset | None = None, /, **counts: int) -> None:
        """Send a response.

        Parameters
        ----------
        status : int
            (0000,0900) Status.
        identifier : pydicom.dataset.Dataset, optional
            An answer, or the Failed SOP Instance UID List.
        **counts : int
            ``NumberOfCompletedSuboperations`` and its like.
        """
        response = type(self._request)()
        response.MessageIDBeingRespondedTo = self.message_id
        response.AffectedSOPClassUID = self._request.AffectedSOPClassUID
        response.Status = status
        for keyword, count in counts.items():
            setattr(response, keyword, count)
        if identifier is not None:
            encoded = encode(identifier, self._syntax.is_implicit_VR, self._syntax.is_little_endian)
            if encoded is None:
                raise ValueError("an answer could not be encoded")
            response.Identifier = BytesIO(encoded)
        self._send(self.association, response, self._context_id)
