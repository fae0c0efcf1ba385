"""What came of a fetch."""

from __future__ import annotations

from typing import NamedTuple

RIGHT, WRONG, PARTIAL, NAMED, UNNAMED, ENDLESS, IMPATIENT = (
    "right",
    "wrong set",
    "partial set",
    "named error",
    "unnamed error",
    "no end",
    "not waited for",
)

#: The parts of a walk: faults of the messages of a conversation, and of the answers to C-FINDs.
ALL, MESSAGES, ANSWERS = "all", "messages", "answers"


class Result(NamedTuple):
    """What came of a fetch."""

    fetch: str
    verdict: str
    outcome: str
    leaks: list[str]
    seconds: float
    must_succeed: bool = False

    def __str__(self) -> str:
        leaks = f" [leaked: {'; '.join(self.leaks)}]" if self.leaks else ""
        return f"{self.fetch}: {self.verdict} in {self.seconds:.1f} s{leaks}: {self.outcome}"

    @property
    def is_good(self) -> bool:
        allowed = (RIGHT,) if self.must_succeed else (RIGHT, NAMED)
        return self.verdict in allowed and not self.leaks
