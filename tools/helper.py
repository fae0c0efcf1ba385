"""Processes of the tools' own: each takes orders as lines of JSON, and answers so.

It ends when nobody can tell it anything any more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


class Helper:
    """A process that runs a module of the tools; calling it sends an order."""

    def __init__(self, module: str, *arguments: object, **environment: str) -> None:
        self._process: Any = subprocess.Popen(
            [sys.executable, "-m", f"tools.{module}", *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            universal_newlines=True,
        )

    def __enter__(self) -> Helper:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def __call__(self, order: str, *arguments: Any, **named: Any) -> Any:
        """Have it do something, and wait for what it says."""
        print(json.dumps([order, arguments, named]), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": "it has ended"}
        if "error" in answer:
            raise AssertionError(f"{order}: {answer['error']}")
        return answer["answer"]


def obey(servant: object) -> None:
    """Do what the lines on standard input say, each by a method of that name."""
    for line in sys.stdin:
        order, arguments, named = json.loads(line)
        try:
            answer = {"answer": getattr(servant, order)(*arguments, **named)}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)
