"""All code that depends on private parts of pynetdicom, or on its version (2.0 to 3).

No other module uses them, and ``tests/dicom/test_pynetdicom_patches.py`` names each of them.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import logging
import math
import queue
import select
import socket
import threading
import time
from io import BytesIO
from typing import Any, Callable, Iterator

import pynetdicom
from pynetdicom import _config, evt, sop_class
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_FIND_RSP
from pynetdicom.dimse_primitives import C_FIND
from pynetdicom.dsutils import decode, encode
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.transport import (
    AssociationSocket,
    RequestHandler,
    ThreadedAssociationServer,
)

#: Seconds to end an association: sending an A-ABORT takes about 0.1.
ABORT_TIMEOUT = 1.0

#: Seconds between two checks whether the connection that a response will use still exists.
CHECK_INTERVAL = 0.2

C_STORE_RQ = 0x0001  # the Command Field (PS3.7 E.1)
C_FIND_RSP_FIELD = 0x8020
#: Group Length, Affected SOP Class UID, Command Field, Message ID Being Responded To, Command Data
#: Set Type and Status (PS3.7 9.3.2.2).
_ANSWER_ELEMENTS = {0x00000000, 0x00000002, 0x00000100, 0x00000120, 0x00000800, 0x00000900}
_NO_DATA_SET = 0x0101
#: Bits of a Message Control Header (PS3.8 E.2).
_OF_COMMAND, _IS_LAST = 0x01, 0x02
_LONGEST_COMMAND = 300
#: Seconds between two looks at the timers of an association, and at whether it is to end.
LONGEST_WAIT, IDLE_PAUSE = 0.02, 0.001
#: Messages that wait to be sent.
MOST_UNSENT = 20
_KEPT_COMMANDS = 10

_QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)  # Linux
_HAS_IPV6 = int(pynetdicom.__version__.split(".")[0]) >= 3


# --- logging ----------------------------------------------------------------------------------

_logging_lock = threading.Lock()
_logging_users = 0
_logging_before: tuple[bool, bool, int] = (True, True, logging.NOTSET)


@contextlib.contextmanager
def private_logging() -> Iterator[None]:
    """Keep patients and staff out of pynetdicom's log while one of our associations is open.

    At level INFO pynetdicom logs whole identifiers. Where no level is set, its errors, which ours
    repeat in plain words, would go to standard error. Both settings are restored when our last
    association has ended, for other users of pynetdicom in the same process.
    """
    global _logging_users, _logging_before
    logger = logging.getLogger("pynetdicom")
    with _logging_lock:
        if not _logging_users:
            identifiers = _config.LOG_REQUEST_IDENTIFIERS, _config.LOG_RESPONSE_IDENTIFIERS
            _logging_before = (*identifiers, logger.level)
            _config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False
            if logger.level == logging.NOTSET:
                logger.setLevel(logging.CRITICAL)
        _logging_users += 1
    try:
        yield
    finally:
        with _logging_lock:
            _logging_users -= 1
            if not _logging_users:
                _config.LOG_REQUEST_IDENTIFIERS = _logging_before[0]
                _config.LOG_RESPONSE_IDENTIFIERS = _logging_before[1]
                if _logging_before[2] == logging.NOTSET and logger.level == logging.CRITICAL:
                    logger.setLevel(logging.NOTSET)


# --- SOP classes ------------------------------------------------------------------------------


def register_storage(uid: str, keyword: str) -> None:
    """Make pynetdicom treat a SOP class that it does not know as one of Storage.

    Without it, pynetdicom accepts the class in the negotiation and then refuses each C-STORE.
    """
    if uid in sop_class._STORAGE_CLASSES.values():
        return
    register = getattr(sop_class, "register_uid", None)
    if register is not None:
        register(uid, keyword, StorageServiceClass)
    else:  # pynetdicom 2.0
        sop_class._STORAGE_CLASSES[keyword] = uid


# --- requesting -------------------------------------------------------------------------------


class _IPv6Socket(AssociationSocket):
    """The socket of a requestor, for an IPv6 address."""

    def _create_socket(self, address: Any = ("", 0)) -> socket.socket:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        if self.assoc.network_timeout is not None:
            sock.settimeout(self.assoc.network_timeout)
        self._is_connected = False
        return sock


class _IPv6Entity(ApplicationEntity):
    """An application entity with IPv6 sockets; pynetdicom before 3 makes IPv4 ones only."""

    def _create_socket(self, assoc: Any, address: Any, tls_args: Any) -> AssociationSocket:
        sock = _IPv6Socket(assoc, address=address)
        sock.tls_args = tls_args
        return sock


def application_entity(ae_title: str, address: str) -> ApplicationEntity:
    """Return an application entity that can connect to `address`, IPv4 or IPv6."""
    if ":" in address and not _HAS_IPV6:
        return _IPv6Entity(ae_title=ae_title)
    return ApplicationEntity(ae_title=ae_title)


def keep_responses(association: Association, message_id: int | None = None) -> None:
    """Keep responses for the thread that waits for them, on an association that we requested.

    pynetdicom (2.0 to 3.0) pauses a requestor's reactor while a thread waits for a response. Under
    load the reactor may just have passed that point, and discards the response as "unexpected".
    Nor does pynetdicom check to which request a response belongs. If a peer went on after a final
    response, its answers would count for the next request, and an incomplete list as complete.

    Parameters
    ----------
    association : Association
        An association that has just been requested.
    message_id : int, optional
        From now on, accept only responses to this request.
    """
    end_waits_with_connection(association)
    if message_id is None:
        decode_answers_once(association)
    dimse: Any = association.dimse
    get_any = dimse.get_msg

    def get_msg(block: bool = False) -> Any:
        if not block:  # the reactor
            return None, None
        until = _end(dimse.dimse_timeout)
        while time.monotonic() <= until:
            context_id, message = get_any(block)
            belongs_to = getattr(message, "MessageIDBeingRespondedTo", None)
            if message_id is None or belongs_to in (None, message_id):
                return context_id, message
        return None, None

    dimse.get_msg = get_msg


class _AnswerMessage:
    """An answer to a C-FIND that is incomplete, in the place of pynetdicom's message."""

    def __init__(self, response: C_FIND, context_id: int) -> None:
        self.response = response
        self.context_id = context_id
        self.command_set: dict[str, int] = {}
        self.encoded_command_set = BytesIO()
        self.data_set = BytesIO()


