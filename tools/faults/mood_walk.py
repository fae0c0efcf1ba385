"""The part of the walk whose faults lie in the answers to a C-FIND."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pydicom
from django.conf import settings

from qatrack_aria.simulator import Behaviour
from tools.faults.moods import MoodTrial, accepted, mood_trials
from tools.faults.recorder import Find
from tools.faults.results import NAMED, PARTIAL, RIGHT, WRONG, Result
from tools.faults.scenarios import SCENARIOS, Contents, always, due, make
from tools.faults.world import data_set

TIMES = {
    "connect_timeout": 5.0,
    "response_timeout": 10.0,
    "quiet_timeout": 10.0,
    "grace": 0.2,
    "deadline": 8.0,
}
METHOD = "C-MOVE"


class Moods:
    """Tries short lists and late changes of mind.

    Parameters
    ----------
    walk : tools.faults.walk.Walk
        Fetches, and looks for what is left over.
    peer : tools.helper.Helper
        The process of :mod:`tools.faults.peer`.
    folder : pathlib.Path
        For the phantom's files.
    """

    def __init__(self, walk: Any, peer: Any, folder: Path) -> None:
        self._walk, self._peer = walk, peer
        self._folders = {name: folder / f"scenario {name}" for name in SCENARIOS}
        self._contents: dict[str, Contents] = {
            name: make(scenario, self._folders[name]) for name, scenario in SCENARIOS.items()
        }
        self._came: frozenset[str] = frozenset()  # and whether a file was as it is corrected:
        self._is_corrected = False

    def trials(self) -> list[MoodTrial]:
        """All that can be tried, in an order that is the same in every process."""
        return [trial for name in SCENARIOS for trial in self._trials_of(name)]

    def try_out(self, trial: MoodTrial) -> list[Result]:
        """Fetch with the fault, into an empty archive."""
        scenario, contents = SCENARIOS[trial.scenario], self._contents[trial.scenario]
        switches = [*always(contents, scenario), *trial.switches]
        result, _, done, is_shown = self._fetch(str(trial), trial.scenario, switches)
        if not done:
            raise AssertionError(f"{trial}: the conversation never came to that place")
        before, after = (due(contents, scenario, switches, late) for late in (False, True))
        is_shown = is_shown or self._is_corrected
        return [self._judged(result, accepted(trial, before, after, is_shown))]

    def _trials_of(self, name: str) -> list[MoodTrial]:
        scenario, contents = SCENARIOS[name], self._contents[name]
        switches = always(contents, scenario)
        right = due(contents, scenario, switches, is_late=False)
        result, finds, _, _ = self._fetch(f"{name} without a fault", name, switches)
        if self._judged(result, right.sets).verdict != (RIGHT if right.sets else NAMED):
            raise AssertionError(str(result))
        return mood_trials(name, contents, [Find(*find) for find in finds])

    def _fetch(self, name: str, scenario: str, switches: list[str]) -> Any:
        """Return the result, the C-FINDs, whether the fault was done, and whether it was shown."""
        as_saved = {data_set(path) for path in self._folders[scenario].glob("*.dcm")}
        corrected = {text.partition(":")[0] for text in Behaviour.from_options(switches).corrected}

        def judge(images: Any) -> str:
            headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in images]
            uids = [str(header.SOPInstanceUID) for header in headers]
            changed = {uid for uid, file in zip(uids, images) if data_set(file) not in as_saved}
            self._came, self._is_corrected = frozenset(uids), bool(changed)
            return RIGHT if changed <= corrected and len(self._came) == len(uids) else WRONG

        self._came, self._is_corrected = frozenset(), False
        self._peer("serve", str(self._folders[scenario]), switches)
        result = self._walk.fetch(name, METHOD, TIMES, SCENARIOS[scenario].options, judge)
        self._peer("calm")
        finds, done, is_shown = self._peer("answers")
        self._peer("end")
        shutil.rmtree(settings.QATRACK_ARIA_ARCHIVE, ignore_errors=True)
        return result, finds, done, is_shown

    def _judged(self, result: Result, right: frozenset[frozenset[str]]) -> Result:
        if result.verdict != RIGHT or self._came in right:
            return result
        is_part = any(self._came < one for one in right)
        return result._replace(verdict=PARTIAL if is_part else WRONG)
