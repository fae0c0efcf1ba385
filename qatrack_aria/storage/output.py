"""Files and folders outside the archive: checked before anything is sent, written completely."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from pathlib import Path
from typing import Iterable, Iterator

from qatrack_aria.errors import ArchiveError, RequestError
from qatrack_aria.storage.filesystem import remove_file
from qatrack_aria.text import error_reason

#: What a killed process leaves beside its output, the second by version 0.1. The ending alone would
#: also be that of a browser's unfinished download.
LEFT_OVER = re.compile(r".+\.[0-9a-f]{8}\.part|[0-9.]+\.dcm\.part")


def others_in(folder: Path, names: Iterable[str] = ()) -> list[str]:
    """Return what a folder holds besides `names` and what a killed process of ours has left.

    Raises
    ------
    OSError
        It cannot be read.
    """
    return sorted({e.name for e in folder.iterdir() if not _is_left_over(e)} - set(names))


def require_empty(folder: Path) -> None:
    """Check that a folder for images is empty or does not exist.

    What a killed process of ours has left in it does not count: :func:`write_all` removes that.

    Raises
    ------
    RequestError
        It is not empty, or not a folder.
    """
    try:
        is_file = folder.exists() and not folder.is_dir()
        is_full = folder.is_dir() and bool(others_in(folder))
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
    partial = _partial(target)
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


def write_all(folder: Path, contents: Iterable[tuple[str, bytes]]) -> list[Path]:
    """Write files into a folder: all of them, or none.

    Parameters
    ----------
    folder : Path
        Created if it does not exist. What a killed process of ours has left in it is removed.
    contents : iterable of (str, bytes)
        Names and contents; an existing file of that name is replaced.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    ArchiveError
        One cannot be written. Whatever iterating over `contents` raises is raised as well.
    """
    partials: list[Path] = []
    files: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left_over in filter(_is_left_over, folder.iterdir()):
            left_over.unlink()
        for name, content in contents:
            files.append(folder / name)
            partials.append(Path(_partial(str(files[-1]))))
            partials[-1].write_bytes(content)
        for partial, file in zip(partials, files):
            os.replace(partial, file)
    except BaseException as error:
        for path in (*partials, *files):  # a partial set would look like a complete one
            remove_file(path)
        if not isinstance(error, OSError):
            raise
        raise ArchiveError(
            f"Output: cannot write to {folder} ({error_reason(error)}): choose another folder."
        ) from error
    return files


def _partial(target: str) -> str:
    return f"{target}.{secrets.token_hex(4)}.part"


def _is_left_over(path: Path) -> bool:
    return LEFT_OVER.fullmatch(path.name) is not None and path.is_file()
