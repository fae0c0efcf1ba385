"""Prepare the packs for a node's page in the admin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from qatrack_aria.testpacks.catalogue import FIRST, PACKS
from qatrack_aria.testpacks.model import PLAN, Pack, Test
from qatrack_aria.testpacks.tpk import as_testpack, file_name


@dataclass(frozen=True)
class Entry:
    """A test to create by hand, and its procedure, which may be empty."""

    name: str
    macro: str
    kind: str
    version: str
    text: str


@dataclass(frozen=True)
class Section:
    """A pack with its procedures; the first composite test has no pack."""

    name: str
    description: str
    entries: list[Entry]
    pack: Pack | None = None

    @property
    def files(self) -> list[tuple[str, str]]:
        """The versions of QATrack+, each with the name of its test pack."""
        versions = self.pack.versions if self.pack else ()
        return [(version, file_name(self.pack, version)) for version in versions if self.pack]

    @property
    def is_of_plan(self) -> bool:
        """Whether its images are those of a plan, for which a watch can look."""
        return self.pack is not None and PLAN in self.pack.shared

    @property
    def images(self) -> str:
        """How many images the pack expects at least; empty if it does not say."""
        return str(self.pack.needs or "") if self.pack else ""


def sections(node: str) -> list[Section]:
    """Return all procedures for a node.

    Parameters
    ----------
    node : str
        Name of the node.

    Returns
    -------
    list of Section
        The sections in the order of the page.
    """
    introduction = (
        "For a test list with two string tests whose macro names are patientid and rtplanname."
    )
    return [
        Section("A first composite test", introduction, _entries([FIRST], node)),
        *(Section(p.name, p.description, _entries((*p.shared, *p.tests), node), p) for p in PACKS),
    ]


def download(file: str, node: str) -> str | None:
    """Return the test pack of that name for a node.

    Returns
    -------
    str or None
        JSON; ``None`` if no pack has this name.
    """
    packs = {
        file_name(pack, version): (pack, version) for pack in PACKS for version in pack.versions
    }
    return as_testpack(*packs[file], node) if file in packs else None


def _entries(tests: Sequence[Test], node: str) -> list[Entry]:
    return [
        Entry(test.name, test.macro, test.kind, version, text)
        for test in tests
        for version, text in test.variants(node) or [(test.only, "")]
    ]
