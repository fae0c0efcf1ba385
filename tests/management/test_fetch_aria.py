"""``manage.py fetch_aria``, as a person and as a cron job use it."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path

import pytest

from qatrack_aria.models import Retrieval
from qatrack_aria.simulator import phantom
from tests.helpers.aria import DAY, NOON, PATIENT, command, plan, uids, winston_lutz


class Terminal(io.StringIO):
    """Where a person looks."""

    def isatty(self) -> bool:
        return True


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    return command("fetch_aria", *arguments)


@pytest.fixture
def images(serve):
    wl = plan()
    mine = winston_lutz(wl)
    serve(wl, plan("PF"), mine, phantom.kv(wl, NOON, like=mine[0]), winston_lutz(wl, NOON - DAY))
    return mine


def test_it_prints_what_it_fetched_and_where_it_lies(images):
    code, out, _ = run("aria", PATIENT, "WL")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("8 images of plan 'WL'")
    assert lines[1] == "8 fetched now, 0 in the archive before:"
    assert uids(lines[2:]) == uids(images)


def test_json_says_all_of_it(images):
    code, out, _ = run("aria", PATIENT, "WL", "--json")
    outcome = json.loads(out)
    assert code == 0
    assert outcome["status"] == "done"
    assert sorted(one["sop_uid"] for one in outcome["images"]) == uids(images)
    assert uids(outcome["files"]) == uids(images)


def test_the_images_are_copied_to_an_empty_folder(images, tmp_path):
    code, _, _ = run("aria", PATIENT, "WL", "--output", str(tmp_path / "a" / "b"))
    assert code == 0
    assert uids(str(path) for path in (tmp_path / "a" / "b").iterdir()) == uids(images)


def test_a_folder_with_something_in_it_is_refused_before_anything_is_sent(images, tmp_path):
    (tmp_path / "old.dcm").write_text("last month's image")
    code, _, err = run("aria", PATIENT, "WL", "--output", str(tmp_path))
    assert code == 2
    assert "not empty" in err
    assert not Retrieval.objects.exists()


def test_the_images_are_packed_into_a_zip(images, tmp_path):
    code, _, _ = run("aria", PATIENT, "WL", "--zip", str(tmp_path / "wl.zip"))
    assert code == 0
    with zipfile.ZipFile(tmp_path / "wl.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    assert uids(str(path) for path in (tmp_path / "unpacked").iterdir()) == uids(images)


def test_a_zip_in_a_folder_that_is_not_there_is_refused_before_anything_is_sent(images, tmp_path):
    code, _, err = run("aria", PATIENT, "WL", "--zip", str(tmp_path / "none" / "wl.zip"))
    assert code == 2
    assert "none" in err
    assert not Retrieval.objects.exists()


def test_all_images_are_drawn_on_one_sheet(images, tmp_path):
    sheet = tmp_path / "sheet.png"
    code, _, _ = run("aria", PATIENT, "WL", "--contact-sheet", str(sheet))
    assert code == 0
    assert sheet.read_bytes().startswith(b"\x89PNG")


def test_a_sheet_that_cannot_be_drawn_is_refused_before_anything_is_sent(
    images, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "PIL", None)
    code, _, err = run("aria", PATIENT, "WL", "--contact-sheet", str(tmp_path / "sheet.png"))
    assert code == 9
    assert "pip install 'qatrack-aria[pictures]'" in err
    assert not Retrieval.objects.exists()


def test_list_shows_what_would_be_fetched_and_moves_nothing(images, settings):
    code, out, _ = run("aria", PATIENT, "WL", "--list")
    assert code == 0
    assert "8 images would be fetched" in out
    assert all(uid in out for uid in uids(images))
    assert "1 kV" in out
    assert not list(Path(settings.QATRACK_ARIA_ARCHIVE).rglob("*.dcm"))


def test_list_as_json(images):
    _, out, _ = run("aria", PATIENT, "WL", "--list", "--json")
    assert sorted(one["sop_uid"] for one in json.loads(out)["images"]) == uids(images)


def test_all_options_reach_the_request(images):
    day = (NOON - DAY).date().isoformat()
    options = ["--date", day, "--count", "8", "--machine", "TB1", "--course", "C1", "--kv"]
    code, _, err = run("aria", PATIENT, "WL", "--select", "series", *options)
    assert (code, err) == (0, "")
    asked = json.loads(Retrieval.objects.get().request)
    assert (asked["date"], asked["count"], asked["select"], asked["kv"]) == (day, 8, "series", True)
    assert (asked["machine"], asked["course"]) == ("TB1", "C1")


def test_a_progress_bar_is_shown_on_a_terminal(images, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    run("aria", PATIENT, "WL")
    assert "9/9" in terminal.getvalue()  # with the kV image, whose file confirms what it is
    assert "MB/s" in terminal.getvalue()


def test_no_progress_bar_is_shown_in_a_log(images, monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    run("aria", PATIENT, "WL")
    assert log.getvalue() == ""


@pytest.mark.parametrize(("label", "code"), [("WL", 0), ("XX", 3)])
def test_verbosity_0_is_silence(images, label, code):
    assert run("aria", PATIENT, label, "--verbosity", "0") == (code, "", "")


def test_verbosity_2_shows_the_log_and_no_name_of_a_person(images):
    code, _, err = run("aria", PATIENT, "WL", "--verbosity", "2")
    assert code == 0
    assert "C-FIND at IMAGE level by PatientID=QA_TB1" in err
    assert "C-MOVE at SERIES level of 9: 9 arrived" in err
    assert err.count("bytes are filed") == 9
    assert "A-ASSOCIATE" in err  # the words of pynetdicom
    people = (phantom.OPERATOR, str(images[0].PatientName))
    assert [name for name in people if name in err] == []


def test_the_conversation_ends_with_the_command(images):
    run("aria", PATIENT, "WL", "--verbosity", "2")
    assert run("aria", PATIENT, "WL")[2] == ""


def test_what_would_be_fetched_is_a_table(images):
    lines = run("aria", PATIENT, "WL", "--list")[1].splitlines()
    header, *rows = lines[1:10]
    assert header.split("  ")[0] == "acquired"
    assert {row.index("ORIGINAL") for row in rows} == {header.index("image type")}


def test_the_command_has_a_deadline_of_its_own(images, node):
    node.deadline = 0.1
    node.save()
    assert run("aria", PATIENT, "WL")[0] == 0


EXITS = {
    "wrong usage": (["aria", PATIENT, "W*"], 2),
    "an unknown node": (["aira", PATIENT, "WL"], 2),
    "nothing found": (["aria", PATIENT, "XX"], 3),
    "too few": (["aria", PATIENT, "WL", "--count", "9"], 4),
    "a patient not allowed": (["aria", "ZZ", "WL"], 6),
}


@pytest.mark.parametrize(("arguments", "expected"), EXITS.values(), ids=EXITS)
def test_the_exit_code_names_the_outcome(images, arguments, expected):
    code, out, err = run(*arguments)
    assert (code, out) == (expected, "")
    assert len(err.splitlines()) == 1


def test_the_exit_code_of_an_ambiguous_plan(serve):
    serve(plan(course="C1"), plan(course="C2"))
    assert run("aria", PATIENT, "WL")[0] == 5


def test_the_exit_code_of_a_node_that_does_not_answer(node):
    assert run("aria", PATIENT, "WL")[0] == 7


def test_a_failure_as_json_has_its_name_and_message(node):
    _, out, err = run("aria", PATIENT, "WL", "--json")
    failure = json.loads(out)
    assert failure["status"] == "unreachable"
    assert failure["error"] == "NodeUnreachableError"
    assert failure["message"] == err.strip()
