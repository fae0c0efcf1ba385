"""Decide whether a plan or an image matches a request, whatever the server has filtered.

Each image is judged by what is known of it. Where a C-FIND answer lacks an attribute, the result is
unknown. Such an image has to be retrieved, and its header decides.
"""

from __future__ import annotations

import re
from typing import Iterable, NamedTuple, Sequence

from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.dicom.uids import CT, PLAN_CLASSES
from qatrack_aria.phrases import Phrase, phrase
from qatrack_aria.retrieval.beam_names import read_energy
from qatrack_aria.retrieval.beams import energy_of, has_energy, is_named
from qatrack_aria.retrieval.request import Request
from qatrack_aria.text import composed, may_have_lost_letters, same_name, same_text

#: Reasons that leave open whether an image belongs to a set, though its header is known.
LACKING = ("no_beam", "no_energy")
OPEN = ("undated", "untimed", "kv_or_mv", *LACKING)


class Match(NamedTuple):
    """Whether an image matches: ``None`` while unknown; if it does not, the reason."""

    matches: bool | None
    reason: Phrase | None = None

    @property
    def is_open(self) -> bool:
        """Whether its own header leaves open if the image belongs to the set."""
        return self.reason is not None and self.reason.code in OPEN

    @property
    def lacks_beam(self) -> bool:
        """Whether neither image nor plan says of which beam or energy it is."""
        return self.reason is not None and self.reason.code in LACKING


def _differs(code: str, **details: str) -> Match:
    return Match(False, phrase(code, **details))


MATCHES = Match(True)
UNKNOWN = Match(None)


def match_plan(plan: PlanRef, request: Request) -> bool | None:
    """Return whether the request names this plan; ``None`` if its header has to be read."""
    if plan.from_file and not (plan.modality == "RTPLAN" or plan.sop_class in PLAN_CLASSES):
        return False
    if plan.sop_uid == request.plan:
        return True
    if request.names_plan_uid:
        return False
    if plan.label is None:
        return None
    label = _same_text(plan, plan.label, request.plan or "")
    if not label or request.course is None:
        return label
    course = None if plan.course is None else _same_text(plan, plan.course, request.course)
    return False if course is False else (label and course)


def _same_text(plan: PlanRef, listed: str, wanted: str) -> bool | None:
    """Compare texts; ``None`` where an answer may have lost letters that the file has."""
    if same_text(listed, wanted):
        return True
    return None if not plan.from_file and may_have_lost_letters(listed, wanted) else False


def match_image(image: ImageRef, request: Request, plan_uids: frozenset[str]) -> Match:
    """Compare one image with a request.

    Parameters
    ----------
    image : ImageRef
        Read from an answer or, better, from a file.
    request : Request
        The request.
    plan_uids : frozenset of str
        SOP Instance UIDs of the plans that match.
    """
    results = (
        _match_patient(image, request),
        _match_series(image, request),
        match_plan_reference(image, plan_uids),
        _match_type(image, request),
        _match_kv(image, request),
        _match_machine(image, request),
        _match_beam(image, request),
        _match_energy(image, request),
        _match_series_texts(image, request),
        _match_frame(image, request),
        _match_date(image, request),
    )
    refused = [result for result in results if result.matches is False]
    if refused:
        return min(refused, key=lambda result: result.is_open)
    return UNKNOWN if UNKNOWN in results else MATCHES


def may_match(image: ImageRef, request: Request, plan_uids: frozenset[str]) -> bool:
    """Return whether an image matches, or may match once its header is known."""
    return match_image(image, request, plan_uids).matches is not False


def match_plan_reference(image: ImageRef, plan_uids: frozenset[str]) -> Match:
    """Compare the plans that an image references with these; with no plan if there are none."""
    if not plan_uids and image.modality == CT:
        return MATCHES
    if image.plan_uids is None:
        return UNKNOWN
    if not plan_uids:  # images of no plan
        return _differs("other_plan") if image.plan_uids else MATCHES
    return MATCHES if image.plan_uids & plan_uids else _differs("other_plan")


def exclusion_reasons(
    images: Iterable[ImageRef], request: Request, plan_uids: frozenset[str]
) -> dict[Phrase, list[ImageRef]]:
    """Return the images that do not match, grouped by reason."""
    reasons: dict[Phrase, list[ImageRef]] = {}
    for image in images:
        result = match_image(image, request, plan_uids)
        if result.reason is not None:
            reasons.setdefault(result.reason, []).append(image)
    return reasons


