"""The error of a file that is not a whole instance."""

from __future__ import annotations


class UnreadableError(Exception):
    """A file that is not a whole DICOM instance."""
