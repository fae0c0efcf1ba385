"""What a test of a test list is, and how its procedure is written for a node."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "texts"
#: The versions of QATrack+ that texts are made for, and how the names of files tell them.
VERSIONS = {"3.1.1": "qatrack31", "4.0": "qatrack40"}
PLACEHOLDER = re.compile(r"\bNODE\b")

STRING = "string"
CONSTANT = "constant"
MULTIPLE_CHOICE = "multchoice"
NUMBER = "composite"
TEXT = "scomposite"
#: QATrack+'s types, and what its admin calls them.
TYPES = {
    STRING: "String",
    CONSTANT: "Constant",
    MULTIPLE_CHOICE: "Multiple Choice",
    NUMBER: "Composite",
    TEXT: "String Composite/JSON",
}


@dataclass(frozen=True)
class Test:
    """One test of a test list.

    Attributes
    ----------
    macro : str
        Macro name, by which the procedures of other tests call its value.
    name : str
        What people see, with the unit.
    type : str
        One of `TYPES`.
    description : str
        Plain text.
    file : str
        Where its procedure is, without the ending; empty if there is none, or only a `line`.
    line : str
        A procedure that is one line.
    formatting : str
        How QATrack+ shows a number.
    constant : float, optional
        Value of a constant.
    choices : tuple of str
        Those of a multiple choice.
    shows_picture : bool
        Whether QATrack+ shows what it attaches under the list ("Display image").
    versions : tuple of str
        The versions of QATrack+ that have the test.
    """

    macro: str
    name: str
    type: str
    description: str
    file: str = ""
    line: str = ""
    formatting: str = ""
    constant: float | None = None
    choices: tuple[str, ...] = ()
    shows_picture: bool = False
    versions: tuple[str, ...] = tuple(VERSIONS)

    @property
    def kind(self) -> str:
        """Its type for people, with what else the admin asks for."""
        name = TYPES[self.type]
        if self.constant is not None:
            return f"{name}, {self.constant:g}"
        if self.choices:
            return f"{name}: {', '.join(self.choices)}"
        if self.shows_picture:
            return f"{name}, Display image"
        return f"{name}, {self.formatting}" if self.formatting else name

    def procedure(self, version: str, node: str | None = None) -> str:
        """Write the procedure for a version of QATrack+.

        Parameters
        ----------
        version : str
            One of `VERSIONS`.
        node : str, optional
            Name of the node that it calls; ``None`` for the default one.

        Returns
        -------
        str
            Python; empty if the test has no procedure.
        """
        text = _read(self.file, version) if self.file else self.line and self.line + "\n"
        return PLACEHOLDER.sub(lambda _: literal(node), text)

    def variants(self, node: str | None = None) -> list[tuple[str, str]]:
        """Write the procedure for all versions, once where they agree.

        Returns
        -------
        list of tuple of (str, str)
            The version, empty where it does not matter, and the text.
        """
        texts = {version: self.procedure(version, node) for version in self.versions}
        if len(set(texts.values())) == 1 and self.versions == tuple(VERSIONS):
            texts = {"": texts[self.versions[0]]}
        return [(version, text) for version, text in texts.items() if text]


@dataclass(frozen=True)
class Pack:
    """A test list, and the tests that it is made of.

    Attributes
    ----------
    slug : str
        Names its files.
    name : str
        What people see.
    prefix : str
        Stands before the names of its tests, which have to be unique in a QATrack+.
    description : str
        Plain text.
    tests : tuple of Test
        In the order of the list, over all versions.
    """

    slug: str
    name: str
    prefix: str
    description: str
    tests: tuple[Test, ...]

    def tests_for(self, version: str) -> tuple[Test, ...]:
        """Those of its tests that a version of QATrack+ has."""
        return tuple(test for test in self.tests if version in test.versions)


def literal(node: str | None) -> str:
    """Write a node's name as Python does, in the quotes that black chooses.

    Whatever the name holds, it stays one string on one line.
    """
    written = repr(node)
    return written if node is None or '"' in written else f'"{written[1:-1]}"'


def _read(file: str, version: str) -> str:
    own = FOLDER / f"{file}.{VERSIONS[version]}.py.txt"
    path = own if own.is_file() else FOLDER / f"{file}.py.txt"
    return path.read_text(encoding="utf-8")
