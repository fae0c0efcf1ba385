"""How an association reads, what it has received, and how it answers."""

from __future__ import annotations

import functools
import time
from typing import Any, Callable

from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_FIND_RSP
from pynetdicom.dimse_primitives import C_FIND
from pynetdicom.dsutils import encode
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import RequestHandler

C_STORE_RQ = 0x0001  # the Command Field (PS3.7 E.1)
#: Messages that wait to be sent.
MOST_UNSENT = 20


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
