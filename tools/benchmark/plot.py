"""Seconds over the history as a picture, both axes logarithmic."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Sequence

from tools.benchmark.trials import CURVES, Rows, of

SIZE = (1000, 620)
#: Left, top, right and bottom of the axes.
FRAME = (70, 40, 640, 560)
COLOURS = ("#1b6ca8", "#7fb3d8", "#1b8a3a", "#8fd19e", "#c98a00", "#e6c35c", "#b3261e")


def save(rows: Rows, lengths: Sequence[int], path: Path) -> bool:
    """Draw; False where there is no Pillow to do so."""
    try:
        from PIL import Image, ImageDraw
    except ImportError:
        return False
    picture = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(picture)
    curves = {
        curve: [(n, rows[of(n, curve)].median) for n in lengths if of(n, curve) in rows]
        for curve in CURVES
    }
    axes = _Axes(draw, [point for curve in curves.values() for point in curve])
    axes.draw_grid()
    for number, (colour, (curve, points)) in enumerate(zip(COLOURS, curves.items())):
        axes.draw_curve(points, colour)
        _draw_legend(draw, number, colour, curve)
    picture.save(path)
    return True


class _Axes:
    """Whole decades around the points."""

    def __init__(self, draw: Any, points: Sequence[tuple[float, float]]) -> None:
        self._draw = draw
        self._x = _decades([x for x, _ in points])
        self._y = _decades([y for _, y in points])

    def draw_grid(self) -> None:
        left, top, right, bottom = FRAME
        for decade in range(self._x[0], self._x[1] + 1):
            x, _ = self._place(10.0**decade, 1)
            self._draw.line([(x, top), (x, bottom)], fill="#dddddd")
            self._draw.text((x - 8, bottom + 8), f"{10**decade:g}", fill="black")
        for decade in range(self._y[0], self._y[1] + 1):
            _, y = self._place(1, 10.0**decade)
            self._draw.line([(left, y), (right, y)], fill="#dddddd")
            self._draw.text((left - 50, y - 6), f"{10.0**decade:g} s", fill="black")
        self._draw.rectangle(FRAME, outline="black")
        self._draw.text((left, top - 20), "seconds of a fetch", fill="black")
        self._draw.text((left, bottom + 28), "series in the patient's history", fill="black")

    def draw_curve(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        places = [self._place(x, y) for x, y in points]
        if len(places) > 1:
            self._draw.line(places, fill=colour, width=3)
        for x, y in places:
            self._draw.ellipse([x - 4, y - 4, x + 4, y + 4], fill=colour)

    def _place(self, x: float, y: float) -> tuple[float, float]:
        left, top, right, bottom = FRAME
        across = (math.log10(x) - self._x[0]) / (self._x[1] - self._x[0])
        up = (math.log10(y) - self._y[0]) / (self._y[1] - self._y[0])
        return left + across * (right - left), bottom - up * (bottom - top)


def _decades(values: Sequence[float]) -> tuple[int, int]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _draw_legend(draw: Any, number: int, colour: str, text: str) -> None:
    x, y = FRAME[2] + 30, FRAME[1] + 10 + 26 * number
    draw.line([(x, y), (x + 26, y)], fill=colour, width=3)
    draw.text((x + 36, y - 6), text, fill="black")
