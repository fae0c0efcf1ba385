"""The simulated DB Service: it answers requests, and keeps a log of them."""

from __future__ import annotations

import itertools
from typing import Any, Callable, Iterable, Mapping

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity as AE
from pynetdicom.presentation import PresentationContext

from qatrack_aria.dicom import pynetdicom_patches

from . import find, retrieve
from .behaviour import Behaviour
from .exchange import PENDING, Exchange
from .index import Index
from .listener import Listener, supported_contexts
from .matching import has_value
from .moods import Moods, held
from .operation import Operation, operation
from .sender import MAXIMUM_PDU, TRANSACTION_TIMEOUT, Sender

RESPONSE_LIMIT_REACHED = 0xB001


class Simulator:
    """A simulated ARIA DB Service.

    Parameters
    ----------
    datasets : iterable of pydicom.dataset.Dataset
        The instances it holds; each needs file meta information with its transfer syntax.
    ae_title : str
        Its AE title, by which clients have to call it.
    host : str
        The address to listen on.
    port : int
        The TCP port; 0 for any free one, see `port`.
    peers : mapping of str to (str, int)
        The trusted AE titles, and the address and port that a C-MOVE to each sends to.
    behaviour : Behaviour
        How it behaves; may be replaced at any time.
    on_operation : callable, optional
        Called with each `Operation` when it is over.

    Attributes
    ----------
    log : list of Operation
        The operations it has performed, in the order in which they ended.
    peers : dict
        As above; may be edited while running.
    moods : Moods
        What has changed from one C-FIND to the next since the behaviour was set.
    """

    def __init__(
        self,
        datasets: Iterable[Dataset] = (),
        ae_title: str = "VMSDBD",
        host: str = "127.0.0.1",
        port: int = 0,
        peers: Mapping[str, tuple[str, int]] | None = None,
        behaviour: Behaviour | None = None,
        on_operation: Callable[[Operation], None] | None = None,
    ) -> None:
        self.ae_title = ae_title
        self.host = host
        self.port = port
        default = {"QATRACK": ("127.0.0.1", 11112)}
        self.peers: dict[str, tuple[str, int]] = dict(default if peers is None else peers)
        self.log: list[Operation] = []
        self._on_operation = on_operation
        self._datasets = list(datasets)
        self.behaviour = behaviour or Behaviour()
        self._listener: Listener | None = None

    @property
    def behaviour(self) -> Behaviour:
        """How it behaves; setting it restarts the counts of initial failures and of C-FINDs."""
        return self._behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._failing_finds = itertools.repeat(True, behaviour.find_failures)
        self._busy_calls = itertools.repeat(True, behaviour.busy_calls)
        self.moods = Moods(behaviour)
        self._take_stock()

    def __enter__(self) -> Simulator:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def __len__(self) -> int:
        return len(self._index)

    def add(self, datasets: Iterable[Dataset]) -> None:
        """Add instances, also while running; one that is held already is left out."""
        new = list(datasets)
        self._datasets += new
        self._index.add(held(new, self.behaviour, self.moods.is_late))

    def replace(self, datasets: Iterable[Dataset]) -> None:
        """Hold these instances instead, also while running."""
        self._datasets = list(datasets)
        self._take_stock()

    def operations(self, kind: str) -> list[Operation]:
        """Return the operations of one kind from the log."""
        return [done for done in self.log if done.kind == kind]

    def start(self) -> None:
        """Listen.

        Raises
        ------
        OSError
            If the address or port cannot be used.
        """
        self._sender = Sender(self.ae_title, self.peers, self._record)
        ae = AE(ae_title=self.ae_title)
        ae.maximum_pdu_size = MAXIMUM_PDU
        ae.dimse_timeout = TRANSACTION_TIMEOUT
        ae.network_timeout = TRANSACTION_TIMEOUT
        ae.maximum_associations = 100
        ae.supported_contexts = self._contexts()
        handlers = [(evt.EVT_REQUESTED, self._check_titles), (evt.EVT_C_ECHO, self._echo)]
        listener: Any = ae.make_server(
            (self.host, self.port),
            evt_handlers=handlers,
            server_class=pynetdicom_patches.listener_class(Listener, self.host),
            contexts_now=self._contexts,
            serve=self._serve,
        )
        self.port = listener.server_address[1]
        listener.begin()
        self._listener = listener

    def stop(self) -> None:
        """Stop listening, abort all associations, and wait for every thread to end."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        self._sender.abort()
        listener.shutdown()
        listener.end()
        self._sender.join()

    def _take_stock(self) -> None:
        """Index what is held now: before the late change, or after it."""
        index = Index()
        index.add(held(self._datasets, self.behaviour, self.moods.is_late))
        self._index = index

    def _contexts(self) -> list[PresentationContext]:
        offered = self.behaviour.patient_root, self.behaviour.c_get
        return supported_contexts(*offered, self._index.storage_contexts())

    def _check_titles(self, event: evt.Event) -> None:
        """Reject an untrusted or wrong AE title, or a request while too busy (PS3.8 9.3.4)."""
        association = event.assoc
        request: Any = association.requestor.primitive
        if request.called_ae_title.strip() != self.ae_title:
            rejection = 0x01, 0x01, 0x07  # for good: called AE title not recognised
        elif self.behaviour.trusted_only and request.calling_ae_title.strip() not in self.peers:
            rejection = 0x01, 0x01, 0x03  # for good: calling AE title not recognised
        elif next(self._busy_calls, False):
            rejection = 0x02, 0x03, 0x01  # for now: temporary congestion
        else:
            return
        pynetdicom_patches.reject(association, *rejection)

    def _echo(self, event: evt.Event) -> int:
        peer = event.assoc.requestor.ae_title.strip()
        self._record(Operation("C-ECHO", "", {}, 0, retrieve.SUCCESS, peer))
        return retrieve.SUCCESS

    def _serve(self, exchange: Exchange) -> None:
        refused = find.refusal(self.behaviour, exchange.patient_root, exchange.identifier)
        if refused is not None:
            self._respond(exchange, refused)
        elif exchange.kind == "C-FIND":
            self._find(exchange)
        else:
            self._retrieve(exchange)

    def _find(self, exchange: Exchange) -> None:
        behaviour, moods = self.behaviour, self.moods
        was_late, number = moods.is_late, moods.begin()
        if moods.is_late and not was_late:
            self._take_stock()
        keys = {key.keyword for key in exchange.identifier if has_value(key)}
        if behaviour.refused_keys & keys:
            return self._respond(exchange, find.IDENTIFIER_DOES_NOT_MATCH)
        if next(self._failing_finds, False):
            return self._respond(exchange, retrieve.SUCCESS)
        sent, status = 0, retrieve.SUCCESS
        right = find.find(self._index, behaviour, exchange.identifier)
        for answer in moods.answers(number, exchange.identifier, right):
            if exchange.is_cancelled:
                status = retrieve.CANCELLED
                break
            if sent == behaviour.answer_limit:
                status = RESPONSE_LIMIT_REACHED
                break
            exchange.respond(PENDING, answer)
            sent += 1
        return self._respond(exchange, status, answers=sent)

    def _retrieve(self, exchange: Exchange) -> None:
        behaviour = self.behaviour
        refused = retrieve.refusal(behaviour, exchange.identifier)
        if refused is not None:
            return self._respond(exchange, refused)
        wanted = retrieve.select(self._index, exchange.identifier)
        if behaviour.uid_list_success and retrieve.is_list(exchange.identifier):
            wanted = []
        if exchange.kind == "C-GET":
            return self._get(exchange, wanted, behaviour)
        if exchange.destination not in self.peers:
            return self._respond(exchange, retrieve.DESTINATION_UNKNOWN)
        return self._move(exchange, wanted, behaviour)

    def _get(self, exchange: Exchange, wanted: list[Dataset], behaviour: Behaviour) -> None:
        store = self._sender.by_association(exchange.association, exchange.calling_ae_title, None)
        status, progress = retrieve.perform(exchange, wanted, behaviour, store)
        self._conclude(exchange, behaviour, status, progress)

    def _move(self, exchange: Exchange, wanted: list[Dataset], behaviour: Behaviour) -> None:
        if behaviour.after_final:
            progress = retrieve.Progress(completed=len(wanted))
            self._conclude(exchange, behaviour, retrieve.SUCCESS, progress)
            self._sender.send_late(exchange, wanted, behaviour)
            return
        with self._sender.to_destination(exchange, wanted, behaviour) as store:
            status, progress = retrieve.perform(exchange, wanted, behaviour, store)
        self._conclude(exchange, behaviour, status, progress)

    def _conclude(
        self, exchange: Exchange, behaviour: Behaviour, status: int, progress: retrieve.Progress
    ) -> None:
        """End a retrieval with its final response, or by aborting."""
        if behaviour.abort_after is not None and status == PENDING:
            self._record(operation(exchange, progress.completed, status))
            exchange.association.abort()
            return
        if behaviour.final_status is not None:
            status = behaviour.final_status
        self._respond(
            exchange,
            status,
            retrieve.failed_list(progress),
            progress.completed,
            **retrieve.counts(progress, pending=status == retrieve.CANCELLED),
        )

    def _respond(
        self,
        exchange: Exchange,
        status: int,
        identifier: Dataset | None = None,
        answers: int = 0,
        **counts: int,
    ) -> None:
        # Logged first: a client that has the final response can rely on the log.
        self._record(operation(exchange, answers, status))
        exchange.respond(status, identifier, **counts)

    def _record(self, done: Operation) -> None:
        self.log.append(done)
        if self._on_operation is not None:
            self._on_operation(done)
