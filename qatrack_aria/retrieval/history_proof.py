"""Confirm that of a history no image is missing, in another way than it was learned.

By the node's list of the images that refer to the plan, by its counts, or by lists of UIDs.
"""

from __future__ import annotations

import time

from qatrack_aria.dicom.abilities import PLAN_KEY
from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.finder import Finder
from qatrack_aria.dicom.uids import SeriesKey
from qatrack_aria.retrieval.date_windows import EVER, Days
from qatrack_aria.retrieval.history import History
from qatrack_aria.retrieval.sessions import uids

#: Answers to the query for the images of a plan, above those that are known.
MOST_OF_PLAN = 300


class HistoryProof:
    """The proof that a history is complete.

    Parameters
    ----------
    history : History
        What has been learned; what differs is listed anew.
    plan_uids : frozenset of str
        SOP Instance UIDs of the plans that match.
    finder : Finder
        Sends the queries.
    of_plan : list of ImageRef, optional
        The node's list of the images that refer to the plan, if it was just asked for it.
    """

    def __init__(
        self,
        history: History,
        plan_uids: frozenset[str],
        finder: Finder,
        of_plan: list[ImageRef] | None = None,
    ) -> None:
        self._history, self._knowledge = history, history.knowledge
        self._plan_uids = plan_uids
        self._finder = finder
        self._of_plan = of_plan

    def agrees(self, days: Days) -> bool:
        """Confirm that no image is missing, and return whether all was as it is known.

        Parameters
        ----------
        days : Days
            Those of the chosen images, of which the images are listed by their dates, too.
        """
        agrees = self._agrees(days)
        if agrees:
            self._history.changed |= self._knowledge.is_unfinished
            self._knowledge.finished_at = time.time()
        return agrees

    def _agrees(self, days: Days) -> bool:
        of_plans = self._of_plans()
        known = {(image.sop_uid, image.series_key): image for image in self._history.known}
        here = uids(known.values())
        stale = set()
        for image in (*(of_plans or ()), *self._of_days(days)):
            claim = known.get((image.sop_uid, image.series_key))
            if claim is None:
                is_known = self._history.has_listed(image.series_key) and image.sop_uid in here
            else:
                is_known = not _differ(image, claim)
            if not is_known:
                stale.add(image.series_key)
        if self._agrees_by_plan(of_plans, stale):
            return True
        if not stale and self._history.whole:
            self._history.whole = False  # the list of all series has to be asked for after all
            return False
        if not stale:
            again = self._finder.by_series.inventory(by_modality=False)
            stale = again.keys() - self._history.inventory.keys()
        if stale:
            self._history.list_anew(stale)
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
        if self._history.whole:
            for plan_uid in self._plan_uids:
                listed = self._finder.by_series.of_plan(plan_uid)
                if listed is None:
                    return False
                stale |= listed - self._history.inventory.keys()
            return not stale
        others = uids(self._history.known) - listed_uids
        if known and others:
            self._knowledge.plan_key = True
            evidence = f"{len(known)} images of the plan, {len(others)} others left out"
            self._finder.session.abilities.learn(PLAN_KEY, True, evidence)
        self._knowledge.whole_at = time.time()
        self._history.changed = True
        return True

    def _known_of_plans(self) -> set[str]:
        return uids(i for i in self._history.known if i.plan_uids and i.plan_uids & self._plan_uids)

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
                    self._history.changed = True
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
        uncounted = [
            key for key, count in self._history.inventory.items() if count != len(known[key].uids)
        ]
        old = [key for key in uncounted if not self._history.is_new(key)]
        if self._history.list_anew(old):
            return False
        unchecked = [
            key
            for key in set(uncounted).difference(old)
            if not self._knowledge.is_of_this_search(known[key].checked)
        ]
        stale: list[SeriesKey] = []
        for portion in self._history.portions(unchecked):
            with self._history.timed():
                listed = self._finder.by_series.uids_of(portion)
            for key, found in listed.items():
                if found == known[key].uids:
                    known[key].checked = time.time()
                else:
                    stale.append(key)
        self._history.changed |= bool(unchecked)
        if stale:
            self._history.list_anew(stale)
        return not stale


def _differ(listed: ImageRef, known: ImageRef) -> bool:
    """Return whether an answer says what is not known of an image; it may return less."""
    plans = listed.plan_uids and known.plan_uids and not listed.plan_uids <= known.plan_uids
    claims = (
        (getattr(listed, name), getattr(known, name))
        for name in ("day", "acquired", "image_type", "machines", "dose_unit")
    )
    return bool(plans) or any(None not in both and both[0] != both[1] for both in claims)
