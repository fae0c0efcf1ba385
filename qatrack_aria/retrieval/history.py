"""The whole history of a patient's images at a node, of which each image is learned once.

The inventory, a list of all series, tells what is new. Only series that are new, have another
number of instances, or have images of the last days are listed, some at a time, so that a search
that does not finish goes on where it ended. That no image is missing is confirmed in another way:
by the node's list of the images that refer to the plan, by its counts, or by lists of UIDs.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from typing import Collection, Iterator

from qatrack_aria.dicom.abilities import PLAN_KEY
from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.finder import Finder
from qatrack_aria.dicom.queries import QueryRefused
from qatrack_aria.dicom.series_search import AT_ONCE, Inventory, series_keys
from qatrack_aria.dicom.uids import SeriesKey
from qatrack_aria.errors import NodeUnreachableError, SearchUnfinishedError
from qatrack_aria.retrieval import messages
from qatrack_aria.retrieval.date_windows import EVER, Days
from qatrack_aria.retrieval.knowledge import LASTING, Knowledge, is_within
from qatrack_aria.retrieval.sessions import uids
from qatrack_aria.retrieval.task import Task

#: Days of which the series are listed anew by each retrieval.
RECENT = dt.timedelta(days=3)
#: Seconds for which it need not be listed again which series there are.
WHOLE_LASTS = 24 * 3600
#: Answers to the query for the images of a plan, above those that are known.
MOST_OF_PLAN = 300
#: Answers that one query should have, so that not much is lost where time ends.
PORTION = 500
#: Seconds to say how far a search came.
RESERVE = 1.0


def list_history(task: Task, plan_uids: frozenset[str], finder: Finder) -> list[ImageRef]:
    """List all images of a patient, those anew that were learned long ago.

    Raises
    ------
    SearchUnfinishedError
        There was not enough time; what was learned is kept.
    QueryError
        The node refuses, or cuts its lists.
    """
    history = History(task, plan_uids, finder)
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
    plan_uids : frozenset of str
        SOP Instance UIDs of the plans that match.
    finder : Finder
        Sends the queries.
    found : collection of ImageRef
        Images that were found by their days.
    of_plan : list of ImageRef, optional
        The node's list of the images that refer to the plan, if it was just asked for it.
    """

    def __init__(
        self,
        task: Task,
        plan_uids: frozenset[str],
        finder: Finder,
        found: Collection[ImageRef] = (),
        of_plan: list[ImageRef] | None = None,
    ) -> None:
        self._peer, self._deadline = task.peer, task.deadline
        self._plan_uids = plan_uids
        self._finder = finder
        self._found = found
        self._of_plan = of_plan
        self._knowledge = Knowledge(task)
        # Then the list of all series is not asked for, as long as the images of the plans agree.
        self._whole = self._knowledge.plan_key is True and is_within(
            self._knowledge.whole_at, WHOLE_LASTS
        )
        self._inventory: Inventory = {}
        self._listed: set[SeriesKey] = set()  # by this retrieval
        self._checked = self._finished = False  # whether this retrieval has confirmed any, or all
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
        known = self._knowledge.series
        by_series = self._finder.by_series
        if self._whole:
            inventory: Inventory = dict.fromkeys({*known, *series_keys(self._found)})
        else:
            inventory = by_series.inventory() or by_series.inventory(by_modality=False)
        self._inventory = inventory
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
        return [image for key in self._inventory for image in self.of_series(key)]

    def _is_due(self, key: SeriesKey, count: int | None) -> bool:
        learned = self._knowledge.series.get(key)
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
        known = self._knowledge.series
        before = {key: known[key].images for key in series if key in known}
        for portion in self._portions(series):
            with self._timed():
                listed = self._finder.by_series.images_of(portion)
            self._listed.update(portion)
            for key, images in listed.items():
                self._note(key, images)
        changed = {key for key in series if self.of_series(key) != before.get(key, [])}
        # An image that was moved to another series is no longer in the one that is known.
        moved = self._sharing(changed) - self._listed
        return changed | self.list_anew(moved) if moved else changed

    def _note(self, key: SeriesKey, images: list[ImageRef]) -> None:
        if images:
            self._inventory.setdefault(key, None)
            self._knowledge.learn(key, images)
        else:
            self._inventory.pop(key, None)
            self._knowledge.series.pop(key, None)

    def _sharing(self, series: Collection[SeriesKey]) -> set[SeriesKey]:
        """Return the series that hold the same images as some of these."""
        here = {image.sop_uid for key in series for image in self.of_series(key)}
        known = self._knowledge.series
        return {key for key, other in known.items() if not here.isdisjoint(other.uids)}

    def has_listed(self, series: SeriesKey) -> bool:
        """Return whether this retrieval has listed a series."""
        return series in self._listed

    def of_series(self, series: SeriesKey) -> list[ImageRef]:
        """Return what is known of one series."""
        learned = self._knowledge.series.get(series)
        return learned.images if learned else []

    def renew(self) -> bool:
        """List again what this search has not listed, and return whether that changed anything."""
        return bool(self.list_anew([key for key in self._inventory if not self._is_new(key)]))

    def _is_new(self, key: SeriesKey) -> bool:
        """Return whether this search has listed a series, if in parts."""
        learned = self._knowledge.series[key].learned
        return key in self._listed or self._knowledge.is_of_this_search(learned)

    def save(self) -> None:
        """Keep what was learned."""
        if self._listed or self._checked or self._finished:
            self._knowledge.save()

    # --- that nothing is missing --------------------------------------------------------------

    def agrees(self, days: Days) -> bool:
        """Confirm that no image is missing, and return whether all was as it is known.

        Parameters
        ----------
        days : Days
            Those of the chosen images, of which the images are listed by their dates, too.
        """
        self._finished = self._agrees(days)
        if self._finished:
            self._knowledge.finished_at = time.time()
        return self._finished

    def _agrees(self, days: Days) -> bool:
        of_plans = self._of_plans()
        known = {(image.sop_uid, image.series_key): image for image in self.known}
        here = uids(known.values())
        stale = set()
        for image in (*(of_plans or ()), *self._of_days(days)):
            claim = known.get((image.sop_uid, image.series_key))
            if image.series_key in self._listed:
                is_known = image.sop_uid in here
            else:
                is_known = claim is not None and not _differ(image, claim)
            if not is_known:
                stale.add(image.series_key)
        if self._agrees_by_plan(of_plans, stale):
            return True
        if not stale and self._whole:
            self._whole = False  # the list of all series has to be asked for after all
            return False
        if not stale:
            again = self._finder.by_series.inventory(by_modality=False)
            stale = again.keys() - self._inventory.keys()
        if stale:
            self.list_anew(stale)
            return False
        return self._agrees_by_series()

    def _agrees_by_plan(self, of_plans: list[ImageRef] | None, stale: set[SeriesKey]) -> bool:
        """Return whether the node's lists of the plans' images prove that none is missing.

        Their series are added to the stale ones where they are not known.
        """
        known = self._known_of_plans()
        listed_uids = uids(of_plans or ())
        if stale or of_plans is None or not known <= listed_uids:
            return False
        if not known and not self._knowledge.plan_key:
            return False  # whether the node matches the key is not known
        if self._whole:
            for plan_uid in self._plan_uids:
                listed = self._finder.by_series.of_plan(plan_uid)
                if listed is None:
                    return False
                stale |= listed - self._inventory.keys()
            return not stale
        others = uids(self.known) - listed_uids
        if known and others:
            self._knowledge.plan_key = True
            evidence = f"{len(known)} images of the plan, {len(others)} others left out"
            self._finder.session.abilities.learn(PLAN_KEY, True, evidence)
        self._knowledge.whole_at = time.time()
        return True

    def _known_of_plans(self) -> set[str]:
        return uids(i for i in self.known if i.plan_uids and i.plan_uids & self._plan_uids)

    def _of_plans(self) -> list[ImageRef] | None:
        """List the images that refer to the plans, if the node may match that."""
        if self._knowledge.plan_key is False:
            return None
        known = self._known_of_plans()
        listed, self._of_plan = self._of_plan, None
        if listed and known <= uids(listed):
            return listed
        found: dict[str, ImageRef] = {}
        for _ in range(2):  # the first list may be short
            for plan_uid in self._plan_uids:
                listed = self._finder.images_of_plan(plan_uid, MOST_OF_PLAN + len(known))
                if listed is None:
                    self._knowledge.plan_key = False
                    return None
                found.update({image.sop_uid: image for image in listed})
            if not found or known <= found.keys():
                break
        return list(found.values())

    def _of_days(self, days: Days) -> list[ImageRef]:
        """List the images of some days, if the node may match them."""
        by_days = self._finder.by_days
        possible = days != EVER and self._finder.relational and by_days.supported
        return by_days.all_within(*days) if possible else []

    def _agrees_by_series(self) -> bool:
        """Confirm the images of each series by their number, or by another list."""
        known = self._knowledge.series
        uncounted = [key for key, count in self._inventory.items() if count != len(known[key].uids)]
        old = [key for key in uncounted if not self._is_new(key)]
        if self.list_anew(old):
            return False
        unchecked = [
            key
            for key in set(uncounted).difference(old)
            if not self._knowledge.is_of_this_search(known[key].checked)
        ]
        stale: list[SeriesKey] = []
        for portion in self._portions(unchecked):
            with self._timed():
                listed = self._finder.by_series.uids_of(portion)
            for key, found in listed.items():
                if found == known[key].uids:
                    known[key].checked = time.time()
                else:
                    stale.append(key)
        self._checked = self._checked or bool(unchecked)
        if stale:
            self.list_anew(stale)
        return not stale

    # --- some at a time -----------------------------------------------------------------------

    def _portions(self, series: Collection[SeriesKey]) -> Iterator[list[SeriesKey]]:
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
    def _timed(self) -> Iterator[None]:
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
        known = [len(one.images) for one in self._knowledge.series.values()]
        counted = known or [count for count in self._inventory.values() if count]
        return sum(counted) / len(counted) if counted else 1.0

    def _unfinished(self) -> SearchUnfinishedError:
        """Return the error that says how far the search came."""
        each = self._images_of_each()
        looked, left = 0, 0.0
        for key, count in self._inventory.items():
            learned = self._knowledge.series.get(key)
            if learned is not None and is_within(learned.learned, LASTING):
                looked += len(learned.images)
            else:
                left += count or each
        return SearchUnfinishedError(
            messages.unfinished(self._peer, looked, looked + round(left), self._deadline.seconds)
        )


def _differ(listed: ImageRef, known: ImageRef) -> bool:
    """Return whether an answer says what is not known, of an image's plan or day."""
    plans = listed.plan_uids and known.plan_uids and not listed.plan_uids <= known.plan_uids
    return bool(plans) or (listed.day is not None and listed.day != known.day)
