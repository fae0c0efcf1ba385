"""Where settings come from, and what is said of one that cannot work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qatrack_aria.conf import conf
from qatrack_aria.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _nothing_set(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ARCHIVE", "KEEP_SETS_DAYS"):
        setattr(settings, f"QATRACK_ARIA_{name}", None)
        monkeypatch.delenv(f"QATRACK_ARIA_{name}", raising=False)


def complaint(name: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        getattr(conf, name)
    return str(caught.value)


# --- the archive ------------------------------------------------------------------------------


def test_the_archive_lies_beside_qatracks_own_data(settings: Any, tmp_path: Path) -> None:
    """QATrack+ keeps db/ and logs/ beside its package, which it calls PROJECT_ROOT."""
    settings.PROJECT_ROOT = str(tmp_path / "qatrack")

    assert tmp_path.resolve() / "aria-archive" == conf.ARCHIVE


def test_in_another_project_the_archive_lies_in_its_folder(settings: Any, tmp_path: Path) -> None:
    settings.PROJECT_ROOT = None
    settings.BASE_DIR = tmp_path

    assert tmp_path.resolve() / "aria-archive" == conf.ARCHIVE


def test_a_project_without_a_folder_has_to_name_one(settings: Any) -> None:
    settings.PROJECT_ROOT = settings.BASE_DIR = None

    assert "set QATRACK_ARIA_ARCHIVE to the full path" in complaint("ARCHIVE")


@pytest.mark.parametrize("kind", [str, Path])
def test_the_archive_can_be_set_as_text_or_as_a_path(
    settings: Any, tmp_path: Path, kind: Any
) -> None:
    settings.QATRACK_ARIA_ARCHIVE = kind(tmp_path)

    assert tmp_path == conf.ARCHIVE


def test_the_archive_can_be_set_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QATRACK_ARIA_ARCHIVE", str(tmp_path))

    assert tmp_path == conf.ARCHIVE


def test_the_settings_module_goes_before_the_environment(
    settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.QATRACK_ARIA_ARCHIVE = str(tmp_path / "settings")
    monkeypatch.setenv("QATRACK_ARIA_ARCHIVE", str(tmp_path / "environment"))

    assert tmp_path / "settings" == conf.ARCHIVE


def test_a_tilde_stands_for_the_home_folder(
    settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    settings.QATRACK_ARIA_ARCHIVE = "~/aria"

    assert tmp_path / "aria" == conf.ARCHIVE


def test_an_empty_setting_is_none(settings: Any, tmp_path: Path) -> None:
    """Docker hands over variables that nobody filled in."""
    settings.PROJECT_ROOT = str(tmp_path / "qatrack")
    settings.QATRACK_ARIA_ARCHIVE = ""

    assert tmp_path.resolve() / "aria-archive" == conf.ARCHIVE


@pytest.mark.parametrize("given", ["aria", "./aria", "../aria", "."])
def test_a_relative_path_is_refused(settings: Any, given: str) -> None:
    """The web server and the command line would each have an archive of their own."""
    settings.QATRACK_ARIA_ARCHIVE = given

    assert f"is '{given}', a relative path" in complaint("ARCHIVE")


def test_the_home_of_nobody_is_refused(settings: Any) -> None:
    settings.QATRACK_ARIA_ARCHIVE = "~no-such-account/aria"

    assert "give the full path" in complaint("ARCHIVE")


# --- how long sets are kept -------------------------------------------------------------------


def test_sets_are_kept_for_a_week() -> None:
    assert conf.KEEP_SETS_DAYS == 7


def test_the_days_can_be_set(settings: Any) -> None:
    settings.QATRACK_ARIA_KEEP_SETS_DAYS = 30

    assert conf.KEEP_SETS_DAYS == 30


def test_the_days_can_be_set_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QATRACK_ARIA_KEEP_SETS_DAYS", "30")

    assert conf.KEEP_SETS_DAYS == 30


@pytest.mark.parametrize("given", [0, -1, 1.5, "7", True, False, [7], float("nan")])
def test_days_that_are_none_are_refused(settings: Any, given: Any) -> None:
    settings.QATRACK_ARIA_KEEP_SETS_DAYS = given

    assert f"is {given!r}: give a whole number of days" in complaint("KEEP_SETS_DAYS")


@pytest.mark.parametrize("given", ["a week", "1.5"])
def test_an_environment_variable_that_is_no_number_is_named(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("QATRACK_ARIA_KEEP_SETS_DAYS", given)

    assert "QATRACK_ARIA_KEEP_SETS_DAYS cannot be read" in complaint("KEEP_SETS_DAYS")


def test_an_empty_environment_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QATRACK_ARIA_KEEP_SETS_DAYS", "")

    assert conf.KEEP_SETS_DAYS == 7


def test_a_setting_that_is_changed_counts_at_once(settings: Any) -> None:
    settings.QATRACK_ARIA_KEEP_SETS_DAYS = 1
    assert conf.KEEP_SETS_DAYS == 1

    settings.QATRACK_ARIA_KEEP_SETS_DAYS = 2
    assert conf.KEEP_SETS_DAYS == 2
