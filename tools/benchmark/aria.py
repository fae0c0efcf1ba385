"""A server with an index, as a process of its own: the simulated ARIA with long histories.

python -m tools.benchmark.aria OUR_PORT
"""

from __future__ import annotations

import gc
import sys
from typing import Iterable

from pydicom.dataset import Dataset

from qatrack_aria.simulator import Behaviour, Simulator
from tests.helpers.peers.server import HOST
from tools.benchmark import world
from tools.helper import obey

OUR_AE_TITLE = "QATRACK"


class Aria:
    """Serves, and tells where."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._watched: dict[str, Dataset] = {}

    def port(self) -> int:
        return self._simulator.port

    def add_history(self, series: int, per_series: int) -> None:
        """Hold a patient of one plan; see :func:`~tools.benchmark.world.history`."""
        self._add(world.history(series, per_series))

    def add_past(self, days: int, per_day: int) -> None:
        """Hold a patient of two plans; see :func:`~tools.benchmark.world.below_daily_images`."""
        self._add(world.below_daily_images(days, per_day))

    def add_session(self, patient: str, per_day: int) -> None:
        """Hold one series of daily images more."""
        self._add(world.one_more_session(patient, per_day))

    def add_watched(self, patient: str, days: int, per_series: int) -> None:
        """Hold a patient of one plan, with a series of images on each day before yesterday."""
        plan = self._watched[patient] = world.watched_plan(patient)
        self._add([plan, *world.watched_sessions(plan, range(1, days + 1), per_series)])

    def irradiate(self, patient: str, per_series: int) -> None:
        """Hold a series of such a patient of yesterday."""
        self._add(world.watched_sessions(self._watched[patient], [0], per_series))

    def count(self) -> None:
        """Count from now on what is held, where a query asks for that."""
        self._simulator.behaviour = Behaviour(counts=True)

    def _add(self, datasets: Iterable[Dataset]) -> None:
        self._simulator.add(datasets)
        gc.freeze()  # to go through all of it now and then would be the collector's time, not ours


def main() -> None:
    with Simulator(peers={OUR_AE_TITLE: (HOST, int(sys.argv[1]))}) as simulator:
        obey(Aria(simulator))


if __name__ == "__main__":
    main()
