"""Answers to a C-FIND reach the queue of messages as pynetdicom itself would put them there."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Iterator

import pytest
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_FIND_RSP, C_MOVE_RSP
from pynetdicom.dimse_primitives import C_FIND, C_MOVE
from pynetdicom.pdu_primitives import P_DATA

from qatrack_aria.dicom.pynetdicom_patches import decode_answers_once

MODEL = "1.2.840.10008.5.1.4.1.2.2.1"
CONTEXT = 3


def response(status: int, identifier: bytes | None, message_id: int = 7, kind: Any = C_FIND) -> Any:
    made = kind()
    made.MessageIDBeingRespondedTo = message_id
    made.AffectedSOPClassUID = MODEL
    made.Status = status
    made.Identifier = None if identifier is None else BytesIO(identifier)
    return made


def fragments(primitive: Any, most: int = 16382) -> list[tuple[int, bytes]]:
    message: Any = C_MOVE_RSP() if isinstance(primitive, C_MOVE) else C_FIND_RSP()
    message.primitive_to_message(primitive)
    encoded = message.encode_msg(CONTEXT, most)
    return [value for data in encoded for value in data.presentation_data_value_list]


def received(primitives: list[list[tuple[int, bytes]]], once: bool) -> Iterator[Any]:
    """What is in the queue after these P-DATA, and the events of the state machine."""
    association: Any = Association(AE(), "requestor")
    if once:
        decode_answers_once(association)
    for values in primitives:
        data = P_DATA()
        data.presentation_data_value_list.extend(values)
        association.dimse.receive_primitive(data)
    while not association.dimse.msg_queue.empty():
        context_id, message = association.dimse.msg_queue.get()
        identifier = message.Identifier
        yield (
            context_id,
            type(message),
            message.Status,
            str(message.AffectedSOPClassUID),
            message.MessageIDBeingRespondedTo,
            None if identifier is None else identifier.getvalue(),
            message.is_valid_response,
        )
    yield list(association.dul.event_queue.queue), association.dimse.message is None


def one_by_one(*responses: Any, most: int = 16382) -> list[list[tuple[int, bytes]]]:
    return [[value] for one in responses for value in fragments(one, most)]


PENDING = response(0xFF00, b"some data")
FINAL = response(0x0000, None)


@pytest.mark.parametrize(
    "primitives",
    [
        one_by_one(PENDING, PENDING, FINAL),
        one_by_one(PENDING, response(0xFF01, b"other"), response(0xFF00, b"more", 8), FINAL),
        one_by_one(response(0xFF00, bytes(range(200)) * 4), FINAL, most=64),
        [[value for one in (PENDING,) for value in fragments(one)], *one_by_one(FINAL)],
        one_by_one(response(0xFF00, b"list", kind=C_MOVE), PENDING, FINAL),
        one_by_one(PENDING)[:1],
        one_by_one(PENDING)[1:],
        [],
    ],
    ids=["usual", "others", "cut", "at once", "after a C-MOVE", "begun", "headless", "none"],
)
def test_they_are_the_same(primitives: Any) -> None:
    assert list(received(primitives, True)) == list(received(primitives, False))


def test_a_command_within_an_answer_ends_the_association() -> None:
    begun, command = one_by_one(PENDING)[0], one_by_one(FINAL)[0]
    assert list(received([begun, command], True)) == [(["Evt19"], False)]
