"""Wait for a condition instead of for a time."""

from __future__ import annotations

import time
from typing import Any, Callable

#: Seconds that nothing here takes, on however busy a machine; only a failure waits so long.
PATIENCE = 30.0


def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> bool:
    """Whether it comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True
