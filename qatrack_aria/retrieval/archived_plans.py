"""RT Plans in the archive, and the beams of images by them."""

from __future__ import annotations

import dataclasses
from typing import Mapping

from qatrack_aria.dicom.attributes import ImageRef, PlanRef, plan_ref
from qatrack_aria.dicom.part10 import read_plan
from qatrack_aria.dicom.rt_plan import RtPlan
from qatrack_aria.dicom.uids import PLAN_CLASSES
from qatrack_aria.dicom.unreadable import UnreadableError
from qatrack_aria.errors import ArchiveError
from qatrack_aria.storage.archive import Archive
from qatrack_aria.text import may_have_lost_letters, same_text

#: Seconds after which a plan is read from the node again: it may be corrected in place.
MAX_AGE = 24 * 3600.0


def archived_plan(archive: Archive, listed: PlanRef, max_age: float | None = None) -> RtPlan | None:
    """Return a plan from the archive.

    Parameters
    ----------
    archive : Archive
        The archive.
    listed : PlanRef
        The plan as the node lists it.
    max_age : float, optional
        Seconds that it may have been in the archive; a plan that differs from what the node lists
        is older. By default it is taken as it is.

    Returns
    -------
    RtPlan or None
        ``None`` if the plan has to be fetched.

    Raises
    ------
    ArchiveError
        The disk does not return it.
    """
    header = archive.header(listed.sop_uid, listed.patient_id or "", PLAN_CLASSES)
    if header is None:
        return None
    if max_age is not None:
        filed = plan_ref(header, from_file=True)
        if _differs(listed, filed) or not 0 <= archive.age(listed.sop_uid) < max_age:
            return None
    content = archive.content(listed.sop_uid)
    try:
        return read_plan(content, archive.character_set) if content else None
    except UnreadableError as error:
        raise ArchiveError(
            f"Archive: the plan {listed.sop_uid} cannot be read ({error}): its beams are unknown."
        ) from error


def gone_from(archive: Archive) -> ArchiveError:
    """Return the error for files that have arrived and are not in the archive."""
    return ArchiveError(
        f"Archive: files that had arrived are gone from {archive.root}: is something clearing that "
        "folder?"
    )


def with_beam(image: ImageRef, plans: Mapping[str, RtPlan]) -> ImageRef:
    """Return an image with its beam in one of these plans, if it refers to one."""
    number = image.acquisition.beam_number if image.acquisition else None
    for uid in sorted(image.plan_uids or ()):
        beam = plans[uid].beam(number) if uid in plans else None
        if beam is not None:
            return dataclasses.replace(image, beam=beam)
    return image


def _differs(listed: PlanRef, filed: PlanRef) -> bool:
    created = listed.created is not None and listed.created != filed.created
    label = listed.label is not None and not (
        same_text(listed.label, filed.label or "")
        or may_have_lost_letters(listed.label, filed.label or "")
    )
    return created or label
