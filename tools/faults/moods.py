"""What may be wrong with the answers to a C-FIND: a short list, and a late change of mind."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple, Sequence

from pydicom.dataset import Dataset

from tools.faults.recorder import Find
from tools.faults.scenarios import Contents

SHORT_LIST, CHANGE_OF_MIND = "short list", "late change of mind"
DATES = ("AcquisitionDate", "ContentDate")


class MoodTrial(NamedTuple):
    """A fault of the answers to try.

    ``number`` is that of the C-FIND, from 1; ``detail`` the answer that is left out, or the change.
    """

    scenario: str
    number: int
    level: str
    fault: str
    detail: str
    switches: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.scenario}/{self.number}/C-FIND {self.level}/{self.fault}/{self.detail}"


def mood_trials(name: str, contents: Contents, finds: Sequence[Find]) -> list[MoodTrial]:
    """Return all faults of the answers to the C-FINDs of a retrieval."""
    changes = _changes(contents)
    found = []
    for find in finds:
        for place, key in enumerate(find.keys, start=1):
            switches = (f"short_from={find.number}", f"short_answer={key}")
            detail = f"answer {place} of {len(find.keys)}"
            found.append(MoodTrial(name, find.number, find.level, SHORT_LIST, detail, switches))
        for detail, change in changes.items():
            switches = (f"late_from={find.number}", *change)
            found.append(MoodTrial(name, find.number, find.level, CHANGE_OF_MIND, detail, switches))
    return found


def _changes(contents: Contents) -> dict[str, list[str]]:
    """Return the switches of each change; what does not appear stays absent for ever."""
    image, plan = contents.late_image, contents.late_plan
    first, second = (str(ds.SOPInstanceUID) for ds in contents.meant[:2])
    corrections = ",".join(f"{first}:{key}={value}" for key, value in _earlier(contents.meant[0]))
    never = f"vanishing={plan},{image}"
    return {
        "an image appears": [f"vanishing={plan}"],
        "a plan appears": [f"vanishing={image}"],
        "an image vanishes": [f"vanishing={plan},{image},{second}"],
        "a date is corrected": [never, f"corrected={corrections}"],
        "a type is corrected": [
            never,
            rf"corrected={first}:ImageType=ORIGINAL\PRIMARY\PORTAL\ACQUIRED_DOSE",
        ],
    }


def _earlier(image: Dataset) -> list[tuple[str, str]]:
    """Return the dates of an image forty days earlier."""
    return [
        (key, (day - dt.timedelta(days=40)).strftime("%Y%m%d"))
        for key in DATES
        if image.get(key)
        for day in [dt.datetime.strptime(str(image[key].value), "%Y%m%d")]
    ]


def accepted(trial: Any, before: Any, after: Any, is_shown: bool) -> frozenset[frozenset[str]]:
    """Return the sets that are right: after a change that was to be seen, only those of then.

    An image that vanishes is not to be seen: whether it was there then is anybody's guess.
    """
    if trial.fault == SHORT_LIST or trial.detail == "an image vanishes":
        return before.sets | (after.sets if trial.fault == CHANGE_OF_MIND else frozenset())
    return after.sets if is_shown else before.sets | after.sets
