"""Files and folders that are whole or not there, and what to do about what a disk refuses."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import Iterator

from qatrack_aria.errors import ArchiveError
from qatrack_aria.text import error_reason

PRIVATE = 0o700

#: What to do about what the system says; else something is wrong with the place itself.
CURES = {
    errno.ENOSPC: "free some space on that disk",
    errno.EDQUOT: "raise the quota or free some space",
    errno.EFBIG: "raise the web server's limit for the size of a file (ulimit -f)",
    errno.EROFS: "choose another place by QATRACK_ARIA_ARCHIVE",
    errno.EIO: "that disk is failing: have somebody look after it",
    errno.ENOENT: "something has cleared that folder: find out what does, and ask again",
}
ANY_OTHER = "see what is there, or choose another place by QATRACK_ARIA_ARCHIVE"


def make_private_folder(folder: Path, parents: bool = False) -> None:
    """Make a folder that only its owner may enter; one that is there stays as it is.

    What it lies in is made only by `parents`, and not private: an archive that somebody removes
    in the midst of a transfer must not come back in part, and open to all.

    Raises
    ------
    ArchiveError
        The disk refused.
    """
    try:
        folder.mkdir(mode=PRIVATE, parents=parents, exist_ok=True)
    except OSError as error:
        raise disk_error("make", folder, error) from error


@contextlib.contextmanager
def partial_file(folder: Path) -> Iterator[Path]:
    """A file of its own to write into, gone in the end unless it was moved into its place."""
    handle, name = tempfile.mkstemp(suffix=".part", dir=folder)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        remove_file(Path(name))


def disk_error(doing: str, path: Path, error: Exception) -> ArchiveError:
    """The error to raise where the disk refused; `error` is what the system said."""
    if isinstance(error, PermissionError):
        cure = f"let the account that runs QATrack+ write there{_owner(path)}"
    else:
        cure = CURES.get(getattr(error, "errno", None) or 0, ANY_OTHER)
    return ArchiveError(f"Archive: cannot {doing} {path} ({error_reason(error)}): {cure}.")


def remove_file(path: Path) -> None:
    """Remove a file, a read-only one too (Windows minds), if it is there."""
    with contextlib.suppress(OSError):
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        path.unlink()


def move_into_place(partial: Path, path: Path) -> None:
    """Give a file its name; what had it before is gone."""
    try:
        os.replace(partial, path)
    except PermissionError:  # Windows does not replace a read-only file
        remove_file(path)
        os.replace(partial, path)


def _owner(path: Path) -> str:
    """Whose the folder is, where the system tells: mostly of who tried the command first."""
    for folder in path.parents:
        with contextlib.suppress(OSError, KeyError, NotImplementedError):
            return f" ({folder} belongs to {folder.owner()})"
    return ""
