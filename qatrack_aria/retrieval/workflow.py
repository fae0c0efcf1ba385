"""One stay at a node: find the plan, find its images, bring what is not here.

Choosing and bringing take turns: what an answer does not tell, the header of the fetched file
does, and the last word is always the file's (:mod:`qatrack_aria.retrieval.selection`).
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, Sequence

from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.finder import Finder
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.dicom.retrieve import Progress, SeriesKey
from qatrack_aria.errors import (
    ImagesNotFoundError,
    IncompleteRetrievalError,
    PlanNotFoundError,
    TooFewImagesError,
)
from qatrack_aria.retrieval import date_windows, messages, selection
from qatrack_aria.retrieval.date_windows import EVER, Days
from qatrack_aria.retrieval.report import of_workflow
from qatrack_aria.retrieval.request import Request
from qatrack_aria.retrieval.timeline import IMAGES, PLAN, RELEASE, Timeline
from qatrack_aria.retrieval.transfer import Transfer, require_uids
from qatrack_aria.storage.archive import Archive
from qatrack_aria.text import plural

#: Lists of a growing series that are asked for before giving up.
MOST_ROUNDS = 20


@dataclasses.dataclass
class SearchResult:
    """What a request comes down to.

    Attributes
    ----------
    plan : PlanRef
        The plan, as far as it is certain before any image was fetched.
    images : list of ImageRef
        The images that are meant; in a mere look some may still be open.
    remarks : list of str
        What lies beside them and was left out, in sentences.
    """

    plan: PlanRef
    images: list[ImageRef]
    remarks: list[str]


class _Cut(Exception):
    """The chosen series cannot be listed whole: only a wider search can tell."""


class Workflow:
    """One stay at a node, during which nobody else of us uses the destination.

    Parameters
    ----------
    peer, request, archive, deadline : Peer, Request, Archive, Deadline
        Whom to ask for what, where it goes, and how long it may take.
    progress : callable, optional
        Told whenever an image arrives.
    timeline : Timeline, optional
        Told how long each step takes.

    Attributes
    ----------
    inbox : Inbox
        What came over the network.
    chosen : list of ImageRef
        The images that are meant, as far as is known by now.
    """

    def __init__(
        self,
        peer: Peer,
        request: Request,
        archive: Archive,
        deadline: Deadline,
        progress: Progress | None,
        timeline: Timeline | None = None,
    ) -> None:
        self.peer = peer
        self.request = request
        self.archive = archive
        self._timeline = timeline or Timeline()
        self._delivery = Transfer(
            peer, request.patient_id, archive, deadline, progress, self._timeline
        )
        self.inbox = self._delivery.inbox
        self._finder = Finder(self._delivery.session, request.patient_id)
        self._plans: Sequence[PlanRef] = ()
        self._listed: dict[str, ImageRef] = {}
        self.chosen: list[ImageRef] = []
        self._complete: list[SeriesKey] = []  # series of which every image is listed

    def __enter__(self) -> Workflow:
        return self

    def __exit__(self, *error: object) -> None:
        with self._timeline.step(RELEASE):
            self._delivery.close()

    # --- the sentence -------------------------------------------------------------------------

    def find(self, *, bring: bool) -> SearchResult:
        """The plan and its images; with `bring`, all of them here and judged by their headers."""
        with self._timeline.step(PLAN):
            plans = {plan.sop_uid: plan for plan in self._find_plans(bring)}
        with self._timeline.step(IMAGES):
            images = self._find_images(frozenset(plans), bring)
            uids, listed = frozenset(plans), list(self._listed.values())
            meant = [
                i
                for i in listed
                if selection.match_image(i, self.request, uids).matches is not False
            ]
            referenced = [plans[uid] for uid in plans if any(_references(i, uid) for i in meant)]
            selection.require_one_plan(referenced, self.request)
            remarks = messages.remarks(images, listed, self.request, uids)
            return SearchResult((referenced or list(plans.values()))[0], images, remarks)

    def find_plan(self) -> PlanRef:
        """The plan alone, if there is just one."""
        with self._timeline.step(PLAN):
            plans = self._find_plans(bring=True)
            selection.require_one_plan(plans, self.request)
            return plans[0]

    def bring_again(self, image: ImageRef) -> None:
        """Have one image sent, whether it is here or not; raises as :meth:`find` does."""
        self._delivery.bring([image])

    def report(self) -> dict[str, Any]:
        """What came of it so far, for the record; after a failure too."""
        return of_workflow(
            self.peer,
            self.request,
            plans=self._plans,
            listed=self._listed.values(),
            chosen=self.chosen,
            asked=self._finder.queries,
            attempts=self._delivery.attempts,
            refused=self.inbox.refused,
        )

    # --- plans --------------------------------------------------------------------------------

    def _find_plans(self, bring: bool) -> Sequence[PlanRef]:
        label = None if self.request.names_plan_uid else self.request.plan
        listed = list({plan.sop_uid: plan for plan in self._finder.plans(label)}.values())
        untold = [plan for plan in listed if selection.match_plan(plan, self.request) is None]
        if untold and bring:
            known = self._delivery.headers(untold)
            known.update(
                self._delivery.bring([plan for plan in untold if plan.sop_uid not in known])
            )
            listed = [known.get(plan.sop_uid, plan) for plan in listed]
        plans = [plan for plan in listed if selection.match_plan(plan, self.request)]
        if not plans:
            raise PlanNotFoundError(
                messages.no_plan(self.peer, self.request, listed, self._finder.queries)
            )
        self._plans = plans
        require_uids(plans)
        if self.request.machine is None:
            selection.require_one_plan(plans, self.request)
        return plans

    # --- images -------------------------------------------------------------------------------

    def _find_images(self, plan_uids: frozenset[str], bring: bool) -> list[ImageRef]:
        # Everything at once where the node tells no days apart, and where several plans may be
        # meant: the images of one may be older than the days that hold the other's.
        apart = self._finder.relational and len(plan_uids) == 1
        windows = date_windows.windows(self.request) if apart else [EVER]
        for days in windows:
            if days != EVER and not self._finder.supports_date_keys:
                continue
            self._complete = []
            widest = days in windows[-2:]
            first_day = partial(date_windows.first_day, self.request, plan_uids, days[0], widest)
            if self.request.series is not None:
                found = self._finder.images_of_series(self.request.series)
            else:
                found = self._finder.images(*days, first_day)
            self._listed = {image.sop_uid or str(id(image)): image for image in found}
            try:
                chosen = self._settle(plan_uids, bring, days)
                if chosen and bring:
                    chosen = self._until_stable(chosen, plan_uids, days)
            except _Cut:
                continue
            if chosen:
                selection.require_unambiguous(
                    chosen, list(self._listed.values()), self.request, plan_uids
                )
                return chosen
        images = list(self._listed.values())
        raise ImagesNotFoundError(messages.no_images(self.peer, self.request, images, plan_uids))

    def _settle(self, plan_uids: frozenset[str], bring: bool, days: Days) -> list[ImageRef]:
        """Choose and bring in turns, until what is chosen is here and its headers agree."""
        # A list of one series is checked as one that days may have cut.
        whole = days == EVER and self.request.series is None
        while True:
            chosen = selection.choose(self._listed.values(), self.request, plan_uids)
            self.chosen = chosen
            if not whole and self._complete_series(chosen):
                continue
            if date_windows.may_begin_before(days[0], chosen, self.request):
                raise _Cut
            known = self._trusted([image for image in chosen if not image.from_file], plan_uids)
            if known:
                self._listed.update(known)
                continue
            missing = [image for image in chosen if not image.from_file]
            if not any(self._is_open(image, plan_uids) for image in missing):
                self._require_count(chosen)
            if not missing or not bring:
                return chosen
            self._listed.update(self._delivery.bring(missing, self._whole_series(missing, whole)))

    def _until_stable(
        self, chosen: list[ImageRef], plan_uids: frozenset[str], days: Days
    ) -> list[ImageRef]:
        """Ask again while the session may be under way: its images come one by one."""
        same = rounds = 0
        while same < self.peer.stable_answers and selection.may_grow(chosen, self.request):
            before = {image.sop_uid for image in chosen}
            for image in self._list_again(chosen, days):
                self._listed.setdefault(image.sop_uid, image)
            chosen = self._settle(plan_uids, True, days)
            same = same + 1 if {image.sop_uid for image in chosen} == before else 0
            rounds += 1
            if rounds > MOST_ROUNDS:
                raise IncompleteRetrievalError(
                    f"Images: more and more images of plan '{self.request.plan}' arrive at "
                    f"{self.peer} ({len(chosen)} so far): ask again when the last field is done, "
                    "or say how many there will be by count=."
                )
        return chosen

    def _list_again(self, chosen: Sequence[ImageRef], days: Days) -> list[ImageRef]:
        if self.request.select in ("day", "all"):
            return self._finder.images(*days)
        keys = {image.series_key for image in chosen}
        return [image for key in sorted(keys) for image in self._finder.series(*key)]

    def _trusted(
        self, images: Sequence[ImageRef], plan_uids: frozenset[str]
    ) -> dict[str, ImageRef]:
        """Their headers; but where a file of earlier days contradicts the node, it is fetched anew.

        Someone may have corrected the image in ARIA since.
        """
        known = self._delivery.headers(images)
        for image in images:
            header = known.get(image.sop_uid)
            if header is None or image.sop_uid in self.inbox.arrived:
                continue
            answered = selection.match_image(image, self.request, plan_uids).matches
            if answered and not selection.match_image(header, self.request, plan_uids).matches:
                del known[image.sop_uid]
        return known

    def _complete_series(self, chosen: Sequence[ImageRef]) -> bool:
        """List the whole of the chosen series: a window of days may have cut it in two."""
        if self.request.select in ("day", "all"):
            return False
        require_uids(chosen)
        added = False
        keys = {image.series_key for image in chosen if image.acquired}
        for key in keys.difference(self._complete):
            self._complete.append(key)
            here = {u for u, image in self._listed.items() if image.series_key == key}
            if self._finder.uids_of_series(*key) == here:
                continue
            series = {image.sop_uid: image for image in self._finder.series(*key)}
            if not here <= series.keys():
                raise _Cut
            for uid in series.keys() - here:
                self._listed[uid] = series[uid]
                added = True
        return added

    def _whole_series(self, missing: Sequence[ImageRef], whole: bool) -> list[SeriesKey]:
        """The series that consist of nothing but what is missing."""
        uids = {image.sop_uid for image in missing}
        complete = {i.series_key for i in missing} if whole else set(self._complete)
        split = {image.series_key for image in self._listed.values() if image.sop_uid not in uids}
        return [key for key in complete if key not in split]

    def _is_open(self, image: ImageRef, plan_uids: frozenset[str]) -> bool:
        return selection.match_image(image, self.request, plan_uids).matches is None

    def _require_count(self, chosen: Sequence[ImageRef]) -> None:
        count = self.request.count
        if count is not None and 0 < len(chosen) < count:
            days = sorted({image.acquired.date() for image in chosen if image.acquired})
            of = f" of {days[-1].isoformat()}" if days else ""
            raise TooFewImagesError(
                f"Images: {plural(len(chosen), 'image')}{of} found for plan "
                f"'{self.request.plan}', you asked for at least {count}: is the session still "
                "under way? If its images lie in several series, say select='day'."
            )


def _references(image: ImageRef, plan_uid: str) -> bool:
    return image.plan_uids is not None and plan_uid in image.plan_uids
