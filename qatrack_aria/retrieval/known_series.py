"""Remember which series of a patient hold images with dates only.

A search by days finds no image without a date, nor one whose date is in a form that the server does
not match. So the series that it did not find are looked at, once. What is kept is a claim of the
node that saves a query, and no proof; it is forgotten when the node's configuration changes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from functools import partial
from typing import Iterable

from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.dicom.retrieve import SeriesKey
from qatrack_aria.errors import ArchiveError
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.filesystem import make_private_folder, replace_text
from qatrack_aria.storage.in_time import in_time


class KnownSeries:
    """The series of one patient at one node that have been looked at.

    Parameters
    ----------
    archive, peer, patient_id, deadline : Archive, Peer, str, Deadline
        Where they are kept, the node, the patient, and the time allowed.
    """

    def __init__(self, archive: Archive, peer: Peer, patient_id: str, deadline: Deadline) -> None:
        self._on_disk = partial(in_time, deadline, archive.root)
        asked = json.dumps([patient_id, dataclasses.asdict(peer)], sort_keys=True)
        self._path = archive.series / f"{hashlib.sha256(asked.encode()).hexdigest()[:32]}.json"

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
