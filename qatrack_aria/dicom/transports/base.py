"""The interface of a retrieve method."""

from __future__ import annotations

from typing import Any, ClassVar, Iterator, Mapping

from qatrack_aria.dicom.peer import Peer


class Transport:
    """A DIMSE service that retrieves instances from a node.

    Attributes
    ----------
    name : str
        The service, as DICOM calls it.
    models : mapping of str to str
        SOP Class UID of the service for each query model of a node (PS3.4 C.6).
    uses_port : bool
        Whether the node sends the instances to our storage SCP, on an association of its own. It
        then needs our port, and with TLS our certificate.
    uses_association : bool
        Whether the instances come back on the association of the request, where we are the SCP of
        Storage.
    """

    name: ClassVar[str]
    models: ClassVar[Mapping[str, str]]
    uses_port: ClassVar[bool] = False
    uses_association: ClassVar[bool] = False

    def request(
        self, association: Any, identifier: Any, message_id: int, peer: Peer
    ) -> Iterator[tuple[Any, Any]]:
        """Send the request, and yield the status and identifier of each response."""
        raise NotImplementedError

    def destination(self, peer: Peer) -> str:
        """Return the name of what two retrievals must not use at the same time, for a lock."""
        raise NotImplementedError

    def advice_if_none_arrive(self, peer: Peer) -> str:
        """Return what to check if the node reports success but no image arrives; may be empty."""
        return ""

    def advice_if_refused(self, names: str) -> str:
        """Return what to do if classes or transfer syntaxes were refused in the negotiation."""
        raise NotImplementedError
