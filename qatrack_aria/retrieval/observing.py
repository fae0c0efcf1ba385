"""Tell a program that runs composite tests which images they were given.

It has no other way to know: their procedures call us, and QATrack+ calls them.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
from typing import Callable, Iterator

from qatrack_aria.errors import AriaError
from qatrack_aria.retrieval.imageset import ImageSet


@dataclasses.dataclass
class Observed:
    """What was handed over to composite tests.

    Attributes
    ----------
    sets : list of ImageSet
        In the order in which they were handed over.
    failures : list of AriaError
        What was raised instead.
    """

    sets: list[ImageSet] = dataclasses.field(default_factory=list)
    failures: list[AriaError] = dataclasses.field(default_factory=list)


_observed: contextvars.ContextVar[Observed | None] = contextvars.ContextVar(
    "qatrack_aria_observed", default=None
)


@contextlib.contextmanager
def observing() -> Iterator[Observed]:
    """Note what is handed over in this thread while the block runs."""
    observed = Observed()
    token = _observed.set(observed)
    try:
        yield observed
    finally:
        _observed.reset(token)


def noted(work: Callable[[], ImageSet]) -> ImageSet:
    """Return what `work` does, or raise what it raises, and note it for whoever observes."""
    observed = _observed.get() or Observed()
    try:
        images = work()
    except AriaError as error:
        observed.failures.append(error)
        raise
    observed.sets.append(images)
    return images
