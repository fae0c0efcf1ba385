"""What a node has said of one patient's images, kept from one retrieval to the next.

An image that is finished does not change: each is learned once. What was learned is a claim, which
shortens the way to a set, and no proof: the chosen series are listed anew, and what is new in the
others is asked for. It is forgotten after some days, and with a change of the node's configuration.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Iterable

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.uids import SeriesKey
from qatrack_aria.retrieval.image_notes import from_note, to_note
from qatrack_aria.retrieval.task import Task
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.filesystem import entries_older_than, hashed_name, remove_file
from qatrack_aria.storage.notes import read_note, write_note

#: Seconds in which the parts of a search that does not finish at once are one search.
FRESH = 1800
#: Seconds after which it is forgotten.
LASTING = 7 * 24 * 3600
#: Seconds after which a file that nobody has written is removed.
UNUSED = 30 * 24 * 3600


@dataclasses.dataclass
class LearnedSeries:
    """What was learned of one series.

    Attributes
    ----------
    images : list of ImageRef
        All of its images, as the node has listed them.
    learned : float
        When they were listed, in seconds since 1970.
    checked : float
        When a second list, or a count, had the same images; 0 for never.
    """

    images: list[ImageRef]
    learned: float
    checked: float = 0

    @property
    def uids(self) -> set[str]:
        """The SOP Instance UIDs of its images."""
        return {image.sop_uid for image in self.images}


def is_within(moment: float, seconds: float) -> bool:
    """Return whether a moment, in seconds since 1970, is at most so long ago."""
    return 0 <= time.time() - moment <= seconds


class Knowledge:
    """What was learned of one patient's images at one node.

    Parameters
    ----------
    task : Task
        A retrieval of that patient's images.

    Attributes
    ----------
    series : dict of (str, str) to LearnedSeries
        By Study and Series Instance UID.
    plan_key : bool or None
        Whether the node matches images by the plan that they refer to; ``None`` while unknown.
    whole_at : float
        When all series of the patient were known, in seconds since 1970.
    finished_at : float
        When the last search ended; what was learned since is of one that was not finished.
    is_unfinished : bool
        Whether there was anything of the kind when this retrieval began.
    """

    def __init__(self, task: Task) -> None:
        self._on_disk = task.on_disk
        name = hashed_name(task.about_patient)
        self._path = task.archive.known / f"{name}.json"
        self.series: dict[SeriesKey, LearnedSeries] = {}
        self.plan_key: bool | None = None
        self.whole_at = self.finished_at = 0.0
        note = self._on_disk(lambda: read_note(self._path))
        if note is not None:
            self.plan_key, self.whole_at = note["plan_key"], note["whole_at"]
            self.finished_at = note["finished_at"]
            images: dict[SeriesKey, list[ImageRef]] = {}
            for image in from_note(note):
                images.setdefault(image.series_key, []).append(image)
            for study, uid, learned, checked in note["series"]:
                listed = images.get((study, uid), [])
                self.series[study, uid] = LearnedSeries(listed, learned, checked)
        self.is_unfinished = any(
            max(one.learned, one.checked) > self.finished_at for one in self.series.values()
        )

    def save(self) -> None:
        """Keep what was learned."""
        note = {
            "plan_key": self.plan_key,
            "whole_at": self.whole_at,
            "finished_at": self.finished_at,
            "series": [[*key, one.learned, one.checked] for key, one in self.series.items()],
            **to_note(image for one in self.series.values() for image in one.images),
        }
        self._on_disk(lambda: write_note(self._path, note))

    def is_of_this_search(self, moment: float) -> bool:
        """Return whether something was learned by this search, if in parts."""
        return moment > self.finished_at and is_within(moment, FRESH)

    def learn(self, key: SeriesKey, images: Iterable[ImageRef]) -> None:
        """Note all images of a series, as the node lists them now."""
        self.series[key] = LearnedSeries(list(images), time.time())


def remove_unused(archive: Archive) -> None:
    """Remove what was learned of the archive's node and not needed for a month."""
    for path in entries_older_than(archive.known, UNUSED):
        remove_file(path)
