"""The whole history of a patient's images at a node, of which each image is learned once.

The inventory, a list of all series, tells what is new. Only series that are new, have another
number of instances, or have images of the last days are listed, some at a time, so that a search
that does not finish goes on where it ended. That no image is missing is confirmed in another way
(:mod:`qatrack_aria.retrieval.history_proof`).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from typing import Collection, Iterator

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.finder import Finder
from qatrack_aria.dicom.queries import QueryRefused
from qatrack_aria.dicom.series_search import AT_ONCE, Inventory, series_keys
from qatrack_aria.dicom.uids import SeriesKey
from qatrack_aria.errors import NodeUnreachableError, SearchUnfinishedError
from qatrack_aria.retrieval import messages
from qatrack_aria.retrieval.knowledge import LASTING, Knowledge, is_within
from qatrack_aria.retrieval.sessions import uids
from qatrack_aria.retrieval.task import Task

#: Days of which the series are listed anew by each retrieval.
RECENT = dt.timedelta(days=3)
#: Seconds for which it need not be listed again which series there are.
WHOLE_LASTS = 24 * 3600
#: Seconds after which it is noted that a series was listed again as it is known.
DATED_ANEW = 24 * 3600
#: Answers that one query should have, so that not much is lost where time ends.
PORTION = 500
#: Seconds to say how far a search came.
RESERVE = 1.0


def list_history(task: Task, finder: Finder) -> list[ImageRef]:
    """List all images of a patient, those anew that were learned long ago.

    Raises
    ------
    SearchUnfinishedError
        There was not enough time; what was learned is kept.
    QueryError
        The node refuses, or cuts its lists.
    """
    history = History(task, finder)
    try:
        if history.images():
            history.renew()
            return history.known
    except QueryRefused:
        pass  # the node does not list images by their series
    finally:
        history.save()
    return finder.images()


class History:
    """All images of a request's patient.

    Parameters
    ----------
    task : Task
        The retrieval.
    finder : Finder
        Sends the queries.
    found : collection of ImageRef
        Images that were found by their days.

    Attributes
    ----------
    knowledge : Knowledge
        What was learned, by this retrieval and earlier ones.
    inventory : dict of (str, str) to int or None
        The series that there are, and the number of instances of each where the node counts.
    whole : bool
        Whether the list of all series is not asked for, as long as the images of the plans agree.
    changed : bool
        Whether something is known that was not, or that has to be dated anew.
    """

    def __init__(self, task: Task, finder: Finder, found: Collection[ImageRef] = ()) -> None:
        self._peer, self._deadline = task.peer, task.deadline
        self._finder = finder
        self._found = found
        self.knowledge = Knowledge(task)
        self.whole = self.knowledge.plan_key is True and is_within(
            self.knowledge.whole_at, WHOLE_LASTS
        )
        self.inventory: Inventory = {}
        self._listed: set[SeriesKey] = set()  # by this retrieval
        self.changed = False
        self._slowest = 0.0  # seconds that one portion has taken

    # --- what there is ------------------------------------------------------------------------

    def images(self) -> list[ImageRef]:
        """Learn what is new, and return all images.

        Raises
        ------
        QueryRefused
            The node does not list the images of a series.
        QueryError
            The node cuts its lists.
        SearchUnfinishedError
            There was not enough time; what was learned is kept.
        """
        known = self.knowledge.series
        by_series = self._finder.by_series
        if self.whole:
            inventory: Inventory = dict.fromkeys({*known, *series_keys(self._found)})
        else:
            inventory = by_series.inventory() or by_series.inventory(by_modality=False)
        self.inventory = inventory
        # What the inventory lacks is gone, or the list was short: the series itself is asked for.
        gone = [key for key in known if key not in inventory]
        here = uids(self.known)
        new = series_keys(image for image in self._found if image.sop_uid not in here)
        due = [k for k, count in inventory.items() if k in new or self._is_due(k, count)]
        self.list_anew([*due, *gone])
        if not all(key in known for key in due):
            raise QueryRefused(0)  # listed as a series of images, and has none
        return self.known

    @property
    def known(self) -> list[ImageRef]:
        """All images, as they are known by now."""
        return [image for key in self.inventory for image in self.of_series(key)]

    def _is_due(self, key: SeriesKey, count: int | None) -> bool:
        learned = self.knowledge.series.get(key)
        if learned is None:
            return True
        if key in self._listed:
            return False
        recent = dt.datetime.now() - RECENT
        return (
            not is_within(learned.learned, LASTING)
            or count not in (None, len(learned.uids))
            or any(image.latest >= recent for image in learned.images if image.day)
        )

    def list_anew(self, series: Collection[SeriesKey]) -> set[SeriesKey]:
        """List some series again, and return those of which that changed anything."""
        known = self.knowledge.series
        before = {key: known[key].images for key in series if key in known}
        for portion in self.portions(series):
            with self.timed():
                listed = self._finder.by_series.images_of(portion)
            self._listed.update(portion)
            for key, images in listed.items():
                self._note(key, images)
        changed = {key for key in series if self.of_series(key) != before.get(key, [])}
        # An image that was moved to another series is no longer in the one that is known.
        moved = self._sharing(changed) - self._listed
        return changed | self.list_anew(moved) if moved else changed

    def _note(self, key: SeriesKey, images: list[ImageRef]) -> None:
        learned = self.knowledge.series.get(key)
        if (
            learned is None
            or learned.images != images
            or not is_within(learned.learned, DATED_ANEW)
        ):
            self.changed = True
        if images:
            self.inventory.setdefault(key, None)
            self.knowledge.learn(key, images)
        else:
            self.inventory.pop(key, None)
            self.knowledge.series.pop(key, None)

    def _sharing(self, series: Collection[SeriesKey]) -> set[SeriesKey]:
        """Return the series that hold the same images as some of these."""
        here = {image.sop_uid for key in series for image in self.of_series(key)}
        known = self.knowledge.series
        return {key for key, other in known.items() if not here.isdisjoint(other.uids)}

    def has_listed(self, series: SeriesKey) -> bool:
        """Return whether this retrieval has listed a series."""
        return series in self._listed

    def of_series(self, series: SeriesKey) -> list[ImageRef]:
        """Return what is known of one series."""
        learned = self.knowledge.series.get(series)
        return learned.images if learned else []

    def renew(self) -> bool:
        """List again what this search has not listed, and return whether that changed anything."""
        return bool(self.list_anew([key for key in self.inventory if not self.is_new(key)]))

    def is_new(self, key: SeriesKey) -> bool:
        """Return whether this search has listed a series, if in parts."""
        learned = self.knowledge.series[key].learned
        return key in self._listed or self.knowledge.is_of_this_search(learned)

    def save(self) -> None:
        """Keep what was learned, if it was not known before."""
        if self.changed:
            self.knowledge.save()

    # --- some at a time -----------------------------------------------------------------------

    def portions(self, series: Collection[SeriesKey]) -> Iterator[list[SeriesKey]]:
        """Yield some series at a time, as long as there is time for them.

        Raises
        ------
        SearchUnfinishedError
            There is none.
        """
        rest = list(series)
        while rest:
            if self._deadline.remaining < RESERVE + 2 * self._slowest:
                raise self._unfinished()
            size = 1
            if self._finder.by_series.by_lists:
                size = max(1, min(AT_ONCE, int(PORTION / self._images_of_each())))
            yield rest[:size]
            rest = rest[size:]

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Measure what listing one portion takes.

        Raises
        ------
        SearchUnfinishedError
            There was not enough time for it.
        """
        began = time.monotonic()
        try:
            yield
        except NodeUnreachableError:
            if self._deadline.expired:
                raise self._unfinished() from None
            raise
        self._slowest = max(self._slowest, time.monotonic() - began)

    def _images_of_each(self) -> float:
        """Return how many images a series has, as far as that is known."""
        known = [len(one.images) for one in self.knowledge.series.values()]
        counted = known or [count for count in self.inventory.values() if count]
        return sum(counted) / len(counted) if counted else 1.0

    def _unfinished(self) -> SearchUnfinishedError:
        """Return the error that says how far the search came."""
        each = self._images_of_each()
        looked, left = 0, 0.0
        for key, count in self.inventory.items():
            learned = self.knowledge.series.get(key)
            if learned is not None and is_within(learned.learned, LASTING):
                looked += len(learned.images)
            else:
                left += count or each
        return SearchUnfinishedError(
            messages.unfinished(self._peer, looked, looked + round(left), self._deadline.seconds)
        )
