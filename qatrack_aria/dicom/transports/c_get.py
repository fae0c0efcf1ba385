"""C-GET: the instances come back on the association of the request (PS3.4 C.4.3)."""

from __future__ import annotations

import re
from typing import Any, Iterator

from qatrack_aria.dicom.peer import C_GET, PATIENT_ROOT, STUDY_ROOT, Peer
from qatrack_aria.dicom.transports.base import Transport


class CGet(Transport):
    """Retrieve by C-GET."""

    name = C_GET
    models = {
        STUDY_ROOT: "1.2.840.10008.5.1.4.1.2.2.3",
        PATIENT_ROOT: "1.2.840.10008.5.1.4.1.2.1.3",
    }
    uses_association = True

    def request(
        self, association: Any, identifier: Any, message_id: int, peer: Peer
    ) -> Iterator[tuple[Any, Any]]:
        """Send the request, and yield the status and identifier of each response."""
        model = self.models[peer.query_model]
        responses: Iterator[tuple[Any, Any]] = association.send_c_get(identifier, model, message_id)
        return responses

    def destination(self, peer: Peer) -> str:
        """Return our AE title: no port is involved, but one operation at a time is the rule."""
        escaped = re.sub(r"[^A-Za-z0-9_-]", lambda c: f"%{ord(c[0]):x}", peer.local_ae_title)
        return f"get-{escaped}"

    def advice_if_refused(self, names: str) -> str:
        """Return what to do if classes or transfer syntaxes were refused in the negotiation."""
        return (
            f"the node does not offer {names} by C-GET, so asking again does not help: choose "
            "C-MOVE for this node"
        )
