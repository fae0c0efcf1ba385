"""What an association does with the responses to our requests."""

from __future__ import annotations

import copy
import time
from io import BytesIO
from typing import Any, Callable

from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_FIND
from pynetdicom.dsutils import decode

from qatrack_aria.dicom.pynetdicom_patches.waiting import end_of, end_waits_with_connection

C_FIND_RSP_FIELD = 0x8020  # the Command Field (PS3.7 E.1)
#: Group Length, Affected SOP Class UID, Command Field, Message ID Being Responded To, Command Data
#: Set Type and Status (PS3.7 9.3.2.2).
_ANSWER_ELEMENTS = {0x00000000, 0x00000002, 0x00000100, 0x00000120, 0x00000800, 0x00000900}
_NO_DATA_SET = 0x0101
#: Bits of a Message Control Header (PS3.8 E.2).
_OF_COMMAND, _IS_LAST = 0x01, 0x02
_LONGEST_COMMAND = 300
_KEPT_COMMANDS = 10


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
        until = end_of(dimse.dimse_timeout)
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
