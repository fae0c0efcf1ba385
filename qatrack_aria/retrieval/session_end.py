"""Tell whether a session is over, so that no part of one is handed over as the whole.

It is over when no image has come for three times the largest gap between its images, and at least
for a minute: by the clock of the imager, or by ours if the images are the same as we have seen
before. What was seen is kept beside the answers, dated by the clock of the disk, so that whoever
asks again need not wait again.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import math
import time
from typing import Sequence

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.errors import SessionUnderWayError
from qatrack_aria.retrieval.sessions import silence_needed, uids
from qatrack_aria.retrieval.task import Task
from qatrack_aria.storage.filesystem import hashed_name, now_on_disk, replace_text

#: Seconds that must be left of the deadline after a wait, to list the images again.
RESERVE = 3.0


class SessionEnd:
    """Whether the session of a request is over.

    Parameters
    ----------
    task : Task
        The retrieval.

    Attributes
    ----------
    established : bool
        Whether the last session that was looked at is over.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._request = task.request
        self._ahead = dt.timedelta(seconds=task.clock_ahead)
        name = hashed_name([task.peer.name, dict(task.request.as_dict)])
        self._path = task.archive.answers / f"{name}.seen"
        self.established = True

    def wait(self, chosen: Sequence[ImageRef]) -> bool:
        """Wait for the end of the session if the deadline allows it, and return whether it did.

        Raises
        ------
        SessionUnderWayError
            The end would be later than the deadline; the message says when to ask again.
        """
        left = self._seconds_left(chosen)
        self.established = left <= 0
        if self.established or self._accepted(chosen):
            return False
        if left + RESERVE > self._task.deadline.remaining:
            raise SessionUnderWayError(self._message(chosen, left))
        time.sleep(left)
        return True

    def _accepted(self, chosen: Sequence[ImageRef]) -> bool:
        if self._request.unfinished or not self._task.peer.stable_answers:
            return True
        number = len(uids(chosen))
        self.established = self._request.settles(number)
        return self._request.count is not None and number >= self._request.least

    def _seconds_left(self, chosen: Sequence[ImageRef]) -> float:
        needed = silence_needed(chosen).total_seconds()
        age = self._age(chosen)
        if age is not None and age >= needed:
            return 0
        by_our_clock = needed - self._task.on_disk(lambda: self._seen_for(chosen))
        return by_our_clock if age is None or age < 0 else min(by_our_clock, needed - age)

    def _age(self, chosen: Sequence[ImageRef]) -> float | None:
        """Return the seconds since the newest image, by its clock; ``None`` if unknown."""
        now = dt.datetime.now() + self._ahead
        if all(image.acquired for image in chosen):
            return (now - max(image.moment for image in chosen)).total_seconds()
        days = [image.day for image in chosen]
        if None in days:
            return None
        return math.inf if max(day for day in days if day) < now.date() else None

    def _seen_for(self, chosen: Sequence[ImageRef]) -> float:
        """Return the seconds for which exactly these images have been seen; note them if new."""
        listed = hashlib.sha256(" ".join(sorted(uids(chosen))).encode()).hexdigest()
        with contextlib.suppress(OSError, ValueError):
            if self._path.read_text(encoding="utf-8") == listed:
                return max(0.0, now_on_disk(self._path.parent) - self._path.stat().st_mtime)
        replace_text(self._path, listed)
        return 0

    def _message(self, chosen: Sequence[ImageRef], left: float) -> str:
        number, age = len(uids(chosen)), self._age(chosen)
        newest = "" if age is None or age < 0 else f", the newest {age:.0f} s old"
        gap = silence_needed(chosen).total_seconds() / 3
        every = f", they come up to {gap:.0f} s apart" if number > 1 else ""
        return (
            f"Images: {number} found for {self._request.subject}{newest}{every}: the session "
            f"may still be under way. Ask again in {math.ceil(left)} s, or give count= if you know "
            "how many there are (unfinished=True takes what there is)."
        )
