"""Listed images in the portions in which they can be fetched.

A group is what one series holds of one day, image type, machine and kind of beam. Which requests
there can be is for :mod:`qatrack_aria.retrieval.request` to say, and which images they match for
:mod:`qatrack_aria.retrieval.selection`: only requests are offered whose outcome is known, or is
said to be unknown.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any, Iterator, Mapping, NamedTuple, Sequence

from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.errors import AmbiguousImagesError, RequestError
from qatrack_aria.models import AriaNode
from qatrack_aria.retrieval import selection
from qatrack_aria.retrieval.request import PRESETS, Request
from qatrack_aria.testpacks.call import write_call

#: How a request names the plan.
Words = Mapping[str, str]
NAMELESS = (
    "Its plan cannot be named in a request: the label is not unique, or has signs that no query "
    "may hold, and the UID is none."
)
APART = "No request tells these images from others."


@dataclasses.dataclass(frozen=True)
class Offer:
    """What can be fetched, and what will come.

    Attributes
    ----------
    request : Request
        What to ask; it holds the count, so that fewer images are an error.
    count : int or None
        How many images come; ``None`` where only their files can tell.
    exact : bool
        Whether they are those of the batch and no others.
    """

    request: Request
    count: int | None
    exact: bool

    @property
    def fields(self) -> dict[str, Any]:
        """The request as a form sends it, without the patient."""
        asked = dict(self.request.as_dict)
        del asked["patient_id"]
        return asked


@dataclasses.dataclass(frozen=True)
class ImageGroup:
    """One row of the list.

    Attributes
    ----------
    images : list of ImageRef
        In the order of acquisition.
    of_plan : bool
        Whether the node tells that they are the plan's; else only their files do.
    offer : Offer or None
        What to ask for.
    trouble : str
        Why nothing can be asked for.
    """

    images: list[ImageRef]
    of_plan: bool
    offer: Offer | None
    trouble: str

    @property
    def first(self) -> dt.datetime | None:
        """When the first was acquired."""
        return self.images[0].acquired

    @property
    def last(self) -> dt.datetime | None:
        """When the last was acquired."""
        return self.images[-1].acquired

    @property
    def day(self) -> dt.date | None:
        """The day of all of them."""
        return self.first.date() if self.first else None

    @property
    def image_type(self) -> Sequence[str]:
        """The image type's values, as one says them; none if the node does not tell."""
        told = self.images[0].image_type
        return selection.short_image_type(told).split("\\") if told else ()

    @property
    def machine(self) -> str:
        """The machine; empty if the node does not tell."""
        return self.images[0].machine

    @property
    def beam(self) -> str:
        """MV or kV; empty if the node does not tell."""
        return {True: "kV", False: "MV", None: ""}[self.images[0].is_kv]

    @property
    def order(self) -> tuple[Any, ...]:
        """Batches of a day are listed by this."""
        return self.first or dt.datetime.min, tuple(self.image_type), self.images[0].sop_uid


class _Outcome(NamedTuple):
    """The images that answer to a request, and whether that is certain."""

    come: frozenset[str]
    certain: bool


@dataclasses.dataclass(frozen=True)
class CompositeCode:
    """The lines of a composite test that bring the newest images of a type."""

    image_type: str
    text: str


def name_plan(
    plan: PlanRef, listed: Sequence[PlanRef], node: AriaNode, patient_id: str
) -> Words | None:
    """How to name a plan so that no other of the patient's is meant: best as people call it.

    Returns
    -------
    dict or None
        ``plan`` and perhaps ``course`` of a request; ``None`` if there is no way.
    """
    ways: list[dict[str, Any]] = [{"plan": plan.sop_uid}]
    if plan.label:
        ways.insert(0, {"plan": plan.label})
        if plan.course:
            ways.insert(1, {"plan": plan.label, "course": plan.course})
    for words in ways:
        try:
            request = Request.parse(patient_id, **words)
            node.require_writable("plan label", request.plan)
        except RequestError:
            continue
        if [one for one in listed if selection.match_plan(one, request) is not False] == [plan]:
            return words
    return None


