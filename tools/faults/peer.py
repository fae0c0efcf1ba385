"""The peer as a process of its own: a simulated ARIA, and the middleman before it.

Its own, so that whatever is left over in the process of our app is our app's. It is ordered what to
do by lines of JSON, and ends when nobody can tell it anything any more.

    python -m tools.faults.peer FOLDER NODE_PORT
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import pydicom

from qatrack_aria.simulator import Behaviour, Simulator
from tests.helpers.middleman import HOST, QUERY, STORE, Middleman
from tools.faults.faults import FAULTS
from tools.faults.recorder import Recorder

AE_TITLE = "QATRACK"


class Peer:
    """Answers the orders of the walk, each by a method of its name."""

    def __init__(self, folder: Path, node_port: int) -> None:
        self._world = _read(folder)
        self._man = Middleman(node_port)
        self._simulator: Simulator | None = None

    def ready(self) -> Any:
        return self._man.ports[QUERY]

    def begin(self, leg: str, number: int, fault: str, grace: float) -> Any:
        """Serve one conversation with a fault in it (or none: an empty name)."""
        self._simulator = Simulator(self._world, peers={AE_TITLE: (HOST, self._man.ports[STORE])})
        self._simulator.start()
        self._man.server_port = self._simulator.port
        self._man.arm(leg, number, FAULTS.get(fault), grace)
        return True

    def serve(self, folder: str, switches: list[str]) -> Any:
        """Serve a scenario, with a fault in its answers (or none)."""
        self._recorder = Recorder(switches)
        behaviour = Behaviour.from_options(switches)
        self._simulator = Simulator(
            _read(Path(folder)),
            peers={AE_TITLE: (HOST, self._man.ports[STORE])},
            behaviour=dataclasses.replace(behaviour, on_answer=self._recorder),
        )
        self._simulator.start()
        self._man.server_port = self._simulator.port
        self._man.arm("", 0, None, 0)
        return True

    def answers(self) -> Any:
        """Return the C-FINDs, whether the fault was done, and whether it was to be seen."""
        moods = self._simulator.moods
        done = moods.is_late or bool(moods.left_out)
        return [self._recorder.finds, done, self._recorder.is_shown]

    def calm(self) -> Any:
        """End all connections; tells whether the fault was done, and what has passed."""
        self._man.hang_up()
        return [self._man.is_done, self._man.boundaries]

    def end(self) -> Any:
        """Stop serving."""
        if self._simulator is not None:
            self._simulator.stop()
        self._man.hang_up()
        return True


def _read(folder: Path) -> list[pydicom.Dataset]:
    return [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]


def main() -> None:
    peer = Peer(Path(sys.argv[1]), int(sys.argv[2]))
    for line in sys.stdin:
        order, *arguments = json.loads(line)
        print(json.dumps(getattr(peer, order)(*arguments)), flush=True)


if __name__ == "__main__":
    main()
