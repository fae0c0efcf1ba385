"""What changes from one C-FIND to the next: short lists, and changes of mind.

ARIA now and then lists only part of what it holds, with Success; and what it holds is corrected,
added to and removed while somebody queries it.
"""

from __future__ import annotations

import itertools
import random
from copy import deepcopy
from typing import Iterable, Iterator

from pydicom.dataset import Dataset

from .behaviour import Behaviour
from .find import UNIQUE_KEYS
from .matching import has_value

FIRST, LAST, RANDOM = "first", "last", "random"


class Moods:
    """The C-FINDs of a simulator since its behaviour was set.

    Parameters
    ----------
    behaviour : Behaviour
        Determines which answers are left out or changed, and when.

    Attributes
    ----------
    is_late : bool
        Whether the late change has taken place.
    left_out : list of (int, str)
        Each answer that was left out: the number of its C-FIND, and its unique key.
    """

    def __init__(self, behaviour: Behaviour) -> None:
        self.is_late = False
        self.left_out: list[tuple[int, str]] = []
        self._behaviour = behaviour
        self._random = random.Random(behaviour.short_seed)
        self._numbers = itertools.count(1)
        self._counted = itertools.count(1)

    def begin(self) -> int:
        """Count a C-FIND; return its number, from 1."""
        number = next(self._numbers)
        late_from = self._behaviour.late_from
        self.is_late = self.is_late or (late_from is not None and number >= late_from)
        return number

    def answers(
        self, number: int, identifier: Dataset, answers: Iterator[Dataset]
    ) -> Iterable[Dataset]:
        """Return the answers that are sent instead of the right ones.

        Parameters
        ----------
        number : int
            That of the C-FIND, as `begin` returned it.
        identifier : pydicom.dataset.Dataset
            The query.
        answers : iterator of pydicom.dataset.Dataset
            The right answers.
        """
        behaviour = self._behaviour
        changed: Iterable[Dataset] = answers
        if self._is_short(identifier):
            changed = self._shortened(number, list(changed))
        if behaviour.on_answer is not None:
            changed = behaviour.on_answer(number, identifier, list(changed))
        return changed

    def _is_short(self, identifier: Dataset) -> bool:
        behaviour = self._behaviour
        if behaviour.short_level not in (None, identifier.QueryRetrieveLevel):
            return False
        keys = {key.keyword for key in identifier if has_value(key)}
        if not behaviour.short_keys <= keys:
            return False
        counted = next(self._counted)
        once = behaviour.short_from is not None and counted >= behaviour.short_from
        regular = behaviour.short_every is not None and counted % behaviour.short_every == 0
        by_chance = self._random.random() * 100 < behaviour.short_percent
        return (once and not self.left_out) or regular or by_chance

    def _shortened(self, number: int, answers: list[Dataset]) -> list[Dataset]:
        at = self._place(answers)
        if at is None:
            return answers
        self.left_out.append((number, _unique_key(answers[at])))
        return answers[:at] + answers[at + 1 :]

    def _place(self, answers: list[Dataset]) -> int | None:
        which = self._behaviour.short_answer
        if not answers:
            return None
        if which == RANDOM:
            return self._random.randrange(len(answers))
        if which in (FIRST, LAST):
            return 0 if which == FIRST else len(answers) - 1
        keys = [_unique_key(answer) for answer in answers]
        return keys.index(which) if which in keys else None


def held(datasets: Iterable[Dataset], behaviour: Behaviour, is_late: bool) -> Iterator[Dataset]:
    """Yield the instances that are held before or after the late change."""
    absent = behaviour.vanishing if is_late else behaviour.appearing
    corrections = [_correction(text) for text in sorted(behaviour.corrected)] if is_late else []
    for dataset in datasets:
        uid = str(dataset.SOPInstanceUID)
        if uid in absent:
            continue
        mine = [change for whose, *change in corrections if whose == uid]
        if mine:
            dataset = deepcopy(dataset)
            for keyword, value in mine:
                setattr(dataset, keyword, value.split("\\") if "\\" in value else value)
        yield dataset


def _correction(text: str) -> tuple[str, str, str]:
    uid, _, rest = text.partition(":")
    keyword, _, value = rest.partition("=")
    return uid, keyword, value


def _unique_key(answer: Dataset) -> str:
    return str(answer.get(UNIQUE_KEYS[str(answer.QueryRetrieveLevel)], ""))
