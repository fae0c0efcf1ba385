"""The sending side of the simulator: the C-STOREs of a C-MOVE or C-GET."""

from __future__ import annotations

import contextlib
import itertools
import threading
from typing import Callable, Iterator, Mapping, Sequence

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.association import Association

from qatrack_aria.dicom import pynetdicom_patches

from . import retrieve
from .behaviour import Behaviour
from .exchange import Exchange
from .operation import Operation

MAXIMUM_PDU = 64234  # bytes, from the association log of a DB Service 16.1
TRANSACTION_TIMEOUT = 100  # s, ARIA's default
RELEASE_TIMEOUT = 5  # s, after which a receiver that does not answer is abandoned


class Sender:
    """Sends instances to clients.

    Parameters
    ----------
    ae_title : str
        The simulator's AE title.
    peers : mapping of str to (str, int)
        Address and port of each destination of a C-MOVE.
    record : callable
        Called with the `Operation` of each C-STORE.
    """

    def __init__(
        self,
        ae_title: str,
        peers: Mapping[str, tuple[str, int]],
        record: Callable[[Operation], None],
    ) -> None:
        self._ae_title = ae_title
        self._peers = peers
        self._record = record
        self._associations: set[Association] = set()
        self._late: list[threading.Thread] = []
        self._stopping = False

    def abort(self) -> None:
        """Abort all associations, and open no more."""
        self._stopping = True
        for association in list(self._associations):
            pynetdicom_patches.abort(association)

    def join(self) -> None:
        """Wait for the threads of late C-STOREs."""
        for thread in self._late:
            thread.join()

    @contextlib.contextmanager
    def to_destination(
        self, exchange: Exchange, wanted: Sequence[Dataset], behaviour: Behaviour
    ) -> Iterator[retrieve.Store]:
        """Associate with the destination of a C-MOVE; yields what sends one instance to it."""
        association = self._associate(exchange, wanted, behaviour)
        try:
            yield self.by_association(association, exchange.destination, exchange)
        finally:
            if association is not None:
                self._release(association)

    def by_association(
        self, association: Association | None, destination: str, originator: Exchange | None
    ) -> retrieve.Store:
        """Return what sends one instance on an association, and records it."""
        message_ids = itertools.cycle(range(1, 65536))

        def store(dataset: Dataset) -> int:
            status = retrieve.NO_RESPONSE
            if association is not None:
                status = retrieve.c_store(association, dataset, next(message_ids), originator)
            identifier = {
                keyword: str(dataset.get(keyword, ""))
                for keyword in ("SOPClassUID", "SOPInstanceUID")
            }
            self._record(Operation("C-STORE", "", identifier, 1, status, destination))
            return status

        return store

    def send_late(
        self, exchange: Exchange, wanted: Sequence[Dataset], behaviour: Behaviour
    ) -> None:
        """Send instances in a thread, after the final response of their C-MOVE."""

        def send() -> None:
            with self.to_destination(exchange, wanted, behaviour) as store:
                retrieve.send_all(wanted, behaviour, store)

        thread = threading.Thread(target=send, name="late C-STOREs")
        self._late.append(thread)
        thread.start()

    def _associate(
        self, exchange: Exchange, wanted: Sequence[Dataset], behaviour: Behaviour
    ) -> Association | None:
        """Associate with the destination of a C-MOVE; None if there is nothing to send."""
        outgoing = (*behaviour.extra, *wanted)
        if not outgoing or self._stopping:
            return None
        host, port = self._peers[exchange.destination]
        ae = pynetdicom_patches.application_entity(behaviour.store_ae_title or self._ae_title, host)
        ae.dimse_timeout = TRANSACTION_TIMEOUT
        ae.network_timeout = TRANSACTION_TIMEOUT
        pairs = {(str(ds.SOPClassUID), str(ds.file_meta.TransferSyntaxUID)) for ds in outgoing}
        for sop_class, syntax in sorted(pairs):
            ae.add_requested_context(sop_class, syntax)
        association = ae.associate(
            host,
            port,
            ae_title=exchange.destination,
            max_pdu=MAXIMUM_PDU,
            evt_handlers=[
                *pynetdicom_patches.NO_DELAY,
                (evt.EVT_CONN_OPEN, pynetdicom_patches.end_in_time),
                (evt.EVT_CONN_OPEN, self._connected),
            ],
        )
        if self._stopping:  # it may have been aborted before it was established
            association.kill()
        pynetdicom_patches.keep_responses(association)
        return association

    def _connected(self, event: evt.Event) -> None:
        """Make abort() end an association also while its receiver does not answer."""
        pynetdicom_patches.end_waits_with_connection(event.assoc)
        self._associations.add(event.assoc)
        if self._stopping:
            pynetdicom_patches.shut_down(pynetdicom_patches.socket_of(event.assoc))

    def _release(self, association: Association) -> None:
        self._associations.discard(association)  # first: what is being released is not aborted
        if association.is_established:
            association.acse_timeout = RELEASE_TIMEOUT
            association.release()
