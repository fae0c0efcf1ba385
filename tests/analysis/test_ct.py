"""CT scans of phantoms with an error put in."""

from __future__ import annotations

from pathlib import Path

from qatrack_aria.analysis.model import CT
from tests.analysis.numbers import MARKS, Case, assert_found, of_these

pytestmark = MARKS


@of_these(lambda case: case.analysis.kind == CT)
def test_the_numbers_are_those_of_the_phantom(case: Case, tmp_path: Path) -> None:
    assert_found(case, tmp_path)
