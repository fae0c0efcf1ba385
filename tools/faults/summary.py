"""The tally of a walk: what was tried, and whatever came of it that must not."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any, Callable, Iterator, Sequence

from tools.faults.results import (
    ALL,
    ENDLESS,
    IMPATIENT,
    NAMED,
    PARTIAL,
    RIGHT,
    UNNAMED,
    WRONG,
    Result,
)
from tools.helper import ROOT

#: Processes that walk at once: mostly they wait.
WORKERS = 3


class Tally:
    """What came of the faults that were tried.

    Attributes
    ----------
    tried : int
        Faults.
    bad : list of Result
        The fetches that ended as none may.
    """

    def __init__(self) -> None:
        self.tried = 0
        self.bad: list[Result] = []
        self._verdicts: Counter[str] = Counter()
        self._began = time.monotonic()

    def add(self, results: Sequence[Result]) -> None:
        """Count what came of one fault."""
        self.tried += 1
        self._verdicts.update(result.verdict for result in results)
        self.bad += [result for result in results if not result.is_good]

    def __str__(self) -> str:
        count = self._verdicts
        leaks = sum(len(result.leaks) for result in self.bad)
        failed = sum(1 for one in self.bad if one.must_succeed and one.verdict == NAMED)
        return (
            f"faults tried {self.tried}, wrong sets {count[WRONG]}, "
            f"partial sets {count[PARTIAL]}, leaked ports/threads/files {leaks}, "
            f"unnamed errors {count[UNNAMED]}\n"
            f"fetches without an end {count[ENDLESS]}, late images not waited for "
            f"{count[IMPATIENT]}, failures without need {failed}, "
            f"right sets {count[RIGHT]}, named errors {count[NAMED]}, "
            f"{time.monotonic() - self._began:.0f} s"
        )


def walk(
    every: int = 1,
    names: Sequence[str] = (),
    tell: Callable[[Result], None] = lambda _: None,
    part: str = ALL,
) -> Tally:
    """Try faults, and count what came of them.

    Parameters
    ----------
    every : int
        Only each so many-th of all faults.
    names : sequence of str
        Only these.
    tell : callable
        Takes what came of each fetch.
    part : str
        Only the faults of messages, or of answers.
    """
    tally = Tally()
    count = min(WORKERS, len(names) or WORKERS)
    orders = [
        {"number": number, "of": count, "every": every, "names": list(names), "part": part}
        for number in range(count)
    ]
    workers = [_start(order) for order in orders]
    expected = set()
    for said in _said(workers):
        if isinstance(said, int):
            expected.add(said)
            continue
        results = [Result(*one) for one in said]
        tally.add(results)
        for result in results:
            tell(result)
    ends = [worker.wait() for worker in workers]
    if any(ends):
        raise AssertionError("a process that walks has failed; its own words are above")
    if expected != {tally.tried}:
        raise AssertionError(f"{tally.tried} faults were tried, and there were {expected}")
    if names and tally.tried != len(names):
        raise LookupError(f"only {tally.tried} of these names are known: --verbose tells all")
    return tally


def _start(order: dict[str, object]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tools.faults.worker", json.dumps(order)],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "QATRACK_ARIA_TEST_DATABASE_URL": "sqlite://:memory:",
        },
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )


def _said(workers: Sequence[subprocess.Popen[str]]) -> Iterator[Any]:
    """Yield the lines of all processes as they come."""
    lines: queue.Queue[str] = queue.Queue()

    def listen(worker: Any) -> None:
        with worker.stdout:
            for line in worker.stdout:
                lines.put(line)
        lines.put("")

    for worker in workers:
        threading.Thread(target=listen, args=(worker,), daemon=True).start()
    for _ in workers:
        for line in iter(lines.get, ""):
            yield json.loads(line)
