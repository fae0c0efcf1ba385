"""Note what a simulated ARIA answers; without Django, as the peer is."""

from __future__ import annotations

from typing import NamedTuple, Sequence

from pydicom.dataset import Dataset

from qatrack_aria.simulator import Behaviour
from qatrack_aria.simulator.find import UNIQUE_KEYS


class Find(NamedTuple):
    """A C-FIND of a retrieval without a fault, and the unique keys of its answers."""

    number: int
    level: str
    keys: Sequence[str]


class Recorder:
    """Notes the answers of a simulator, as its ``on_answer``.

    Attributes
    ----------
    finds : list of Find
        Each C-FIND with the unique keys of its answers.
    is_shown : bool
        Whether the late change was to be seen in an answer.
    """

    def __init__(self, switches: Sequence[str]) -> None:
        self.finds: list[Find] = []
        self.is_shown = False
        behaviour = Behaviour.from_options(switches)
        self._late_from = behaviour.late_from
        self._appearing = behaviour.appearing - behaviour.vanishing
        self._corrected = {
            text.partition("=")[0].partition(":")[::2] for text in behaviour.corrected
        }

    def __call__(self, number: int, identifier: Dataset, answers: list[Dataset]) -> list[Dataset]:
        level = str(identifier.QueryRetrieveLevel)
        keys = [str(answer.get(UNIQUE_KEYS[level], "")) for answer in answers]
        self.finds.append(Find(number, level, keys))
        if self._late_from is not None and number >= self._late_from:
            self.is_shown = self.is_shown or any(map(self._shows, keys, answers))
        return answers

    def _shows(self, key: str, answer: Dataset) -> bool:
        corrected = [keyword for uid, keyword in self._corrected if uid == key]
        return key in self._appearing or any(answer.get(keyword) for keyword in corrected)
