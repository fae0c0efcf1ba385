"""The time by which a retrieval must have ended."""

from __future__ import annotations

import time

#: Seconds that a thread or a socket needs to end, with a margin.
MOMENT = 0.2


class Deadline:
    """Counts down from its creation.

    Parameters
    ----------
    seconds : float
        Time allowed in total, in seconds.
    spent : float
        Seconds of it that have elapsed already.

    Attributes
    ----------
    allowed : float
        Seconds that were left at the creation.
    """

    def __init__(self, seconds: float, spent: float = 0.0) -> None:
        self.seconds = seconds
        self.allowed = max(0.0, seconds - spent)
        self._started = time.monotonic() - spent

    @property
    def elapsed(self) -> float:
        """Seconds that have elapsed."""
        return time.monotonic() - self._started

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.seconds - self.elapsed)

    @property
    def expired(self) -> bool:
        """Whether no time is left."""
        return self.remaining <= 0

    def briefly(self, seconds: float) -> float:
        """Return `seconds`, or what is left, or a moment: for what ends after the deadline too."""
        return max(MOMENT, self.at_most(seconds))

    def at_most(self, seconds: float) -> float:
        """Return `seconds`, or what is left if less; never 0, which would mean no limit."""
        return max(0.001, min(seconds, self.remaining))
