"""The peer as a process of its own: a simulated ARIA, and the middleman before it.

Its own, so that whatever is left over in the process of our app is our app's.

    python -m tools.faults.peer FOLDER NODE_PORT
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pydicom

from qatrack_aria.simulator import Behaviour, Simulator
from tests.helpers.middleman import HOST, QUERY, STORE, Middleman
from tools.faults.faults import FAULTS
from tools.faults.recorder import Recorder
from tools.helper import obey

AE_TITLE = "QATRACK"


class Peer:
    """Answers the orders of the walk, each by a method of its name."""

    def __init__(self, folder: Path, node_port: int) -> None:
        self._world = _read(folder)
        self._man = Middleman(node_port)

    def port(self) -> int:
        return self._man.ports[QUERY]

    def begin(self, leg: str, number: int, fault: str, grace: float) -> None:
        """Serve one conversation with a fault in it (or none: an empty name)."""
        self._start(self._world, Behaviour())
        self._man.arm(leg, number, FAULTS.get(fault), grace)

    def serve(self, folder: str, switches: list[str]) -> None:
        """Serve a scenario, with a fault in its answers (or none)."""
        self._recorder = Recorder(switches)
        behaviour = Behaviour.from_options(switches)
        self._start(_read(Path(folder)), dataclasses.replace(behaviour, on_answer=self._recorder))
        self._man.arm("", 0, None, 0)

    def _start(self, world: list[pydicom.Dataset], behaviour: Behaviour) -> None:
        peers = {AE_TITLE: (HOST, self._man.ports[STORE])}
        self._simulator = Simulator(world, peers=peers, behaviour=behaviour)
        self._simulator.start()
        self._man.server_port = self._simulator.port

    def answers(self) -> Any:
        """Return the C-FINDs, whether the fault was done, and whether it was to be seen."""
        moods = self._simulator.moods
        done = moods.is_late or bool(moods.left_out)
        return [self._recorder.finds, done, self._recorder.is_shown]

    def calm(self) -> Any:
        """End all connections; tells whether the fault was done, and what has passed."""
        self._man.hang_up()
        return [self._man.is_done, self._man.boundaries]

    def end(self) -> None:
        """Stop serving."""
        self._simulator.stop()
        self._man.hang_up()


def _read(folder: Path) -> list[pydicom.Dataset]:
    return [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]


if __name__ == "__main__":
    obey(Peer(Path(sys.argv[1]), int(sys.argv[2])))
