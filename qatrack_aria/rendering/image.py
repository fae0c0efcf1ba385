"""Pictures of single images, windowed by their own values; not for measurements."""

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

#: Percentage of the pixels outside the window at either end. The usual 1 would exclude a small
#: field: a cone of 5 mm covers 0.02 % of a TrueBeam's imager.
OUTLIERS = 0.01
#: The longer side of the reduced image by which the window is chosen, whatever the size shown.
REDUCED = 512
#: Pixels of an image; imagers have two million. A malicious header may claim more.
LARGEST_IMAGE = 5000 * 5000


class NoPictureError(Exception):
    """A file that cannot be shown; the message is the reason in a few words."""


def draw_image(file: str | Path, longest: int | None = None, *, inverted: bool = False) -> Image:
    """Draw one image.

    Parameters
    ----------
    file : str or Path
        A DICOM file.
    longest : int, optional
        The longer side of the picture in pixels; by default that of the image.
    inverted : bool
        Whether more radiation is darker, as on film.

    Returns
    -------
    PIL.Image.Image
        The picture in 256 greys.

    Raises
    ------
    NoPictureError
        The file cannot be shown.
    ConfigurationError
        numpy or Pillow is missing.
    """
    return draw(read(file), longest, inverted)


def read(file: str | Path) -> Dataset:
    """Read a file; raises :class:`NoPictureError` if it is not a complete DICOM file."""
    try:
        return pydicom.dcmread(file)
    except OSError as error:
        if error.errno:
            raise NoPictureError(f"the file cannot be read ({error.strerror})") from error
        raise NoPictureError("the file ends early") from error
    except Exception as error:  # malformed data make pydicom raise errors of any type
        raise NoPictureError("the file is not DICOM") from error


def draw(ds: Dataset, longest: int | None, inverted: bool) -> Image:
    """Draw a data set in 256 greys; see :func:`draw_image`."""
    np, pil = library("numpy"), library("PIL.Image")
    values = pil.fromarray(_pixels(ds))
    low, high = _window(values)
    width, height = _scale(values.size, longest or max(values.size))
    if width < values.width:  # by averages: a picket of one pixel does not get lost
        values = values.resize((width, height), pil.BOX)
    if high > low:
        greys = np.clip((np.asarray(values) - low) * (255 / (high - low)), 0, 255)
    else:  # an image without any contrast
        greys = np.full((values.height, values.width), MEDIUM)
    if _more_is_brighter(ds) == inverted:
        greys = 255 - greys
    picture = pil.fromarray(np.rint(greys).astype(np.uint8))
    # Enlarged without interpolation: only measured values are drawn.
    return picture.resize((width, height), pil.NEAREST)


def _scale(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Return width and height in the same ratio, with that longer side."""
    width, height = size
    scale = longest / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _pixels(ds: Dataset) -> Any:
    """Return the stored pixel values as a two-dimensional array of 32 bit floats.

    Rescale slope and intercept would not change a picture that is windowed by its own values.
    """
    np = library("numpy")
    _require_one_grey_frame(ds)
    try:
        values = ds.pixel_array
    except Exception as error:  # errors of a decoder may be of any type
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
    except (AttributeError, ValueError):  # absent, or unknown to pydicom
        return False


def _window(values: Any) -> tuple[float, float]:
    """Return the pixel values at the ends of the grey scale.

    A median removes single dead pixels and lines, the percentiles remove clusters.
    """
    np, pil, filters = library("numpy"), library("PIL.Image"), library("PIL.ImageFilter")
    if max(values.size) > REDUCED:
        values = values.resize(_scale(values.size, REDUCED), pil.BOX)
    smooth = np.asarray(values.filter(filters.MedianFilter(3)))
    low, high = np.percentile(smooth, [OUTLIERS, 100 - OUTLIERS])
    return float(low), float(high)


def _more_is_brighter(ds: Dataset) -> bool:
    """Return whether higher stored values must be brighter, so that radiation is bright.

    The sign refers to stored values. Where it is missing (images of old imagers and other vendors)
    it is not known what is radiation, and the image is shown as its file requires.
    """
    sign = number(ds, "PixelIntensityRelationshipSign")
    if sign in (1, -1):
        return sign == 1
    falling = (number(ds, "RescaleSlope") or 1) < 0
    return (text(ds, "PhotometricInterpretation") == "MONOCHROME1") == falling


def number(ds: Dataset, keyword: str) -> float | None:
    """Return the first value of an attribute as a number, if it is one."""
    try:
        value = float(text(ds, keyword) or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def as_png(image: Image) -> bytes:
    """Return a picture as the bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
