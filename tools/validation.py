"""Write ``docs/validation.md`` and ``docs/gallery.md``, of what the tests on phantoms have found.

PHANTOM_RESULTS=DIR pytest tests/installed_qatrack/test_numbers.py    (in each QATrack+)
python -m tools.validation DIR
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Iterator

from PIL import Image

from qatrack_aria.analysis import ANALYSES
from qatrack_aria.analysis.model import Analysis
from qatrack_aria.analysis.versions import NEW, OLD
from tests.helpers.phantoms.cases import CASES, Case

DOCS = Path(__file__).resolve().parent.parent / "docs"
GALLERY = DOCS / "gallery"
HEAD = "| phantom | number | truth 3.1.1 | 3.1.1 | truth 4.0 | 4.0 |"
WIDTH = 900  # pixels of a picture
COLOURS = 48

VALIDATION = """\
# What was put into phantoms, and what came out

<!-- Made by "python -m tools.validation" of the results of tests/installed_qatrack. -->

Each pack was tried on phantoms whose truth is known, in both versions of QATrack+: the images lay
in a simulated ARIA, were fetched by the composite tests of the pack, and analysed by the pylinac
of that QATrack+ (3.1.1: pylinac-qatrackplus 2.5; 4.0: pylinac 3.49). The numbers are those that
QATrack+ records.

The phantoms are drawn from nominal layouts (`tests/helpers/phantoms`). They prove numbers, units
and signs. They do not prove that pylinac finds *your* phantom: validate each pack with your own
images before clinical use. Where pylinac is known to be off, that is in the description of the
number.
"""

GALLERY_HEAD = """\
# Gallery of the packs

<!-- Made by "python -m tools.validation" of the results of tests/installed_qatrack. -->

For each pack the contact sheet of the images, and the picture that pylinac draws of its result, as
QATrack+ keeps them with the session. The images are of phantoms with an error put in
(`docs/validation.md`).
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="the folder that PHANTOM_RESULTS named")
    results = parser.parse_args().results
    (DOCS / "validation.md").write_text(validation(results), encoding="utf-8")
    (DOCS / "gallery.md").write_text(gallery(results), encoding="utf-8")


def cases_of(analysis: Analysis) -> list[Case]:
    return [case for case in CASES if case.analysis is analysis]


def found(results: Path, version: str, case: Case) -> dict[str, tuple[float, float]]:
    """Return the truth and the result of each number, in one version."""
    path = results / version / f"{case.name}.json"
    if not path.is_file():
        return {}
    return {key: (truth, value) for key, truth, value in json.loads(path.read_text("utf-8"))}


def validation(results: Path) -> str:
    return VALIDATION + "".join(_section(results, analysis) for analysis in ANALYSES)


def _section(results: Path, analysis: Analysis) -> str:
    lines = [
        "| phantom | number | truth 3.1.1 | 3.1.1 | truth 4.0 | 4.0 |",
        "|---|---|---|---|---|---|",
    ]
    for case in cases_of(analysis):
        lines += _rows(results, case)
    return f"\n## {analysis.title}\n\n" + "\n".join(lines) + "\n"


def _rows(results: Path, case: Case) -> Iterator[str]:
    old, new = found(results, OLD, case), found(results, NEW, case)
    for number in case.analysis.numbers:
        if number.key in old or number.key in new:
            cells = [
                number.formatting.replace("%d", "%.0f") % value
                for both in (old, new)
                for value in both.get(number.key, ())
            ]
            cells = ["–", "–", *cells] if number.key not in old else cells
            cells = [*cells, "–", "–"][:4]
            unit = f" ({number.unit})" if number.unit else ""
            yield f"| `{case.name}` | {number.name}{unit} | {' | '.join(cells)} |"


def gallery(results: Path) -> str:
    shutil.rmtree(GALLERY, ignore_errors=True)
    GALLERY.mkdir()
    return GALLERY_HEAD + "".join(_pictures(results, analysis) for analysis in ANALYSES)


def _pictures(results: Path, analysis: Analysis) -> str:
    text = f"\n## {analysis.title}\n\n{analysis.numbers[0].name}, and more: `composite-tests.md`.\n"
    for which, words in (("sheet", "contact sheet"), ("result", "result")):
        source = _picture(results, analysis, which)
        if source is not None:
            name = f"{analysis.slug}_{which}.png"
            _shrink(source, GALLERY / name)
            text += f"\n![{words}](gallery/{name})\n"
    return text


def _picture(results: Path, analysis: Analysis, which: str) -> Path | None:
    paths = [
        results / version / f"{case.name}_{which}.png"
        for case in cases_of(analysis)
        for version in (NEW, OLD)
    ]
    return next((path for path in paths if path.is_file()), None)


def _shrink(source: Path, target: Path) -> None:
    picture = Image.open(source).convert("RGB")
    if picture.width > WIDTH:
        picture = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)))
    picture.quantize(COLOURS).save(target, "PNG", optimize=True)


if __name__ == "__main__":
    main()
