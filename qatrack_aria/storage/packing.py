"""What leaves the folder of a set: files that are still as they were handed over."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any, Mapping

from qatrack_aria.dicom.part10 import without_staff
from qatrack_aria.errors import ArchiveError
from qatrack_aria.storage.digests import digest_of
from qatrack_aria.storage.filesystem import disk_error

#: The files of a set, and the SHA-256 of each as it was handed over.
Files = Mapping[str, str]


def require_unchanged(files: Files) -> None:
    """Check that the files of a set are as they were handed over.

    Raises
    ------
    ArchiveError
        One was changed since, is gone, or cannot be read.
    """
    for file, digest in files.items():
        try:
            found = digest_of(Path(file))
        except OSError as error:
            raise disk_error("read", Path(file), error) from error
        if found != digest:
            raise changed(file)


def read_unchanged(file: str, digest: str) -> bytes:
    """Return the content of a file of a set; raises as :func:`require_unchanged` does."""
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise disk_error("read", Path(file), error) from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise changed(file)
    return content


def write_zip(target: Any, files: Files, *, staff: bool) -> None:
    """Pack the files of a set; raises as :func:`require_unchanged` does.

    Parameters
    ----------
    target : str or file object
        The zip file.
    files : mapping of str to str
        The files, and their digests.
    staff : bool
        Whether the names of staff are kept.
    """
    with zipfile.ZipFile(target, "w") as archive:
        for file, digest in files.items():
            content = read_unchanged(file, digest)
            entry = zipfile.ZipInfo.from_file(file, Path(file).name)
            packed = content if staff else without_staff(content)
            archive.writestr(entry, packed, zipfile.ZIP_DEFLATED)


def changed(file: str) -> ArchiveError:
    """Return the error for a file of a set that is not as it was handed over."""
    return ArchiveError(
        f"Images: {file} was changed after it was handed over, and is not that image any "
        "more: fetch the images again."
    )
