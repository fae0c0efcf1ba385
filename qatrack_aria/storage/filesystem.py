"""Files and folders that are complete or absent, and errors of the disk with what to do."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any, Iterator

from qatrack_aria.errors import ArchiveError
from qatrack_aria.text import error_reason

PRIVATE = 0o700
READ_ONLY = 0o400

#: What to do about an error of the system.
ADVICE = {
    errno.ENOSPC: "free some space on that disk",
    errno.EDQUOT: "raise the quota or free some space",
    errno.EFBIG: "raise the web server's limit for the size of a file (ulimit -f)",
    errno.EROFS: "choose another folder by QATRACK_ARIA_ARCHIVE",
    errno.EIO: "that disk is failing: have it checked",
    errno.ENOENT: "something has cleared that folder: find out what it is, and ask again",
}
OTHER_ADVICE = "check that folder, or choose another one by QATRACK_ARIA_ARCHIVE"


def make_private_folder(folder: Path, parents: bool = False) -> None:
    """Create a folder that only its owner may enter, unless it exists.

    Its parents are created only with `parents`, and are not private: an archive that is removed
    during a retrieval must not be restored in part, and accessible to all.

    Raises
    ------
    ArchiveError
        It cannot be created.
    """
    try:
        folder.mkdir(mode=PRIVATE, parents=parents, exist_ok=True)
    except OSError as error:
        raise disk_error("make", folder, error) from error


@contextlib.contextmanager
def partial_file(folder: Path) -> Iterator[Path]:
    """Create an empty file in a folder; it is removed at the end unless it was moved."""
    handle, name = tempfile.mkstemp(suffix=".part", dir=folder)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        remove_file(Path(name))


def disk_error(doing: str, path: Path, error: Exception) -> ArchiveError:
    """Return the error for `error`, which the system raised when `doing` something with `path`."""
    if isinstance(error, PermissionError):
        advice = f"let the account that runs QATrack+ write there{_owner(path)}"
    else:
        advice = ADVICE.get(getattr(error, "errno", None) or 0, OTHER_ADVICE)
    return ArchiveError(f"Archive: cannot {doing} {path} ({error_reason(error)}): {advice}.")


def now_on_disk(folder: Path) -> float:
    """Return the time by which a disk dates the files that are written to it now.

    The hosts that share an archive may have different clocks; the disk has one.

    Raises
    ------
    OSError
        Nothing can be written there.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"?")
        file.flush()
        return os.fstat(file.fileno()).st_mtime


def entries_older_than(folder: Path, seconds: float) -> list[Path]:
    """Return the entries of a folder that were modified longer ago than that.

    Entries that another process removes meanwhile are left out. A folder that cannot be read has
    none: a failure to tidy up must not fail a fetch.
    """
    old = []
    with contextlib.suppress(OSError):
        entries = list(folder.iterdir())
        limit = now_on_disk(folder) - seconds if entries else 0.0
        for path in entries:
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < limit:
                    old.append(path)
    return old


def remove_file(path: Path) -> None:
    """Remove a file if it exists, also a read-only one (on Windows)."""
    with contextlib.suppress(OSError):
        try:
            path.unlink()
        except PermissionError:  # Windows removes no read-only file
            path.chmod(stat.S_IRUSR | stat.S_IWUSR)
            path.unlink()


def hashed_name(key: Any) -> str:
    """Return the name of a file on something, which is given in JSON's types and dataclasses."""
    text = json.dumps(key, sort_keys=True, default=dataclasses.asdict)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def replace_text(path: Path, text: str, modified: int | None = None) -> None:
    """Write a text file, or leave it as it is if the disk does not accept it.

    `modified` is the time, in nanoseconds since 1970, by which it is dated; default: now.
    """
    with contextlib.suppress(OSError), partial_file(path.parent) as partial:
        partial.write_text(text, encoding="utf-8")
        if modified is not None:
            os.utime(partial, ns=(modified, modified))
        os.replace(partial, path)


def move_into_place(partial: Path, path: Path) -> None:
    """Rename a file, replacing any file with that name."""
    try:
        os.replace(partial, path)
    except PermissionError:  # Windows does not replace a read-only file
        remove_file(path)
        os.replace(partial, path)


def _owner(path: Path) -> str:
    """Return who owns the folder, where the system tells; mostly the first user of the command."""
    for folder in path.parents:
        with contextlib.suppress(OSError, KeyError, NotImplementedError):
            return f" ({folder} belongs to {folder.owner()})"
    return ""
