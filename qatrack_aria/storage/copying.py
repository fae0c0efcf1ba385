"""Copies of files, with the digest of what was copied.

A copy shares its blocks with the original where the disk can do that (Btrfs, XFS, NFS 4.2): Linux's
``copy_file_range`` does so by itself. It is a file of its own in any case: whoever writes into it
changes no other.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, BinaryIO

from qatrack_aria.storage.digests import digest_of, pieces
from qatrack_aria.storage.filesystem import READ_ONLY


def copy(source: Path, target: Path) -> str:
    """Copy a file into a new, read-only one of the same date; returns the SHA-256 of the copy.

    Raises
    ------
    OSError
        It cannot be read or written.
    """
    with open(source, "rb") as original, open(target, "xb") as made:
        digest = None if _shared(original, made) else _copied(original, made)
    if digest is None:
        digest = digest_of(target)
    # Dated back: whoever changes it changes its date, even within the same tick of the clock.
    filed = int(os.stat(source).st_mtime)
    os.utime(target, (filed, filed))
    os.chmod(target, READ_ONLY)
    return digest


def _shared(original: BinaryIO, made: BinaryIO) -> bool:
    """Copy within the kernel; returns whether that worked."""
    within: Any = getattr(os, "copy_file_range", None)
    size = os.fstat(original.fileno()).st_size
    if within is None:
        return False
    done = 0
    try:
        while done < size:
            count = within(original.fileno(), made.fileno(), size - done, done, done)
            if not count:
                break
            done += count
    except OSError:  # another disk, or one that cannot
        return False
    return done == size


def _copied(original: BinaryIO, made: BinaryIO) -> str:
    """Copy all of a file, and return its SHA-256."""
    # The kernel was given the positions: both files are still at their beginning.
    digest = hashlib.sha256()
    for piece in pieces(original):
        digest.update(piece)
        made.write(piece)
    return digest.hexdigest()
