"""Find the plan of a request at a node, then its images (:mod:`qatrack_aria.retrieval.search`)."""

from __future__ import annotations

import dataclasses
from typing import Any, Sequence

from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.dicom.finder import Finder
from qatrack_aria.dicom.retrieve import Progress
from qatrack_aria.dicom.rt_plan import RtPlan
from qatrack_aria.dicom.uids import REG
from qatrack_aria.errors import IncompleteRetrievalError, PlanNotFoundError, RequestError
from qatrack_aria.retrieval import messages, selection
from qatrack_aria.retrieval.beams import require_beams
from qatrack_aria.retrieval.matching import match_plan, may_match
from qatrack_aria.retrieval.registrations import related_frames
from qatrack_aria.retrieval.report import build_report
from qatrack_aria.retrieval.search import ImageSearch
from qatrack_aria.retrieval.task import Task
from qatrack_aria.retrieval.timeline import IMAGES, PLAN, RELEASE, Timeline
from qatrack_aria.retrieval.transfer import Transfer, require_uids


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
    is_final : bool
        Whether no more images can follow.
    """

    plan: PlanRef
    images: list[ImageRef]
    remarks: list[str]
    is_final: bool = True


class Workflow:
    """One retrieval from a node; the caller holds the destination meanwhile.

    Parameters
    ----------
    task : Task
        What it is about.
    progress : callable, optional
        Called whenever an image arrives.
    timeline : Timeline, optional
        Records how long each step takes.

    Attributes
    ----------
    inbox : Inbox
        What came over the network.
    """

    def __init__(
        self, task: Task, progress: Progress | None = None, timeline: Timeline | None = None
    ) -> None:
        self.task = task
        self._timeline = timeline or Timeline()
        self._transfer = Transfer(task, progress, self._timeline)
        self.inbox = self._transfer.inbox
        request = task.request
        self._finder = Finder(self._transfer.session, request.patient_id, request.modality)
        self._plans: Sequence[PlanRef] = ()
        self._plan_uids: frozenset[str] = frozenset()
        self._lost: IncompleteRetrievalError | None = None  # plans that cannot be moved
        self._open_plans: frozenset[str] = frozenset()  # of which the label cannot be known
        self._search: ImageSearch | None = None

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
            plans = self._find_plans(retrieve) if self.task.request.plan is not None else ()
            if self.task.request.planned_for is not None:
                self._find_frame()
            if self.task.request.reads_plan:
                self._read_beams(plans)
        with self._timeline.step(IMAGES):
            search = self._search = ImageSearch(
                self.task, self._plan_uids, self._finder, self._transfer
            )
            images = search.find(retrieve)
            listed = list(search.listed)
            certain = self._referenced(plans, listed) if plans else []
            selection.require_one_plan(certain, self.task.request)
            remarks = messages.remarks(images, listed, self.task.request, self._plan_uids)
            of_no_plan = PlanRef(self.task.request.patient_id, "", "", "")
            plan = next(iter(certain or plans), of_no_plan)
            return SearchResult(plan, images, remarks, search.is_final)

    @property
    def session(self) -> Session:
        """The association with the node."""
        return self._transfer.session

    @property
    def chosen(self) -> Sequence[ImageRef]:
        """The images that match, as far as is known by now."""
        return self._search.chosen if self._search else []

    def find_plan(self) -> PlanRef:
        """Find the plan alone; raises where several have the label."""
        with self._timeline.step(PLAN):
            plans = self._find_plans(retrieve=True)
            selection.require_one_plan(plans, self.task.request)
            return plans[0]

    def read_plan(self, plan: PlanRef) -> RtPlan:
        """Read a plan that the node has listed, from the archive or from the node."""
        with self._timeline.step(PLAN):
            return self._transfer.read_plan(plan)

    def retrieve_again(self, images: Sequence[ImageRef]) -> None:
        """Retrieve images, whether they are in the archive or not."""
        self._transfer.retrieve(images)

    def report(self) -> dict[str, Any]:
        """Return what is known so far, for the record; after a failure too."""
        return build_report(
            self.task.peer,
            self.task.request,
            plans=self._plans,
            listed=list(self._search.listed) if self._search else (),
            chosen=self.chosen,
            queries=self._finder.queries,
            attempts=self._transfer.attempts,
            refused=self.inbox.refused,
        )

    # --- plans --------------------------------------------------------------------------------

    def _find_plans(self, retrieve: bool) -> Sequence[PlanRef]:
        label = None if self.task.request.names_plan_uid else self.task.request.plan
        listed = list({plan.sop_uid: plan for plan in self._finder.plans(label)}.values())
        unknown = [plan for plan in listed if match_plan(plan, self.task.request) is None]
        if unknown and retrieve:
            known = self._transfer.headers(unknown)
            missing = [plan for plan in unknown if plan.sop_uid not in known]
            known.update(self._retrieve_plans(missing))
            listed = [known.get(plan.sop_uid, plan) for plan in listed]
        plans = [plan for plan in listed if match_plan(plan, self.task.request)]
        if not plans:
            if self._lost is not None:
                raise self._lost
            raise PlanNotFoundError(
                messages.no_plan(self.task.peer, self.task.request, listed, self._finder.queries)
            )
        self._plans, self._plan_uids = plans, frozenset(plan.sop_uid for plan in plans)
        require_uids(plans)
        if self.task.request.machine is None:
            selection.require_one_plan(plans, self.task.request)
        return plans

    def _retrieve_plans(self, plans: Sequence[PlanRef]) -> dict[str, PlanRef]:
        """Retrieve plans whose labels no answer tells; one that cannot be moved stays open."""
        try:
            return self._transfer.retrieve(plans)
        except IncompleteRetrievalError as error:
            self._lost, self._open_plans = error, frozenset(error.missing)
            return self._transfer.headers(plans)

    def _find_frame(self) -> None:
        """Find the plan whose CT is asked for, and ask for its frame of reference."""
        asked = self.task.request
        self.task = dataclasses.replace(
            self.task, request=dataclasses.replace(asked, plan=asked.planned_for)
        )
        plans = self._find_plans(retrieve=True)
        selection.require_one_plan(plans, self.task.request)
        frame = self._transfer.read_plan(plans[0]).frame
        if not frame:
            raise RequestError(
                f"Plan: '{asked.planned_for}' has no frame of reference, so its CT is unknown: "
                "name the series by description= or series=."
            )
        frames = frozenset({frame})
        if asked.registered:
            finder = Finder(self._transfer.session, asked.patient_id, REG)
            frames = related_frames(finder, self._transfer, frame)
        self._plans, self._plan_uids = (), frozenset()
        self.task = dataclasses.replace(
            self.task, request=dataclasses.replace(asked, frames=frames)
        )

    def _read_beams(self, plans: Sequence[PlanRef]) -> None:
        """Read the plans, whose beams tell which images match."""
        for plan in plans:
            beams = self._transfer.read_plan(plan)
            require_beams(beams, plan.label or plan.sop_uid, self.task.request.beam or ())

    def _referenced(self, plans: Sequence[PlanRef], listed: Sequence[ImageRef]) -> list[PlanRef]:
        """Return the plans of the label, or that may have it, of which there are such images.

        The day does not tell them apart: of which plan its images should be is the question.
        """
        possible = self._plan_uids | self._open_plans
        any_time = dataclasses.replace(self.task.request, date=None, until=None)
        images = [image for image in listed if may_match(image, any_time, possible)]
        referenced = set().union(*(image.plan_uids or () for image in images))
        if any(image.plan_uids is None for image in images):
            referenced |= self._plan_uids  # the server does not tell
        opened = [PlanRef(None, "", "", uid) for uid in sorted(self._open_plans)]
        return [plan for plan in (*plans, *opened) if plan.sop_uid in referenced]