def short_image_type(image_type: Sequence[str]) -> str:
    """Return an image type without the usual leading values, ORIGINAL and PRIMARY."""
    usual = tuple(image_type[:2]) == ("ORIGINAL", "PRIMARY")
    return "\\".join((usual and image_type[2:]) or image_type)


def _match_patient(image: ImageRef, request: Request) -> Match:
    if image.patient_id is not None and same_name(image.patient_id, request.patient_id):
        return MATCHES
    return _differs("other_patient")


def _match_series(image: ImageRef, request: Request) -> Match:
    if request.series in (None, image.series_uid):
        return MATCHES
    return _differs("other_series")


def _match_date(image: ImageRef, request: Request) -> Match:
    if image.acquired is None and not image.from_file:
        return UNKNOWN
    if request.date is None and request.until is None:
        return MATCHES
    if image.day is None:
        return _differs("undated")
    if request.until is not None and image.moment > request.until:
        return _differs("after_session")
    if request.date is not None and image.day != request.date:
        return _differs("other_day")
    if request.until is not None and not image.acquired and image.day == request.until.date():
        return _differs("untimed")
    return MATCHES


def _match_machine(image: ImageRef, request: Request) -> Match:
    if request.machine is None:
        return MATCHES
    if image.machines is None:
        return UNKNOWN
    if any(same_name(request.machine, name) for name in image.machines):
        return MATCHES
    if not image.machine:
        return _differs("unnamed_machine")
    return _differs("other_machine", machine=image.machine)


def _match_beam(image: ImageRef, request: Request) -> Match:
    if request.beam is None:
        return MATCHES
    if not image.from_file:
        return UNKNOWN
    beam = image.beam
    if beam is None:
        return _differs("no_beam")
    if any(is_named(beam, name) for name in request.beam):
        return MATCHES
    return _differs("other_beam", beam=beam.name or str(beam.number))


def _match_energy(image: ImageRef, request: Request) -> Match:
    if request.energy is None:
        return MATCHES
    if not image.from_file:
        return UNKNOWN
    found = has_energy(image, read_energy(request.energy))
    if found is None:
        return _differs("no_energy")
    return MATCHES if found else _differs("other_energy", energy=energy_of(image) or "kV")


def _match_kv(image: ImageRef, request: Request) -> Match:
    if request.kv is True:
        return MATCHES
    if image.is_kv is None:
        return _differs("kv_or_mv") if image.from_file else UNKNOWN
    if image.is_kv == (request.kv == "only"):
        return MATCHES
    return _differs("kv" if image.is_kv else "mv")


def _match_frame(image: ImageRef, request: Request) -> Match:
    if request.frames is None:
        return MATCHES
    if image.frame is None:
        return UNKNOWN
    return MATCHES if image.frame in request.frames else _differs("other_frame")


def _match_series_texts(image: ImageRef, request: Request) -> Match:
    if request.description is not None:
        if image.description is None:
            return UNKNOWN
        if not _is_like(image.description, request.description):
            return _differs("other_description", description=image.description)
    by_file = (
        ("other_protocol", request.protocol, image.slice and image.slice.protocol),
        ("other_label", request.label, image.acquisition and image.acquisition.label),
    )
    for code, wanted, found in by_file:
        if wanted is not None and not image.from_file:
            return UNKNOWN
        if wanted is not None and not _is_like(found or "", wanted):
            return _differs(code, text=found or "")
    return MATCHES


def _is_like(found: str, wanted: str) -> bool:
    parts = (re.escape(part) for part in composed(wanted).casefold().split("*"))
    return re.fullmatch(".*".join(parts), composed(found).casefold()) is not None


def _match_type(image: ImageRef, request: Request) -> Match:
    if image.image_type is None:
        return UNKNOWN
    if image.modality == CT and "LOCALIZER" in image.image_type:
        return _differs("localizer")
    if not request.image_type:
        return MATCHES
    # Image Type is of VR CS, which has capital letters only.
    if image.image_type == tuple(value.upper() for value in request.image_type):
        return MATCHES
    return _differs("other_type", image_type=short_image_type(image.image_type))
