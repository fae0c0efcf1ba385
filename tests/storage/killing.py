"""Kill a process at a chosen point of its work on the disk: before its n-th change, or byte.

The work is done in a fork, so that every point can be walked to from the same state.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, Callable

#: What Python tells of before it does it; reading changes nothing.
CHANGES = {
    "os.chmod",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.truncate",
    "os.utime",
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def killed_before_change(number: int, folder: Path, work: Callable[[], Any]) -> bool:
    """Do the work in a process that is killed just before its n-th change in a folder.

    Returns
    -------
    bool
        Whether it came so far; else the work was done.
    """

    def watch() -> None:
        left = number

        def hook(event: str, arguments: Any) -> None:
            nonlocal left
            if _changes(event, arguments) and str(arguments[0]).startswith(str(folder)):
                left -= 1
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)

    return _dies(signal.SIGKILL, watch, work)


def killed_at_byte(number: int, work: Callable[[], Any]) -> bool:
    """Do the work in a process that is killed when it writes past the n-th byte of a file.

    Returns
    -------
    bool
        Whether it came so far; else the work was done.
    """

    def watch() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (number, number))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python itself ignores it

    return _dies(signal.SIGXFSZ, watch, work)


def in_a_process(work: Callable[[], Any]) -> None:
    """Do the work in a process that nobody kills."""
    assert not _dies(signal.SIGKILL, lambda: None, work)


def _changes(event: str, arguments: Any) -> bool:
    return event in CHANGES or (event == "open" and bool(arguments[2] & WRITING))


def _dies(by: int, watch: Callable[[], None], work: Callable[[], Any]) -> bool:
    child = os.fork()
    if not child:
        _do(watch, work)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == by:
        return True
    assert status == 0, f"the process ended with status {status}, see its traceback"
    return False


def _do(watch: Callable[[], None], work: Callable[[], Any]) -> None:
    try:
        watch()
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)
