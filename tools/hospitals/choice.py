"""Choose among images that all match and all have a moment, by the rules of the README."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple, Sequence

from tools.hospitals.reading import Picture

EMPTY = "ImagesNotFoundError"
AMBIGUOUS = "AmbiguousImagesError"
TOO_FEW = "TooFewImagesError"
INCOMPLETE = "IncompleteRetrievalError"

APART = dt.timedelta(minutes=30)
LEAST_WAIT = 60.0  # s
#: Seconds by which clocks and roundings may differ.
SLACK = 3.0


class Now(NamedTuple):
    """When a request was made and answered; `watched`: seconds that the node was known before."""

    before: dt.datetime
    after: dt.datetime
    watched: float = 0.0


class Expected(NamedTuple):
    """What may come of a request: any of the sets, or an error of one of the classes.

    Without `errors` there must be a set, without `sets` an error; with both, either will do.
    """

    sets: frozenset[frozenset[str]]
    errors: frozenset[str]

    @property
    def is_set(self) -> bool:
        return bool(self.sets) and not self.errors

    @property
    def is_error(self) -> bool:
        return not self.sets


def choose(images: Sequence[Picture], request: Any, now: Now) -> Expected:
    """Choose; takes a :class:`tools.hospitals.judge.Request`."""
    dated = [i for i in images if request.date is None or i.day == request.date]
    if not dated:
        return Expected(frozenset(), frozenset({EMPTY}))
    sessions = _sessions(images)
    newest = max(image.moment for image in dated if image.moment)
    session = next(one for one in sessions if any(i.moment == newest for i in one))
    right, also, errors = _selected(images, dated, sessions, session, newest, request)
    sets = [*right, *also]
    if also and not errors:
        errors = {AMBIGUOUS}
    fitting = [one for one in sets if _fits(len(one), request.count)]
    if not fitting:
        return Expected(frozenset(), frozenset(errors) | _misfit(sets, request.count))
    if len(fitting) < len(sets):
        errors = {*errors, TOO_FEW}
    if request.count is None and not request.unfinished:
        state = _state(session, now)
        mine = [image for image in session if image.uid in fitting[0]]
        if state is False and mine and _state(mine, now) is not False:
            state = None  # whether images of other series count for the gaps is open
        if state is not True:
            acceptable = frozenset(fitting) if state is None else frozenset()
            return Expected(acceptable, frozenset(errors) | {INCOMPLETE, AMBIGUOUS, TOO_FEW})
    return Expected(frozenset(fitting), frozenset(errors))


def _selected(
    images: Sequence[Picture],
    dated: Sequence[Picture],
    sessions: Sequence[Sequence[Picture]],
    session: Sequence[Picture],
    newest: dt.datetime,
    request: Any,
) -> tuple[list[frozenset[str]], list[frozenset[str]], set[str]]:
    """Return the right sets, those that are as good as an error, and errors."""
    day = request.date or newest.date()
    of_day = [image for image in dated if image.day == day]
    cut = [
        one for one in sessions if len({i.day for i in one}) > 1 and any(i in of_day for i in one)
    ]
    if request.select == "all":
        if request.date is not None and cut:
            return [], [_uids(dated)], {AMBIGUOUS}
        return [_uids(dated)], [], set()
    if request.select == "day":
        return _unless_cut(_uids(of_day), bool(cut), request)
    series = {image.series for image in dated if image.moment == newest}
    of_series = [_uids(i for i in dated if i.series == one) for one in sorted(series)]
    inside = _uids(image for image in session if image in dated)
    is_cut = request.date is not None and session in cut
    if request.select == "series":
        if len(of_series) > 1:
            return [], [one for one in of_series if _exactly(one, request.count)], {AMBIGUOUS}
        return _unless_cut(of_series[0], is_cut and request.series is None, request)
    if request.select == "session":
        right, also, errors = _unless_cut(inside, is_cut, request)
        return right, [*also, _uids(session)] if is_cut else also, errors
    return _by_default(images, inside, of_series, is_cut, request)


def _by_default(
    images: Sequence[Picture],
    inside: frozenset[str],
    of_series: Sequence[frozenset[str]],
    is_cut: bool,
    request: Any,
) -> tuple[list[frozenset[str]], list[frozenset[str]], set[str]]:
    """Choose the newest session if it coincides with its series, or the one that count= names."""
    if set(of_series) == {inside}:
        right, also, errors = _unless_cut(inside, is_cut, request)
        series = {image.series for image in images if image.uid in inside}
        if request.date is not None and right:
            # Images of other days in the series: whether they match "all but the date" is open.
            whole = _uids(image for image in images if image.series in series)
            if whole != inside and not _exactly(inside, request.count):
                return [], right, {AMBIGUOUS}
        return right, also, errors
    exact = [one for one in {inside, *of_series} if _exactly(one, request.count)]
    within = [one for one in {inside, *of_series} if _fits(len(one), request.count)]
    if len(exact) == 1 and not is_cut:
        return exact, [], set()
    if isinstance(request.count, tuple) and len(within) == 1 and not is_cut:
        return [], within, {AMBIGUOUS}  # whether a range is met "exactly" is open
    errors = {AMBIGUOUS} if len(within) > 1 or request.count is None else {AMBIGUOUS, TOO_FEW}
    return [], exact if is_cut and len(exact) == 1 else [], errors


def _unless_cut(
    chosen: frozenset[str], is_cut: bool, request: Any
) -> tuple[list[frozenset[str]], list[frozenset[str]], set[str]]:
    """Accept a set, but one that midnight cuts only where count= names its number."""
    if not is_cut:
        return [chosen], [], set()
    if _exactly(chosen, request.count) and isinstance(request.count, tuple):
        return [], [chosen], {AMBIGUOUS}
    return [], [], {AMBIGUOUS}


def _sessions(images: Sequence[Picture]) -> list[list[Picture]]:
    """Return the images by sessions, whatever their series."""
    found: list[list[Picture]] = []
    for image in sorted(images, key=_moment):
        if found and _moment(image) - _moment(found[-1][-1]) <= APART:
            found[-1].append(image)
        else:
            found.append([image])
    return found


def _state(session: Sequence[Picture], now: Now) -> bool | None:
    """Whether a session has ended; ``None`` if it may be seen either way."""
    moments = sorted(map(_moment, session))
    gaps = [(last - first).total_seconds() for first, last in zip(moments, moments[1:])]
    wait = max(3 * max(gaps, default=0.0), LEAST_WAIT)
    if (now.before - moments[-1]).total_seconds() > wait + SLACK:
        return True
    watched = now.watched + (now.after - now.before).total_seconds()
    age = (now.after - moments[-1]).total_seconds()
    return None if age > wait - SLACK or watched > wait - SLACK else False


def _misfit(sets: Sequence[frozenset[str]], count: Any) -> frozenset[str]:
    if not sets:
        return frozenset()
    if isinstance(count, tuple) and any(len(one) > count[1] for one in sets):
        return frozenset({TOO_FEW, INCOMPLETE, AMBIGUOUS, EMPTY})
    return frozenset({TOO_FEW})


def _fits(number: int, count: Any) -> bool:
    if count is None:
        return True
    least, most = count if isinstance(count, tuple) else (count, number)
    return least <= number <= most


def _exactly(chosen: frozenset[str], count: Any) -> bool:
    return count == len(chosen) or count == (len(chosen), len(chosen))


def _moment(image: Picture) -> dt.datetime:
    return image.moment or dt.datetime.min


def _uids(images: Any) -> frozenset[str]:
    return frozenset(image.uid for image in images)
