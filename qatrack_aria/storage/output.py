"""Files and folders outside the archive: checked before anything is sent, written completely."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Iterator

from qatrack_aria.errors import ArchiveError, RequestError
from qatrack_aria.storage.filesystem import remove_file
from qatrack_aria.text import error_reason


def require_empty(folder: Path) -> None:
    """Check that a folder for images is empty or does not exist.

    Raises
    ------
    RequestError
        It is not empty, or not a folder.
    """
    try:
        is_file = folder.exists() and not folder.is_dir()
        is_full = folder.is_dir() and any(folder.iterdir())
    except OSError as error:
        raise RequestError(
            f"Output: cannot look into {folder} ({error_reason(error)}): name another folder. "
            "Nothing was sent."
        ) from error
    if is_file:
        raise RequestError(f"Output: {folder} is a file: name a folder. Nothing was sent.")
    if is_full:
        raise RequestError(
            f"Output: {folder} is not empty, and old images among the new ones would give a wrong "
            "result: name an empty or a new folder. Nothing was sent."
        )


def require_folder_of(file: Path) -> None:
    """Check that a file can be written to its path.

    Raises
    ------
    RequestError
        Its folder does not exist, or it is a folder itself.
    """
    if not file.parent.is_dir():
        raise RequestError(
            f"Output: there is no folder {file.parent} for {file.name}: create it, or name "
            "another. Nothing was sent."
        )
    if file.is_dir():
        raise RequestError(f"Output: {file} is a folder: name a file. Nothing was sent.")


@contextlib.contextmanager
def replacing(target: str, step: str) -> Iterator[str]:
    """Create a file beside `target`, and replace `target` by it at the end."""
    partial = f"{target}.{secrets.token_hex(4)}.part"
    try:
        try:
            yield partial
            os.replace(partial, target)
        finally:
            remove_file(Path(partial))
    except OSError as error:
        raise ArchiveError(
            f"{step}: cannot write {target} ({error_reason(error)}): choose another place."
        ) from error
