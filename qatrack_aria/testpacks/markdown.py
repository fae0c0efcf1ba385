"""Write the documentation of the packs in Markdown."""

from __future__ import annotations

import textwrap
from typing import Iterable

from qatrack_aria.testpacks.catalogue import FIRST, PACKS
from qatrack_aria.testpacks.model import FOLDER, Pack, Test
from qatrack_aria.testpacks.tpk import file_name

EXAMPLE = "aria"


def as_markdown() -> str:
    """Return the page."""
    introduction = (FOLDER / "introduction.txt").read_text(encoding="utf-8")
    return "\n".join([introduction, _first(), *(_pack(pack) for pack in PACKS)])


def _first() -> str:
    return (
        "## A first composite test\n\n"
        "In a test list with two string tests `patientid` and `rtplanname`, a composite test for "
        f"node `{EXAMPLE}`:\n\n{_blocks(FIRST, EXAMPLE)}"
    )


def _pack(pack: Pack) -> str:
    files = ", ".join(f"`{file_name(pack, version)}` ({version})" for version in pack.versions)
    parts = [f"## {pack.name}\n", _paragraph(pack.description), _paragraph(f"Files: {files}.")]
    parts.append(_table(pack))
    for test in (*pack.shared, *pack.tests):
        if test.variants() and pack.essential in ("", test.macro):
            parts.append(f"### {test.name}: `{test.macro}`\n\n{_blocks(test, None)}")
    return "\n".join(parts)


def _paragraph(text: str) -> str:
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False) + "\n"


def _table(pack: Pack) -> str:
    rows = [_row(("Test", "Macro name", "Type", "What it is")), _row(["---"] * 4)]
    for test in (*pack.shared, *pack.tests):
        rows.append(_row((test.name, f"`{test.macro}`", test.kind, _description(test))))
    return "".join(rows)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _description(test: Test) -> str:
    return f"{test.description} (QATrack+ {test.only} only.)" if test.only else test.description


def _blocks(test: Test, node: str | None) -> str:
    return "\n".join(
        (f"QATrack+ {version}:\n\n" if version else "") + f"```python\n{text}```\n"
        for version, text in test.variants(node)
    )
