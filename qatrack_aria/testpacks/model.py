"""Define tests and packs, and write their procedures for a node."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "texts"
#: The supported versions of QATrack+, with their suffixes of file names.
VERSIONS = {"3.1.1": "qatrack31", "4.0": "qatrack40"}
PLACEHOLDER = re.compile(r"\bNODE\b")

STRING = "string"
CONSTANT = "constant"
MULTIPLE_CHOICE = "multchoice"
NUMBER = "composite"
TEXT = "scomposite"
#: QATrack+'s types, with their labels in its admin.
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
        Macro name, by which the procedures of other tests use its value.
    name : str
        The displayed name, with the unit.
    type : str
        One of `TYPES`.
    description : str
        Plain text.
    code : str
        The procedure; by default it is in the folder ``texts``, by macro name.
    formatting : str
        The format of a number.
    constant : float, optional
        The value of a constant.
    choices : tuple of str
        The choices of a multiple choice test.
    shows_picture : bool
        Whether QATrack+ shows its attachment under the list ("Display image").
    versions : tuple of str
        The versions of QATrack+ that have the test.
    """

    macro: str
    name: str
    type: str
    description: str
    code: str = ""
    formatting: str = ""
    constant: float | None = None
    choices: tuple[str, ...] = ()
    shows_picture: bool = False
    versions: tuple[str, ...] = tuple(VERSIONS)

    @property
    def only(self) -> str:
        """The versions of QATrack+ that have the test; empty if all have it."""
        return "" if self.versions == tuple(VERSIONS) else ", ".join(self.versions)

    @property
    def kind(self) -> str:
        """The label of its type, with the other values that the admin needs."""
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
            Name of the node that it uses; ``None`` for the default one.

        Returns
        -------
        str
            Python; empty if the test has no procedure.
        """
        if self.type == CONSTANT:
            return ""
        text = self.code or _read(self.macro, version)
        return PLACEHOLDER.sub(lambda _: literal(node), text)

    def variants(self, node: str | None = None) -> list[tuple[str, str]]:
        """Write the procedure for all versions, once if it is the same for all.

        Returns
        -------
        list of tuple of (str, str)
            The version, empty where it does not matter, and the text.
        """
        texts = {version: self.procedure(version, node) for version in self.versions}
        if len(set(texts.values())) == 1 and not self.only:
            texts = {"": texts[self.versions[0]]}
        return [(version, text) for version, text in texts.items() if text]


PATIENT = Test(
    "patientid",
    "Patient ID",
    STRING,
    "Patient ID of the QA patient in ARIA, exactly. The one used last on this unit is offered.",
)
PLAN = Test(
    "rtplanname",
    "Plan label",
    STRING,
    "Label of the RT Plan, exactly. The one used last on this unit is offered.",
)


@dataclass(frozen=True)
class Pack:
    """A test list, and the tests that it is made of.

    Attributes
    ----------
    slug : str
        The name of its files.
    name : str
        The displayed name.
    prefix : str
        The prefix of the names of its tests, which must be unique in a QATrack+.
    description : str
        Plain text.
    tests : tuple of Test
        The tests of all versions, in the order of the list.
    shared : tuple of Test
        Tests before these, which lists of several packs have once.
    versions : tuple of str
        The versions of QATrack+ that the pack is for.
    needs : int
        How many images it expects at least; 0 if it does not say.
    essential : str
        Macro name of the test whose procedure is in the documentation; empty for all of them.
    """

    slug: str
    name: str
    prefix: str
    description: str
    tests: tuple[Test, ...]
    shared: tuple[Test, ...] = ()
    versions: tuple[str, ...] = tuple(VERSIONS)
    needs: int = 0
    essential: str = ""

    def tests_for(self, version: str) -> tuple[Test, ...]:
        """Return all tests for a version of QATrack+."""
        return (*self.shared, *self.own_tests(version))

    def own_tests(self, version: str) -> tuple[Test, ...]:
        """Return the tests for a version of QATrack+, without those that several packs share."""
        return tuple(test for test in self.tests if version in test.versions)


def literal(node: str | None) -> str:
    """Write a node's name as Python does, in the quotes that black chooses.

    Whatever the name holds, it stays one string on one line.
    """
    written = repr(node)
    return written if node is None or '"' in written else f'"{written[1:-1]}"'


def _read(macro: str, version: str) -> str:
    own = FOLDER / f"{macro}.{VERSIONS[version]}.py.txt"
    path = own if own.is_file() else FOLDER / f"{macro}.py.txt"
    return path.read_text(encoding="utf-8")