def decode_answers_once(association: Association) -> None:
    """Decode the command set of the answers to a C-FIND once for all of them.

    It is the same for each answer, and pynetdicom takes a third of the time of a long list for it.
    """
    dimse: Any = association.dimse
    receive = dimse.receive_primitive
    responses: dict[bytes, C_FIND | None] = {}

    def begins_answer(values: Any) -> bool:
        context_id, first = values[0]
        if first[0] != _OF_COMMAND | _IS_LAST or len(first) > _LONGEST_COMMAND:
            return False
        if first not in responses:
            if len(responses) >= _KEPT_COMMANDS:
                responses.clear()
            responses[first] = _pending_response(first[1:])
        response = responses[first]
        if response is not None:
            dimse.message = _AnswerMessage(response, context_id)
        return response is not None

    def receive_primitive(primitive: Any) -> None:
        values = primitive.presentation_data_value_list
        if dimse.message is None and values and values[0][1] and begins_answer(values):
            values = values[1:]
        message = dimse.message
        if not isinstance(message, _AnswerMessage):
            receive(primitive)
            return
        for _, value in values:
            if not value or value[0] & _OF_COMMAND:
                dimse.dul.event_queue.put("Evt19")  # as pynetdicom ends an invalid message
                return
            message.data_set.write(value[1:])
            if value[0] & _IS_LAST:
                response = copy.copy(message.response)
                response.Identifier = message.data_set
                dimse.message = None
                dimse.msg_queue.put((message.context_id, response))
                break

    dimse.receive_primitive = receive_primitive


def _pending_response(command_set: bytes) -> C_FIND | None:
    """Return the response that a command set begins, if an answer to a C-FIND follows."""
    try:
        decoded = decode(BytesIO(command_set), True, True)
        if (
            {int(element.tag) for element in decoded} == _ANSWER_ELEMENTS
            and decoded.CommandField == C_FIND_RSP_FIELD
            and decoded.CommandDataSetType != _NO_DATA_SET
        ):
            response = C_FIND()
            response.MessageIDBeingRespondedTo = decoded.MessageIDBeingRespondedTo
            response.AffectedSOPClassUID = decoded.AffectedSOPClassUID
            response.Status = decoded.Status
            return response
    except Exception:  # malformed data make pydicom raise errors of any type; pynetdicom sees them
        pass
    return None


