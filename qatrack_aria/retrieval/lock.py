"""Allow one operation at a time per destination, across all threads and processes.

Two retrievals that listen on one port would get each other's images, and the longest-running
client of ARIA makes one query or move at a time.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from pathlib import Path
from typing import Iterator

from filelock import FileLock, Timeout

from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.dicom.transports import transport_of
from qatrack_aria.errors import BusyError
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.filesystem import disk_error, now_on_disk

POLL = 0.05  # s between two attempts to take the lock; no portable way to wait for it exists
YIELDED = 0.2  # s between two attempts of who lets others go first
#: Seconds between two signs that somebody waits, and for which such a sign counts.
SIGN_EVERY, SIGN_LASTS = 1.0, 2.5


@contextlib.contextmanager
def hold_destination(
    archive: Archive, peer: Peer, deadline: Deadline, who: str, *, yields: bool = False
) -> Iterator[None]:
    """Hold the destination while the block runs.

    Parameters
    ----------
    archive : Archive
        Holds the lock; all processes that may compete share it.
    peer : Peer
        Determines the destination: for C-MOVE our port.
    deadline : Deadline
        The end of waiting.
    who : str
        Describes the holder to others that wait, in a few words.
    yields : bool
        Whether all others that wait go first.

    Raises
    ------
    BusyError
        Another operation held it until the deadline; the message names it.
    """
    path = archive.locks / f"{transport_of(peer).destination(peer)}.lock"
    holder = path.with_suffix(".json")
    try:
        # A lock of its own for each call: threads of one process exclude each other too.
        lock = FileLock(str(path))
        _acquire(lock, path.with_suffix(".waiting"), deadline, yields)
    except Timeout:
        raise BusyError(
            f"Waiting: {_describe(holder)} is using the destination of {peer}, and was not done "
            f"within {deadline.seconds:g} s: ask again in a moment."
        ) from None
    except (OSError, NotImplementedError) as error:  # the latter: a disk without locks
        raise disk_error("lock", path, error) from error
    try:
        _sign(holder, who)
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink()
        with contextlib.suppress(OSError):  # the disk is gone, and the lock with it
            lock.release()


def _acquire(lock: FileLock, sign: Path, deadline: Deadline, yields: bool) -> None:
    """Take the lock; who `yields` does that only while nobody else waits for it."""
    seconds = 0.0  # who does not have to wait tells nobody
    try:
        while True:
            if not (yields and _somebody_waits(sign)):
                with contextlib.suppress(Timeout):
                    lock.acquire(timeout=seconds, poll_interval=POLL)
                    return
            if deadline.expired:
                raise Timeout(lock.lock_file)
            if yields:
                time.sleep(deadline.at_most(YIELDED))
            else:
                seconds = deadline.at_most(SIGN_EVERY)
                with contextlib.suppress(OSError):  # only the lock itself matters
                    sign.touch()
    finally:
        if seconds:
            with contextlib.suppress(OSError):  # others who wait sign again
                sign.unlink()


def _somebody_waits(sign: Path) -> bool:
    try:
        return now_on_disk(sign.parent) - sign.stat().st_mtime < SIGN_LASTS
    except OSError:
        return False


def _sign(holder: Path, who: str) -> None:
    note = {"who": who, "pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}
    with contextlib.suppress(OSError):  # only the lock itself matters
        holder.write_text(json.dumps(note), encoding="utf-8")


def _describe(holder: Path) -> str:
    try:
        note: dict[str, object] = json.loads(holder.read_text(encoding="utf-8"))
        seconds = max(0.0, time.time() - float(str(note["since"])))
        return (
            f"{note['who']} (process {note['pid']} on {note['host']}, for {seconds:.0f} s so far)"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return "another retrieval"
