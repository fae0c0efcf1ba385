"""What ``manage.py check`` says of the mistakes that people make."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from qatrack_aria import checks
from qatrack_aria.models import AriaNode


@pytest.fixture(autouse=True)
def lasting(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive as it should be: on a disk that is not one for temporary files."""
    monkeypatch.setattr(checks, "_in_memory", lambda folder: False)
    monkeypatch.setattr(checks, "temporary_folders", lambda: [])
    settings.MEDIA_ROOT = settings.STATIC_ROOT = ""
    settings.QATRACK_ARIA_ARCHIVE = str(tmp_path / "archive")
    settings.QATRACK_ARIA_SERVER_TIMEOUT = None
    return tmp_path / "archive"


def node(name: str, **options: Any) -> AriaNode:
    return AriaNode.objects.create(
        **{
            "name": name,
            "remote_ae_title": "VMSDBD",
            "remote_host": "aria.example.org",
            "remote_port": 51402,
            "local_ae_title": "QATRACK",
            **options,
        }
    )


def said(check: Any) -> list[str]:
    return [message.id for message in check()]


# --- all in order -----------------------------------------------------------------------------


def test_manage_py_check_is_content_with_a_good_site(db: None) -> None:
    node("aria")
    call_command("check", stdout=StringIO(), fail_level="WARNING")


def test_nothing_is_made_by_checking(lasting: Path) -> None:
    """The check may run as root: what it made would then belong to root."""
    checks.check_archive()
    assert not lasting.exists()


# --- the archive ------------------------------------------------------------------------------


@pytest.mark.parametrize("served", ["MEDIA_ROOT", "STATIC_ROOT"])
def test_an_archive_that_the_web_server_gives_away_is_an_error(
    db: None, settings: Any, lasting: Path, served: str
) -> None:
    setattr(settings, served, str(lasting.parent))
    with pytest.raises(SystemCheckError, match=f"inside {served}"):
        call_command("check")


def test_neither_does_a_link_hide_that_it_is_given_away(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "images").symlink_to(tmp_path / "media")
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.QATRACK_ARIA_ARCHIVE = str(tmp_path / "images" / "archive")
    assert said(checks.check_archive) == ["qatrack_aria.E001"]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="a folder that even root cannot fill")
def test_a_place_where_no_archive_can_be_made_is_named(settings: Any) -> None:
    settings.QATRACK_ARIA_ARCHIVE = "/proc/aria/archive"
    (message,) = checks.check_archive()
    assert message.id == "qatrack_aria.W001"
    assert message.msg.startswith("The archive cannot be written to: /proc (")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="a folder that even root cannot fill")
def test_one_folder_of_the_archive_that_is_read_only_is_named(lasting: Path) -> None:
    lasting.mkdir()
    (lasting / "instances").symlink_to("/proc")
    (message,) = checks.check_archive()
    assert message.id == "qatrack_aria.W001"
    assert str(lasting / "instances") in message.msg


def test_a_file_where_the_archive_should_be_is_named(lasting: Path) -> None:
    lasting.write_text("not a folder")
    (message,) = checks.check_archive()
    assert message.id == "qatrack_aria.W001"
    assert str(lasting) in message.msg


def test_an_archive_among_temporary_files_is_warned_of(
    lasting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "temporary_folders", lambda: [str(lasting.parent.resolve())])
    assert said(checks.check_archive) == ["qatrack_aria.W002"]


def test_an_archive_in_memory_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_in_memory", lambda folder: True)
    assert said(checks.check_archive) == ["qatrack_aria.W002"]


@pytest.mark.skipif(not os.path.isfile("/proc/mounts"), reason="only Linux lists its disks there")
@pytest.mark.parametrize(("folder", "in_memory"), [("/dev/shm/a/b", True), ("/proc/x", False)])
def test_linux_shows_which_disks_are_in_memory(
    monkeypatch: pytest.MonkeyPatch, folder: str, in_memory: bool
) -> None:
    monkeypatch.undo()
    if folder.startswith("/dev/shm") and "/dev/shm tmpfs" not in Path("/proc/mounts").read_text():
        pytest.skip("this machine has no /dev/shm")
    assert checks._in_memory(Path(folder)) is in_memory


# --- the nodes --------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "ids"), [(25, []), (30, ["qatrack_aria.W003"])])
def test_a_deadline_that_the_web_server_does_not_wait_for_is_warned_of(
    db: None, seconds: float, ids: list[str]
) -> None:
    node("aria", deadline=seconds)
    assert said(checks.check_nodes) == ids


def test_a_web_server_with_a_longer_limit_can_be_configured(db: None, settings: Any) -> None:
    node("aria", deadline=45)
    settings.QATRACK_ARIA_SERVER_TIMEOUT = 60
    assert said(checks.check_nodes) == []


def test_a_server_timeout_that_is_no_number_is_an_error(db: None, settings: Any) -> None:
    settings.QATRACK_ARIA_SERVER_TIMEOUT = "soon"
    assert said(checks.check_nodes) == ["qatrack_aria.E002"]


@pytest.mark.parametrize(
    ("second", "ids"),
    [
        ({"local_port": 11112}, []),
        ({"local_port": 11113}, ["qatrack_aria.W004"]),
        ({"local_port": 11113, "local_ae_title": "QATRACK2"}, []),
        ({"local_port": 11113, "retrieve_method": "C-GET"}, []),
        ({"local_port": 11113, "is_active": False}, []),
    ],
    ids=["same port", "other port", "other title", "needs no port", "switched off"],
)
def test_two_ports_of_one_ae_title_are_warned_of(
    db: None, second: dict[str, Any], ids: list[str]
) -> None:
    node("aria", local_port=11112)
    node("aria2", **second)
    assert said(checks.check_nodes) == ids


@pytest.mark.parametrize("patterns", ["*", "**", "?*", "????????", "QA_*\n * ", "* ?"])
def test_a_node_that_allows_every_patient_is_warned_of(db: None, patterns: str) -> None:
    node("aria", allowed_patients=patterns)
    (message,) = checks.check_nodes()
    assert message.id == "qatrack_aria.W006"
    assert "images of any patient" in message.msg


@pytest.mark.parametrize("patterns", ["", "QA_*", "*_QA", "?A_*", "0*"])
def test_a_pattern_with_a_letter_or_a_digit_is_not_warned_of(db: None, patterns: str) -> None:
    node("aria", allowed_patients=patterns)
    assert said(checks.check_nodes) == []


def test_a_node_that_is_switched_off_may_allow_everyone(db: None) -> None:
    node("aria", allowed_patients="*", is_active=False)
    assert said(checks.check_nodes) == []


@pytest.mark.django_db(transaction=True)
def test_before_the_first_migrate_nothing_is_said() -> None:
    call_command("migrate", "qatrack_aria", "zero", verbosity=0)
    try:
        assert said(checks.check_nodes) == []
    finally:
        call_command("migrate", "qatrack_aria", verbosity=0)
