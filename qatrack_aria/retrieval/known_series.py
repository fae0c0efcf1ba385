"""Remember which series of a patient hold images with dates only.

A search by days finds no image without a date, nor one whose date is in a form that the server does
not match. So the series that it did not find are looked at, once. What is kept is a claim of the
node that saves a query, and no proof; it is forgotten when the node's configuration changes.
"""

from __future__ import annotations

import contextlib
import json
from typing import Iterable

from qatrack_aria.dicom.uids import SeriesKey
from qatrack_aria.errors import ArchiveError
from qatrack_aria.retrieval.task import Task
from qatrack_aria.storage.filesystem import hashed_name, make_private_folder, replace_text


class KnownSeries:
    """The series of one patient at one node that have been looked at.

    Parameters
    ----------
    task : Task
        A retrieval of that patient's images.
    """

    def __init__(self, task: Task) -> None:
        self._on_disk = task.on_disk
        name = hashed_name([task.request.patient_id, task.peer])
        self._path = task.archive.series / f"{name}.json"

    def read(self) -> set[SeriesKey]:
        """Return them as study and Series Instance UIDs."""
        return self._on_disk(self._read)

    def add(self, keys: Iterable[SeriesKey]) -> None:
        """Remember more of them."""
        text = json.dumps(sorted(self.read().union(keys)))
        self._on_disk(lambda: self._write(text))

    def _write(self, text: str) -> None:
        with contextlib.suppress(ArchiveError):
            make_private_folder(self._path.parent)
            replace_text(self._path, text)

    def _read(self) -> set[SeriesKey]:
        try:
            noted = json.loads(self._path.read_text(encoding="utf-8"))
            return {(str(study), str(series)) for study, series in noted}
        except (OSError, ValueError, TypeError):
            return set()
