"""The ready-made procedures: QATrack+ accepts them, and they fit together in their test lists."""

from __future__ import annotations

import ast
import builtins
import dataclasses
import re
from typing import Any, Callable

import pytest

from qatrack_aria import testpacks
from qatrack_aria.analysis import ANALYSES
from qatrack_aria.analysis.model import Analysis
from qatrack_aria.testpacks.model import FOLDER, NUMBER, VERSIONS, literal

# What QATrack+ hands to every procedure, as far as ours use it.
CONTEXT = {"UTILS", "math"}


@dataclasses.dataclass(frozen=True)
class Procedure:
    """A composite test's procedure, for one version of QATrack+."""

    pack: testpacks.Pack | None
    version: str
    test: testpacks.Test

    def __str__(self) -> str:
        pack = self.pack.slug if self.pack else "first"
        return f"{self.test.macro} of {pack} for {self.version}"


PROCEDURES = [
    *(Procedure(None, version, testpacks.FIRST) for version in testpacks.VERSIONS),
    *(
        Procedure(pack, version, test)
        for version in testpacks.VERSIONS
        for pack in testpacks.PACKS
        if version in pack.versions
        for test in pack.tests_for(version)
        if test.procedure(version)
    ),
]
LISTS = [
    pytest.param(pack, version, id=f"{pack.slug}-{version}")
    for pack in testpacks.PACKS
    for version in pack.versions
]

every_list = pytest.mark.parametrize(("pack", "version"), LISTS)


def assert_every(holds: Callable[[testpacks.Pack | None, str, testpacks.Test], object]) -> None:
    """Assert that something holds for each procedure; those for which it does not are named."""
    assert len(PROCEDURES) > 50
    assert [str(p) for p in PROCEDURES if not holds(p.pack, p.version, p.test)] == []


def tree(test: testpacks.Test, version: str) -> ast.AST:
    return ast.parse(test.procedure(version, "aria"))


def names(nodes: ast.AST, context: type) -> set[str]:
    return {
        node.id
        for node in ast.walk(nodes)
        if isinstance(node, ast.Name) and isinstance(node.ctx, context)
    }


def imported(nodes: ast.AST) -> set[str]:
    return {
        alias.asname or alias.name
        for node in ast.walk(nodes)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }


def defined(nodes: ast.AST) -> set[str]:
    """Functions, and what they are given."""
    functions = [node for node in ast.walk(nodes) if isinstance(node, ast.FunctionDef)]
    given = [argument.arg for function in functions for argument in function.args.args]
    return {*(function.name for function in functions), *given}


def macros(pack: testpacks.Pack | None, version: str) -> set[str]:
    tests = pack.tests_for(version) if pack else ()
    return {test.macro for test in tests} or {"patientid", "rtplanname"}


# --- what QATrack+'s admin asks of a procedure ------------------------------------------------


def test_a_procedure_sets_a_result() -> None:
    def holds(pack: Any, version: str, test: testpacks.Test) -> object:
        text = test.procedure(version, "aria")
        return re.search(rf"^\s*({test.macro}|result)\s*=.*$", text, re.MULTILINE)

    assert_every(holds)


def test_a_procedure_is_python_of_36() -> None:
    """QATrack+ has black format it for Python 3.6 to 3.9."""

    def holds(pack: Any, version: str, test: testpacks.Test) -> object:
        return ast.parse(test.procedure(version, "aria"), feature_version=(3, 6)).body

    assert_every(holds)


def test_a_procedure_fits_the_lines_of_qatrack() -> None:
    def holds(pack: Any, version: str, test: testpacks.Test) -> object:
        lines = test.procedure(version, "aria").splitlines()
        return not [line for line in lines if len(line) > 88 or line != line.rstrip()]

    assert_every(holds)


@pytest.mark.parametrize("version", testpacks.VERSIONS)
def test_a_long_node_name_changes_no_line_of_a_pack_but_its_own(version: str) -> None:
    """Else black would write the procedure anew when somebody saves it."""
    for pack in testpacks.PACKS:
        for test in pack.tests_for(version):
            lines = test.procedure(version, "x" * 50).splitlines()
            assert [line for line in lines if len(line) > 88 and "aria_node = " not in line] == []


# --- how the tests of a list fit together -----------------------------------------------------


def test_a_procedure_reads_only_tests_of_its_own_list() -> None:
    def holds(pack: Any, version: str, test: testpacks.Test) -> object:
        nodes = tree(test, version)
        own = names(nodes, ast.Store) | imported(nodes) | defined(nodes)
        read = names(nodes, ast.Load) - own - set(dir(builtins)) - CONTEXT
        return read <= macros(pack, version)

    assert_every(holds)


def test_no_variable_has_the_name_of_another_test() -> None:
    """It would take the place of that test's value; a keyword would make it a dependency."""

    def holds(pack: Any, version: str, test: testpacks.Test) -> object:
        nodes = tree(test, version)
        keywords = {node.arg for node in ast.walk(nodes) if isinstance(node, ast.keyword)}
        others = macros(pack, version) - {test.macro}
        return not (names(nodes, ast.Store) | imported(nodes) | keywords) & others

    assert_every(holds)


