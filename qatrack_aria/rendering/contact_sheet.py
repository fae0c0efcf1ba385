"""All images of a set on one contact sheet, with what their headers say."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Sequence

from pydicom.dataset import Dataset

from qatrack_aria.dicom.attributes import ImageRef, image_ref
from qatrack_aria.rendering.canvas import LINE, PALE, WHITE, TextWriter, blank
from qatrack_aria.rendering.image import NoPictureError, drawn, number, read

if TYPE_CHECKING:
    from PIL.Image import Image

#: Images on one sheet; of more, the first are shown. A sheet then has 22 million pixels.
MOST = 1000
#: The edge of a tile, in pixels; under the smallest there is just room for a date and time.
SMALLEST_TILE, LARGEST_TILE = 120, 512
#: The width of a sheet as long as its tiles are neither smallest nor largest.
SHEET_WIDTH = 1600
#: A sheet of one image is still wide enough for its heading.
NARROWEST_SHEET = 640
GAP, MARGIN = 8, 4
CAPTION_LINES = 3

LEGEND = "G gantry, C collimator, T couch, in degrees. Each picture has a grey scale of its own"


def draw_thumbnail(file: str | Path, edge: int, *, inverted: bool = False) -> Image:
    """Draw one image into a square; one that cannot be shown says so there.

    Parameters
    ----------
    file : str or Path
        A DICOM file.
    edge : int
        The side of the square in pixels.
    inverted : bool
        More radiation is darker, as on film.

    Returns
    -------
    PIL.Image.Image
        In 256 greys.

    Raises
    ------
    ConfigurationError
        numpy or Pillow is missing.
    """
    try:
        return _tile(read(file), edge, inverted)
    except NoPictureError as error:
        return _empty_tile(edge, error)


def draw_contact_sheet(
    files: Sequence[str | Path], heading: str = "", *, inverted: bool = False
) -> Image:
    """Draw all images on one sheet, in the order given.

    Under each stand its number, energy, machine, angles, date and time. A file that cannot be
    shown gets a tile that says why. Only one image at a time is in memory.

    Parameters
    ----------
    files : sequence of str or Path
        DICOM files; of more than `MOST` the first are shown, and the sheet says so.
    heading : str
        What stands above them.
    inverted : bool
        More radiation is darker, as on film.

    Returns
    -------
    PIL.Image.Image
        In 256 greys; the same for the same files, heading and version of Pillow.

    Raises
    ------
    ConfigurationError
        numpy or Pillow is missing.
    """
    shown = files[:MOST]
    rows, columns, edge = _grid(len(shown))
    width = max(NARROWEST_SHEET, GAP + columns * (edge + GAP))
    heading_lines = _heading_lines(heading, len(files), inverted, width - 2 * GAP)
    top = 2 * GAP + len(heading_lines) * LINE
    row_height = edge + MARGIN + CAPTION_LINES * LINE + GAP
    sheet = blank((width, top + rows * row_height), WHITE)
    pen = TextWriter(sheet)
    pen.write(GAP, GAP, heading_lines, width - 2 * GAP)
    for index, file in enumerate(shown):
        row, column = divmod(index, columns)
        x, y = GAP + column * (edge + GAP), top + row * row_height
        caption = [str(index + 1)]
        try:
            ds = read(file)
            caption = _caption(index + 1, ds)
            tile = _tile(ds, edge, inverted)
        except NoPictureError as error:
            tile = _empty_tile(edge, error)
        sheet.paste(tile, (x, y))
        pen.write(x, y + edge + MARGIN, caption, edge)
    return sheet


def _grid(count: int) -> tuple[int, int, int]:
    """Rows, columns and the edge of a tile: a sheet somewhat wider than high, no row half empty."""
    rows = math.ceil(count / max(1, math.ceil(math.sqrt(1.6 * count))))
    columns = math.ceil(count / max(1, rows))
    edge = SHEET_WIDTH // max(1, columns) - GAP
    return rows, columns, min(LARGEST_TILE, max(SMALLEST_TILE, edge))


def _heading_lines(heading: str, count: int, inverted: bool, width: int) -> list[str]:
    radiation = "darker" if inverted else "brighter"
    paragraphs = [heading, f"{LEGEND}; more radiation is {radiation}, where the file tells."]
    if count > MOST:
        paragraphs.insert(1, f"Only the first {MOST} of {count} images are shown.")
    pen = TextWriter(blank((1, 1), WHITE))
    return [line for paragraph in paragraphs for line in pen.wrapped(paragraph, width)]


def _caption(place: int, ds: Dataset) -> list[str]:
    image = image_ref(ds, from_file=True)
    told = [str(place), energy(image), image.machine]
    angles = [
        f"{letter}{degrees(ds, keyword)}"
        for letter, keyword in (
            ("G", "GantryAngle"),
            ("C", "BeamLimitingDeviceAngle"),
            ("T", "PatientSupportAngle"),
        )
    ]
    taken = f"{image.acquired:%Y-%m-%d %H:%M:%S}" if image.acquired else "no date"
    return ["  ".join(filter(None, told)), "  ".join(angles), taken]


def energy(image: ImageRef) -> str:
    """The beam of an image, for people: its energy, or MV or kV alone; empty if nothing tells."""
    if image.peak_kv is None or not 0 < image.peak_kv < 100_000:
        return {"MU": "MV", "MINUTE": "kV"}.get(image.dose_unit or "", "")
    return f"{image.peak_kv / 1000:.3g} MV" if image.peak_kv >= 1000 else f"{image.peak_kv:.3g} kV"


def degrees(ds: Dataset, keyword: str) -> str:
    """A whole number of degrees; encoders are noisy, and 359.9867 is 0."""
    angle = number(ds, keyword)
    return "?" if angle is None else str(round(angle) % 360)


def _tile(ds: Dataset, edge: int, inverted: bool) -> Image:
    image = drawn(ds, edge, inverted)
    tile = blank((edge, edge), PALE)
    tile.paste(image, ((edge - image.width) // 2, (edge - image.height) // 2))
    return tile


def _empty_tile(edge: int, reason: NoPictureError) -> Image:
    tile = blank((edge, edge), PALE)
    pen = TextWriter(tile)
    pen.write(GAP, GAP, pen.wrapped(f"no picture: {reason}", edge - 2 * GAP), edge - 2 * GAP)
    return tile
