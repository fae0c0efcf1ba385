"""Remember which series of a patient hold images with dates only.

A search by days finds no image without a date, nor one whose date is in a form that the server does
not match. So the series that it did not find are looked at, once. What is kept is a claim of the
node that saves a query, and no proof; it is forgotten when the node's configuration changes.
"""

from __future__ import annotations

import time

from qatrack_aria.dicom.finder import Finder
from qatrack_aria.dicom.queries import ListTooLong
from qatrack_aria.dicom.series_search import Inventory, StudyCounts
from qatrack_aria.dicom.uids import SeriesKey
from qatrack_aria.retrieval.knowledge import is_within
from qatrack_aria.retrieval.task import Task
from qatrack_aria.storage.filesystem import hashed_name
from qatrack_aria.storage.notes import read_note, write_note

#: Series that are looked at to find images without a date; more would take too long.
MOST_SERIES = 300
#: Seconds before a node is asked again whether there are as many.
LASTING = 24 * 3600


class KnownSeries:
    """The series of one patient at one node that have been looked at.

    Parameters
    ----------
    task : Task
        A retrieval of that patient's images.
    """

    def __init__(self, task: Task) -> None:
        self._on_disk = task.on_disk
        name = hashed_name(task.about_patient)
        self._path = task.archive.known / f"{name}.series.json"
        note = self._on_disk(lambda: read_note(self._path)) or {}
        self._series: Inventory = {(study, uid): n for study, uid, n in note.get("series", ())}
        self._open = {(study, uid) for study, uid in note.get("open", ())}
        self._studies = {uid: StudyCounts(*both) for uid, both in note.get("studies", {}).items()}
        self._many_at: float = note.get("many_at", 0)
        #: SOP Instance UIDs of plans of which the node lists no images, or too many, by themselves.
        self.many_of_plan = set(note.get("many_of_plan", ()))
        self._listed: Inventory = {}
        self._counted: dict[str, StudyCounts] | None = None

    def add_plan(self, plan_uid: str) -> None:
        """Remember that the images of a plan are too many to be listed by themselves."""
        self.many_of_plan.add(plan_uid)
        self._save()

    def count(self, finder: Finder) -> dict[str, StudyCounts]:
        """Return what the node counted when it was first asked; nothing if it does not count."""
        if self._counted is None:
            self._counted = finder.by_series.studies() or {}
        return self._counted

    def unseen(self, finder: Finder, found: set[SeriesKey]) -> set[SeriesKey]:
        """List the series that were not looked at as they are now.

        None are listed where the node's counts show that nothing is new, nor where there are too
        many: more than :data:`MOST_SERIES` new ones, or in all at a node that does not count.

        Parameters
        ----------
        finder : Finder
            Lists them.
        found : set of (str, str)
            Series of images that were found by days.
        """
        studies = self.count(finder)
        if studies and studies == self._studies:
            return self._open
        if is_within(self._many_at, LASTING):
            return set()
        try:
            known = len(found | set(self._series if studies else ()))
            self._listed = finder.by_series.all(MOST_SERIES + known)
        except ListTooLong:
            self._many_at = time.time()
            self._save()
            return set()
        self._studies = studies
        listed = {**dict.fromkeys(found), **self._listed}
        return {key for key, count in listed.items() if self._series.get(key, "unknown") != count}

    def add(self, unseen: set[SeriesKey], dated: set[SeriesKey]) -> None:
        """Remember that of the unseen series, these have images with dates only."""
        if not unseen and not self._listed:
            return
        known = dict(self._series), self._open, self._studies
        self._series.update({key: self._listed.get(key) for key in dated})
        self._open = unseen - dated
        if known != (self._series, self._open, self._studies):
            self._save()

    def _save(self) -> None:
        note = {
            "series": [[*key, count] for key, count in self._series.items()],
            "open": sorted(self._open),
            "studies": self._studies,
            "many_at": self._many_at,
            "many_of_plan": sorted(self.many_of_plan),
        }
        self._on_disk(lambda: write_note(self._path, note))
