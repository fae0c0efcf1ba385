"""End commands: a failure prints one line and sets an exit code for cron jobs and monitors."""

from __future__ import annotations

import contextlib
from typing import Any, Iterator

from qatrack_aria.errors import AriaError, Outcome


@contextlib.contextmanager
def exit_on_failure(stderr: Any, verbosity: int) -> Iterator[None]:
    """Print a failure of the block, and end with its exit code.

    Parameters
    ----------
    stderr : django.core.management.base.OutputWrapper
        The output.
    verbosity : int
        0: print nothing; from 2 on, also list the missing instances.

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
        raise SystemExit(error.outcome.exit_code) from None


def exit_code_list() -> str:
    """Return the exit codes and what they mean, for the help of commands."""
    labels = {outcome.exit_code: outcome.label for outcome in Outcome if outcome != Outcome.LISTED}
    codes = sorted(code for code in labels if code != 1)
    return ", ".join(f"{code} {labels[code]}" for code in codes) + ", 1 anything else"
