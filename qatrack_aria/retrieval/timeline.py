"""How long each step of a retrieval took, and what came of it; kept in its row.

It is written while the retrieval runs, so that a failure shows how far it came. Writing it never
fails and its size is limited; reading it back never fails either, whatever is in the row.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import time
from typing import Any, Callable, Iterator, Mapping

from qatrack_aria.phrases import Phrase
from qatrack_aria.text import printable

logger = logging.getLogger("qatrack_aria")

# The steps, by the codes that a record keeps (:mod:`qatrack_aria.phrases`).
LOCK = "lock"
ASSOCIATE = "associate"
PLAN = "plan"
IMAGES = "images"
CHECK = "check"
MOVE = "move"
LAY_OUT = "lay_out"
RELEASE = "release"
PRUNE = "prune"
ORDER = (LOCK, ASSOCIATE, PLAN, IMAGES, CHECK, MOVE, LAY_OUT, RELEASE, PRUNE)

LONGEST = 16_000  # characters of a story
LONGEST_READ = 4 * LONGEST  # what is longer is none of ours
LONGEST_TEXT = 300  # of one text in it
MOST = 20  # entries of a list, and steps
HIGHEST = 10**12  # what is counted or timed; bytes have a column of their own


@dataclasses.dataclass
class Step:
    """One step, however often it was returned to."""

    name: str
    seconds: float = 0.0
    times: int = 0


class Timeline:
    """Times the steps of one retrieval, in one thread.

    Attributes
    ----------
    stopped_at : str
        The innermost step out of which an error came; empty if none did.
    """

    def __init__(self) -> None:
        self.stopped_at = ""
        self._steps: dict[str, Step] = {}
        self._open: list[Step] = []
        self._since = 0.0
        self._report: dict[str, Any] = {}
        self._remarks: list[Phrase] = []

    @property
    def steps(self) -> list[Step]:
        """In the order of a retrieval in which each is come to just once."""
        known = [self._steps[name] for name in ORDER if name in self._steps]
        return known + [step for name, step in self._steps.items() if name not in ORDER]

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step. One within another is not counted twice: the outer one pauses."""
        self._turn()
        step = self._steps.setdefault(name, Step(name))
        step.times += 1
        self._open.append(step)
        try:
            yield
        except BaseException:
            self.stopped_at = self.stopped_at or name
            raise
        finally:
            self._turn()
            self._open.pop()

    def _turn(self) -> None:
        """Whatever has gone by belongs to the step that is open now."""
        now = time.monotonic()
        if self._open:
            self._open[-1].seconds += now - self._since
        self._since = now

    def remark(self, remark: Phrase) -> None:
        """Keep a remark."""
        self._remarks = [*self._remarks, remark][:MOST]

    def add(self, report: Callable[[], Mapping[str, Any]]) -> None:
        """Keep what :mod:`qatrack_aria.retrieval.report` returns, if it returns something."""
        try:
            self._report.update(report())
        except Exception as error:  # it must break neither the images nor hide a failure
            logger.warning("the report of a retrieval failed: %s", type(error).__name__)

    def as_json(self) -> str:
        """All of it for the row, lists cut until no more than :data:`LONGEST` is left."""
        steps = [
            {"step": step.name, "seconds": round(step.seconds, 4), "times": step.times}
            for step in self.steps[:MOST]
        ]
        remarks = [remark.as_json for remark in self._remarks]
        notes = {"steps": steps, "stopped_at": self.stopped_at, "remarks": remarks}
        with contextlib.suppress(TypeError, ValueError, RecursionError):
            for most in (MOST, 8, 2, 0):
                told = {name: _cut(value, most) for name, value in self._report.items()}
                text = json.dumps({k: v for k, v in {**notes, **told}.items() if v})
                if len(text) <= LONGEST:
                    return text
        return "{}"


def _cut(value: Any, most: int) -> Any:
    return value[:most] if isinstance(value, list) else value


class StoredTimeline:
    """What was kept, whatever has become of it since: each value is of its kind, or empty.

    Parameters
    ----------
    kept : str
        JSON, of which nothing is believed.
    """

    def __init__(self, kept: Any) -> None:
        self.values: dict[str, Any] = kept if isinstance(kept, dict) else _parse(kept)

    def text(self, name: str) -> str:
        """One line that can be shown."""
        value = self.values.get(name)
        return printable(value, LONGEST_TEXT) if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        """How many."""
        value = self.values.get(name)
        return value if type(value) is int and 0 <= value < HIGHEST else 0

    def seconds(self, name: str) -> float:
        """How long."""
        value = self.values.get(name)
        if isinstance(value, (int, float)) and 0 <= value < HIGHEST:  # neither NaN nor endless
            return float(value)
        return 0.0

    def items(self, name: str) -> list[StoredTimeline]:
        """The entries of a list."""
        value = self.values.get(name)
        entries = value[:MOST] if isinstance(value, list) else []
        return [StoredTimeline(entry) for entry in entries if isinstance(entry, dict)]


def _parse(text: Any) -> dict[str, Any]:
    if not isinstance(text, str) or len(text) > LONGEST_READ:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
