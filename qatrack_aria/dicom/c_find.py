"""One C-FIND, and whether its list of answers is complete."""

from __future__ import annotations

import contextlib
import time
from io import BytesIO
from typing import Any, Callable, NamedTuple, TypeVar

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom.dsutils import decode

from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.character_sets import decode_texts
from qatrack_aria.dicom.identifier import PENDING
from qatrack_aria.dicom.plain_answers import plain_answer
from qatrack_aria.dicom.pynetdicom_patches import undecoded_identifiers
from qatrack_aria.errors import QueryError
from qatrack_aria.phrases import Phrase, phrase

LIMIT_REACHED = 0xB001
#: Answers to one query. Ten years of a QA patient, 5,000 series of 10 images, are half as many.
MAX_ANSWERS = 100_000
#: Answers that may have been under way when we cancelled a query.
MOST_LATE = 200

Answer = TypeVar("Answer")


class QueryRecord(NamedTuple):
    """A query that was sent, for messages and records."""

    level: str
    keys: dict[str, str]
    answers: int
    problem: Phrase | None = None
    other_patients: int = 0  # answers with another Patient ID
    unnamed: int = 0  # answers without one, taken for the patient's because of the keys

    def __str__(self) -> str:
        keys = ", ".join(f"{name}={value}" for name, value in self.keys.items())
        problem = f", {self.problem}" if self.problem else ""
        return f"{self.level} level by {keys}: {self.answers} answers{problem}"


def find(
    session: Session,
    query: Dataset,
    read: Callable[[Any], Answer],
    most: int | None = None,
) -> tuple[list[Answer], Phrase | None]:
    """Send one C-FIND (PS3.4 C.4.1).

    Parameters
    ----------
    session : Session
        The association with the node.
    query : Dataset
        The identifier to send.
    read : callable
        Reads what is needed from each answer, a data set or a plain one, as it arrives: a data set
        is twenty times as large.
    most : int, optional
        The query is cancelled (PS3.7 9.3.2.3) when it has more answers than that.

    Returns
    -------
    tuple of (list, Phrase or None)
        What was read from the answers, and why they are not complete, if so: a failure status, a
        list cut at the server's limit (0xB001) or at ours, or an answer that cannot be decoded. An
        incomplete list must not be used.

    Raises
    ------
    NodeUnreachableError
        The association ended, or a response did not come in time.
    QueryError
        There are more than :data:`MAX_ANSWERS`.
    """
    model = session.context("C-FIND")
    message_id = session.next_message_id()
    association = session.association
    association.dimse_timeout = session.deadline.at_most(session.peer.response_timeout)
    encoded = undecoded_identifiers(association)
    answers: list[Answer] = []
    unreadable = 0
    late = 0  # answers after we have cancelled the query
    last_response = time.monotonic()
    try:
        responses = association.send_c_find(query, model, message_id)
    except RuntimeError:  # the association has just ended
        raise session.no_response_error("C-FIND", 0) from None
    syntax = _transfer_syntax(association, model)
    for status, _ in responses:
        code = status.get("Status")
        if code is None or session.deadline.expired:
            session.abort()
            break
        last_response = time.monotonic()
        if code not in PENDING:
            problem = phrase("cancelled") if late else _problem(int(code), unreadable)
            return answers, problem
        if most is not None and len(answers) >= most:
            late += 1
            if late == 1:
                with contextlib.suppress(RuntimeError):  # the association has just ended
                    association.send_c_cancel(message_id, query_model=model)
            elif late > MOST_LATE:  # the server does not listen
                session.abort()
                return answers, phrase("cancelled")
            continue
        if len(answers) + unreadable >= MAX_ANSWERS:
            session.abort()
            raise _too_many_answers(session, query)
        answer = _decode(encoded(), syntax, session.peer.character_set)
        if answer is None:
            unreadable += 1
        else:
            answers.append(read(answer))
    raise session.no_response_error("C-FIND", time.monotonic() - last_response)


def _transfer_syntax(association: Any, model: str) -> UID:
    contexts = {cx.abstract_syntax: cx for cx in association.accepted_contexts}
    return UID(contexts[model].transfer_syntax[0])


def _decode(encoded: bytes | None, syntax: UID, character_set: str) -> Any:
    """Decode an answer; ``None`` if that fails."""
    if encoded is None:
        return None
    if syntax.is_little_endian and not syntax.is_deflated:
        plain = plain_answer(encoded, syntax.is_implicit_VR)
        if plain is not None:
            return plain
    form = syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated
    try:
        answer = decode(BytesIO(encoded), *form)
    except Exception:  # malformed data make pydicom raise errors of any type
        return None
    decode_texts(answer, character_set)
    return answer


def _too_many_answers(session: Session, query: Dataset) -> QueryError:
    keys = {element.keyword: str(element.value) for element in query if element.value}
    keys.pop("SpecificCharacterSet", None)
    level = keys.pop("QueryRetrieveLevel")
    record = QueryRecord(level, keys, MAX_ANSWERS, phrase("endless"))
    return QueryError(
        f"C-FIND: {session.peer} lists more than any query can match ({record}), so we aborted: it "
        "may list all that it holds, whatever the keys. Its administrator must check its log."
    )


def _problem(status: int, unreadable: int) -> Phrase | None:
    if status == LIMIT_REACHED:
        return phrase("limit")
    if status != 0:
        return phrase("status", status=f"0x{status:04X}")
    return phrase("unreadable", number=unreadable) if unreadable else None
