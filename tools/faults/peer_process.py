"""Start the process of the peer, and order it what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


class PeerProcess:
    """The other process: see :mod:`tools.faults.peer`."""

    def __init__(self, world: Path, node_port: int) -> None:
        root = Path(__file__).resolve().parents[2]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tools.faults.peer", str(world), str(node_port)],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            universal_newlines=True,
        )
        self.port = self.tell("ready")

    def tell(self, *order: Any) -> Any:
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def stop(self) -> None:
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