def group_images(
    images: Sequence[ImageRef], plan: PlanRef, words: Words | None
) -> list[ImageGroup]:
    """Sort a plan's images into groups.

    Parameters
    ----------
    images : sequence of ImageRef
        All that are the plan's, or may be, of whole days.
    plan : PlanRef
        The plan.
    words : dict or None
        How requests name it; see :func:`name_plan`.

    Returns
    -------
    list of ImageGroup
        The newest day first.
    """
    uids = frozenset([plan.sop_uid])
    groups: dict[Any, list[ImageRef]] = {}
    days: dict[dt.date | None, list[ImageRef]] = {}
    for image in sorted(images, key=lambda image: image.order):
        groups.setdefault(_portion(image), []).append(image)
        days.setdefault(image.day, []).append(image)
    outcomes: dict[Request, _Outcome] = {}
    found = []
    for group in groups.values():
        of_plan = all(selection.match_plan_reference(image, uids).matches for image in group)
        day = group[0].day
        # What has no date in an answer may be of any day.
        possible = [*days[day], *(days.get(None, []) if day else [])]
        offer, trouble = _offer(group, images if day is None else possible, uids, words, outcomes)
        found.append(ImageGroup(group, of_plan, offer, trouble))
    return sorted(found, key=lambda batch: batch.images[0].moment, reverse=True)


def codes(
    images: Sequence[ImageRef], plan: PlanRef, words: Words | None, patient_id: str, node: str
) -> list[CompositeCode]:
    """Write the composite tests that bring the newest images, one for each image type."""
    uids = frozenset([plan.sop_uid])
    told = sorted({image.image_type for image in images if image.image_type})
    types = told or ([PRESETS["portal"]] if images else [])
    written = []
    for image_type in types if words else []:
        request = _newest(images, uids, patient_id, {**(words or {}), "image_type": image_type})
        if request is not None:
            written.append(
                CompositeCode(selection.short_image_type(image_type), write_call(node, request))
            )
    return written


def _newest(
    images: Sequence[ImageRef], uids: frozenset[str], patient_id: str, words: Mapping[str, Any]
) -> Request | None:
    """The shortest request that is not refused as ambiguous."""
    ways: list[dict[str, Any]] = [
        {},
        {"select": "day"},
        {"kv": True},
        {"kv": True, "select": "day"},
    ]
    for way in ways:
        try:
            request = Request.parse(patient_id, **words, **way)
            chosen = selection.choose(images, request, uids)
            if chosen:
                selection.require_unambiguous(chosen, images, request, uids)
                return request
        except (AmbiguousImagesError, RequestError):
            continue
    return None


def _offer(
    group: Sequence[ImageRef],
    possible: Sequence[ImageRef],
    uids: frozenset[str],
    words: Words | None,
    outcomes: dict[Request, _Outcome],
) -> tuple[Offer | None, str]:
    """The request that brings just these images, else the one that brings the fewest others."""
    if words is None:
        return None, NAMELESS
    wanted = {image.sop_uid for image in group}
    sure: list[Offer] = []
    open_: list[Offer] = []
    try:
        for request in _requests(group[0], words):
            if request not in outcomes:
                outcomes[request] = _outcome(possible, request, uids)
            come, certain = outcomes[request]
            if not certain:
                open_.append(Offer(request, None, False))
            elif wanted <= come:
                counted = dataclasses.replace(request, count=len(come))
                sure.append(Offer(counted, len(come), wanted == come))
    except RequestError as error:
        return None, str(error)
    if sure:
        return min(sure, key=lambda offer: offer.count or 0), ""
    # The widest of those whose outcome is not known: it leaves out none of the batch.
    return (open_[-1], "") if open_ else (None, APART)


def _outcome(possible: Sequence[ImageRef], request: Request, uids: frozenset[str]) -> _Outcome:
    chosen = selection.choose(possible, request, uids)
    certain = all(selection.match_image(image, request, uids).matches for image in chosen)
    return _Outcome(frozenset(image.sop_uid for image in chosen), certain)


def _requests(image: ImageRef, words: Words) -> Iterator[Request]:
    """What can be asked for images like one of them, the shortest first."""
    like: dict[str, Any] = {
        **words,
        "image_type": image.image_type or PRESETS["portal"],
        "kv": image.is_kv is True,
    }
    if image.acquired is None:
        yield Request.parse(image.patient_id, **like, select="all")
        return
    for select in ("series", "day"):
        for machine in (None, image.machine) if image.machine else (None,):
            yield Request.parse(
                image.patient_id,
                **like,
                date=image.acquired.date(),
                machine=machine,
                select=select,
            )


def _portion(image: ImageRef) -> Any:
    machines = tuple(sorted(image.machines or ()))
    return image.day, image.series_key, image.image_type, image.is_kv, machines
