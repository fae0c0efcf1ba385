"""The lists of a search that succeeded, for the next one of the same request.

Where a node counts what it holds, and the counts are as they were then, nothing has been added or
removed since. Then the lists by days, for which some servers open every file, need not be asked for
again. What was corrected without a change of the counts is seen in the series of the last days,
which are listed anew, and else when the lists are an hour old.
"""

from __future__ import annotations

import datetime as dt
import time
from typing import Dict, Iterable

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.series_search import StudyCounts
from qatrack_aria.retrieval.date_windows import Days
from qatrack_aria.retrieval.image_notes import from_note, to_note
from qatrack_aria.retrieval.knowledge import is_within
from qatrack_aria.retrieval.task import Task
from qatrack_aria.storage.filesystem import hashed_name
from qatrack_aria.storage.notes import read_note, write_note

#: Seconds for which they are used.
LASTING = 3600

Studies = Dict[str, StudyCounts]


class LastLists:
    """The last lists for one request.

    Parameters
    ----------
    task : Task
        The retrieval.
    plan_uids : frozenset of str
        SOP Instance UIDs of the plans that match.

    Attributes
    ----------
    days : (datetime.date or None, datetime.date or None), optional
        The days that were listed; ``None`` where there are no lists that can be used.
    images : list of ImageRef
        What was listed.
    studies : dict of str to StudyCounts
        What the node counted before.
    """

    def __init__(self, task: Task, plan_uids: frozenset[str]) -> None:
        self._on_disk = task.on_disk
        asked = [dict(task.request.as_dict), sorted(plan_uids), task.peer]
        self._path = task.archive.known / f"{hashed_name(asked)}.lists.json"
        self.days: Days | None = None
        self.images: list[ImageRef] = []
        self.studies: Studies = {}
        note = self._on_disk(lambda: read_note(self._path))
        if note is not None and is_within(note["at"], LASTING):
            since, until = (date and dt.date.fromisoformat(date) for date in note["days"])
            self.days = since, until
            self.images = from_note(note)
            self.studies = {uid: StudyCounts(*both) for uid, both in note["studies"].items()}

    def keep(self, days: Days, images: Iterable[ImageRef], studies: Studies) -> None:
        """Keep lists that were confirmed."""
        note = {
            "at": time.time(),
            "days": [day and day.isoformat() for day in days],
            "studies": studies,
            **to_note(images),
        }
        self._on_disk(lambda: write_note(self._path, note))
