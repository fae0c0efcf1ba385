"""The one time by which a retrieval must have ended."""

from __future__ import annotations

import time


class Deadline:
    """Counts down from the moment it is made.

    Parameters
    ----------
    seconds : float
        Time allowed in total, in seconds.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._started = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._started

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.seconds - self.elapsed)

    @property
    def expired(self) -> bool:
        """Whether nothing is left."""
        return self.remaining <= 0

    def at_most(self, seconds: float) -> float:
        """A wait of so many seconds, cut to what is left (and never 0, which means "for ever")."""
        return max(0.001, min(seconds, self.remaining))
