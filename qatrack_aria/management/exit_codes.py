"""How our commands end: a failure with one line, and a code that a cron job can tell apart."""

from __future__ import annotations

import contextlib
from typing import Any, Iterator

from qatrack_aria.errors import AriaError, Outcome

#: 1 is Python's own for anything unexpected.
EXIT_CODES = {
    Outcome.DONE: 0,
    Outcome.FAILED: 1,
    Outcome.USAGE: 2,
    Outcome.NOT_FOUND: 3,
    Outcome.INCOMPLETE: 4,
    Outcome.AMBIGUOUS: 5,
    Outcome.REFUSED: 6,
    Outcome.UNREACHABLE: 7,
    Outcome.BUSY: 8,
    Outcome.LOCAL: 9,
}


@contextlib.contextmanager
def exit_on_failure(stderr: Any, verbosity: int) -> Iterator[None]:
    """Tell a failure in the block, and end with its exit code.

    Parameters
    ----------
    stderr : django.core.management.base.OutputWrapper
        Where to.
    verbosity : int
        0: silence; from 2 on also which instances are missing.

    Raises
    ------
    SystemExit
        The block raised an :class:`~qatrack_aria.errors.AriaError`.
    """
    try:
        yield
    except AriaError as error:
        if verbosity > 0:
            stderr.write(str(error))
        if verbosity > 1:
            for uid in getattr(error, "missing", ()):
                stderr.write(f"missing: {uid}")
        raise SystemExit(EXIT_CODES[error.outcome]) from None
