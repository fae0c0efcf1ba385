"""The walk: one fetch for each fault at each boundary of a retrieval, and what came of it.

It counts the threads and the open files of its process, which must be its own: see
:mod:`tools.faults.worker`.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterable, NamedTuple

from django.conf import settings

from qatrack_aria import fetch_images
from qatrack_aria.errors import AriaError
from tests.helpers.aria import PATIENT
from tests.helpers.middleman import HOST, STORE, Boundary
from tools.faults.faults import faults_at
from tools.faults.mood_walk import Moods
from tools.faults.moods import MoodTrial
from tools.faults.results import (
    ALL,
    ANSWERS,
    ENDLESS,
    IMPATIENT,
    MESSAGES,
    NAMED,
    PARTIAL,
    RIGHT,
    UNNAMED,
    WRONG,
    Result,
)
from tools.faults.scenarios import LABEL
from tools.faults.world import data_set, make_world
from tools.helper import Helper
from tools.node import make_node

#: Seconds: short where a fault is tried, patient where all should go well.
HASTY = {
    "connect_timeout": 0.25,
    "response_timeout": 0.25,
    "quiet_timeout": 0.25,
    "grace": 0.25,
    "deadline": 2.0,
}
#: How many times as long they may be if the first try says nothing.
PATIENCE = (1, 4, 16)
PATIENT_TIMES = {
    "connect_timeout": 5.0,
    "response_timeout": 10.0,
    "quiet_timeout": 10.0,
    "grace": 0.3,
    "deadline": 25.0,
}
#: Seconds that threads may live on after the fetch.
ALLOWANCE = 3.0
#: Seconds that a fetch may take beyond its deadline: what its last abort or release may need.
OVERTIME = 3.0

METHODS = ("C-MOVE", "C-GET")

MESSAGE = re.compile(
    r"(Connection|Association|C-FIND|Plan|Images|Transfer|Receiver|Archive): .{40,}\.", re.DOTALL
)
ADVICE = re.compile(r"ask again|ask whoever|check|choose|correct|raise|add |give |[Ss]ay ")


class Trial(NamedTuple):
    """A fault to try."""

    method: str
    boundary: Boundary
    fault: str

    def __str__(self) -> str:
        return f"{self.method}/{self.boundary}/{self.fault}"

    @property
    def must_succeed(self) -> bool:
        """An image that comes within the grace after the final response is as good as any."""
        return self.boundary.leg == STORE and self.fault == "late"


class Walk:
    """Fetches through the peer, once for each fault, and judges.

    Parameters
    ----------
    folder : Path
        For the phantom's files and the archives.
    """

    def __init__(self, folder: Path) -> None:
        self._archive = folder / "archive"
        world = folder / "world"
        world.mkdir()
        self._meant = make_world(world)
        self._node = make_node()
        self._peer = Helper("faults.peer", world, self._node.local_port)
        self._node.remote_port = self._peer("port")
        self._moods = Moods(self, self._peer, folder)
        settings.QATRACK_ARIA_ARCHIVE = str(self._archive)

    def __enter__(self) -> Walk:
        return self

    def __exit__(self, *error: object) -> None:
        self._peer.close()

    def trials(self, part: str = ALL) -> list[Any]:
        """All that can be tried, or a part of it, in an order that is the same in every process."""
        found: list[Any] = []
        if part in (ALL, MESSAGES):
            found = [one for method in METHODS for one in _trials(method, self._boundaries(method))]
            found.sort(key=lambda one: (one.method, one.boundary.leg, one.boundary.number))
        return found + (self._moods.trials() if part in (ALL, ANSWERS) else [])

    def try_out(self, trial: Any) -> list[Result]:
        """Fetch with the fault, and mostly once more without it, into the same archive."""
        if isinstance(trial, MoodTrial):
            return self._moods.try_out(trial)
        # On a busy machine the short times may be over before the fault's turn has come.
        for patience in PATIENCE:
            times = {field: seconds * patience for field, seconds in HASTY.items()}
            boundary = trial.boundary
            self._peer("begin", boundary.leg, boundary.number, trial.fault, times["grace"])
            result = self._fetch(str(trial), trial.method, times)
            done, seen = self._peer("calm")
            if trial.must_succeed and result.verdict == RIGHT and _times_asked(seen) > 1:
                result = result._replace(verdict=IMPATIENT)
            results = [result._replace(must_succeed=trial.must_succeed)]
            # Where nothing came there is nothing to go on with; then now and then will do.
            if (self._has_images() and result.verdict != RIGHT) or boundary.number % 5 == 0:
                after = self._fetch(f"{trial}, then without", trial.method, PATIENT_TIMES)
                results.append(after._replace(must_succeed=True))
            self._peer("end")
            shutil.rmtree(self._archive)
            if done and (results[0].verdict == RIGHT or not trial.must_succeed):
                break
        if not done:
            raise AssertionError(f"{trial}: the conversation never came to that place")
        return results

    def _boundaries(self, method: str) -> list[Boundary]:
        """Those of a conversation without a fault."""
        self._peer("begin", "", 0, "", 0)
        result = self._fetch(f"{method} without a fault", method, PATIENT_TIMES)
        _, seen = self._peer("calm")
        self._peer("end")
        shutil.rmtree(self._archive)
        if result.verdict != RIGHT:
            raise AssertionError(str(result))
        return [Boundary(*one) for one in seen]

    def _has_images(self) -> bool:
        return any((self._archive / "instances").iterdir())

    # --- one fetch ------------------------------------------------------------------------------

    def _fetch(self, name: str, method: str, times: dict[str, float]) -> Result:
        return self.fetch(name, method, times, {}, self._verdict)

    def fetch(
        self,
        name: str,
        method: str,
        times: dict[str, float],
        options: dict[str, Any],
        judge: Callable[[Any], str],
    ) -> Result:
        """Fetch once, and look for what is left over.

        Parameters
        ----------
        name : str
            The name of the result.
        method : str
            C-MOVE or C-GET.
        times : dict
            The time limits of the node.
        options : dict
            Those of ``fetch_images``.
        judge : callable
            Takes the images, and returns the verdict.
        """
        for field, value in {"retrieve_method": method, **times}.items():
            setattr(self._node, field, value)
        self._node.save()
        rescue = threading.Timer(times["deadline"] + OVERTIME, self._peer, ["calm"])
        rescue.start()
        threads, files, sets = set(threading.enumerate()), _open_files(), self._sets()
        began = time.monotonic()
        verdict, outcome = self._outcome(options, judge)
        seconds = time.monotonic() - began
        rescue.cancel()
        rescue.join()
        if seconds > times["deadline"] + OVERTIME:
            verdict = ENDLESS
        leaks = [
            *_threads_left(threads),
            *self._port_left(),
            *_files_left(files),
            *self._litter(sets + (verdict in (RIGHT, WRONG, PARTIAL))),
        ]
        return Result(name, verdict, outcome, leaks, seconds)

    def _outcome(self, options: dict[str, Any], judge: Callable[[Any], str]) -> tuple[str, str]:
        try:
            images = fetch_images("aria", PATIENT, LABEL, max_age=0, **options)
        except AriaError as error:
            return (NAMED if _is_clear(str(error)) else UNNAMED), f"{type(error).__name__}: {error}"
        except Exception as error:
            return UNNAMED, f"{type(error).__name__}: {error}"
        return judge(images), f"{len(images)} images, {images.moved} of them moved"

    def _verdict(self, images: Any) -> str:
        got = [data_set(file) for file in images]
        if not set(got) <= set(self._meant.values()) or len(set(got)) < len(got):
            return WRONG
        return RIGHT if len(got) == len(self._meant) else PARTIAL

    # --- what is left over ------------------------------------------------------------------------

    def _port_left(self) -> list[str]:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, self._node.local_port))
                listener.listen(1)
            except OSError as error:
                return [f"our port ({error.strerror})"]
        return []

    def _litter(self, sets: int) -> list[str]:
        found = [str(path) for path in self._archive.rglob("*.part")]
        found += [str(path) for path in (self._archive / "incoming").iterdir()]
        found += [str(path) for path in (self._archive / "locks").glob("*.json")]
        if self._sets() != sets:
            found.append(f"{self._sets()} folders of sets where {sets} belong")
        return sorted(set(found))

    def _sets(self) -> int:
        folder = self._archive / "sets"
        return len(list(folder.iterdir())) if folder.exists() else 0


def _trials(method: str, seen: list[Boundary]) -> Iterable[Trial]:
    for at, boundary in enumerate(seen):
        if method == "C-GET" and boundary.kind.startswith("C-FIND"):
            continue  # not a word of it differs from those before a C-MOVE
        line = (boundary.leg, boundary.line)
        later = [one for one in seen[at + 1 :] if (one.leg, one.line) == line]
        for fault in faults_at(boundary, later):
            yield Trial(method, boundary, fault)


def _times_asked(seen: list[list[Any]]) -> int:
    """How many C-MOVEs there were."""
    return [Boundary(*one).kind for one in seen].count("C-MOVE-RQ")


def _is_clear(message: str) -> bool:
    one_line = "\n" not in message and len(message) < 1000
    return one_line and bool(MESSAGE.fullmatch(message)) and bool(ADVICE.search(message))


def _threads_left(before: set[threading.Thread]) -> list[str]:
    until = time.monotonic() + ALLOWANCE
    for thread in set(threading.enumerate()) - before:
        thread.join(max(0.0, until - time.monotonic()))
    return [f"thread {thread.name}" for thread in set(threading.enumerate()) - before]


def _open_files() -> dict[str, str]:
    """Return the open files of this process by descriptor, where the system lists them."""
    found = {}
    for path in Path("/proc/self/fd").glob("*"):
        try:
            found[path.name] = os.readlink(path)
        except OSError:  # that of this very listing
            continue
    return found


def _files_left(before: dict[str, str]) -> list[str]:
    now = _open_files()
    return [f"open {name}" for number, name in now.items() if before.get(number) != name]
