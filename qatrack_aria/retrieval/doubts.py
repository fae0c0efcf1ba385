"""Refuse a set where the headers do not show that it is the right one, and whole."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from typing import Collection, Iterable, Sequence

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.dicom.uids import CT
from qatrack_aria.errors import AmbiguousImagesError, TooFewImagesError
from qatrack_aria.retrieval.matching import match_image, may_match
from qatrack_aria.retrieval.request import Request
from qatrack_aria.retrieval.sessions import (
    GAP,
    NEARBY,
    may_be_of,
    rest_of_sessions,
    series_of,
    sessions,
    span,
    uids,
)
from qatrack_aria.text import plural, same_text

#: Clocks and time zones of this machine and of an imager may differ; more is a wrong date.
CLOCKS_APART = dt.timedelta(days=1)


def require_certain(
    chosen: Sequence[ImageRef],
    images: Collection[ImageRef],
    request: Request,
    plan_uids: frozenset[str],
) -> None:
    """Refuse a chosen set to which other images may belong, or which is too small or too large.

    Parameters
    ----------
    chosen : sequence of ImageRef
        The set.
    images : collection of ImageRef
        All that are known, also those that do not match.
    request, plan_uids : Request, frozenset of str
        The request, and the SOP Instance UIDs of its plans.

    Raises
    ------
    AmbiguousImagesError, TooFewImagesError
        The message says what is uncertain, and what to do.
    """
    any_time = dataclasses.replace(request, date=None, until=None)
    _require_known(chosen, images, request, any_time, plan_uids)
    _require_past(chosen, request)
    others = [i for i in images if i.acquired and may_match(i, any_time, plan_uids)]
    _require_not_cut_by_day(chosen, others, request)
    _require_apart(chosen, others, request)
    _require_not_cut_by_end(chosen, others, request)
    _require_count(chosen, request)
    _require_no_other_singles(chosen, others, request)


def require_agreement(
    contradictions: Sequence[str], chosen: Sequence[ImageRef], request: Request, peer: Peer
) -> None:
    """Refuse a set where files contradict what the node lists of its images.

    Raises
    ------
    AmbiguousImagesError
        They do, and `count` does not say that the chosen images are the set.
    """
    number = len(uids(chosen))
    if contradictions and not request.settles(number):
        raise AmbiguousImagesError(
            f"Images: what {peer} lists of the newest images of {request.subject} is not what "
            f"their files say ({contradictions[0]}; {len(contradictions)} in all), so it is "
            "unknown which belong to the set: correct them in ARIA, or give count= if the "
            f"{number} that match are the set."
        )


def require_spelling(images: Iterable[ImageRef], request: Request, peer: Peer) -> None:
    """Refuse images of a patient ID that differs by its capitals.

    Raises
    ------
    AmbiguousImagesError
        There is one.
    """
    for image in images:
        if not same_text(image.patient_id or "", request.patient_id):
            raise AmbiguousImagesError(
                f"Images: {peer} lists images of patient ID '{image.patient_id}', you asked for "
                f"'{request.patient_id}': give the ID as the images have it; if they have both, "
                "correct them in ARIA."
            )


def _require_known(
    chosen: Sequence[ImageRef],
    images: Iterable[ImageRef],
    request: Request,
    any_time: Request,
    plan_uids: frozenset[str],
) -> None:
    taken = uids(chosen)
    undated, signs = [], []
    for image in images:
        if image.sop_uid in taken or not image.from_file:
            continue  # an answer without a date proves nothing: the server may not return that key
        match = match_image(image, any_time, plan_uids)
        if match.is_open and _may_belong(image, chosen, request):
            signs.append(image)
        elif match.matches and not image.acquired and _may_belong(image, chosen, request):
            undated.append(image)
    if undated:
        raise AmbiguousImagesError(
            f"Images: {len(undated)} of the images that may match carry neither an acquisition nor "
            "a content date with a time, so it is unknown whether they belong to the set: say "
            "select='all' without a date and count=, or correct them in ARIA."
        )
    if signs and not request.settles(len(taken)):
        first = signs[0]
        uncertain, advice = "may be kV or MV", "say kv=True to include them, or "
        if match_image(first, any_time, plan_uids).lacks_beam:
            uncertain, advice = "do not say of which beam or energy they are", ""
        raise AmbiguousImagesError(
            f"Images: {plural(len(signs), 'image')} beside the {len(taken)} that match {uncertain} "
            f"({_signs(first)}): {advice}give count= if they do not belong to the set."
        )


def _may_belong(image: ImageRef, chosen: Sequence[ImageRef], request: Request) -> bool:
    """Return whether an image may be of the set, or of a newer one, by its day and series."""
    if request.date is not None and image.day not in (request.date, None):
        return False
    if request.until is not None and image.day and image.day > request.until.date():
        return False
    if request.select == "all":
        return True
    if request.select != "session" and image.series_key in series_of(chosen):
        return True
    if request.select == "day" and image.day in {other.day for other in chosen}:
        return True
    first = min(other.moment for other in chosen)
    if first.year == dt.MINYEAR or image.day is None:
        return True
    return image.latest >= first - GAP


def _signs(image: ImageRef) -> str:
    voltage = "none" if image.peak_kv is None else f"{image.peak_kv:g}"
    described = f", described as {image.described}" if image.described else ""
    beam = image.acquisition.beam_number if image.acquisition else None
    described += f", beam number {beam if beam is not None else 'none'}"
    return f"unit {image.dose_unit or 'none'}, KVP {voltage}{described}"


def _require_past(chosen: Sequence[ImageRef], request: Request) -> None:
    if request.date is not None or request.until is not None or request.select == "all":
        return
    newest = max(image.moment for image in chosen)
    if newest > dt.datetime.now() + CLOCKS_APART:
        raise AmbiguousImagesError(
            f"Images: the newest of {request.subject} are dated {newest:%Y-%m-%d %H:%M}, which "
            "is in the future, so it is unknown which are the newest: set the imager's clock and "
            "correct them in ARIA, or name the day that you want by date=."
        )


def _require_not_cut_by_day(
    chosen: Sequence[ImageRef], others: Sequence[ImageRef], request: Request
) -> None:
    """Refuse the part of a session that lies on one side of midnight."""
    by_day = request.select == "day" or (request.date and request.select != "all")
    by_day = by_day and not (request.series and request.select == "series")
    if not by_day or request.least == request.most == len(uids(chosen)):
        return
    days = {image.day for image in chosen}
    cut = [image for image in rest_of_sessions(chosen, others) if image.day not in days]
    if cut:
        raise AmbiguousImagesError(
            f"Images: midnight cuts a session: {plural(len(uids(chosen)), 'image')} of "
            f"{span(chosen)}, and {len(uids(cut))} of the same session on the other side of it. "
            "Say select='session' without a date, name its series by series= and select='series', "
            f"or give count=({len(uids(chosen))}, {len(uids(chosen))}) if these alone are the set."
        )


def _require_apart(
    chosen: Sequence[ImageRef], others: Sequence[ImageRef], request: Request
) -> None:
    """Refuse images without a time where a session beside midnight may go on with them."""
    if request.select in ("all", "series") or request.settles(len(uids(chosen))):
        return
    taken = uids(chosen)
    untimed = [image for image in chosen if image.day and not image.acquired]
    for session in sessions(others):
        if not uids(session) <= taken and any(may_be_of(image, session) for image in untimed):
            raise AmbiguousImagesError(
                f"Images: {plural(len(untimed), 'image')} of {untimed[0].day} carry no time, and "
                f"may be of the session of {span(session)}: say which series by series=, give "
                "count=, or correct them in ARIA."
            )


def _require_not_cut_by_end(
    chosen: Sequence[ImageRef], others: Sequence[ImageRef], request: Request
) -> None:
    """Refuse a part of a session: an imager's clock that is ahead would cut it at the end."""
    until = request.until
    if until is None or request.settles(len(uids(chosen))):
        return
    series = series_of(chosen)
    of_the_set = [image for image in others if image.series_key in series]
    of_the_set += rest_of_sessions(chosen, others)
    late = uids(image for image in of_the_set if image.moment > until)
    if late:
        raise AmbiguousImagesError(
            f"Images: {len(uids(chosen))} images were acquired up to the end of the session, "
            f"{until:%Y-%m-%d %H:%M}, and {len(late)} more of the same series after it: is the "
            "imager's clock ahead? Then enter that at the node; or give count= if the first "
            f"{len(uids(chosen))} are the set."
        )


