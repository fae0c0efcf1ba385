"""The folders of image sets, each with exactly the images of its set.

The files are copies, which are compared with the digests that were recorded when the images were
filed; so nothing that an analysis does to them reaches the archive. A folder outlives the Python
object, and is removed after some days.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Mapping, NamedTuple, Sequence

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.storage import copying
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.digests import digest_of
from qatrack_aria.storage.filesystem import (
    disk_error,
    entries_older_than,
    hashed_name,
    make_private_folder,
    remove_file,
)
from qatrack_aria.storage.packing import changed

#: Name of a set's folder: its date and time, and a random part.
NAME = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")
AT_A_TIME = 4  # copies; computing the digests takes longest, and uses all processors


class LaidOut(NamedTuple):
    """The folder of a set, and its images in their order; ``None`` for a part without one yet."""

    folder: Path | None
    images: list[ImageRef]
    files: list[Path]
    digests: list[str]


class DamagedError(Exception):
    """Images are gone from the archive, or were damaged there and are removed.

    Attributes
    ----------
    sop_uids : list of str
        Their SOP Instance UIDs.
    """

    def __init__(self, sop_uids: list[str]) -> None:
        super().__init__(", ".join(sop_uids))
        self.sop_uids = sop_uids


def lay_out(archive: Archive, images: Sequence[ImageRef]) -> LaidOut:
    """Create a set's folder from images in the archive.

    Raises
    ------
    DamagedError
        The archive does not have all of them as they were filed.
    ArchiveError
        The folder cannot be written.
    """
    ordered = sorted(images, key=lambda image: image.place)
    folder = archive.sets / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
    make_private_folder(folder)
    files = [folder / _name(number, image) for number, image in enumerate(ordered, 1)]
    try:
        uids = [image.sop_uid for image in ordered]
        with ThreadPool(AT_A_TIME) as copiers:  # the end of the process does not wait for these
            digests = copiers.starmap(archive.copy, zip(uids, files), chunksize=1)
    except OSError as error:
        remove_set(folder)
        raise disk_error("lay out the images in", folder, error) from error
    damaged = [uid for uid, digest in zip(uids, digests) if digest is None]
    if damaged:
        remove_set(folder)
        raise DamagedError(damaged)
    return LaidOut(folder, ordered, files, [digest or "" for digest in digests])


def lay_out_part(files: Mapping[str, str]) -> Path:
    """Create a folder of some files of a set, beside its own.

    The same files always have the same folder: QATrack+ asks for it at every changed field.

    Parameters
    ----------
    files : mapping of str to str
        The files, and the SHA-256 of each as it was handed over.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ArchiveError
        It cannot be written, or a file was changed since it was handed over.
    """
    sources = [Path(file) for file in files]
    whole = sources[0].parent
    part = hashed_name([source.name for source in sources])[:8]
    folder = whole.with_name(f"{whole.name}-{part}")
    try:
        if not _holds(folder, files):
            _copy_all(files, folder)
    except OSError as error:
        raise disk_error("lay out the images in", folder, error) from error
    return folder


def _holds(folder: Path, files: Mapping[str, str]) -> bool:
    """Return whether a folder holds these files, unchanged, and nothing else."""
    wanted = {Path(file).name: digest for file, digest in files.items()}
    try:
        names = {entry.name for entry in folder.iterdir()}
        return names == set(wanted) and all(digest_of(folder / n) == d for n, d in wanted.items())
    except FileNotFoundError:
        return False


def _copy_all(files: Mapping[str, str], folder: Path) -> None:
    made = folder.with_name(f"{folder.name}-{secrets.token_hex(4)}")
    make_private_folder(made)
    try:
        for file, digest in files.items():
            if copying.copy(Path(file), made / Path(file).name) != digest:
                raise changed(file)
        if folder.exists():
            remove_set(folder)  # it was changed
        try:
            made.rename(folder)
        except OSError:
            if not _holds(folder, files):  # another process has made the same
                raise
    finally:
        remove_set(made)


def _name(number: int, image: ImageRef) -> str:
    stamp = f"{image.acquired:%Y%m%d-%H%M%S}" if image.acquired else "00000000-000000"
    return f"{stamp}_{number:03d}.dcm"


def folder_state(folder: Path) -> list[list[object]]:
    """Return what changes when files in a folder are changed, added or removed.

    Raises
    ------
    OSError
        It cannot be read, as when it was removed.
    """
    state: list[list[object]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            stat = os.lstat(entry.path)  # what Windows lists is incomplete, and may be old
            state.append(
                [entry.name, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
            )
    return sorted(state, key=lambda entry: str(entry[0]))


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
        remove_file(file)
    with contextlib.suppress(OSError):
        folder.rmdir()
