"""Analyses of images that were fetched: computed once, and attached once."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from qatrack_aria import analyses, fetch_images, fetch_series
from qatrack_aria.analysis.model import CT, Analysis
from qatrack_aria.errors import AnalysisError, RequestError, WaitingError
from tests.helpers.aria import NOON, PATIENT, plan, winston_lutz

if importlib.util.find_spec("pylinac") is None:
    pytest.skip("pylinac is not installed", allow_module_level=True)

from tests.helpers.phantoms.cases import CASES, accuracy
from tests.helpers.phantoms.in_aria import adopted

pytestmark = pytest.mark.filterwarnings("ignore")  # pylinac and what it uses warn of themselves


def held(name: str, folder: Path) -> tuple[Any, Any, Any]:
    """A phantom in a plan: the case, what was drawn, and what ARIA holds."""
    (case,) = (case for case in CASES if case.name == name)
    drawn = case.draw(folder)
    wl = plan()
    return case, drawn, [wl, *adopted(folder, wl, NOON)]


@pytest.mark.parametrize("name", ["drgs", "starc", "604-errors"])
def test_what_was_put_into_the_images_is_found(serve: Any, tmp_path: Path, name: str) -> None:
    case, drawn, datasets = held(name, tmp_path)
    serve(datasets)
    if case.analysis.kind == CT:
        images = fetch_series("aria", PATIENT, deadline=100)
    else:
        images = fetch_images("aria", PATIENT, "WL")
    found = getattr(analyses, case.analysis.slug)(images, **drawn.arguments)
    for key, value in drawn.truth["3.49"].items():
        if key in found:
            assert found[key] == pytest.approx(value, abs=accuracy(case.analysis, key, value))
    assert found["count"] == len(images)
    assert found["images"] == images.summary


@pytest.fixture
def images(serve: Any, tmp_path: Path) -> Any:
    """An open and a DMLC image, fetched."""
    _, _, datasets = held("drgs", tmp_path)
    serve(datasets)
    return fetch_images("aria", PATIENT, "WL")


def test_the_same_images_are_analysed_once(images: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = analyses.drgs(images)
    monkeypatch.setattr(Analysis, "_analysed", None)
    assert analyses.drgs(images) == first
    with pytest.raises(TypeError):
        analyses.drgs(images, tolerance=3)  # other arguments are another question


def test_an_argument_that_an_analysis_does_not_have_is_refused(images: Any) -> None:
    with pytest.raises(RequestError, match="has no argument tolerence; it has tolerance"):
        analyses.drgs(images, tolerence=3)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({}, WaitingError, "Waiting for 'MLC'"),
        ({"mlc": None}, WaitingError, "Waiting for 'MLC'"),
        ({"mlc": "Agility"}, RequestError, "give one of Millennium, HD Millennium"),
        ({"mlc": "Millennium", "tolerance": "x"}, RequestError, "tolerance='x' is not a number"),
    ],
)
def test_a_value_that_is_not_valid_is_refused(
    images: Any, given: Any, error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        analyses.picket_fence(images, **given)


def test_an_analysis_that_does_not_exist_is_named() -> None:
    with pytest.raises(AttributeError, match="no analysis 'drg'; there are catphan_503"):
        _ = analyses.drg
    assert "drgs" in dir(analyses)


def test_images_that_are_not_what_it_needs_are_an_error_of_one_line(serve: Any) -> None:
    wl = plan()
    serve(wl, winston_lutz(wl, count=3))
    with pytest.raises(AnalysisError, match=r"DRGS needs 2 images.*there are 3 images"):
        analyses.drgs(fetch_images("aria", PATIENT, "WL"))


def test_images_in_which_pylinac_finds_nothing_are_an_error_of_one_line(serve: Any) -> None:
    wl = plan()
    serve(wl, winston_lutz(wl, count=2))
    for analyse in (analyses.drgs, analyses.qc3, analyses.starshot_collimator):
        with pytest.raises(AnalysisError, match="Look at the contact sheet") as error:
            analyse(fetch_images("aria", PATIENT, "WL"))
        assert "\n" not in str(error.value)
