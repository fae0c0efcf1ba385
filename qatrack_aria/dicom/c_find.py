"""One C-FIND: what was asked, what came back, and whether that is all."""

from __future__ import annotations

import time
from typing import Callable, NamedTuple, TypeVar

from pydicom.dataset import Dataset

from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.character_sets import decode_texts
from qatrack_aria.dicom.identifier import PENDING
from qatrack_aria.errors import QueryError
from qatrack_aria.phrases import Phrase, phrase

LIMIT_REACHED = 0xB001
#: Answers to one query. A QA patient of ten years, 5,000 series of 10 images, has half as many.
MAX_ANSWERS = 100_000

Answer = TypeVar("Answer")


class QueryRecord(NamedTuple):
    """A query that was made, for the messages."""

    level: str
    keys: dict[str, str]
    answers: int
    problem: Phrase | None = None
    other_patients: int = 0  # answers that are of another patient ID

    def __str__(self) -> str:
        keys = ", ".join(f"{name}={value}" for name, value in self.keys.items())
        problem = f", {self.problem}" if self.problem else ""
        return f"{self.level} level by {keys}: {self.answers} answers{problem}"


def find(
    session: Session, asked: Dataset, read: Callable[[Dataset], Answer]
) -> tuple[list[Answer], Phrase | None]:
    """One C-FIND (PS3.4 C.4.1).

    Parameters
    ----------
    session : Session
        With the node.
    asked : Dataset
        The identifier to send.
    read : callable
        Takes what is needed out of each answer as it comes: a data set is twenty times as large.

    Returns
    -------
    tuple of (list, Phrase or None)
        What was read of the answers, and what was wrong with the whole, if anything: a failure
        status, a list cut at the server's limit (0xB001), or an answer that cannot be decoded.
        A list with a hole in it is worth no more than none.

    Raises
    ------
    NodeUnreachableError
        The association broke, or no answer came in time.
    QueryError
        More than :data:`MAX_ANSWERS` came, with no end in sight.
    """
    model = session.context("C-FIND")
    message_id = session.next_message_id()
    association = session.association
    association.dimse_timeout = session.deadline.at_most(session.peer.response_timeout)
    answers: list[Answer] = []
    unreadable = 0
    heard = time.monotonic()
    try:
        responses = association.send_c_find(asked, model, message_id)
    except RuntimeError:  # it was broken off just now
        raise session.lost("C-FIND", 0) from None
    for status, answer in responses:
        code = status.get("Status")
        if code is None or session.deadline.expired:
            session.abort()
            break
        heard = time.monotonic()
        if code not in PENDING:
            return answers, _problem(int(code), unreadable)
        if len(answers) + unreadable >= MAX_ANSWERS:
            session.abort()
            raise _endless(session, asked)
        if answer is None:
            unreadable += 1
        else:
            decode_texts(answer, session.peer.character_set)
            answers.append(read(answer))
    raise session.lost("C-FIND", time.monotonic() - heard)


def _endless(session: Session, asked: Dataset) -> QueryError:
    keys = {element.keyword: str(element.value) for element in asked if element.value}
    keys.pop("SpecificCharacterSet", None)
    level = keys.pop("QueryRetrieveLevel")
    query = QueryRecord(level, keys, MAX_ANSWERS, phrase("endless"))
    return QueryError(
        f"C-FIND: {session.peer} lists more than anybody can have asked for ({query}), so we broke "
        "off: it may list all that it holds, whatever is asked. Whoever runs it must look into "
        "its log."
    )


def _problem(status: int, unreadable: int) -> Phrase | None:
    if status == LIMIT_REACHED:
        return phrase("limit")
    if status != 0:
        return phrase("status", status=f"0x{status:04X}")
    return phrase("unreadable", number=unreadable) if unreadable else None
