"""Whether an analysis finds what was put into a phantom, with the right sign."""

from __future__ import annotations

import importlib.util
import io
import math
from pathlib import Path
from typing import Any, Callable

import pytest
from PIL import Image as Picture

from qatrack_aria.analysis.pictures import as_png
from qatrack_aria.analysis.versions import NEW, pylinac_version

if importlib.util.find_spec("pylinac") is None:
    pytest.skip("pylinac is not installed", allow_module_level=True)

from tests.helpers.phantoms.cases import Case, Files, accuracy, one_of_each

MARKS = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # pylinac and what it uses warn of themselves
]


def of_these(wanted: Callable[[Case], bool]) -> Any:
    """Parametrize a test with some of the phantoms; all of them are tried in both QATrack+."""
    cases = [case for case in one_of_each() if wanted(case)]
    return pytest.mark.parametrize("case", cases, ids=str)


def assert_found(case: Case, tmp_path: Path) -> None:
    """Assert that what was put into a phantom is found, or that its images are refused."""
    analysis = case.analysis
    drawn = case.draw(tmp_path)
    arguments = {**analysis.defaults, **drawn.arguments}
    if drawn.error:
        message = "" if drawn.error == "refused" else drawn.error
        with pytest.raises(ValueError, match=message) as refused:
            analysis.measure(analysis.run(Files(tmp_path), **arguments), **arguments)
        assert "\n" not in str(refused.value)
        return
    if NEW not in drawn.truth or pylinac_version() != NEW:
        pytest.skip("it is for another version of pylinac")

    analysed = analysis.run(Files(tmp_path), **arguments)
    found = analysis.measure(analysed, **arguments)
    picture = as_png(analysis.draw(analysed))

    due = {number.key for number in analysis.numbers if NEW in number.pylinac}
    assert {key for key in due if not math.isfinite(found[key])} == set()
    truth = {key: value for key, value in drawn.truth[NEW].items() if key in due}
    assert truth
    wrong = {
        key: (value, found[key])
        for key, value in truth.items()
        if abs(found[key] - value) > accuracy(analysis, key, value) + 1e-9
    }
    assert wrong == {}, wrong  # the truth, and what was found
    assert Picture.open(io.BytesIO(picture)).width > 300
