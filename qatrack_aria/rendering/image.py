"""One image, drawn for people: windowed by its own values, and nothing to measure in."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom
from pydicom.dataset import Dataset

from qatrack_aria.dicom.values import text
from qatrack_aria.rendering.canvas import MEDIUM, library

if TYPE_CHECKING:
    from PIL.Image import Image

#: Per cent of the pixels that the window leaves out at either end. The usual 1 would lose a small
#: field among the outliers: a cone of 5 mm covers 0.02 % of a TrueBeam's imager.
OUTLIERS = 0.01
#: The longer side of the reduced image in which the window is looked for, whatever the size shown.
REDUCED = 512
#: Pixels of an image; imagers have two million. Fewer than a hostile header can promise.
LARGEST_IMAGE = 5000 * 5000


class NoPictureError(Exception):
    """A file that cannot be shown; the message says why, in a few words."""


def draw_image(file: str | Path, longest: int | None = None, *, inverted: bool = False) -> Image:
    """Draw one image.

    Parameters
    ----------
    file : str or Path
        A DICOM file.
    longest : int, optional
        The longer side of the picture in pixels; every pixel of the image if not given.
    inverted : bool
        More radiation is darker, as on film.

    Returns
    -------
    PIL.Image.Image
        In 256 greys.

    Raises
    ------
    NoPictureError
        It cannot be shown.
    ConfigurationError
        numpy or Pillow is missing.
    """
    return drawn(read(file), longest, inverted)


def read(file: str | Path) -> Dataset:
    """Read a file; raises :class:`NoPictureError` if it is no whole DICOM file."""
    try:
        return pydicom.dcmread(file)
    except OSError as error:
        if error.errno:
            raise NoPictureError(f"the file cannot be read ({error.strerror})") from error
        raise NoPictureError("the file ends early") from error
    except Exception as error:  # pydicom raises of every kind on garbage
        raise NoPictureError("the file is not DICOM") from error


def drawn(ds: Dataset, longest: int | None, inverted: bool) -> Image:
    """The image in 256 greys, its longer side as given; raises :class:`NoPictureError`."""
    np, pil = library("numpy"), library("PIL.Image")
    values = pil.fromarray(_pixels(ds))
    low, high = _window(values)
    width, height = _fitting(values.size, longest or max(values.size))
    if width < values.width:  # reduced by averages: a picket of one pixel does not get lost
        values = values.resize((width, height), pil.BOX)
    if high > low:
        greys = np.clip((np.asarray(values) - low) * (255 / (high - low)), 0, 255)
    else:  # nothing to see: an image without any contrast
        greys = np.full((values.height, values.width), MEDIUM)
    if _more_is_brighter(ds) == inverted:
        greys = 255 - greys
    picture = pil.fromarray(np.rint(greys).astype(np.uint8))
    # Enlarged pixel by pixel: nothing is drawn that was not measured.
    if picture.size == (width, height):
        return picture
    return picture.resize((width, height), pil.NEAREST)


def _fitting(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Width and height of the same shape with that longer side."""
    width, height = size
    scale = longest / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _pixels(ds: Dataset) -> Any:
    """The pixel values as they are stored, in two dimensions and as 32 bit floats.

    The rescale slope and intercept would not change a picture that is windowed by its own values.
    """
    np = library("numpy")
    _require_one_grey_frame(ds)
    try:
        values = ds.pixel_array
    except Exception as error:  # whatever a decoder makes of it
        if _is_compressed(ds):
            raise NoPictureError("compressed, and no decoder here can read it") from error
        raise NoPictureError("the pixel data do not fit the header") from error
    if values.ndim != 2:
        raise NoPictureError("not one grey image")
    return np.asarray(values, dtype=np.float32)


def _require_one_grey_frame(ds: Dataset) -> None:
    if "PixelData" not in ds:
        raise NoPictureError("no pixel data")
    if (number(ds, "SamplesPerPixel") or 1) != 1:
        raise NoPictureError("in colour")
    frames = number(ds, "NumberOfFrames") or 1
    if frames != 1:
        raise NoPictureError(f"{frames:.0f} frames in one file")
    rows, columns = number(ds, "Rows") or 0, number(ds, "Columns") or 0
    if not 0 < rows * columns <= LARGEST_IMAGE:
        raise NoPictureError(f"{columns:.0f} x {rows:.0f} pixels")


def _is_compressed(ds: Dataset) -> bool:
    try:
        return bool(ds.file_meta.TransferSyntaxUID.is_compressed)
    except (AttributeError, ValueError):  # none told, or one that nobody knows
        return False


def _window(values: Any) -> tuple[float, float]:
    """The pixel values that become the ends of the grey scale.

    A median takes away single dead pixels and lines, the percentiles what clusters are left.
    """
    np, pil, filters = library("numpy"), library("PIL.Image"), library("PIL.ImageFilter")
    if max(values.size) > REDUCED:
        values = values.resize(_fitting(values.size, REDUCED), pil.BOX)
    smooth = np.asarray(values.filter(filters.MedianFilter(3)))
    low, high = np.percentile(smooth, [OUTLIERS, 100 - OUTLIERS])
    return float(low), float(high)


def _more_is_brighter(ds: Dataset) -> bool:
    """Whether higher stored values are to be shown brighter, to have radiation bright.

    The sign is about stored values. Where it is missing (old and other makers' images), nothing
    tells what is radiation, and the image is shown as its file asks for.
    """
    sign = number(ds, "PixelIntensityRelationshipSign")
    if sign in (1, -1):
        return sign == 1
    falling = (number(ds, "RescaleSlope") or 1) < 0
    return (text(ds, "PhotometricInterpretation") == "MONOCHROME1") == falling


def number(ds: Dataset, keyword: str) -> float | None:
    """The first value of an attribute as a number, if it is one."""
    try:
        value = float(text(ds, keyword) or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def as_png(image: Image) -> bytes:
    """The picture as the bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
