"""The versions of pylinac: that of QATrack+ 3.1.1 (pylinac-qatrackplus 2.5), and newer ones."""

from __future__ import annotations

import functools
from importlib.metadata import PackageNotFoundError, version

from qatrack_aria.errors import ConfigurationError

OLD, NEW = "2.5", "3.49"
BOTH = (OLD, NEW)


@functools.lru_cache(maxsize=None)
def pylinac_version() -> str:
    """Return which of the two is installed: the old one, or 3 and newer.

    Raises
    ------
    ConfigurationError
        pylinac is not installed.
    """
    # QATrack+ 3.1.1 installs a fork, whose distribution has another name.
    for name in ("pylinac", "pylinac-qatrackplus"):
        try:
            return NEW if int(version(name).split(".")[0]) >= 3 else OLD
        except PackageNotFoundError:
            continue
    raise ConfigurationError(
        "Analysis: pylinac is not installed: run pip install qatrack-aria[pylinac]."
    )


def is_new() -> bool:
    """Return whether pylinac is of version 3 or newer."""
    return pylinac_version() == NEW
