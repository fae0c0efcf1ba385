"""What was put into a phantom comes out of QATrack+: by simulator, fetch and composite tests.

With PHANTOM_RESULTS, the numbers and pictures are written into that folder: ``docs/validation.md``
and ``docs/gallery.md`` are made of them.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from qatrack_aria.analysis.model import CT
from qatrack_aria.analysis.versions import NEW, OLD
from tests.helpers.phantoms.cases import CASES, accuracy
from tests.helpers.phantoms.in_aria import adopted
from tests.installed_qatrack.aria import LATEST, PATIENT, plan
from tests.installed_qatrack.installation import REPOSITORY

PACKS = REPOSITORY / "fixtures" / "testpacks"


@pytest.fixture
def pylinac(qatrack):
    """The pylinac of this QATrack+."""
    return OLD if qatrack.ask("versions")["qatrack"].startswith("3.") else NEW


@pytest.fixture
def test_list(qatrack, pylinac):
    """Import the pack of an analysis, and assign its list to the unit."""

    def do(analysis):
        suffix = {OLD: "qatrack31", NEW: "qatrack40"}[pylinac]
        qatrack.ask("load_pack", path=str(PACKS / f"{analysis.slug}_{suffix}.tpk"))
        (name,) = (name for name in qatrack.ask("test_lists") if not name.endswith(": tests"))
        return qatrack.ask("assign", name=name)

    return do


@pytest.fixture
def keep(qatrack, pylinac):
    """Keep what was found, and the pictures, for the documents."""

    def do(case, rows):
        folder = os.environ.get("PHANTOM_RESULTS")
        if not folder:
            return
        kept = Path(folder) / pylinac
        kept.mkdir(parents=True, exist_ok=True)
        (kept / f"{case.name}.json").write_text(json.dumps(rows), encoding="utf-8")
        for attachment in qatrack.ask("attachments"):
            which = "sheet" if "-images" in Path(attachment["file"]).name else "result"
            shutil.copy(attachment["file"], kept / f"{case.name}_{which}.png")

    return do


def filled_in(case, drawn, images):
    """The fields of the list, by macro name."""
    prefix = case.analysis.prefix
    given = {**case.analysis.defaults, **drawn.arguments}
    of = {f"{prefix}_series": "*"} if case.analysis.kind == CT else {f"{prefix}_beams": "*"}
    return {
        "patientid": PATIENT,
        "rtplanname": "WL",
        **of,
        f"{prefix}_expected": images,
        **{f"{prefix}_{key}": value for key, value in given.items()},
    }


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_pack_finds_what_was_put_into_the_phantom(
    case, tmp_path, serve, qatrack, physicist, pylinac, test_list, keep
):
    drawn = case.draw(tmp_path)
    truth = drawn.truth.get(pylinac)
    if not truth:
        pytest.skip(f"pylinac {pylinac} does not have it")
    wl = plan()
    images = adopted(tmp_path, wl, LATEST)
    serve(wl, images)
    qatrack.ask("change_node", is_default=True, deadline=120)
    of_pack = test_list(case.analysis)

    results = physicist.composite(of_pack, filled_in(case, drawn, len(images)))

    assert {slug: result.error for slug, result in results.items() if result.error} == {}
    prefix = case.analysis.prefix
    assert results[f"{prefix}_count"].value == len(images)
    numbers = [one for one in case.analysis.numbers if pylinac in one.pylinac]
    found = {one.key: results[f"{prefix}_{one.key}"].value for one in numbers}
    compared = {key: value for key, value in truth.items() if key in found}
    assert compared
    wrong = {
        key: (value, found[key])
        for key, value in compared.items()
        if abs(found[key] - value) > accuracy(case.analysis, key, value) + 1e-9
    }
    assert wrong == {}
    assert [Path(a["file"]).suffix for a in qatrack.ask("attachments")] == [".png", ".png"]
    keep(case, [[key, value, found[key]] for key, value in compared.items()])
