"""The entries of the simulator's log: requests and their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .exchange import Exchange
from .matching import texts


@dataclass(frozen=True)
class Operation:
    """One operation that has ended, as recorded in the log.

    Attributes
    ----------
    kind : str
        ``"C-ECHO"``, ``"C-FIND"``, ``"C-MOVE"``, ``"C-GET"``, or ``"C-STORE"`` for one it sent.
    level : str
        The Query/Retrieve Level; empty for C-ECHO and C-STORE.
    identifier : dict of str to str
        The identifier by keyword, several values joined by a backslash, also those in a sequence.
    answers : int
        The answers of a C-FIND, or the completed sub-operations of a C-MOVE or C-GET.
    status : int
        The final status; 0xFF00 if it was aborted.
    peer : str
        The AE title of the client, or the destination of a C-STORE.
    patient_root : bool
        Whether the query model was Patient Root.
    """

    kind: str
    level: str
    identifier: dict[str, str]
    answers: int
    status: int
    peer: str = ""
    patient_root: bool = False


def operation(exchange: Exchange, answers: int, status: int) -> Operation:
    """Return the log's entry for a request that has ended."""
    identifier = exchange.identifier
    return Operation(
        exchange.kind,
        str(identifier.get("QueryRetrieveLevel", "")),
        {key.keyword or str(key.tag): _text(key) for key in identifier},
        answers,
        status,
        exchange.calling_ae_title,
        exchange.patient_root,
    )


def _text(key: Any) -> str:
    if key.VR == "SQ":
        return "\\".join(_text(inner) for item in key.value for inner in item)
    return "\\".join(texts(key))
