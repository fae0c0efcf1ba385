"""Measuring things side by side."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Callable, Mapping

Measure = Callable[[], float]


@dataclass
class Samples:
    """What was measured of one thing, again and again.

    Attributes
    ----------
    name : str
        What it is.
    unit : str
        "s", "ms", "MB" or "MB/s".
    note : str
        What else there is to know.
    """

    name: str
    unit: str
    note: str = ""
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.values)


def side_by_side(
    things: Mapping[str, Measure], runs: int, unit: str = "s", most: Mapping[str, int] | None = None
) -> dict[str, Samples]:
    """Measure things in turn, A, B, A, B, so that noise of the machine falls on all of them.

    Parameters
    ----------
    things : mapping of str to callable
        Each measures once.
    runs : int
        How often.
    unit : str
        Of what they give.
    most : mapping of str to int, optional
        How often at most, for what takes long.
    """
    samples = {name: Samples(name, unit) for name in things}
    for run in range(runs):
        for name, measure in things.items():
            if run < (most or {}).get(name, runs):
                samples[name].values.append(measure())
    return samples
