"""The error for an association that a node rejects, with its reason in words (PS3.8 table 9-21)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qatrack_aria.errors import (
    AriaError,
    AssociationRejectedError,
    NodeBusyError,
    NodeUnreachableError,
)

if TYPE_CHECKING:
    from pynetdicom.association import Association

    from qatrack_aria.dicom.peer import Peer

ACCEPTED = 0  # the result of an A-ASSOCIATE-AC (PS3.8 table 9-17)

#: (source, reason) in words, and what to do about it.
REJECTIONS = {
    (1, 3): (
        "because it does not know that AE title",
        "add it, with this machine's address and port, to the trusted application entities in "
        "ARIA's DICOM Services Configuration, or correct the node's local AE title",
    ),
    (1, 7): (
        "because it is not the AE title we called",
        "correct the node's remote AE title",
    ),
    (1, 1): ("without giving a reason", "ask its administrator to check its association log"),
    (2, 1): ("without giving a reason", "ask its administrator to check its association log"),
    (2, 2): ("because it speaks another protocol version", "ask its administrator"),
    (3, 1): ("because it is too busy for now", "ask again in a minute"),
    (3, 2): ("because its limit of associations is reached", "ask again in a minute"),
}
#: Reasons that may be gone a moment later.
BUSY = ((3, 1), (3, 2))


def rejection_error(peer: Peer, association: Association) -> AriaError:
    """Return the error for an association that was connected but is not established.

    Parameters
    ----------
    peer : Peer
        The node.
    association : Association
        The association.

    Returns
    -------
    AriaError
        An :class:`AssociationRejectedError`, or a :class:`NodeUnreachableError` if there was no
        answer.
    """
    answer = association.acceptor.primitive
    if answer is not None and answer.result == ACCEPTED:
        root = peer.query_model.title()
        return AssociationRejectedError(
            f"Association: {peer} accepts the association but offers neither {root} Root C-FIND "
            f"nor {peer.retrieve_method}: choose another query model or retrieve method for this "
            "node."
        )
    if answer is None or not association.is_rejected:
        perhaps_tls = "" if peer.tls else ", and one without TLS"
        return NodeUnreachableError(
            f"Association: {peer} accepts the connection but does not answer, or closes it: is "
            f"this port a DICOM service{perhaps_tls}? Check the port; ask again if it "
            "was only busy."
        )
    reason = answer.result_source, answer.diagnostic
    why, advice = REJECTIONS.get(reason, ("for an unknown reason", "ask its administrator"))
    kind = NodeBusyError if reason in BUSY else AssociationRejectedError
    return kind(
        f"Association: {peer} rejected our request as '{peer.local_ae_title}' {why} "
        f"(source {reason[0]}, reason {reason[1]}): {advice}."
    )
