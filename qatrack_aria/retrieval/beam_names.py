"""Check the beams and energies that a person names; imports nothing of DICOM."""

from __future__ import annotations

import functools
import re
from typing import Any, NamedTuple

from qatrack_aria.errors import RequestError, WaitingError
from qatrack_aria.text import MAX_LENGTH, short_repr

_ENERGY = re.compile(
    r"(?P<mv>\d{1,2}(\.\d)?)\s*(?P<unit>MV|MX|X)?\s*-?\s*(?P<fff>FFF)?", re.IGNORECASE
)


class Energy(NamedTuple):
    """A nominal energy in MV; `fff` is ``None`` where flattened beams and others are both right."""

    mv: float
    fff: bool | None

    def __str__(self) -> str:
        return f"{self.mv:g}{ {None: '', False: 'X', True: 'X-FFF'}[self.fff] }"


def parse_beam(value: Any) -> tuple[str | int, ...] | None:
    """Return valid names or numbers of beams, given as one or as several; ``"*"`` is any.

    A text may have several between commas; a name that has a comma itself is given in a list.
    """
    if isinstance(value, str):
        value = value.split(",")
    if value is None or value == ["*"]:
        return None
    many = value if isinstance(value, (list, tuple)) and value else [value]
    return tuple(_beam(one) for one in many)


def _beam(value: Any) -> str | int:
    if isinstance(value, str) and not value.strip():
        raise WaitingError("Waiting for the beam: fill in its test. Nothing was sent.")
    if isinstance(value, str) and value.strip().isprintable() and len(value.strip()) <= MAX_LENGTH:
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise RequestError(
        f"The beam {short_repr(value)} is neither a name nor a number: give the name as the plan "
        "has it. Nothing was sent."
    )


def parse_energy(value: Any) -> str | None:
    """Return a valid energy, given as ``6``, ``"6 MV"``, ``"6X"`` or ``"6X-FFF"``."""
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = f"{value:g}"
    if not isinstance(value, str) or not _ENERGY.fullmatch(value.strip()):
        raise RequestError(
            f"The energy {short_repr(value)} is not known: give 6 for 6 MV, '6X' for a flattened "
            "beam alone, or '6X-FFF'. Nothing was sent."
        )
    return str(read_energy(value))


@functools.lru_cache(maxsize=64)
def read_energy(value: str) -> Energy:
    """Read an energy that :func:`parse_energy` accepts."""
    match: Any = _ENERGY.fullmatch(value.strip())
    flattened = False if (match["unit"] or "").upper() == "X" else None
    return Energy(float(match["mv"]), True if match["fff"] else flattened)
