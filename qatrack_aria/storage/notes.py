"""What has been learned, as files that are read back only if they are as they were written.

A file that was cut, edited, or written by another version of this app is as good as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from qatrack_aria.errors import ArchiveError
from qatrack_aria.storage.filesystem import make_private_folder, replace_text

#: Changes with the form of the notes.
FORM = "1"


def read_note(path: Path) -> Any:
    """Return what :func:`write_note` has written there, in JSON's types; ``None`` if unusable."""
    try:
        digest, _, text = path.read_text(encoding="utf-8").partition("\n")
        return json.loads(text) if digest == _digest(text) else None
    except (OSError, ValueError):
        return None


def write_note(path: Path, value: Any) -> None:
    """Write something in JSON's types; what the disk does not accept is learned again."""
    text = json.dumps(value, separators=(",", ":"))
    with contextlib.suppress(ArchiveError):
        make_private_folder(path.parent.parent)
        make_private_folder(path.parent)
        replace_text(path, f"{_digest(text)}\n{text}")


def _digest(text: str) -> str:
    return hashlib.sha256(f"{FORM}\n{text}".encode()).hexdigest()
