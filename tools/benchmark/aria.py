"""A server with an index, as a process of its own: the simulated ARIA with long histories.

python -m tools.benchmark.aria OUR_PORT IMAGES_PER_SERIES SERIES [SERIES ...]
"""

from __future__ import annotations

import gc
import sys

from qatrack_aria.simulator import Simulator
from tests.helpers.peers.server import HOST
from tools.benchmark.world import history
from tools.helper import obey

OUR_AE_TITLE = "QATRACK"


class Aria:
    """Serves, and tells where."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def port(self) -> int:
        return self._simulator.port


def main() -> None:
    our_port, per_series, *histories = map(int, sys.argv[1:])
    peers = {OUR_AE_TITLE: (HOST, our_port)}
    with Simulator(peers=peers) as simulator:
        for series in histories:
            simulator.add(history(series, per_series))
        gc.freeze()  # to go through all of it now and then would be the collector's time, not ours
        obey(Aria(simulator))


if __name__ == "__main__":
    main()
