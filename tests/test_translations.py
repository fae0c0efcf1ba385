"""The catalogue for translators holds every text that is marked for translation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

CATALOGUE = Path("qatrack_aria/locale/de/LC_MESSAGES/django.po")


def texts(catalogue: Path) -> list[str]:
    """The entries of a catalogue without comments, sorted; the first one is the file's header."""
    entries = catalogue.read_text(encoding="utf-8").split("\n\n")[1:]
    lines = ([line for line in entry.splitlines() if line[0] != "#"] for entry in entries)
    return sorted("\n".join(entry) for entry in lines if entry)


def test_the_catalogue_is_what_makemessages_writes(tmp_path: Path) -> None:
    if shutil.which("xgettext") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("apt-get install gettext")
    package = tmp_path / "qatrack_aria"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(str(ROOT / "qatrack_aria"), str(package), ignore=ignored)
    command = ["makemessages", "--locale", "de", "--no-location", "--no-wrap", "--verbosity", "0"]
    environment = {key: value for key, value in os.environ.items() if key[:6] != "DJANGO"}

    subprocess.run(
        [sys.executable, "-m", "django", *command], cwd=package, env=environment, check=True
    )

    found = texts(tmp_path / CATALOGUE)
    assert len(found) > 200
    assert found == texts(ROOT / CATALOGUE), "make messages"
