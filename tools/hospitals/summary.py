"""Count what came of all requests."""

from __future__ import annotations

from collections import Counter

from tools.hospitals.run import Case
from tools.hospitals.verdicts import BAD, CRASH, NEEDLESS, PARTIAL, WRONG


class Summary:
    """The numbers of all verdicts, and the reasons of the needless errors.

    Attributes
    ----------
    bad : list of Case
        The requests whose outcome must not be.
    """

    def __init__(self) -> None:
        self.bad: list[Case] = []
        self._verdicts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    def add(self, case: Case) -> None:
        """Count a request."""
        verdict = case.verdict
        self._verdicts[verdict.kind] += 1
        if verdict.kind in BAD:
            self.bad.append(case)
        elif verdict.kind == NEEDLESS:
            self._reasons[verdict.reason] += 1

    @property
    def line(self) -> str:
        """All numbers in a line."""
        count = self._verdicts
        return (
            f"requests {sum(count.values())}, wrong {count[WRONG]}, partial {count[PARTIAL]}, "
            f"crashes {count[CRASH]}, needless errors {count[NEEDLESS]}"
        )

    @property
    def reasons(self) -> str:
        """The reasons of the needless errors, the most frequent first."""
        return "\n".join(f"  {number} × {text}" for text, number in self._reasons.most_common())
