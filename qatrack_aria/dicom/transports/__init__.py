"""The ways of retrieving instances from a node, by the names that a node's configuration uses.

Another way is one new module with a :class:`~qatrack_aria.dicom.transports.base.Transport`, and its
line here.
"""

from __future__ import annotations

from qatrack_aria.dicom.peer import Peer
from qatrack_aria.dicom.transports.base import Transport
from qatrack_aria.dicom.transports.c_get import CGet
from qatrack_aria.dicom.transports.c_move import CMove

__all__ = ["TRANSPORTS", "Transport", "transport_of"]

TRANSPORTS: dict[str, Transport] = {transport.name: transport for transport in (CMove(), CGet())}


def transport_of(peer: Peer) -> Transport:
    """Return the way of retrieving that a node is configured for."""
    return TRANSPORTS[peer.retrieve_method]
