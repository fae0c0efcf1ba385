"""Every analysis with phantoms whose truth is known."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Mapping

import pydicom

from qatrack_aria.analysis import ANALYSES
from qatrack_aria.analysis.model import Analysis
from qatrack_aria.dicom.attributes import PlanRef, image_ref
from qatrack_aria.retrieval.image import Image
from qatrack_aria.retrieval.plan import Plan
from tests.helpers.phantoms import ct, mv, planar

#: The numbers by their keys, for each version of pylinac that has the analysis.
Truth = Dict[str, Mapping[str, float]]


@dataclasses.dataclass(frozen=True)
class Drawn:
    """What was drawn: the truth, and what the analysis is given for it.

    `error` is a part of the message where it has to refuse the images.
    """

    truth: Truth
    arguments: Mapping[str, Any]
    error: str = ""


@dataclasses.dataclass(frozen=True)
class Case:
    """One phantom: its name, its analysis, and what draws it into a folder."""

    name: str
    analysis: Analysis
    draw: Callable[[Path], Drawn]

    def __str__(self) -> str:
        return self.name


class Files(list):  # type: ignore[type-arg]
    """The images of a folder, as far as an analysis uses an image set."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder)
        plan = Plan.of(PlanRef("QA", "", "", ""), lambda: None)
        paths = sorted(folder.glob("*.dcm"))
        refs = [image_ref(pydicom.dcmread(path), from_file=True) for path in paths]
        pairs = sorted(zip(refs, paths), key=lambda pair: pair[0].place)
        super().__init__(Image(str(path), ref, plan) for ref, path in pairs)


def by_slug(slug: str) -> Analysis:
    """Return an analysis by its name."""
    (found,) = (analysis for analysis in ANALYSES if analysis.slug == slug)
    return found


def _planar(name: str, folder: Path) -> Drawn:
    planar.DRAWERS[name](folder)
    note = folder / f"{name}.json"
    expected = json.loads(note.read_text(encoding="utf-8"))
    note.unlink()
    arguments: dict[str, Any] = {}
    error = ""
    for truth in expected.values():
        arguments.update(truth.pop("arguments", {}))
        error = truth.pop("error", error)
    return Drawn(expected, arguments, error)


def _ct(scan: ct.Scan, analysis: Analysis, folder: Path) -> Drawn:
    ct.write(scan, folder)
    return Drawn(dict.fromkeys(analysis.pylinac, ct.truths(scan)), {})


def _mv(draw: Callable[[Path], Any], arguments: Any, analysis: Analysis, folder: Path) -> Drawn:
    _, truth = draw(folder)
    return Drawn(dict.fromkeys(analysis.pylinac, truth), arguments)


def _refused(draw: Callable[[Path], Any], arguments: Any, folder: Path) -> Drawn:
    draw(folder)
    return Drawn({}, arguments, "refused")


def _cases() -> list[Case]:
    prefixes = {analysis.prefix: analysis for analysis in ANALYSES}
    found = []
    for name, (slug, arguments, draw) in mv.CASES.items():
        found.append(Case(name, by_slug(slug), partial(_mv, draw, arguments, by_slug(slug))))
    for name, (slug, arguments, draw) in mv.REFUSED.items():
        found.append(Case(name, by_slug(slug), partial(_refused, draw, arguments)))
    for name in planar.DRAWERS:
        found.append(Case(name, prefixes[name.split("_")[0]], partial(_planar, name)))
    for name, (slug, scan) in ct.CASES.items():
        analysis = by_slug(slug)
        found.append(Case(name, analysis, partial(_ct, scan, analysis)))
    return found


CASES = _cases()


def one_of_each() -> list[Case]:
    """Return one phantom for each analysis, with an error in it, and all that is refused."""
    first = {case.analysis.slug: case for case in reversed(CASES) if "-right" not in case.name}
    refused = [case for case in CASES if case.name.startswith("no_") or "_wrong" in case.name]
    return [*first.values(), *(case for case in refused if case not in first.values())]


#: By how much pylinac is off: absolute, for the analyses whose prefix begins so, by the beginning
#: of a number's key.
ABSOLUTE = {
    "cat": {
        "hu_": 4.0,
        "uniformity_index": 0.15,
        "uniformity_worst": 1.5,
        "integral_non_uniformity": 0.0006,
        "noise": 0.4,
        "thickness": 0.12,
        "line_": 0.12,
        "mtf50": 0.05,
        "roll": 0.25,
    },
    "star": {"diameter": 0.1},  # the ends of spokes are rounded to a third of a pixel
    "field": {"size_": 0.12},  # pylinac 3 finds the steepest points in steps of 0.1 mm
    "drcs": {"rotation": 0.25, "max_rotation": 0.35},  # circles are sampled in steps of a pixel
}
ABSOLUTE["quart"] = {**ABSOLUTE["cat"], "width": 0.2, "height": 0.2, "edge": 0.15}
#: The same for the others, by the unit.
BY_UNIT = {"mm": 0.06, "%": 0.05, "°": 0.02}
#: Of images of flat phantoms: a fraction of contrasts, and what noise makes of the others.
FLAT = {"contrast": 0.03, "cnr": 0.2, "resolution": 0.03}
FLAT_ABSOLUTE = {"angle": 0.5, "centre_": 0.25}


def accuracy(analysis: Analysis, key: str, truth: float) -> float:
    """Return by how much a result may differ from the truth."""
    if "contrast_threshold" in analysis.defaults:
        absolute = _beginning(FLAT_ABSOLUTE, key)
        return abs(truth) * FLAT.get(key, 0.0) if absolute is None else absolute
    for prefix, known in ABSOLUTE.items():
        absolute = _beginning(known, key) if analysis.prefix.startswith(prefix) else None
        if absolute is not None:
            return absolute
    (unit,) = {number.unit for number in analysis.numbers if number.key == key}
    return BY_UNIT.get(unit, 0.0)


def _beginning(known: Mapping[str, float], key: str) -> float | None:
    return next((value for begin, value in known.items() if key.startswith(begin)), None)
