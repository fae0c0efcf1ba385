"""The documents are wrapped, and what they name is there."""

from __future__ import annotations

import re
from typing import Iterator

from tests import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
WIDTH = 100  # characters


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines that are neither a table nor code."""
    in_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code and not line.lstrip().startswith("|") and not line.startswith("    "):
            yield number, line


def test_prose_is_wrapped() -> None:
    too_long = [
        f"{document.name}:{number}: {len(line)} characters"
        for document in DOCUMENTS
        for number, line in prose(document.read_text(encoding="utf-8"))
        if len(line) > WIDTH
    ]
    assert not too_long


def test_files_that_are_named_exist() -> None:
    named = re.compile(r"`((?:docs|fixtures|tests|tools|qatrack_aria|demo)/[\w./-]+)`")
    missing = [
        f"{document.name}: {path}"
        for document in DOCUMENTS
        for path in named.findall(document.read_text(encoding="utf-8"))
        if not (ROOT / path).exists()
    ]
    assert not missing
