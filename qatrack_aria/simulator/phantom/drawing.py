"""Draw the 16 bit pixels of an RT Image: fields with a penumbra, and metal balls in them.

Pure Python, so that numpy is not needed: each distinct row is drawn once, then the balls in small
windows. All profiles are analytic, so positions are exact to a fraction of a pixel.
"""

from __future__ import annotations

import functools
import math
import sys
from array import array
from dataclasses import dataclass
from typing import Sequence

PENUMBRA = 2.0  # mm at the isocentre, the sigma of a field's edge
BALL_BLUR = 0.4  # mm at the isocentre, the sigma of a ball's edge
BACKGROUND = 1_000
PEAK = 50_000


@dataclass(frozen=True)
class Field:
    """A rectangular field, in mm at the isocentre: x to the right, y towards the gantry."""

    x: float
    y: float
    width: float
    height: float
    level: float = 1.0


@dataclass(frozen=True)
class Ball:
    """A metal ball, in mm at the isocentre, and the fraction of the beam that it stops."""

    x: float
    y: float
    diameter: float
    depth: float = 0.4


# A session repeats the same few pictures; each takes 3 MB in full size.
@functools.lru_cache(maxsize=32)
def draw(
    rows: int,
    columns: int,
    pixel: float,
    fields: tuple[Field, ...],
    balls: tuple[Ball, ...] = (),
    peak: int = PEAK,
) -> bytes:
    """Draw an image, centred on the beam's axis.

    Parameters
    ----------
    rows, columns : int
        The matrix.
    pixel : float
        The size of a pixel in mm, at the isocentre.
    fields : tuple of Field
        The irradiated fields; overlapping ones add up.
    balls : tuple of Ball
        The balls in the beam.
    peak : int
        The pixel value of an open field of level 1, above a background of 1000.

    Returns
    -------
    bytes
        ``rows * columns`` unsigned 16 bit values, little endian.
    """
    xs = [(column - (columns - 1) / 2) * pixel for column in range(columns)]
    # The first row is nearest the gantry.
    ys = [((rows - 1) / 2 - row) * pixel for row in range(rows)]
    profiles = [[field.level * _profile(x - field.x, field.width) for x in xs] for field in fields]
    drawn: dict[tuple[float, ...], array[int]] = {}
    pixels = array("H")
    for y in ys:
        weights = tuple(round(_profile(y - field.y, field.height), 4) for field in fields)
        if weights not in drawn:
            drawn[weights] = _row(weights, profiles, columns, peak)
        pixels.extend(drawn[weights])
    for ball in balls:
        _shade(pixels, columns, xs, ys, ball)
    if sys.byteorder == "big":
        pixels.byteswap()
    return pixels.tobytes()


def _profile(distance: float, size: float) -> float:
    """Return the dose, 0 to 1, at a distance from the centre of a field of this size."""
    scale = PENUMBRA * math.sqrt(2)
    return 0.5 * (math.erf((distance + size / 2) / scale) - math.erf((distance - size / 2) / scale))


def _row(
    weights: Sequence[float], profiles: Sequence[Sequence[float]], columns: int, peak: int
) -> array[int]:
    lit = [(weight, profile) for weight, profile in zip(weights, profiles) if weight]
    return array(
        "H",
        (
            min(65535, BACKGROUND + round(peak * sum(w * profile[column] for w, profile in lit)))
            for column in range(columns)
        ),
    )


def _shade(
    pixels: array[int], columns: int, xs: Sequence[float], ys: Sequence[float], ball: Ball
) -> None:
    """Attenuate the beam behind the ball, in the small window that it covers."""
    radius = ball.diameter / 2
    reach = radius + 4 * BALL_BLUR
    window = [column for column, x in enumerate(xs) if abs(x - ball.x) <= reach]
    for row, y in enumerate(ys):
        if abs(y - ball.y) > reach:
            continue
        for column in window:
            distance = math.hypot(xs[column] - ball.x, y - ball.y)
            stopped = ball.depth * 0.5 * math.erfc((distance - radius) / (BALL_BLUR * math.sqrt(2)))
            index = row * columns + column
            pixels[index] = round(pixels[index] * (1 - stopped))
