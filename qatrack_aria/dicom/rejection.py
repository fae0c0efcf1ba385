"""Why a node will not talk to us: the answer to an A-ASSOCIATE-RQ in plain words.

The reasons are those of PS3.8 table 9-21.
"""

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

#: (source, reason), in words and with the likely cure.
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
    (1, 1): ("without giving a reason", "ask whoever runs it to look into its association log"),
    (2, 1): ("without giving a reason", "ask whoever runs it to look into its association log"),
    (2, 2): ("because it speaks another protocol version", "ask whoever runs it"),
    (3, 1): ("because it is too busy for now", "ask again in a minute"),
    (3, 2): ("because its limit of associations is reached", "ask again in a minute"),
}
#: Those that may be gone a moment later.
BUSY = ((3, 1), (3, 2))


def rejection_error(peer: Peer, association: Association) -> AriaError:
    """The error for an association that was connected and is not established.

    Parameters
    ----------
    peer : Peer
        Whom we called.
    association : Association
        What came of it.

    Returns
    -------
    AriaError
        An :class:`AssociationRejectedError`, or a :class:`NodeUnreachableError` if it did not
        answer at all.
    """
    answer = association.acceptor.primitive
    if answer is not None and answer.result == ACCEPTED:
        root = peer.query_model.title()
        return AssociationRejectedError(
            f"Association: {peer} takes our calls but offers nothing of what is needed "
            f"({root} Root C-FIND and {peer.retrieve_method}): choose another query "
            "model or retrieve method for this node."
        )
    if answer is None or not association.is_rejected:
        perhaps_tls = "" if peer.tls else ", and one without TLS"
        return NodeUnreachableError(
            f"Association: {peer} is connected and then does not answer, or hangs up: is "
            f"this port a DICOM service{perhaps_tls}? Check the port; ask again if it "
            "was only busy."
        )
    reason = answer.result_source, answer.diagnostic
    why, cure = REJECTIONS.get(reason, ("without a reason that we know", "ask whoever runs it"))
    kind = NodeBusyError if reason in BUSY else AssociationRejectedError
    return kind(
        f"Association: {peer} rejected our call as '{peer.local_ae_title}' {why} "
        f"(source {reason[0]}, reason {reason[1]}): {cure}."
    )
