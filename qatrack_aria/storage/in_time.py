"""Bound the time that a disk may take: one that hangs, as a network drive does, answers never."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Callable, TypeVar

from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.errors import ArchiveError

T = TypeVar("T")


def in_time(deadline: Deadline, root: Path, work: Callable[[], T]) -> T:
    """Do some work on the disk, in a thread that is left behind if the disk hangs.

    Parameters
    ----------
    deadline : Deadline
        The end of waiting. After it, the disk still gets a moment.
    root : Path
        A folder that names the disk.
    work : callable
        Returns the result, or raises any error.

    Raises
    ------
    ArchiveError
        The disk has not answered in time.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # raised below, in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name="aria-disk", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # no more threads: then without a limit
        return work()
    thread.join(deadline.briefly(deadline.seconds))
    if errors:
        raise errors[0]
    if not results:
        raise ArchiveError(
            f"Archive: the disk of {root} has not answered within {deadline.seconds:g} s: have it "
            "checked, or its network."
        )
    return results[0]
