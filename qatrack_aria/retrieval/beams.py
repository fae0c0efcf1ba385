"""Decide whether an image is of a beam or of an energy."""

from __future__ import annotations

from typing import Sequence

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.rt_plan import Beam, RtPlan
from qatrack_aria.errors import AmbiguousPlanError, RequestError
from qatrack_aria.retrieval.beam_names import Energy
from qatrack_aria.text import same_text


def energy_of(image: ImageRef) -> str:
    """Return the beam's energy for people; empty where it is unknown.

    ``"6X"``, ``"6X-FFF"``, ``"6 MV"`` where the fluence mode is unknown, or ``"75 kV"``.
    """
    kvp = image.acquisition.kvp if image.acquisition else None
    if kvp is not None:
        return f"{kvp:g} kV"
    if image.energy is None:
        return ""
    return f"{image.energy:g} MV" if image.fff is None else str(Energy(image.energy, image.fff))


def has_energy(image: ImageRef, wanted: Energy) -> bool | None:
    """Return whether an image has this energy; ``None`` where neither image nor plan says."""
    if image.energy is None:
        return False if image.is_kv else None
    if image.energy != wanted.mv:
        return False
    return True if wanted.fff is None else image.fff is wanted.fff or _unless_known(image)


def _unless_known(image: ImageRef) -> bool | None:
    return None if image.fff is None else False


def is_named(beam: Beam, name: str | int) -> bool:
    """Return whether a beam has this name, or this number."""
    return beam.number == name if isinstance(name, int) else same_text(beam.name.strip(), name)


def require_beams(plan: RtPlan, label: str, names: Sequence[str | int]) -> None:
    """Require that each name is that of one beam of a plan.

    Raises
    ------
    RequestError
        The plan has no such beam.
    AmbiguousPlanError
        It has several.
    """
    for name in names:
        found = [beam for beam in plan.beams if is_named(beam, name)]
        if not found:
            raise RequestError(
                f"Plan: '{label}' has no beam {name!r}; its beams are "
                f"{', '.join(map(str, plan.beams)) or 'unknown'}: correct the name."
            )
        if len(found) > 1:
            raise of_one_name(found, label)


def of_one_name(beams: Sequence[Beam], label: str) -> AmbiguousPlanError:
    """Return the error for several beams with the same name."""
    numbers = [str(beam.number) for beam in beams]
    return AmbiguousPlanError(
        f"Plan: '{label}' has {len(beams)} beams with the name {beams[0].name!r}, of the numbers "
        f"{' and '.join(numbers)}: give the number of the one that you mean, as in "
        f"beam={numbers[0]}."
    )