@pytest.mark.parametrize("analysis", ANALYSES, ids=lambda analysis: analysis.slug)
def test_every_number_is_one_that_the_analysis_gives(analysis: Analysis) -> None:
    (pack,) = (pack for pack in testpacks.PACKS if pack.slug == analysis.slug)
    given = {"count", *(number.key for number in analysis.numbers)}

    for test in pack.tests:
        if test.type == NUMBER:
            (taken,) = re.findall(rf'{analysis.prefix}_analysis\["(\w+)"\]', test.code)
            assert taken in given, test.macro


def test_no_two_analyses_have_the_same_prefix() -> None:
    """A list may have all of them as sublists."""
    prefixes = [f"{analysis.prefix}_" for analysis in ANALYSES]
    assert [one for one in prefixes for other in prefixes if other.startswith(one)] == prefixes


@every_list
def test_the_macro_names_of_a_list_differ(pack: testpacks.Pack, version: str) -> None:
    tests = pack.tests_for(version)

    assert len(macros(pack, version)) == len(tests)
    assert [test.macro for test in tests if not test.macro.isidentifier()] == []


def test_the_names_of_all_tests_differ() -> None:
    """QATrack+ knows a test by its name."""
    all_names = [f"{pack.prefix}: {test.name}" for pack in testpacks.PACKS for test in pack.tests]

    assert len(set(all_names)) == len(all_names)


@every_list
def test_what_people_read_is_plain_text(pack: testpacks.Pack, version: str) -> None:
    read = [pack.name, pack.description]
    read += [text for test in pack.tests for text in (test.name, test.description)]

    assert [text for text in read if re.search(r"[<>&|]", text) or not text] == []


@every_list
def test_every_number_can_be_shown(pack: testpacks.Pack, version: str) -> None:
    shown = [float(test.formatting % 1.26) for test in pack.tests if test.formatting]

    assert set(shown) <= {1.0, 1.3, 1.26}


def test_every_file_belongs_to_a_test() -> None:
    tests = [testpacks.FIRST, *(test for pack in testpacks.PACKS for test in pack.tests)]
    tests += [test for pack in testpacks.PACKS for test in pack.shared]
    used = {test.macro for test in tests if test.procedure("4.0") and not test.code}
    there = {path.name for path in FOLDER.rglob("*.py.txt")}

    assert {name.split(".")[0] for name in there} == used


# --- the node ---------------------------------------------------------------------------------

NAMES = (
    "aria",
    'say "aria"',
    "it's",
    "both ' and \"",
    "back\\slash",
    "\\",
    "ÄRIA患者",
    "two\nlines\r\u2028",
    "\0",
    '"""',
    "'); import os; ('",
    "{node} %s NODE \\g<0>",
    "\u202eright to left",
    "",
)


def test_whatever_a_node_is_called_it_is_one_string_in_a_procedure() -> None:
    for name in (*NAMES, None):
        written = literal(name)
        assert ast.literal_eval(written) == name
        assert written.isprintable()


def test_a_plain_name_is_written_as_black_writes_it() -> None:
    assert literal("aria") == '"aria"'


@pytest.mark.parametrize("version", testpacks.VERSIONS)
def test_a_procedure_calls_the_node_whatever_its_name(version: str) -> None:
    called = []
    for name in NAMES:
        nodes = ast.walk(ast.parse(testpacks.FIRST.procedure(version, name)))
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        (call,) = (c for c in calls if getattr(c.func, "id", "") == "fetch_images")
        called.append(ast.literal_eval(call.args[0]))

    assert called == list(NAMES)


def test_without_a_node_the_default_one_is_called() -> None:
    assert "fetch_images(None, " in testpacks.FIRST.procedure("4.0")


def test_whatever_fetches_calls_the_node() -> None:
    def holds(pack: Any, version: str, test: testpacks.Test) -> object:
        fetches = "fetch_" in test.procedure(version)
        return (test.procedure(version, "other") != test.procedure(version, "aria")) == fetches

    assert_every(holds)


@every_list
def test_all_of_a_list_ask_for_the_same_images(pack: testpacks.Pack, version: str) -> None:
    """The first of them fetches, and the others are answered from disk."""
    calls = [
        node
        for test in pack.tests_for(version)
        for node in ast.walk(tree(test, version))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "").startswith("fetch_")
    ]

    asked = {
        ast.dump(ast.Tuple([*c.args, *(k.value for k in c.keywords if k.arg != "fetch")]))
        for c in calls
    }
    assert len(calls) >= 3
    assert len(asked) == 1


# --- the versions of QATrack+ -----------------------------------------------------------------


def test_a_procedure_that_fits_both_versions_is_shown_once() -> None:
    (variant,) = testpacks.PACKS[0].shared[0].variants("aria")

    assert variant[0] == ""


def test_a_procedure_is_shown_for_each_version_where_they_differ() -> None:
    assert [version for version, _ in testpacks.FIRST.variants("aria")] == ["3.1.1", "4.0"]


def test_a_number_that_only_the_newer_pylinac_has_is_not_in_the_pack_of_the_older() -> None:
    (catphan,) = (pack for pack in testpacks.PACKS if pack.slug == "catphan_600")

    found = {
        version: "cat600_low_contrast_seen" in macros(catphan, version) for version in VERSIONS
    }
    assert found == {"3.1.1": False, "4.0": True}


def test_an_analysis_that_only_the_newer_pylinac_has_has_one_pack() -> None:
    (drcs,) = (pack for pack in testpacks.PACKS if pack.slug == "drcs")
    assert drcs.versions == ("4.0",)
