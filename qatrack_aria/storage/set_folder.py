"""The folders of image sets, each with exactly the images of its set.

The files are hard links into the archive where the disk supports them, else copies; read-only,
because an analysis that wrote into them would change the archive. A folder outlives the Python
object, and is removed after some days.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import time
from pathlib import Path
from typing import Sequence

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.storage.archive import READ_ONLY, Archive
from qatrack_aria.storage.filesystem import (
    disk_error,
    entries_older_than,
    make_private_folder,
    remove_file,
)

#: Name of a set's folder: its date and time, and a random part.
NAME = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")


def lay_out(
    archive: Archive, images: Sequence[ImageRef]
) -> tuple[Path, list[ImageRef], list[Path]]:
    """Create a set's folder from images in the archive.

    Returns
    -------
    tuple of (Path, list of ImageRef, list of Path)
        The folder, the images in the order of acquisition, and their files.

    Raises
    ------
    ArchiveError
        The folder cannot be written.
    """
    ordered = sorted(images, key=lambda image: image.order)
    folder = archive.sets / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
    make_private_folder(folder)
    files = []
    try:
        for number, image in enumerate(ordered, 1):
            stamp = f"{image.acquired:%Y%m%d-%H%M%S}" if image.acquired else "00000000-000000"
            file = folder / f"{stamp}_{number:03d}.dcm"
            _link(archive.path(image.sop_uid), file)
            files.append(file)
    except OSError as error:
        remove_set(folder)
        raise disk_error("lay out the images in", folder, error) from error
    return folder, ordered, files


def prune(archive: Archive, days: int) -> int:
    """Remove the folders of sets that are older than `days` days.

    Returns
    -------
    int
        The number of removed folders; the images stay in the archive.
    """
    removed = 0
    for folder in entries_older_than(archive.sets, days * 86400):
        with contextlib.suppress(OSError):
            remove_set(folder)
            removed += not folder.exists()
    return removed


def remove_set(folder: Path) -> None:
    """Remove a set's folder, as far as the system allows."""
    for file in folder.glob("*.dcm"):
        _unlink(file)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _unlink(file: Path) -> None:
    # A hard link shares its mode with the file in the archive: change it only where the system
    # requires that (Windows).
    try:
        file.unlink()
    except PermissionError:
        remove_file(file)
    except OSError:
        pass


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, a disk without hard links, or too many of them
        shutil.copyfile(source, target)
        os.chmod(target, READ_ONLY)
