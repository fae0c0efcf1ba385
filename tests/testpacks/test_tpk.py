"""Test packs and their documentation: what lies in the repository is what the command writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from qatrack_aria import testpacks
from qatrack_aria.testpacks.model import VERSIONS
from tests import ROOT

COMMITTED = ROOT / "fixtures" / "testpacks"
DOCUMENTATION = ROOT / "docs" / "composite-tests.md"
ANEW = "is not what its source says: run 'manage.py make_testpacks --output fixtures/testpacks "
ANEW += "--docs docs/composite-tests.md'"


def written(folder: Path, *options: str) -> dict[str, str]:
    """What the command writes into a folder."""
    call_command("make_testpacks", "--output", str(folder), *options, verbosity=0)
    return {path.name: path.read_bytes().decode() for path in sorted(folder.iterdir())}


def entries(pack: str, model: str) -> list[Any]:
    """The fields of a pack's objects."""
    (test_list,) = (json.loads(text) for text in json.loads(pack)["objects"]["testlists"])
    objects = [test_list["object"], *test_list["dependencies"]]
    return [entry["fields"] for entry in objects if entry["model"] == model]


@pytest.fixture(params=sorted(path.name for path in COMMITTED.glob("*.tpk")))
def pack(request: Any) -> str:
    """One of the packs in the repository."""
    return str((COMMITTED / request.param).read_text(encoding="utf-8"))


# --- what lies in the repository --------------------------------------------------------------


def test_the_packs_in_the_repository_are_up_to_date(tmp_path: Path) -> None:
    committed = {path.name: path.read_bytes().decode() for path in sorted(COMMITTED.iterdir())}

    assert written(tmp_path) == committed, f"{COMMITTED} {ANEW}"


def test_the_documentation_is_up_to_date(tmp_path: Path) -> None:
    page = tmp_path / "page.md"

    call_command("make_testpacks", "--docs", str(page), verbosity=0)

    assert page.read_bytes() == DOCUMENTATION.read_bytes(), f"{DOCUMENTATION} {ANEW}"


def test_the_first_example_of_the_readme_is_one_of_these() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert testpacks.FIRST.procedure("4.0", "aria") in readme
    # Where the older QATrack+ differs, the readme says only how the last line is.
    assert testpacks.FIRST.procedure("3.1.1", "aria").splitlines()[-1] in readme


def test_there_is_a_pack_of_each_kind_for_each_version() -> None:
    assert sorted(path.name for path in COMMITTED.iterdir()) == sorted(
        f"{pack.slug}_{VERSIONS[version]}.tpk"
        for pack in testpacks.PACKS
        for version in pack.versions
    )


# --- what QATrack+ asks of a pack -------------------------------------------------------------


def test_every_test_of_the_list_is_in_the_pack(pack: str) -> None:
    named = [membership["test"] for membership in entries(pack, "qa.testlistmembership")]

    assert named == [[test["name"]] for test in entries(pack, "qa.test")]


def test_the_tests_stand_in_the_order_of_the_list(pack: str) -> None:
    whole, own = (fields["slug"] for fields in entries(pack, "qa.testlist"))
    (sublist,) = entries(pack, "qa.sublist")
    orders: dict[str, list[int]] = {whole: [], own: []}
    for membership in entries(pack, "qa.testlistmembership"):
        orders[membership["test_list"][0]].append(membership["order"])

    assert orders == {slug: list(range(len(found))) for slug, found in orders.items()}
    assert (sublist["parent"], sublist["child"]) == ([whole], [own])
    assert sublist["order"] == len(orders[whole]) <= 2


def test_the_tests_are_of_a_category_that_comes_with_the_pack(pack: str) -> None:
    (category,) = entries(pack, "qa.category")

    assert {tuple(test["category"]) for test in entries(pack, "qa.test")} == {(category["name"],)}


