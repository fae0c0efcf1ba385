"""Provide the analyses that composite tests call, by name.

::

    from qatrack_aria import analyses, fetch_images

    images = fetch_images("aria", patientid, rtplanname, "portal", utils=UTILS)
    result = analyses.drgs(images)

Each takes an image set and its own arguments, and returns its numbers
(:meth:`~qatrack_aria.analysis.model.Analysis.__call__`); its ``attach`` attaches pylinac's picture.
The same images are analysed once. ``docs/composite-tests.md`` lists them with their numbers.
"""

from __future__ import annotations

from qatrack_aria.analysis import ANALYSES
from qatrack_aria.analysis.model import Analysis

_BY_NAME = {analysis.slug: analysis for analysis in ANALYSES}


def __getattr__(name: str) -> Analysis:
    try:
        return _BY_NAME[name]
    except KeyError:
        raise AttributeError(
            f"there is no analysis {name!r}; there are {', '.join(sorted(_BY_NAME))}"
        ) from None


def __dir__() -> list[str]:
    return sorted(_BY_NAME)