def undecoded_identifiers(association: Association) -> Callable[[], bytes | None]:
    """Keep pynetdicom from decoding the identifiers of the responses to the next C-FIND.

    Returns
    -------
    callable
        Returns the identifier of the response that has just come, as it was encoded, or ``None``.
    """
    dimse: Any = association.dimse
    get_any = dimse.get_msg
    last: list[bytes | None] = [None]

    def get_msg(block: bool = False) -> Any:
        context_id, message = get_any(block)
        identifier = message.Identifier if isinstance(message, C_FIND) else None
        last[0] = None if identifier is None else identifier.getvalue()
        if identifier is not None:
            message.Identifier = BytesIO()
        return context_id, message

    dimse.get_msg = get_msg
    return lambda: last[0]


def end_waits_with_connection(association: Association) -> None:
    """End each wait for a message, or for a release, when the connection has ended.

    pynetdicom (2.0 to 3.0) reports that end once. A thread that it wakes may wait again before the
    association is marked as ended; and the reactor may consume the report before a thread that
    has just begun to wait for a release. Either would wait for its whole timeout.
    """
    dimse, dul = association.dimse, association.dul
    get_at_once, receive_pdu = type(dimse).get_msg, type(dul).receive_pdu

    def get_msg(block: bool = False) -> Any:
        if not block:
            return get_at_once(dimse)

        def get(seconds: float) -> Any:
            with contextlib.suppress(queue.Empty):
                return dimse.msg_queue.get(timeout=seconds)

        return _while_connected(association, get, dimse.dimse_timeout) or (None, None)

    def receive(wait: bool = False, timeout: float | None = None) -> Any:
        if not wait:
            return receive_pdu(dul)

        def get(seconds: float) -> Any:
            return receive_pdu(dul, True, seconds)

        return _while_connected(association, get, timeout)

    dimse.get_msg, dul.receive_pdu = get_msg, receive


def _while_connected(
    association: Association, take: Callable[[float], Any], timeout: float | None
) -> Any:
    """Return what `take` returns within `timeout`; None after that, or when the connection ends."""
    until = _end(timeout)
    while True:
        left = until - time.monotonic()
        is_over = left <= 0 or not association.dul.is_alive()
        taken = take(0 if is_over else min(left, CHECK_INTERVAL))
        if taken is not None or is_over:
            return taken


def _end(timeout: float | None) -> float:
    return math.inf if timeout is None else time.monotonic() + timeout


def abort(association: Association) -> None:
    """Abort, and wake the thread that waits for a response, as a broken connection would."""
    association.abort()
    if association.is_alive() and association is not threading.current_thread():
        association.join(ABORT_TIMEOUT)  # or its thread might undo the next two steps
    # A thread about to wait for a response would wait for the reactor, now gone, to pause.
    association._is_paused = True
    association.dimse.msg_queue.put((None, None))


def set_no_delay(event: evt.Event) -> None:
    """Send and acknowledge small messages at once; for :data:`NO_DELAY`.

    Nagle's algorithm on one side and delayed acknowledgements on the other cost 40 ms a message
    (measured). We disable both, the second for a peer that has not disabled the first. Linux
    enables the delay again whenever data are sent; other systems have no such option.
    """
    connection: Any = event.assoc.dul.socket
    if connection is None or connection.socket is None:
        return
    with contextlib.suppress(OSError):  # it has been closed meanwhile
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if _QUICK_ACK is not None:
            connection.socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)


