"""Start threads, on machines that may have none left."""

from __future__ import annotations

import threading

from qatrack_aria.errors import AriaError, ReceiverError
from qatrack_aria.text import error_reason


def start(thread: threading.Thread, failure: type[AriaError] = ReceiverError) -> None:
    """Start a thread.

    Raises
    ------
    AriaError
        The system starts no more threads; an error of class `failure`.
    """
    try:
        thread.start()
    except RuntimeError as error:
        raise failure(
            f"Threads: this machine cannot start another thread ({error_reason(error)}): end what "
            "uses too many, or raise the limit of processes (ulimit -u)."
        ) from error
