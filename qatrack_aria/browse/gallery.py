"""Show the images of a retrieval, from the folder of its set.

A row of the database is data: its folder is used only if it is the folder of a set, and its images
are shown only if the node may (still) fetch its patient.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

import pydicom
from pydicom.dataset import Dataset

from qatrack_aria import rendering
from qatrack_aria.conf import conf
from qatrack_aria.dicom.attributes import image_ref
from qatrack_aria.dicom.character_sets import decode_texts
from qatrack_aria.dicom.values import text
from qatrack_aria.errors import ArchiveError, PatientNotAllowedError
from qatrack_aria.models import Retrieval
from qatrack_aria.rendering.canvas import require_libraries
from qatrack_aria.rendering.contact_sheet import angles, energy
from qatrack_aria.rendering.image import number
from qatrack_aria.storage import set_folder
from qatrack_aria.storage.filesystem import disk_error

#: The side of a small picture in pixels: twice its size on the page, for high-resolution screens.
EDGE = 360
#: Pictures that one process draws at a time: each takes up to thirty times the size of its file.
AT_A_TIME = threading.BoundedSemaphore(2)


@dataclass(frozen=True)
class GalleryImage:
    """The caption of a picture; texts that the file lacks are empty.

    Attributes
    ----------
    place : int
        Its position in the set, from 1.
    gantry, collimator, couch : str
        Whole degrees; ``?`` where the angle is absent or invalid.
    distance : str
        Source to image distance (RT Image SID) in mm.
    error : str
        Says that the header cannot be read.
    """

    place: int
    acquired: dt.datetime | None = None
    gantry: str = "?"
    collimator: str = "?"
    couch: str = "?"
    machine: str = ""
    beam: str = ""
    distance: str = ""
    label: str = ""
    error: str = ""


def set_files(row: Retrieval) -> list[Path]:
    """Return the files of a retrieval's set, in the order of acquisition.

    Raises
    ------
    PatientNotAllowedError
        The node may not (or no longer) fetch the patient, or was removed.
    ArchiveError
        The retrieval has no set, or the set was removed.
    """
    _require_allowed(row)
    folder = _folder(row)
    try:
        files = sorted(folder.glob("*.dcm")) if folder.is_dir() else []
    except OSError as error:
        raise disk_error("read", folder, error) from error
    if not files:
        raise ArchiveError(
            f"Archive: the folder of this retrieval's images is gone: sets are removed after "
            f"{conf.KEEP_SETS_DAYS} days. The images themselves stay in the archive: fetch them "
            "once more, which moves only what is missing."
        )
    return files


def gallery_images(files: Sequence[Path], places: range, character_set: str) -> list[GalleryImage]:
    """Return the captions of some files.

    Parameters
    ----------
    files : sequence of Path
        All files of the set.
    places : range
        The positions of some of them, from 0.
    character_set : str
        Specific Character Set of files that do not specify one.

    Raises
    ------
    ConfigurationError
        numpy or Pillow is missing.
    """
    require_libraries()
    return [_gallery_image(files[place], place + 1, character_set) for place in places]


def draw(file: Path, *, full: bool, inverted: bool) -> bytes:
    """Draw a picture as PNG, in full size or small; a small one says why it cannot be shown."""
    with AT_A_TIME:
        if full:
            with contextlib.suppress(rendering.NoPictureError):
                return rendering.as_png(rendering.draw_image(file, inverted=inverted))
        return rendering.as_png(rendering.draw_thumbnail(file, EDGE, inverted=inverted))


def _require_allowed(row: Retrieval) -> None:
    if row.node is None:
        raise PatientNotAllowedError(
            "Patient: the node of this retrieval has been removed, so it is unknown whose images "
            "may be shown: fetch them from another node."
        )
    row.node.require_allowed(row.patient_id)


def _folder(row: Retrieval) -> Path:
    if not row.folder:
        raise ArchiveError("Archive: this retrieval has no images: its message says why.")
    folder, sets = Path(row.folder), conf.ARCHIVE / "sets"
    named = set_folder.NAME.fullmatch(folder.name) is not None
    if not named or folder.is_symlink() or folder.parent.resolve() != sets.resolve():
        raise ArchiveError(
            f"Archive: the folder that this retrieval names is not an image set in {sets}: was the "
            "archive moved? Fetch the images again."
        )
    return folder


def _gallery_image(file: Path, place: int, character_set: str) -> GalleryImage:
    try:
        ds = pydicom.dcmread(file, stop_before_pixels=True)
        decode_texts(ds, character_set)
    except Exception:  # garbage raises any kind, and the message may quote the file
        return GalleryImage(place, error="The file cannot be read.")
    image = image_ref(ds, from_file=True)
    gantry, collimator, couch = angles(ds)
    return GalleryImage(
        place,
        image.acquired,
        gantry,
        collimator,
        couch,
        image.machine,
        energy(image),
        _millimetres(ds),
        text(ds, "RTImageLabel") or "",
    )


def _millimetres(ds: Dataset) -> str:
    distance = number(ds, "RTImageSID")
    return f"{distance:.0f} mm" if distance is not None and 0 < distance < 100_000 else ""
