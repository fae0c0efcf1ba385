"""Measuring things side by side."""

from __future__ import annotations

import statistics
from typing import Callable, Mapping, Union

Measure = Callable[[], Union[float, None]]


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

    def __init__(self, name: str, unit: str = "s", note: str = "") -> None:
        self.name = name
        self.unit = unit
        self.note = note
        self.values: list[float] = []

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
                value = measure()
                if value is not None:
                    samples[name].values.append(value)
    return samples