def wait_for_data(event: evt.Event) -> None:
    """Have the thread of an association wait for its socket, and for us (EVT_CONN_OPEN).

    pynetdicom looks for data, and for messages to send, a thousand times a second: so each message
    takes one or two milliseconds more on both sides, and an association that waits 5 % of a core.
    """
    association: Any = event.assoc
    dul = association.dul
    check, send, kill_dul, kill = (
        dul._is_transport_event,
        dul.send_pdu,
        dul.kill_dul,
        association.kill,
    )
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)

    def wake() -> None:
        with contextlib.suppress(OSError):  # it is awake already, or has ended
            ours.send(b"?")

    def is_transport_event() -> bool:
        connection = socket_of(association)
        idle = dul.to_provider_queue.empty() and dul.event_queue.empty() and not dul._kill_thread
        pending = getattr(connection, "pending", None)  # of TLS
        if connection is None or not idle:
            time.sleep(IDLE_PAUSE if idle else 0)
        elif not (pending and pending()):
            with contextlib.suppress(OSError, ValueError):  # closed meanwhile: pynetdicom finds out
                readable, _, _ = select.select([connection, theirs], [], [], LONGEST_WAIT)
                if theirs in readable:
                    theirs.recv(4096)
        return bool(check())

    def send_pdu(primitive: Any) -> None:
        send(primitive)
        wake()

    def kill_and_wake() -> None:
        kill_dul()
        wake()

    def kill_and_close() -> None:
        try:
            kill()
        finally:
            ours.close()
            theirs.close()

    dul._is_transport_event, dul.send_pdu, dul.kill_dul = (
        is_transport_event,
        send_pdu,
        kill_and_wake,
    )
    association.kill = kill_and_close
    dul._run_loop_delay = 0


#: Handlers for every association, as requestor or acceptor.
NO_DELAY = (
    (evt.EVT_CONN_OPEN, set_no_delay),
    (evt.EVT_CONN_OPEN, wait_for_data),
    (evt.EVT_DATA_SENT, set_no_delay),
)


def end_in_time(event: evt.Event) -> None:
    """Make the association end, and close its socket, whatever the peer does (EVT_CONN_OPEN).

    To end an association, pynetdicom waits for the thread that reads PDUs. If the peer has fallen
    silent within a PDU, that thread reads for ever; if it has reset the connection, pynetdicom 3
    leaves the socket open.
    """
    association: Any = event.assoc
    connection = association.dul.socket.socket
    kill = association.kill

    def kill_in_time() -> None:
        timer = threading.Timer(ABORT_TIMEOUT, shut_down, [connection])
        timer.start()
        try:
            kill()
        finally:
            timer.cancel()
            timer.join()
            connection.close()

    association.kill = kill_in_time


def shut_down(connection: socket.socket) -> None:
    """Shut down a connection; a thread that reads from it finds its end."""
    with contextlib.suppress(OSError):  # it is closed already
        connection.shutdown(socket.SHUT_RDWR)


# --- what an association has received, and how it reads ---------------------------------------


def unfiled_bytes(association: Any) -> int:
    """Return the number of bytes that an association has received and not yet processed."""
    dimse = association.dimse
    incomplete = dimse.message
    with dimse.msg_queue.mutex:
        complete = [message for _, message in dimse.msg_queue.queue]
    sets = [  # of C-STORE requests, and of answers
        getattr(message, kind, None) for message in complete for kind in ("DataSet", "Identifier")
    ]
    size = sum(data.getbuffer().nbytes for data in sets if data is not None)
    if incomplete is not None:
        size += incomplete.data_set.tell() + incomplete.encoded_command_set.tell()
    return int(size)


def answer_bytes(association: Any) -> int:
    """Return the number of bytes so far of a message that is no C-STORE request."""
    incomplete = association.dimse.message
    if incomplete is None or incomplete.command_set.get("CommandField") == C_STORE_RQ:
        return 0
    return int(incomplete.data_set.tell() + incomplete.encoded_command_set.tell())


def socket_of(association: Any) -> Any:
    """Return the socket of an association; ``None`` once it is closed."""
    connection = association.dul.socket
    return None if connection is None else connection.socket


def read_by(association: Any, read: Callable[[int], bytearray]) -> None:
    """Make an association read from its socket by `read`, which takes the number of bytes.

    pynetdicom allocates memory for whatever length a PDU claims, and reads 4096 bytes at a time,
    which is a third of a receiver's work.
    """
    association.dul.socket.recv = read


def decode_by(association: Any, decode: Callable[[Any, bytearray], Any]) -> None:
    """Make an association decode PDUs by `decode`, which takes pynetdicom's decoder and the PDU."""
    dul = association.dul
    dul._decode_pdu = functools.partial(decode, dul._decode_pdu)


def threads_of(association: Any) -> list[Any]:
    """Return the threads of an association: its own, and the one that reads PDUs."""
    return [association, association.dul]


