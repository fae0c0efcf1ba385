"""The digests of an instance: recorded when it is filed, compared whenever it is used.

They lie beside the instance in the form that ``sha256sum --check`` reads. The digest of a file's
beginning is recorded too: it proves the header without reading the pixels. So is the service that
the instance came from.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import BinaryIO, Iterator, NamedTuple, Sequence

from qatrack_aria.storage.filesystem import READ_ONLY, move_into_place

SUFFIX = ".sha256"
#: Bytes of a file's beginning; the headers of RT Images are far shorter.
BEGINNING = 1 << 18
PIECE = 1 << 20  # bytes that are read at a time

_FORM = re.compile(r"([0-9a-f]{64})  \S+\n# beginning: ([0-9a-f]{64})\n# source: ([0-9a-f]{64})\n")


class Digests(NamedTuple):
    """SHA-256 of a file, of its first :data:`BEGINNING` bytes, and of the name of its source."""

    file: str
    beginning: str
    source: str


NONE = Digests("-" * 64, "-" * 64, "-" * 64)  # no recorded() ever


def digest_of_text(text: str) -> str:
    """Return the digest of a text."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def digests_of(parts: Sequence[bytes], source: str) -> Digests:
    """Return the digests of a file that consists of these parts, from a service of that name."""
    whole, beginning, left = hashlib.sha256(), hashlib.sha256(), BEGINNING
    for part in parts:
        whole.update(part)
        head = memoryview(part)[:left]
        beginning.update(head)
        left -= len(head)
    return Digests(whole.hexdigest(), beginning.hexdigest(), digest_of_text(source))


def beginning_of(path: Path) -> str:
    """Return the digest of a file's beginning."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read(BEGINNING)).hexdigest()


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """Yield the rest of a file, piece by piece."""
    while True:
        piece = file.read(PIECE)
        if not piece:
            return
        yield piece


def digest_of(path: Path) -> str:
    """Return the digest of a whole file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in pieces(file):
            digest.update(piece)
    return digest.hexdigest()


def beside(path: Path) -> Path:
    """Return the path of the record of a file's digests."""
    return path.with_suffix(SUFFIX)


def reserve(partial: Path, path: Path) -> None:
    """Take the room on the disk for the record of a file, before that file is accepted."""
    partial.write_bytes(_text(path, NONE))


def record(partial: Path, path: Path, digests: Digests) -> None:
    """Write the record of a file into the reserved room, and put it in its place."""
    with open(partial, "r+b") as file:
        file.write(_text(path, digests))
    os.chmod(partial, READ_ONLY)
    move_into_place(partial, beside(path))


def _text(path: Path, digests: Digests) -> bytes:
    lines = (
        f"{digests.file}  {path.name}",
        f"# beginning: {digests.beginning}",
        f"# source: {digests.source}",
    )
    # In bytes: with no carriage return on Windows.
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def recorded(path: Path) -> Digests | None:
    """Return the recorded digests of a file; ``None`` if there are none, or no whole ones."""
    try:
        match = _FORM.fullmatch(beside(path).read_bytes().decode("ascii", "replace"))
    except FileNotFoundError:
        return None
    return Digests(*match.groups()) if match else None