def test_a_pack_has_one_list_and_nothing_beside_it(pack: str) -> None:
    objects = json.loads(pack)["objects"]

    assert {kind: len(found) for kind, found in objects.items()} == {
        "tests": 0,
        "testlists": 1,
        "testlistcycles": 0,
    }


def test_only_the_patient_and_the_plan_are_not_in_the_sublist(pack: str) -> None:
    """So that a list may have several of them."""
    first = [test["slug"] for test in entries(pack, "qa.test")[:2]]
    (sublist,) = entries(pack, "qa.sublist")
    assert first[0] == "patientid"
    assert ["patientid", "rtplanname"][: sublist["order"]] == first[: sublist["order"]]


def test_a_constant_has_a_value_and_nothing_else_has(pack: str) -> None:
    for test in entries(pack, "qa.test"):
        assert (test["constant_value"] is not None) == (test["type"] == "constant"), test["slug"]


def test_a_choice_has_choices_and_nothing_else_has(pack: str) -> None:
    for test in entries(pack, "qa.test"):
        assert bool(test["choices"]) == (test["type"] == "multchoice"), test["slug"]


def test_only_numbers_are_charted(pack: str) -> None:
    for test in entries(pack, "qa.test"):
        is_number = test["type"] in ("composite", "constant")
        assert test["chart_visibility"] == is_number, test["slug"]


def test_every_composite_is_computed(pack: str) -> None:
    for test in entries(pack, "qa.test"):
        if "composite" in test["type"]:
            assert test["calculation_procedure"], test["slug"]


def test_a_name_fits_the_fields_of_qatrack(pack: str) -> None:
    for test in entries(pack, "qa.test"):
        assert max(len(test["name"]), len(test["display_name"])) <= 255
        assert len(test["slug"]) <= 128
        assert len(test["formatting"]) <= 10


def test_the_packs_differ_in_their_ids(tmp_path: Path) -> None:
    packs = written(tmp_path).values()

    assert len({json.loads(pack)["meta"]["id"] for pack in packs}) == len(packs)


# --- the command ------------------------------------------------------------------------------


def test_the_packs_call_the_node_that_was_named(tmp_path: Path) -> None:
    name = 'Aria "2" \\ ä'

    packs = written(tmp_path, "--node", name)

    for pack in packs.values():
        procedures_ = [test["calculation_procedure"] or "" for test in entries(pack, "qa.test")]
        assert any(f"aria_node = {name!r}" in text for text in procedures_)
        assert not any("aria_node = None" in text for text in procedures_)


def test_another_node_makes_another_pack(tmp_path: Path) -> None:
    one = written(tmp_path / "one", "--node", "one")["images_qatrack40.tpk"]
    two = written(tmp_path / "two", "--node", "two")["images_qatrack40.tpk"]

    assert json.loads(one)["meta"]["id"] != json.loads(two)["meta"]["id"]


def test_one_version_can_be_written_alone(tmp_path: Path) -> None:
    packs = written(tmp_path, "--qatrack", "3.1.1")

    assert [name for name in packs if "qatrack31" not in name] == []


def test_the_folder_is_made_if_it_is_not_there(tmp_path: Path) -> None:
    assert written(tmp_path / "a" / "b")


def test_the_command_names_what_it_has_written(tmp_path: Path, capsys: Any) -> None:
    call_command("make_testpacks", "--output", str(tmp_path), "--qatrack", "4.0")

    named = capsys.readouterr().out.split()
    assert named == [str(tmp_path / f"{pack.slug}_qatrack40.tpk") for pack in testpacks.PACKS]


def test_the_command_asks_what_to_write() -> None:
    with pytest.raises(CommandError, match="--output DIR, --docs FILE"):
        call_command("make_testpacks")


def test_a_version_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"3\.1\.1"):
        call_command("make_testpacks", "--output", str(tmp_path), "--qatrack", "2.9")


def test_a_folder_that_cannot_be_is_refused_on_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(CommandError, match=r"^cannot write .*file.*$"):
        call_command("make_testpacks", "--output", str(tmp_path / "file"))
