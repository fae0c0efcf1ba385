"""For those who have QATrack+'s own django-q cluster look: schedule ``look`` every minute.

Its task limit is 60 s by default; what is not done by then goes on with the next.
"""

from __future__ import annotations

import logging

from qatrack_aria.automation.service import look_at_all, only_one
from qatrack_aria.errors import BusyError

logger = logging.getLogger("qatrack_aria")


def look() -> None:
    """Look once for each watch that is due, unless another process does."""
    try:
        with only_one():
            look_at_all([], logger.info)
    except BusyError as error:
        logger.info("%s", error)
