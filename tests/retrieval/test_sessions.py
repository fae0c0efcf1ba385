"""When one session ends and the next begins, and how its times are written."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.retrieval.sessions import silence_needed, span, surroundings
from tests.helpers.datasets import TAKEN, image_ref

SECOND = dt.timedelta(seconds=1)
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def taken_after(*times: dt.timedelta) -> list[ImageRef]:
    """Images that were acquired that long after the first."""
    return [image_ref(number, acquired=TAKEN + time) for number, time in enumerate(times)]


@pytest.mark.parametrize(
    ("images", "silence"),
    [
        pytest.param(taken_after(0 * SECOND), MINUTE, id="one image"),
        pytest.param(taken_after(0 * SECOND, 5 * SECOND), MINUTE, id="a fast arc"),
        pytest.param(
            taken_after(0 * SECOND, 35 * SECOND, 40 * SECOND), 105 * SECOND, id="with a pause"
        ),
        pytest.param(
            taken_after(0 * SECOND, 4 * HOUR), MINUTE, id="in the morning and in the evening"
        ),
        pytest.param(
            taken_after(0 * SECOND, 30 * MINUTE), 90 * MINUTE, id="as slow as a session may be"
        ),
        pytest.param(
            [*taken_after(0 * SECOND, 35 * SECOND), image_ref(3, acquired=None)],
            105 * SECOND,
            id="one without a time",
        ),
    ],
)
def test_a_session_is_over_after_three_times_its_largest_pause_and_a_minute_at_least(
    images: Any, silence: dt.timedelta
) -> None:
    assert silence_needed(images) == silence


@pytest.mark.parametrize(
    ("images", "before", "after"),
    [
        pytest.param(taken_after(0 * SECOND), MINUTE, MINUTE, id="one image"),
        pytest.param(taken_after(0 * SECOND, 5 * SECOND), MINUTE, MINUTE + 5 * SECOND, id="an arc"),
        pytest.param(
            taken_after(0 * SECOND, 5 * MINUTE, 6 * MINUTE),
            5 * MINUTE,
            11 * MINUTE,
            id="with a pause",
        ),
    ],
)
def test_images_as_near_as_those_of_a_session_may_be_of_it_too(
    images: Any, before: dt.timedelta, after: dt.timedelta
) -> None:
    assert surroundings(images) == (TAKEN - before, TAKEN + after)


@pytest.mark.parametrize(
    ("images", "written"),
    [
        pytest.param([image_ref(acquired=None)], "an unknown time", id="undated"),
        pytest.param(taken_after(0 * MINUTE, 20 * SECOND), "2026-11-20 08:30", id="one minute"),
        pytest.param(
            taken_after(0 * MINUTE, 3 * MINUTE), "2026-11-20 08:30 to 08:33", id="one day"
        ),
        pytest.param(
            taken_after(0 * MINUTE, DAY), "2026-11-20 08:30 to 2026-11-21 08:30", id="two days"
        ),
    ],
)
def test_the_first_and_the_last_time_are_written_as_briefly_as_is_clear(
    images: Any, written: str
) -> None:
    assert span(images) == written
