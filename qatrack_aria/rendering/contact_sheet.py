"""All images of a set on one contact sheet, with captions from their headers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Sequence

from pydicom.dataset import Dataset

from qatrack_aria.dicom.attributes import ImageRef, image_ref
from qatrack_aria.rendering.canvas import LINE, PALE, WHITE, TextWriter, blank
from qatrack_aria.rendering.image import NoPictureError, draw, number, read

if TYPE_CHECKING:
    from PIL.Image import Image

#: Images on one sheet; further ones are left out. A sheet then has 22 million pixels.
MAX_IMAGES = 1000
#: The edge of a tile in pixels; a date and time just fits under the smallest.
SMALLEST_TILE, LARGEST_TILE = 120, 512
#: The width of a sheet in pixels, unless its tiles are the smallest or largest.
SHEET_WIDTH = 1600
#: The least width of a sheet: the heading needs it if there is one image only.
NARROWEST_SHEET = 640
GAP, MARGIN = 8, 4
CAPTION_LINES = 3

AXES = ("GantryAngle", "BeamLimitingDeviceAngle", "PatientSupportAngle")
LEGEND = "G gantry, C collimator, T couch, in degrees. Each picture has a grey scale of its own"


def draw_thumbnail(file: str | Path, edge: int, *, inverted: bool = False) -> Image:
    """Draw one image in a square, or the reason why it cannot be shown.

    Parameters
    ----------
    file : str or Path
        A DICOM file.
    edge : int
        The side of the square in pixels.
    inverted : bool
        Whether more radiation is darker, as on film.

    Returns
    -------
    PIL.Image.Image
        The picture in 256 greys.

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

    The captions have number, energy, machine, angles, date and time. The tile of a file that cannot
    be shown gives the reason. Only one image at a time is in memory.

    Parameters
    ----------
    files : sequence of str or Path
        DICOM files. Only the first `MAX_IMAGES` are shown, and the sheet says so.
    heading : str
        Text above the images.
    inverted : bool
        Whether more radiation is darker, as on film.

    Returns
    -------
    PIL.Image.Image
        The sheet in 256 greys; the same for the same files, heading and version of Pillow.

    Raises
    ------
    ConfigurationError
        numpy or Pillow is missing.
    """
    shown = files[:MAX_IMAGES]
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
    """Return rows, columns and the edge of a tile, for a sheet somewhat wider than high."""
    rows = math.ceil(count / max(1, math.ceil(math.sqrt(1.6 * count))))
    columns = math.ceil(count / max(1, rows))
    edge = SHEET_WIDTH // max(1, columns) - GAP
    return rows, columns, min(LARGEST_TILE, max(SMALLEST_TILE, edge))


def _heading_lines(heading: str, count: int, inverted: bool, width: int) -> list[str]:
    radiation = "darker" if inverted else "brighter"
    paragraphs = [heading, f"{LEGEND}; more radiation is {radiation}, if the file defines it."]
    if count > MAX_IMAGES:
        paragraphs.insert(1, f"Only the first {MAX_IMAGES} of {count} images are shown.")
    pen = TextWriter(blank((1, 1), WHITE))
    return [line for paragraph in paragraphs for line in pen.wrap(paragraph, width)]


def _caption(place: int, ds: Dataset) -> list[str]:
    image = image_ref(ds, from_file=True)
    parts = [str(place), energy(image), image.machine]
    taken = f"{image.acquired:%Y-%m-%d %H:%M:%S}" if image.acquired else "no date"
    return ["  ".join(filter(None, parts)), _place(image, ds), taken]


def _place(image: ImageRef, ds: Dataset) -> str:
    """Return the angles of an image, or the position of a CT slice."""
    if image.slice is None:
        return "  ".join(f"{letter}{angle}" for letter, angle in zip("GCT", angles(ds)))
    height = image.slice.height
    return "no position" if height is None else f"at {height:.1f} mm"


def energy(image: ImageRef) -> str:
    """Return the energy of an image such as "6 MV", or MV or kV alone; empty if unknown."""
    if image.peak_kv is None or not 0 < image.peak_kv < 100_000:
        return {"MU": "MV", "MINUTE": "kV"}.get(image.dose_unit or "", "")
    return f"{image.peak_kv / 1000:.3g} MV" if image.peak_kv >= 1000 else f"{image.peak_kv:.3g} kV"


def angles(ds: Dataset) -> list[str]:
    """Return the angles of gantry, collimator and couch in whole degrees, or ``?`` for each.

    Encoders are noisy, and 359.9867 is 0.
    """
    values = (number(ds, keyword) for keyword in AXES)
    return ["?" if angle is None else str(round(angle) % 360) for angle in values]


def _tile(ds: Dataset, edge: int, inverted: bool) -> Image:
    image = draw(ds, edge, inverted)
    tile = blank((edge, edge), PALE)
    tile.paste(image, ((edge - image.width) // 2, (edge - image.height) // 2))
    return tile


def _empty_tile(edge: int, reason: NoPictureError) -> Image:
    tile = blank((edge, edge), PALE)
    pen = TextWriter(tile)
    pen.write(GAP, GAP, pen.wrap(f"no picture: {reason}", edge - 2 * GAP), edge - 2 * GAP)
    return tile
