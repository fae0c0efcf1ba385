"""C-MOVE: the node sends the instances to our storage SCP (PS3.4 C.4.2)."""

from __future__ import annotations

from typing import Any, Iterator

from qatrack_aria.dicom.peer import C_MOVE, PATIENT_ROOT, STUDY_ROOT, Peer
from qatrack_aria.dicom.transports.base import Transport


class CMove(Transport):
    """Retrieve by C-MOVE."""

    name = C_MOVE
    models = {
        STUDY_ROOT: "1.2.840.10008.5.1.4.1.2.2.2",
        PATIENT_ROOT: "1.2.840.10008.5.1.4.1.2.1.2",
    }
    uses_port = True

    def request(
        self, association: Any, identifier: Any, message_id: int, peer: Peer
    ) -> Iterator[tuple[Any, Any]]:
        """Send the request, and yield the status and identifier of each response."""
        model = self.models[peer.query_model]
        responses: Iterator[tuple[Any, Any]] = association.send_c_move(
            identifier, peer.local_ae_title, model, message_id
        )
        return responses

    def destination(self, peer: Peer) -> str:
        """Return our port, where two retrievals would get each other's images."""
        return f"port-{peer.local_port}"

    def advice_if_none_arrive(self, peer: Peer) -> str:
        """Return what to check if the node reports success but no image arrives."""
        return (
            "it reports success but no image arrived: it knows another address or port for our AE "
            f"title '{peer.local_ae_title}' than this machine's port {peer.local_port}, or a "
            "firewall blocks it: check both"
        )

    def advice_if_refused(self, names: str) -> str:
        """Return what to do if classes or transfer syntaxes were refused in the negotiation."""
        return (
            f"the node proposed {names}, which our port does not accept: asking again does not "
            "help for what is of that kind; let the node send it as RT Image Storage in a standard "
            "transfer syntax"
        )