def _require_count(chosen: Sequence[ImageRef], request: Request) -> None:
    number = len(uids(chosen))
    days = sorted({image.day for image in chosen if image.day})
    found = plural(number, "image") + (f" of {days[-1].isoformat()}" if days else "")
    if number < request.least:
        advice = (
            "is the session still under way? If its images lie in several series, say "
            "select='session' or select='day'."
        )
        if request.modality == CT:
            advice = "is the whole scan in ARIA? Or choose another by description= or series=."
        raise TooFewImagesError(
            f"Images: {found} found for {request.subject}, you asked for at least "
            f"{request.least}: {advice}"
        )
    if request.most is not None and number > request.most:
        raise AmbiguousImagesError(
            f"Images: {found} found for {request.subject}, you asked for at most "
            f"{request.most}: say which by date=, select= or series=, or correct count=."
        )


def _require_no_other_singles(
    chosen: Sequence[ImageRef], others: Iterable[ImageRef], request: Request
) -> None:
    """Refuse one image of several that lie hours apart, each a series of its own."""
    if request.select is not None or request.count is not None or len(chosen) != 1:
        return
    newest = chosen[0].moment
    near = [image for image in others if abs(image.moment - newest) <= NEARBY]
    singles = Counter(i.series_key for i in near if i.sop_uid != chosen[0].sop_uid)
    alone = sum(1 for number in singles.values() if number == 1)
    if alone:
        raise AmbiguousImagesError(
            f"Images: the newest series of {chosen[0].day} holds one image, and {alone} more "
            "series within six hours hold one each: they may belong together. Say select='day' "
            "for all of the day, or select='series' for the newest one alone."
        )
