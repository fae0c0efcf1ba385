"""The retrieve methods, by the names in a node's configuration.

Another one is a module with a :class:`~qatrack_aria.dicom.transports.base.Transport`, and its line
here.
"""

from __future__ import annotations

from qatrack_aria.dicom.peer import Peer
from qatrack_aria.dicom.transports.base import Transport
from qatrack_aria.dicom.transports.c_get import CGet
from qatrack_aria.dicom.transports.c_move import CMove

__all__ = ["TRANSPORTS", "Transport", "transport_of"]

TRANSPORTS: dict[str, Transport] = {transport.name: transport for transport in (CMove(), CGet())}


def transport_of(peer: Peer) -> Transport:
    """Return the retrieve method of a node."""
    return TRANSPORTS[peer.retrieve_method]
