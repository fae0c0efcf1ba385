"""Hand over images from the archive, each compared with the digest that was recorded for it."""

from __future__ import annotations

from typing import Sequence

from qatrack_aria.dicom.attributes import ImageRef, PlanRef, image_ref, plan_ref
from qatrack_aria.errors import IncompleteRetrievalError, RequestError
from qatrack_aria.retrieval.imageset import ImageSet
from qatrack_aria.retrieval.provenance import Provenance
from qatrack_aria.retrieval.workflow import SearchResult, Workflow
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.set_folder import DamagedError, lay_out

#: How often damaged images are fetched again before giving up.
MOST_REPAIRS = 2


def hand_over(workflow: Workflow, found: SearchResult) -> ImageSet:
    """Lay out the images that a workflow has found.

    Raises
    ------
    DamagedError
        The archive does not have all of them as they were filed; they are to be fetched again.
    ArchiveError
        The folder cannot be written.
    """
    if workflow.inbox.failure is not None:
        raise workflow.inbox.failure
    task = workflow.task
    laid_out = lay_out(task.archive, found.images)
    return ImageSet(
        laid_out,
        node=task.peer.name,
        request=task.request.as_dict,
        plan=found.plan,
        moved=sum(1 for image in laid_out.images if image.sop_uid in workflow.inbox.arrived),
        remark=" ".join(found.remarks),
    )


def damaged_again(archive: Archive, error: DamagedError) -> IncompleteRetrievalError:
    """Return the error for images that are damaged as often as they are fetched."""
    return IncompleteRetrievalError(
        f"Archive: {len(error.sop_uids)} images in {archive.root} differ from what was filed, each "
        f"time that they are fetched (the first: {error.sop_uids[0]}): have that disk checked, and "
        "find out what changes its files.",
        error.sop_uids,
    )


def open_again(archive: Archive, node_name: str, earlier: Provenance) -> ImageSet:
    """Lay out the images of an earlier summary, from the archive alone.

    Raises
    ------
    IncompleteRetrievalError
        The archive does not have all of them as they were handed over.
    RequestError
        They do not belong to the plan that the summary names.
    ArchiveError
        The folder cannot be written.
    """
    found = [_archived(archive, uid, earlier.patient_id) for uid in earlier.sop_uids]
    _require_all(archive, earlier, [image is not None for image in found])
    images = [image for image in found if image is not None]
    of_plan = earlier.plan_uid
    if of_plan and not all(of_plan in (image.plan_uids or ()) for image in images):
        raise RequestError(
            f"Summary: its images do not reference the plan '{earlier.plan}' (any more): they were "
            "fetched anew since, and have changed at the node. Fetch them again. Nothing was "
            "opened."
        )
    _require_same(archive, earlier)
    try:
        laid_out = lay_out(archive, images)
    except DamagedError as error:
        damaged = set(error.sop_uids)
        _require_all(archive, earlier, [uid not in damaged for uid in earlier.sop_uids])
        raise
    plan = _archived_plan(archive, earlier) or earlier.plan_ref
    return ImageSet(laid_out, node=node_name, request=earlier.request, plan=plan)


def _require_all(archive: Archive, earlier: Provenance, there: Sequence[bool]) -> None:
    missing = [uid for uid, here in zip(earlier.sop_uids, there) if not here]
    if missing:
        raise IncompleteRetrievalError(
            f"Archive: {len(missing)} of {len(there)} images of the earlier result are not in "
            f"{archive.root} any more, or are damaged there (the first: {missing[0]}): fetch them "
            "again, with date= if they are not the newest any more.",
            missing,
        )


def _require_same(archive: Archive, earlier: Provenance) -> None:
    """Require that the instances are those that the summary describes, by their digests."""
    other = [
        uid
        for uid, digest in zip(earlier.sop_uids, earlier.digests)
        if archive.digest(uid) != digest
    ]
    if other:
        raise IncompleteRetrievalError(
            f"Archive: {len(other)} of {len(earlier.sop_uids)} images of the earlier result have "
            f"been fetched anew since, with other content (the first: {other[0]}): the earlier "
            "result cannot be opened again. Fetch the images again, with date= if they are not "
            "the newest any more.",
            other,
        )


def _archived_plan(archive: Archive, earlier: Provenance) -> PlanRef | None:
    """Return the plan by its file, which is in the archive where the node tells no labels."""
    if not earlier.plan_uid:
        return None
    header = archive.header(earlier.plan_uid, earlier.patient_id)
    return None if header is None else plan_ref(header, from_file=True)


def _archived(archive: Archive, sop_uid: str, patient_id: str) -> ImageRef | None:
    header = archive.header(sop_uid, patient_id)
    return None if header is None else image_ref(header, from_file=True)
