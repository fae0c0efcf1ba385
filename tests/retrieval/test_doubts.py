"""When a set is refused because other images may belong to it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.errors import AmbiguousImagesError
from qatrack_aria.retrieval.request import Request
from qatrack_aria.retrieval.selection import settle
from tests.helpers.datasets import LABEL, PATIENT, PLAN_UID, TAKEN, series_refs

PLANS = frozenset({PLAN_UID})
MINUTE = dt.timedelta(minutes=1)


def chosen(images: list[ImageRef], **options: Any) -> list[ImageRef]:
    """The set of images whose headers are known."""
    return settle(images, Request.parse(PATIENT, LABEL, **options), PLANS)


@pytest.mark.parametrize(
    "late",
    [
        pytest.param(series_refs("2", 3, acquired=TAKEN + 20 * MINUTE), id="in the session"),
        pytest.param(series_refs("1", 3, acquired=TAKEN + 50 * MINUTE), id="in the series"),
    ],
)
def test_a_set_that_goes_on_after_the_end_of_the_session_is_refused(late: list[ImageRef]) -> None:
    """The imager's clock may be ahead of QATrack+'s."""
    in_time = series_refs("1", 1, 2, acquired=TAKEN)
    end = TAKEN + 5 * MINUTE

    with pytest.raises(AmbiguousImagesError, match=r"2 images were .* and 1 more .* after it"):
        chosen(in_time + late, until=end)
    assert chosen(in_time + late, until=end, count=(2, 2)) == in_time


def test_images_long_after_the_end_of_the_session_do_no_harm() -> None:
    in_time = series_refs("1", 1, 2, acquired=TAKEN)
    late = series_refs("2", 3, acquired=TAKEN + 50 * MINUTE)

    assert chosen(in_time + late, until=TAKEN + 5 * MINUTE) == in_time


# --- midnight ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{"select": "series"}, {"select": "session"}, {"select": "all", "date": TAKEN}],
    ids=str,
)
def test_midnight_cuts_nothing_off_where_no_day_was_to_be_chosen(options: Any) -> None:
    midnight = dt.datetime.combine(TAKEN.date(), dt.time())
    before = series_refs("1", 1, 2, acquired=midnight - MINUTE)
    after = series_refs("2", 3, 4, acquired=midnight + MINUTE)
    whole = options["select"] == "session"

    assert chosen(before + after, **options) == (before + after if whole else after)
