"""The pictures that pylinac draws of its results."""

from __future__ import annotations

import io
from typing import Any, Callable, Sequence

DPI = 80
GAP = 8  # pixels between two figures


def figures_of(plot: Callable[..., Any], size: Any = None, **arguments: Any) -> list[Any]:
    """Return the figures that one of pylinac's functions draws.

    They no longer belong to pyplot, so that they need not be closed. Neither version of pylinac
    returns them reliably.

    Parameters
    ----------
    plot : callable
        Draws on pyplot's current figure, or on new ones.
    size : (float, float), optional
        Width and height in inches.
    **arguments : Any
        Its arguments, beside ``show=False``.
    """
    from matplotlib import pyplot

    if pyplot.get_backend().lower() != "agg":
        pyplot.switch_backend("Agg")  # also closes all figures, so only where it is needed
    before = set(pyplot.get_fignums())
    with pyplot.rc_context({"figure.figsize": size} if size else {}):
        pyplot.figure()
        try:
            plot(show=False, **arguments)
        finally:
            numbers = [number for number in pyplot.get_fignums() if number not in before]
            figures = [pyplot.figure(number) for number in numbers]
            for figure in figures:
                pyplot.close(figure)
    return [figure for figure in figures if figure.axes]


def as_png(figures: Sequence[Any]) -> bytes:
    """Return figures as one PNG, one below the other."""
    from PIL import Image

    pictures = [Image.open(io.BytesIO(_png(figure))) for figure in figures]
    width = max((picture.width for picture in pictures), default=1)
    height = sum(picture.height + GAP for picture in pictures) or 1
    sheet = Image.new("RGB", (width, height), "white")
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height + GAP
    file = io.BytesIO()
    sheet.quantize(64).save(file, "PNG", optimize=True)
    return file.getvalue()


def _png(figure: Any) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    file = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(file, format="png", dpi=DPI, facecolor="white")
    return file.getvalue()
