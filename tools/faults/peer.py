"""The peer as a process of its own: a simulated ARIA, and the middleman before it.

Its own, so that whatever is left over in the process of our app is our app's. It is ordered what to
do by lines of JSON, and ends when nobody can tell it anything any more.

    python -m tools.faults.peer FOLDER NODE_PORT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pydicom

from qatrack_aria.simulator import Simulator
from tests.helpers.middleman import HOST, QUERY, STORE, Middleman
from tools.faults.faults import FAULTS

AE_TITLE = "QATRACK"


class Peer:
    """Answers the orders of :class:`tools.faults.walk.Walk`, each by a method of its name."""

    def __init__(self, folder: Path, node_port: int) -> None:
        self._world = [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]
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


def main() -> None:
    peer = Peer(Path(sys.argv[1]), int(sys.argv[2]))
    for line in sys.stdin:
        order, *arguments = json.loads(line)
        print(json.dumps(getattr(peer, order)(*arguments)), flush=True)


if __name__ == "__main__":
    main()