def run_by(association: Any, run: Callable[[Any], None], read: Callable[[Any], None]) -> None:
    """Make an association's threads run `run` and `read`, which take what pynetdicom would run."""
    association.run = functools.partial(run, association.run)
    association.dul.run = functools.partial(read, association.dul.run)


def stop_waiting(association: Any) -> None:
    """Wake an association that waits for an A-ASSOCIATE-RQ, as a timeout would."""
    association.dul.to_user_queue.put(None)


# --- serving ----------------------------------------------------------------------------------


def handler_class(prepare: Callable[[Any, Association], None]) -> type[RequestHandler]:
    """Return a class that serves connections, for an association server.

    Parameters
    ----------
    prepare : callable
        Called with the server and the association of a client that has just connected.
    """

    class Handler(RequestHandler):
        def _create_association(self) -> Association:
            association = super()._create_association()
            prepare(self.server, association)
            return association

    return Handler


def serve_by(association: Any, serves: Any, serve: Callable[[Any, int], None]) -> None:
    """Make an association answer requests by `serve` instead of pynetdicom's service classes.

    Those restrict a handler: C-MOVE reports every sub-operation, only some final statuses are
    sent, and 0xB001 is followed by a second final response.

    Parameters
    ----------
    association : Association
        The association of an acceptor.
    serves : callable
        Takes a request, and returns whether `serve` answers it; pynetdicom answers all others.
    serve : callable
        Takes a request primitive and the ID of its presentation context.
    """
    serve_request = association._serve_request

    def serve_or_not(request: Any, context_id: int) -> None:
        if not serves(request):
            serve_request(request, context_id)
            return
        association.dimse.cancel_req = {}
        association._is_paused = True  # C-GET sends on this association, see send_c_store()
        try:
            serve(request, context_id)
        finally:
            association._is_paused = False

    association._serve_request = serve_or_not


def is_cancelled(association: Any, message_id: int) -> bool:
    """Return whether the peer has sent a C-CANCEL for a request."""
    return message_id in association.dimse.cancel_req


def send_response(association: Any, response: Any, context_id: int) -> None:
    """Send a response primitive, when most of those before it have been sent.

    A C-CANCEL would come too late for answers that are all in the queue. And pynetdicom makes and
    encodes the command set of each answer to a C-FIND anew, though they are all the same, which
    takes half of the time of a long list.
    """
    if not isinstance(response, C_FIND) or response.Identifier is None:
        association.dimse.send_msg(response, context_id)
        return
    while association.dul.to_provider_queue.qsize() > MOST_UNSENT and association.is_established:
        time.sleep(0.001)
    key = response.MessageIDBeingRespondedTo, response.AffectedSOPClassUID, response.Status
    last, command = getattr(association, "last_command_set", (None, b""))
    if key != last:
        message = C_FIND_RSP()
        message.primitive_to_message(response)
        command = encode(message.command_set, True, True) or b""
        association.last_command_set = key, command
    most = (association.dimse.maximum_pdu_size or len(command) + 2**20) - 6
    for kind, data in ((1, command), (0, response.Identifier.getvalue())):
        for begin in range(0, len(data), most):
            is_last = 2 if begin + most >= len(data) else 0
            fragment = P_DATA()
            value = bytes([kind | is_last]) + data[begin : begin + most]
            fragment.presentation_data_value_list.append((context_id, value))
            association.dul.send_pdu(fragment)


def close_unassociated(association: Any) -> None:
    """Close a connection on which no association was requested."""
    if association.dul.socket is not None:
        association.dul.socket.close()
        stop_waiting(association)


def reject(association: Any, result: int, source: int, reason: int) -> None:
    """Reject a requested association (PS3.8 9.3.4)."""
    association.acse.send_reject(result, source, reason)
    association.kill()


# --- listening --------------------------------------------------------------------------------


def listener_class(
    base: type[ThreadedAssociationServer], host: str
) -> type[ThreadedAssociationServer]:
    """Return `base`, able to listen on `host` (an address; empty for all IPv4 addresses)."""
    if ":" in host and not _HAS_IPV6:
        return type(base.__name__, (base,), {"address_family": socket.AF_INET6})
    return base


def peer_address(client_address: tuple[Any, ...] | None) -> str:
    """Return the address of a TCP peer, as IPv4 also where it is mapped into IPv6."""
    address = str(client_address[0]) if client_address else ""
    return address[7:] if address.startswith("::ffff:") else address
