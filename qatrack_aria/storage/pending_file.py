"""An instance that has arrived and was checked, and is to be filed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import BinaryIO, Sequence

from pydicom.dataset import Dataset

from qatrack_aria.storage import digests
from qatrack_aria.storage.filesystem import READ_ONLY, disk_error, move_into_place


class PendingFile:
    """A complete instance beside the archive, not filed yet.

    Parameters
    ----------
    header : Dataset
        As :meth:`Archive.header` returns it.
    file, partial, record : BinaryIO, Path, Path
        The file, still open, its path, and the path of its record.
    parts, source : sequence of bytes, str
        What was written to it, and where it came from.
    path : Path
        Its place in the archive.
    stack : ExitStack
        Closes the file, and removes it unless it was filed.
    """

    def __init__(
        self,
        header: Dataset,
        file: BinaryIO,
        partial: Path,
        record: Path,
        parts: Sequence[bytes],
        source: str,
        path: Path,
        stack: contextlib.ExitStack,
    ) -> None:
        self.header = header
        self._file = file
        self._partial = partial
        self._record = record
        self._parts = parts
        self._source = source
        self._path = path
        self._stack = stack

    def commit(self) -> None:
        """Flush it to the disk, record its digests, then move it into the archive.

        The digests are those of the bytes that came over the network, not of what the disk
        returns. They come first: a file without its own digests is fetched again.

        Raises
        ------
        ArchiveError
            It cannot be written to disk.
        """
        try:
            with self._stack:
                os.fsync(self._file.fileno())
                self._file.close()  # Windows renames no open file
                os.chmod(self._partial, READ_ONLY)
                proof = digests.digests_of(self._parts, self._source)
                digests.record(self._record, self._path, proof)
                move_into_place(self._partial, self._path)
        except OSError as error:
            raise disk_error("write", self._path, error) from error
