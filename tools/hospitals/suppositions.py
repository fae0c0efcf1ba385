"""Try out what headers leave open: whether an image belongs, and when it was acquired."""

from __future__ import annotations

import datetime as dt
import random
from typing import Iterator, Sequence

from tools.hospitals.choice import Now
from tools.hospitals.reading import Picture

#: Random arrangements of images without a time.
ARRANGEMENTS = 12
LONG_AGO = dt.datetime(1995, 1, 2, 3, 4, 5)
A_MOMENT = dt.timedelta(seconds=1)


def readings(images: Sequence[Picture]) -> Iterator[list[Picture]]:
    """Yield the images by each reader of 24:00: as no time, and as the midnight after the day."""
    yield list(images)
    if any(image.ends_day for image in images):
        yield [_at_midnight(image) if image.ends_day else image for image in images]


def memberships(images: Sequence[Picture], kv: bool | None) -> Iterator[list[Picture]]:
    """Yield the images that belong, in each case of those of which it is open.

    Parameters
    ----------
    images : sequence of Picture
        Those that match, or may.
    kv : bool or None
        Whether kV images are wanted; ``None``: those of both kinds.
    """
    sure = [image for image in images if kv is None or image.is_kv == kv]
    doubtful = [image for image in images if image not in sure]
    yield sure + doubtful
    if doubtful:
        yield sure
    if len(doubtful) > 1:
        for one in doubtful:
            yield [*sure, one]
            yield [image for image in images if image is not one]


def arrangements(images: Sequence[Picture], now: Now) -> Iterator[list[Picture]]:
    """Yield the images with a moment each, in each case of those of which it is open."""
    timed = [image for image in images if image.moment is not None]
    open_ = [image for image in images if image.moment is None]
    if not open_:
        yield timed
        return
    places = {image.uid: _places(image, timed, now) for image in open_}
    for rank in range(max(map(len, places.values()))):
        yield timed + [
            _placed(image, places[image.uid][min(rank, len(places[image.uid]) - 1)])
            for image in open_
        ]
    chance = random.Random(len(images))
    for _ in range(ARRANGEMENTS if len(open_) > 1 else 0):
        yield timed + [_placed(image, chance.choice(places[image.uid])) for image in open_]


def _places(image: Picture, timed: Sequence[Picture], now: Now) -> list[dt.datetime]:
    """Return moments at which an image may have been acquired, from the first to the last."""
    known = sorted(other.moment for other in timed if other.moment)
    between = [first + (last - first) / 2 for first, last in zip(known, known[1:])]
    moments = {*(moment + A_MOMENT for moment in known), *between}
    latest = now.before - dt.timedelta(hours=3)
    if image.day is None:
        newest = max([*known, latest])
        return [LONG_AGO, *sorted(moments), newest]
    first = dt.datetime.combine(image.day, dt.time())
    last = first + dt.timedelta(days=1) - A_MOMENT
    return [first, *sorted(one for one in moments if first < one < last), last]


def _placed(image: Picture, moment: dt.datetime) -> Picture:
    return image._replace(moment=moment, day=moment.date())


def _at_midnight(image: Picture) -> Picture:
    if image.day is None:
        return image
    return _placed(image, dt.datetime.combine(image.day, dt.time()) + dt.timedelta(days=1))
