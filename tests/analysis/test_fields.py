"""Images of fields, leaves and balls with an error put in."""

from __future__ import annotations

from pathlib import Path

from qatrack_aria.analysis import ANALYSES
from qatrack_aria.analysis.model import CT
from tests.analysis.numbers import MARKS, Case, assert_found, of_these
from tests.helpers.phantoms.cases import CASES

pytestmark = MARKS


@of_these(lambda case: case.analysis.kind != CT and "polarity" not in case.analysis.defaults)
def test_the_numbers_are_those_of_the_phantom(case: Case, tmp_path: Path) -> None:
    assert_found(case, tmp_path)


def test_every_analysis_has_a_phantom() -> None:
    assert {analysis.slug for analysis in ANALYSES} == {case.analysis.slug for case in CASES}
