"""Find the plan and its images at a node, and retrieve the images that are not in the archive.

Choosing and retrieving alternate. What an answer does not return is read from the header of the
retrieved file, and the header always decides (:mod:`qatrack_aria.retrieval.matching`).
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
from qatrack_aria.errors import ImagesNotFoundError, IncompleteRetrievalError, PlanNotFoundError
from qatrack_aria.retrieval import date_windows, messages, selection
from qatrack_aria.retrieval.date_windows import EVER, Days
from qatrack_aria.retrieval.matching import match_image, match_plan, may_match
from qatrack_aria.retrieval.report import build_report
from qatrack_aria.retrieval.request import Request
from qatrack_aria.retrieval.timeline import IMAGES, PLAN, RELEASE, Timeline
from qatrack_aria.retrieval.transfer import Transfer, require_uids
from qatrack_aria.storage.archive import Archive

#: How often a growing series is listed before giving up.
MOST_ROUNDS = 20


@dataclasses.dataclass
class SearchResult:
    """The plan and the images that match a request.

    Attributes
    ----------
    plan : PlanRef
        The plan, as far as it is certain before any image was retrieved.
    images : list of ImageRef
        The matching images; in a preview, also those that may match.
    remarks : list of str
        Sentences on images that were left out.
    """

    plan: PlanRef
    images: list[ImageRef]
    remarks: list[str]


class _WiderSearchNeeded(Exception):
    """The searched days may hold only a part of the chosen series."""


class Workflow:
    """One retrieval from a node; the caller holds the destination meanwhile.

    Parameters
    ----------
    peer, request, archive, deadline : Peer, Request, Archive, Deadline
        The node, the request, where images are filed, and the time allowed.
    progress : callable, optional
        Called whenever an image arrives.
    timeline : Timeline, optional
        Records how long each step takes.

    Attributes
    ----------
    inbox : Inbox
        What came over the network.
    chosen : list of ImageRef
        The images that match, as far as is known by now.
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
        self._transfer = Transfer(
            peer, request.patient_id, archive, deadline, progress, self._timeline
        )
        self.inbox = self._transfer.inbox
        self._finder = Finder(self._transfer.session, request.patient_id)
        self._plans: Sequence[PlanRef] = ()
        self._plan_uids: frozenset[str] = frozenset()
        self._listed: dict[str, ImageRef] = {}
        self.chosen: list[ImageRef] = []
        self._complete: list[SeriesKey] = []  # series of which every image is listed

    def __enter__(self) -> Workflow:
        return self

    def __exit__(self, *error: object) -> None:
        with self._timeline.step(RELEASE):
            self._transfer.close()

    def find(self, *, retrieve: bool) -> SearchResult:
        """Find the plan and its images.

        Parameters
        ----------
        retrieve : bool
            Retrieve what is not in the archive, and match every image by its header.
        """
        with self._timeline.step(PLAN):
            plans = self._find_plans(retrieve)
        with self._timeline.step(IMAGES):
            images = self._find_images(retrieve)
            listed = list(self._listed.values())
            referenced = frozenset().union(
                *(i.plan_uids or () for i in listed if may_match(i, self.request, self._plan_uids))
            )
            certain = [plan for plan in plans if plan.sop_uid in referenced]
            selection.require_one_plan(certain, self.request)
            remarks = messages.remarks(images, listed, self.request, self._plan_uids)
            return SearchResult((certain or plans)[0], images, remarks)

    def find_plan(self) -> PlanRef:
        """Find the plan alone; raises where several have the label."""
        with self._timeline.step(PLAN):
            plans = self._find_plans(retrieve=True)
            selection.require_one_plan(plans, self.request)
            return plans[0]

    def retrieve_again(self, image: ImageRef) -> None:
        """Retrieve one image, whether it is in the archive or not."""
        self._transfer.retrieve([image])

    def report(self) -> dict[str, Any]:
        """Return what is known so far, for the record; after a failure too."""
        return build_report(
            self.peer,
            self.request,
            plans=self._plans,
            listed=self._listed.values(),
            chosen=self.chosen,
            queries=self._finder.queries,
            attempts=self._transfer.attempts,
            refused=self.inbox.refused,
        )

    # --- plans --------------------------------------------------------------------------------

    def _find_plans(self, retrieve: bool) -> Sequence[PlanRef]:
        label = None if self.request.names_plan_uid else self.request.plan
        listed = list({plan.sop_uid: plan for plan in self._finder.plans(label)}.values())
        unknown = [plan for plan in listed if match_plan(plan, self.request) is None]
        if unknown and retrieve:
            known = self._transfer.headers(unknown)
            missing = [plan for plan in unknown if plan.sop_uid not in known]
            known.update(self._transfer.retrieve(missing))
            listed = [known.get(plan.sop_uid, plan) for plan in listed]
        plans = [plan for plan in listed if match_plan(plan, self.request)]
        if not plans:
            raise PlanNotFoundError(
                messages.no_plan(self.peer, self.request, listed, self._finder.queries)
            )
        self._plans, self._plan_uids = plans, frozenset(plan.sop_uid for plan in plans)
        require_uids(plans)
        if self.request.machine is None:
            selection.require_one_plan(plans, self.request)
        return plans

    # --- images -------------------------------------------------------------------------------

    def _find_images(self, retrieve: bool) -> list[ImageRef]:
        # The whole history at once where the node does not search by day, and where several plans
        # match: the images of one may be older than the days that hold the other's.
        by_day = self._finder.relational and len(self._plan_uids) == 1
        windows = date_windows.windows(self.request) if by_day else [EVER]
        for days in windows:
            if days != EVER and not self._finder.supports_date_keys:
                continue
            self._complete = []
            self._listed = self._list_images(days, widest=days in windows[-2:])
            try:
                chosen = self._choose(days, retrieve)
                if chosen and retrieve:
                    chosen = self._until_stable(chosen, days)
            except _WiderSearchNeeded:
                continue
            if chosen:
                selection.require_unambiguous(
                    chosen, list(self._listed.values()), self.request, self._plan_uids
                )
                return chosen
        images = list(self._listed.values())
        raise ImagesNotFoundError(
            messages.no_images(self.peer, self.request, images, self._plan_uids)
        )

    def _list_images(self, days: Days, widest: bool) -> dict[str, ImageRef]:
        if self.request.series is not None:
            found = self._finder.images_of_series(self.request.series)
        else:
            first_day = partial(
                date_windows.first_day, self.request, self._plan_uids, days[0], widest
            )
            found = self._finder.images(*days, first_day)
        return {image.sop_uid or str(id(image)): image for image in found}

    def _choose(self, days: Days, retrieve: bool) -> list[ImageRef]:
        """Choose and retrieve in turns, until the headers of all chosen images match."""
        # A list of one series is checked like one that the searched days may have cut.
        whole = days == EVER and self.request.series is None
        while True:
            chosen = selection.choose(self._listed.values(), self.request, self._plan_uids)
            self.chosen = chosen
            if not whole and self._complete_series(chosen):
                continue
            if date_windows.may_begin_before(days[0], chosen, self.request):
                raise _WiderSearchNeeded
            known = self._trusted([image for image in chosen if not image.from_file])
            if known:
                self._listed.update(known)
                continue
            missing = [image for image in chosen if not image.from_file]
            if all(self._match(image) is not None for image in missing):
                selection.require_count(chosen, self.request)
            if not missing or not retrieve:
                return chosen
            whole_series = self._whole_series(missing, whole)
            self._listed.update(self._transfer.retrieve(missing, whole_series))

    def _until_stable(self, chosen: list[ImageRef], days: Days) -> list[ImageRef]:
        """List the images again while the session may be under way, until no more follow."""
        same = rounds = 0
        while same < self.peer.stable_answers and selection.may_grow(chosen, self.request):
            before = {image.sop_uid for image in chosen}
            for image in self._list_again(chosen, days):
                self._listed.setdefault(image.sop_uid, image)
            chosen = self._choose(days, retrieve=True)
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

    def _trusted(self, images: Sequence[ImageRef]) -> dict[str, ImageRef]:
        """Return the headers in the archive, without those that contradict the node.

        The image may have been corrected in ARIA since; it is then retrieved again.
        """
        known = self._transfer.headers(images)
        for image in images:
            header = known.get(image.sop_uid)
            if header is None or image.sop_uid in self.inbox.arrived:
                continue
            if self._match(image) and not self._match(header):
                del known[image.sop_uid]
        return known

    def _match(self, image: ImageRef) -> bool | None:
        return match_image(image, self.request, self._plan_uids).matches

    def _complete_series(self, chosen: Sequence[ImageRef]) -> bool:
        """List all of the chosen series, and return whether that added images.

        The first day of the search may cut through a series.
        """
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
                raise _WiderSearchNeeded
            for uid in series.keys() - here:
                self._listed[uid] = series[uid]
                added = True
        return added

    def _whole_series(self, missing: Sequence[ImageRef], whole: bool) -> list[SeriesKey]:
        """Return the series that hold only missing images."""
        uids = {image.sop_uid for image in missing}
        complete = {i.series_key for i in missing} if whole else set(self._complete)
        split = {image.series_key for image in self._listed.values() if image.sop_uid not in uids}
        return [key for key in complete if key not in split]
