"""The trial itself: this app in that QATrack+, and nothing of the site's own data."""

from __future__ import annotations

import os

import pytest

from tests.installed_qatrack.conftest import MISSING
from tests.installed_qatrack.installation import REPOSITORY

if not os.environ.get("QATRACK_ROOT"):
    pytest.skip(MISSING, allow_module_level=True)


def test_the_app_is_the_one_of_this_repository(qatrack, print_at_end):
    versions = qatrack.ask("versions")
    print_at_end(f"QATrack+ {versions['qatrack']} on Django {versions['django']}")
    assert versions["app"] == str(REPOSITORY / "qatrack_aria" / "__init__.py")


def test_nothing_is_kept_outside_of_the_temporary_folder(qatrack):
    outside = [
        path
        for path in qatrack.ask("versions")["paths"]
        if not path.startswith(str(qatrack.directory))
    ]
    assert outside == []


def test_the_app_has_no_migration_to_make(qatrack):
    qatrack.manage("makemigrations", "qatrack_aria", "--check", "--dry-run")


def test_django_finds_nothing_wrong_with_the_app(qatrack):
    qatrack.manage("check", "qatrack_aria", "--fail-level", "WARNING")


@pytest.mark.parametrize("who", ["admin", "physicist", "secretary", "auditor"])
def test_everybody_can_log_in(visit, who):
    assert visit(who).get("/qc/unit/").status == 200
