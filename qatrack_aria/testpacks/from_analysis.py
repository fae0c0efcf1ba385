"""Make the pack of an analysis from its definition."""

from __future__ import annotations

from typing import Iterator

from qatrack_aria.analysis.model import CT, Analysis, Argument, Number
from qatrack_aria.analysis.versions import BOTH
from qatrack_aria.testpacks import procedures
from qatrack_aria.testpacks.model import (
    CONSTANT,
    MULTIPLE_CHOICE,
    NUMBER,
    PATIENT,
    PLAN,
    STRING,
    TEXT,
    VERSIONS,
    Pack,
    Test,
)

#: The version of QATrack+ that has a version of pylinac.
QATRACK = dict(zip(BOTH, VERSIONS))


def pack_of(analysis: Analysis) -> Pack:
    """Return the pack of an analysis."""
    return Pack(
        analysis.slug,
        f"ARIA {analysis.title}",
        f"ARIA {analysis.prefix.upper()}",
        f"Fetches the newest images from ARIA and analyses them with pylinac. "
        f"{analysis.description} References and tolerances are yours to set.",
        tests=tuple(_tests(analysis)),
        shared=(PATIENT,) if analysis.kind == CT else (PATIENT, PLAN),
        versions=_versions(analysis.pylinac),
        needs=analysis.expected,
        essential=f"{analysis.prefix}_analysis",
    )


def _versions(pylinac: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(QATRACK[one] for one in pylinac)


def _tests(analysis: Analysis) -> Iterator[Test]:
    prefix = analysis.prefix
    yield _series(prefix) if analysis.kind == CT else _beams(prefix)
    yield _expected(analysis)
    yield from (_argument(analysis, argument) for argument in analysis.arguments)
    yield Test(
        f"{prefix}_status",
        "Images",
        TEXT,
        "What was fetched, or what went wrong and what to do.",
        code=procedures.status(analysis),
    )
    yield Test(
        f"{prefix}_analysis",
        "Analysis",
        TEXT,
        "All that pylinac found, and which images it was found in. The tests below take their "
        "values from here; if they stay empty, the reason is shown here.",
        code=procedures.results(analysis),
    )
    yield from _of_images(prefix)
    yield from (_number(analysis, number) for number in analysis.numbers)
    yield Test(
        f"{prefix}_sheet",
        "Contact sheet",
        TEXT,
        "Attaches one picture that shows all images.",
        code=procedures.sheet(analysis),
        shows_picture=True,
    )
    yield Test(
        f"{prefix}_picture",
        "Result picture",
        TEXT,
        "Attaches the picture that pylinac draws of its result.",
        code=procedures.picture(analysis),
        shows_picture=True,
    )


def _beams(prefix: str) -> Test:
    return Test(
        f"{prefix}_beams",
        "Beams",
        STRING,
        "Names of the plan's beams whose images are analysed, between commas; * for all. The ones "
        "used last on this unit are offered.",
        code=procedures.last_value(f"{prefix}_beams", first="*"),
    )


def _series(prefix: str) -> Test:
    return Test(
        f"{prefix}_series",
        "Series description",
        STRING,
        "Description of the CT series; * stands for any letters, and alone for any series. The one "
        "used last on this unit is offered.",
        code=procedures.last_value(f"{prefix}_series", first="*"),
    )


def _expected(analysis: Analysis) -> Test:
    return Test(
        f"{analysis.prefix}_expected",
        "Images expected",
        CONSTANT,
        f"With fewer images nothing is calculated. {analysis.expected} for "
        f"{analysis.expected_for}; set it to what your plan gives.",
        constant=analysis.expected,
        formatting="%g",
    )


def _argument(analysis: Analysis, argument: Argument) -> Test:
    macro = f"{analysis.prefix}_{argument.key}"
    name = f"{argument.name} ({argument.unit})" if argument.unit else argument.name
    if not argument.choices:
        return Test(
            macro,
            name,
            CONSTANT,
            argument.description,
            constant=argument.value,
            formatting=argument.formatting,
        )
    return Test(
        macro,
        name,
        MULTIPLE_CHOICE,
        f"{argument.description} The one chosen last on this unit is offered.",
        code=procedures.last_value(macro, "chosen", argument.value),
        choices=argument.choices,
    )


def _of_images(prefix: str) -> Iterator[Test]:
    yield Test(
        f"{prefix}_count",
        "Number of images",
        NUMBER,
        "Images that were used.",
        code=f'result = {prefix}_analysis["count"]\n',
        formatting="%d",
    )
    yield Test(
        f"{prefix}_acquired",
        "Acquired",
        TEXT,
        "Date and time of the newest image, by the clock of the imager.",
        code=f'result = {prefix}_analysis["images"]["acquired"].replace("T", " ")[:19]\n',
    )


def _number(analysis: Analysis, number: Number) -> Test:
    proposal = f" Proposed: {number.proposal}." if number.proposal else ""
    return Test(
        f"{analysis.prefix}_{number.key}",
        f"{number.name} ({number.unit})" if number.unit else number.name,
        NUMBER,
        f"{number.description}{proposal}",
        code=f'result = {analysis.prefix}_analysis["{number.key}"]\n',
        formatting=number.formatting,
        versions=_versions(number.pylinac),
    )
