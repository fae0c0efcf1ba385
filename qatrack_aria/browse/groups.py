"""Group listed images so that each group can be fetched by one request.

A group holds the images of one series, day, image type, machine and kind of beam: one row of the
list. Its request names all of these, so it fetches exactly the images of the row. Where the node
does not return an attribute, only the files decide. The request then fetches no other images, but
perhaps fewer.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from typing import Any, Mapping, Sequence

from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.errors import AmbiguousImagesError, RequestError
from qatrack_aria.models import AriaNode
from qatrack_aria.retrieval import selection
from qatrack_aria.retrieval.matching import (
    match_image,
    match_plan,
    match_plan_reference,
    short_image_type,
)
from qatrack_aria.retrieval.option_values import IMAGE_TYPES
from qatrack_aria.retrieval.request import Request
from qatrack_aria.testpacks.call import write_call

#: The options by which a request names the plan.
PlanName = Mapping[str, str]
NAMELESS = (
    "No request can name this plan: its label is not unique, or has characters that are not "
    "allowed in a query, and its UID is invalid."
)


@dataclasses.dataclass(frozen=True)
class ImageGroup:
    """One row of the list.

    Attributes
    ----------
    images : list of ImageRef
        In the order of acquisition.
    of_plan : bool
        Whether the node returns that they reference the plan; otherwise only their files decide.
    request : Request or None
        Fetches them. Its ``count`` is their number where the node returns enough attributes to be
        certain; then fewer images are an error.
    error : str
        Why no request can fetch them.
    """

    images: list[ImageRef]
    of_plan: bool
    request: Request | None
    error: str = ""

    @property
    def is_certain(self) -> bool:
        """Whether the attributes that the node returns show that all of them match."""
        return self.request is not None and self.request.count is not None

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a form that sends the request, without the patient."""
        fields = dict(self.request.as_dict) if self.request else {}
        fields.pop("patient_id", None)
        return fields

    @property
    def first(self) -> dt.datetime | None:
        """Date and time of the first image."""
        return self.images[0].acquired

    @property
    def last(self) -> dt.datetime | None:
        """Date and time of the last image."""
        return self.images[-1].acquired

    @property
    def day(self) -> dt.date | None:
        """The day of all images."""
        return self.images[0].day

    @property
    def image_type(self) -> Sequence[str]:
        """The values of the image type, shortened; none if the node does not return it."""
        values = self.images[0].image_type
        return short_image_type(values).split("\\") if values else ()

    @property
    def machine(self) -> str:
        """The machine; empty if the node does not return it."""
        return self.images[0].machine

    @property
    def beam(self) -> str:
        """MV or kV; empty if the node does not return it."""
        return {True: "kV", False: "MV", None: ""}[self.images[0].is_kv]

    @property
    def order(self) -> tuple[Any, ...]:
        """The key that sorts the groups of a day."""
        return self.images[0].moment, tuple(self.image_type), self.images[0].sop_uid


@dataclasses.dataclass(frozen=True)
class CompositeCode:
    """The lines of a composite test that fetch the newest images of a type, and their request."""

    image_type: str
    text: str
    request: Request


def name_plan(
    plan: PlanRef, listed: Sequence[PlanRef], node: AriaNode, patient_id: str
) -> PlanName | None:
    """Choose how to name a plan so that no other plan of the patient matches, preferably by label.

    Returns
    -------
    dict or None
        ``plan`` and perhaps ``course`` of a request; ``None`` if no request can name it.
    """
    names: list[dict[str, Any]] = [
        {"plan": plan.label},
        {"plan": plan.label, "course": plan.course},
        {"plan": plan.sop_uid},
    ]
    for plan_name in names:
        try:  # no request has an empty label
            request = Request.parse(patient_id, **plan_name)
            node.require_writable("plan label", request.plan or "")
        except RequestError:
            continue
        if [one for one in listed if match_plan(one, request) is not False] == [plan]:
            return plan_name
    return None


def group_images(
    images: Sequence[ImageRef], plan: PlanRef, plan_name: PlanName | None
) -> list[ImageGroup]:
    """Sort the images of a plan into groups.

    Parameters
    ----------
    images : sequence of ImageRef
        The images that reference the plan, or may.
    plan : PlanRef
        The plan.
    plan_name : dict or None
        The result of :func:`name_plan`.

    Returns
    -------
    list of ImageGroup
        The newest day first.
    """
    uids = frozenset([plan.sop_uid])
    groups: dict[Any, list[ImageRef]] = {}
    for image in sorted(images, key=lambda image: image.order):
        machines = tuple(sorted(image.machines or ()))
        key = image.day, image.series_key, image.image_type, image.is_kv, machines
        groups.setdefault(key, []).append(image)
    found = [_group(group, uids, plan_name) for group in groups.values()]
    return sorted(found, key=lambda group: group.images[0].moment, reverse=True)


def _group(images: list[ImageRef], uids: frozenset[str], plan_name: PlanName | None) -> ImageGroup:
    of_plan = all(match_plan_reference(image, uids).matches for image in images)
    if plan_name is None:
        return ImageGroup(images, of_plan, None, NAMELESS)
    like = images[0]
    try:
        request = Request.parse(
            like.patient_id,
            image_type=like.image_type or IMAGE_TYPES["portal"].values,
            series=like.series_uid,
            date=like.day,
            machine=like.machine or None,
            kv="only" if like.is_kv else False,
            select="series" if like.day else "all",
            **plan_name,
        )
    except RequestError as error:
        return ImageGroup(images, of_plan, None, str(error))
    if all(match_image(image, request, uids).matches for image in images):
        request = dataclasses.replace(request, count=len(images))
    return ImageGroup(images, of_plan, request)


def composite_codes(
    images: Sequence[ImageRef],
    plan: PlanRef,
    plan_name: PlanName | None,
    patient_id: str,
    node: str,
) -> list[CompositeCode]:
    """Write the composite tests that fetch the newest images, one for each image type."""
    if plan_name is None or not images:
        return []
    uids = frozenset([plan.sop_uid])
    types = {image.image_type for image in images if image.image_type}
    written = []
    for image_type in sorted(types) or [IMAGE_TYPES["portal"].values]:
        request = _newest(images, uids, patient_id, {**plan_name, "image_type": image_type})
        if request is not None:
            name, text = short_image_type(image_type), write_call(node, request)
            written.append(CompositeCode(name, text, request))
    return written


def _newest(
    images: Sequence[ImageRef], uids: frozenset[str], patient_id: str, named: Mapping[str, Any]
) -> Request | None:
    """Return the shortest request that is not refused as ambiguous."""
    for kv, select in itertools.product((False, "only"), (None, "session", "day")):
        try:
            request = Request.parse(patient_id, **named, kv=kv, select=select)
            wanted = selection.candidates(images, request, uids)
            known = all(match_image(image, request, uids).matches for image in wanted)
            if wanted and (not known or selection.settle(images, request, uids)):
                return request
        except (AmbiguousImagesError, RequestError):
            continue
    return None
