"""Images of flat phantoms with an error put in."""

from __future__ import annotations

from pathlib import Path

from tests.analysis.numbers import MARKS, Case, assert_found, of_these

pytestmark = MARKS


@of_these(lambda case: "polarity" in case.analysis.defaults)
def test_the_numbers_are_those_of_the_phantom(case: Case, tmp_path: Path) -> None:
    assert_found(case, tmp_path)
