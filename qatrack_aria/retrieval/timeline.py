"""Time the steps of a retrieval, and keep its report in the record.

The timeline is filled while the retrieval runs, so that a failure shows how far it came. Writing
it never fails, and its size is limited. Reading it never fails either, whatever the row holds.
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

LONGEST = 16_000  # characters of a timeline
LONGEST_READ = 4 * LONGEST  # a longer one was not written here
LONGEST_TEXT = 300  # characters of one text in it
MOST = 20  # entries of a list, and steps
HIGHEST = 10**12  # of a count or a time; bytes have a column of their own


@dataclasses.dataclass
class Step:
    """One step, with all the times that it was entered."""

    name: str
    seconds: float = 0.0
    times: int = 0


class Timeline:
    """The steps of one retrieval, which are timed in one thread.

    Attributes
    ----------
    stopped_at : str
        The innermost step that ended with an error; empty if none did.
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
        """The steps in their usual order."""
        known = [self._steps[name] for name in ORDER if name in self._steps]
        return known + [step for name, step in self._steps.items() if name not in ORDER]

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; it pauses while a step within it is timed."""
        self._add_elapsed()
        step = self._steps.setdefault(name, Step(name))
        step.times += 1
        self._open.append(step)
        try:
            yield
        except BaseException:
            self.stopped_at = self.stopped_at or name
            raise
        finally:
            self._add_elapsed()
            self._open.pop()

    def _add_elapsed(self) -> None:
        """Add the time since the last call to the step that is open now."""
        now = time.monotonic()
        if self._open:
            self._open[-1].seconds += now - self._since
        self._since = now

    def remark(self, remark: Phrase) -> None:
        """Keep a remark."""
        self._remarks = [*self._remarks, remark][:MOST]

    def add(self, report: Callable[[], Mapping[str, Any]]) -> None:
        """Keep the report of :mod:`qatrack_aria.retrieval.report`; log its failure."""
        try:
            self._report.update(report())
        except Exception as error:  # it must neither stop a retrieval nor hide its failure
            logger.warning("the report of a retrieval failed: %s", type(error).__name__)

    def as_json(self) -> str:
        """Return the timeline for the row, with lists shortened to fit :data:`LONGEST`."""
        steps = [
            {"step": step.name, "seconds": round(step.seconds, 4), "times": step.times}
            for step in self.steps[:MOST]
        ]
        remarks = [remark.as_json for remark in self._remarks]
        notes = {"steps": steps, "stopped_at": self.stopped_at, "remarks": remarks}
        with contextlib.suppress(TypeError, ValueError, RecursionError):
            for most in (MOST, 8, 2, 0):
                report = {name: _shorten(value, most) for name, value in self._report.items()}
                text = json.dumps({k: v for k, v in {**notes, **report}.items() if v})
                if len(text) <= LONGEST:
                    return text
        return "{}"


def _shorten(value: Any, most: int) -> Any:
    return value[:most] if isinstance(value, list) else value


class StoredTimeline:
    """A timeline as read from the database: each value has its type, or is empty.

    Parameters
    ----------
    stored : str
        JSON; it may have been edited or damaged.
    """

    def __init__(self, stored: Any) -> None:
        self.values: dict[str, Any] = stored if isinstance(stored, dict) else _parse(stored)

    def text(self, name: str) -> str:
        """Return a text as one printable line."""
        value = self.values.get(name)
        return printable(value, LONGEST_TEXT) if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        """Return a count."""
        value = self.values.get(name)
        return value if type(value) is int and 0 <= value < HIGHEST else 0

    def seconds(self, name: str) -> float:
        """Return a time in seconds."""
        value = self.values.get(name)
        if isinstance(value, (int, float)) and 0 <= value < HIGHEST:  # neither NaN nor infinite
            return float(value)
        return 0.0

    def items(self, name: str) -> list[StoredTimeline]:
        """Return the entries of a list."""
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
