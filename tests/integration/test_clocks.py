"""Clocks: midnight, summer time, and imagers whose clock is not QATrack+'s."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from qatrack_aria import fetch_images
from qatrack_aria.errors import AmbiguousImagesError
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz

MINUTE = dt.timedelta(minutes=1)


class Utils:
    """QATrack+'s ``UTILS`` of a session that was completed at a time of the clinic's clocks."""

    def __init__(self, completed: dt.datetime) -> None:
        self.meta = {"work_completed": timezone.make_aware(completed)}


def fetch(**options: Any) -> Any:
    return fetch_images("aria", PATIENT, "WL", **options)


def one_by_one(images: list[Any], start: dt.datetime, step: dt.timedelta) -> list[Any]:
    """The images acquired one after the other, the first at `start`."""
    for number, ds in enumerate(images):
        moment = start + number * step
        ds.AcquisitionDate = ds.ContentDate = f"{moment:%Y%m%d}"
        ds.AcquisitionTime = ds.ContentTime = f"{moment:%H%M%S}"
    return images


# --- midnight ---------------------------------------------------------------------------------


def test_a_series_that_runs_over_midnight_is_one_set(serve: Any) -> None:
    wl = plan()
    mine = one_by_one(winston_lutz(wl), NOON - 12.05 * MINUTE * 60, MINUTE)
    serve(wl, mine, winston_lutz(wl, NOON - 2 * DAY))
    assert uids(fetch()) == uids(mine)


def test_a_day_that_ends_within_a_session_is_mentioned(serve: Any) -> None:
    """select='day' means the calendar's day: what lies before midnight is left out, and said."""
    wl = plan()
    evening = winston_lutz(wl, NOON - 12.5 * MINUTE * 60, count=4)
    night = winston_lutz(wl, NOON - 11.5 * MINUTE * 60, count=4)
    serve(wl, evening, night)
    images = fetch(select="day")
    assert uids(images) == uids(night)
    assert "Within six hours of them there are 4 images more" in images.status


@pytest.mark.parametrize("days", [3, 14, 120])
def test_a_session_over_midnight_where_the_search_begins_is_seen_whole(
    serve: Any, days: int
) -> None:
    """Each image a series of its own, and the first day that is searched begins in their midst."""
    wl = plan()
    midnight = NOON - dt.timedelta(days=days, hours=12)
    mine = one_by_one(winston_lutz(wl), midnight - 6.5 * MINUTE, MINUTE)
    for number, ds in enumerate(mine):
        ds.SeriesInstanceUID = f"{ds.SeriesInstanceUID[:50]}.{number}"
    serve(wl, mine)
    with pytest.raises(AmbiguousImagesError, match="8 images in 8 series"):
        fetch()
    assert uids(fetch(select="session")) == uids(mine)


# --- the imager's clock -----------------------------------------------------------------------


def test_a_clock_that_is_ahead_does_not_cut_a_set_in_two(serve: Any) -> None:
    """The first images seem to lie before the end of the session, the last after it."""
    wl = plan()
    mine = one_by_one(winston_lutz(wl), NOON - DAY, MINUTE)
    serve(wl, mine, winston_lutz(wl, NOON - 3 * DAY))
    with pytest.raises(AmbiguousImagesError, match=r"5 images were acquired up to .* and 3 more"):
        fetch(utils=Utils(NOON - DAY + 4 * MINUTE))


def test_a_node_knows_how_far_its_imagers_are_ahead(serve: Any, node: Any) -> None:
    wl = plan()
    mine = one_by_one(winston_lutz(wl), NOON - DAY, MINUTE)
    serve(wl, mine, winston_lutz(wl, NOON - 3 * DAY))
    node.clock_ahead = 300
    node.save()
    assert uids(fetch(utils=Utils(NOON - DAY + 4 * MINUTE))) == uids(mine)


def test_count_says_that_the_first_part_of_a_series_is_the_set(serve: Any) -> None:
    """The same fields were irradiated again after the session, into the same series."""
    wl = plan()
    series = one_by_one(winston_lutz(wl), NOON - DAY, MINUTE)
    serve(wl, series)
    images = fetch(utils=Utils(NOON - DAY + 3 * MINUTE), count=4)
    assert uids(images) == uids(series[:4])


@pytest.mark.parametrize("ahead", [DAY / 2, DAY])
def test_a_clock_that_is_ahead_by_hours_makes_no_difference(serve: Any, ahead: Any) -> None:
    """Time zones of servers are set wrong now and then."""
    wl = plan()
    now = dt.datetime.now().replace(microsecond=0)
    mine = one_by_one(winston_lutz(wl), now + ahead - 30 * MINUTE, MINUTE)
    serve(wl, mine, winston_lutz(wl, now - 2 * DAY))
    assert uids(fetch()) == uids(mine)


def test_images_of_the_future_are_never_taken_for_the_newest(serve: Any) -> None:
    """An imager without a battery: its images would be the newest for years."""
    wl = plan()
    serve(wl, winston_lutz(wl, NOON + 400 * DAY), winston_lutz(wl))
    with pytest.raises(AmbiguousImagesError, match="is in the future"):
        fetch()


def test_beside_images_of_the_future_those_of_a_day_can_be_had(serve: Any) -> None:
    wl = plan()
    mine = winston_lutz(wl, NOON - DAY)
    serve(wl, mine, winston_lutz(wl, NOON + 400 * DAY))
    assert uids(fetch(date=(NOON - DAY).date())) == uids(mine)


# --- summer time ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("acquired", "completed"),
    [
        # Toronto, 2026: clocks go from 2:00 to 3:00 on 8 March, from 2:00 to 1:00 on 1 November.
        (dt.datetime(2026, 3, 8, 3, 10), dt.datetime(2026, 3, 8, 3, 30)),
        (dt.datetime(2026, 11, 1, 1, 10), dt.datetime(2026, 11, 1, 2, 30)),
    ],
    ids=["spring", "autumn"],
)
def test_a_session_beside_the_change_of_clocks_finds_its_images(
    serve: Any, acquired: dt.datetime, completed: dt.datetime
) -> None:
    wl = plan()
    mine = winston_lutz(wl, acquired)
    serve(wl, mine, winston_lutz(wl, acquired - DAY), winston_lutz(wl, acquired + DAY))
    assert uids(fetch(utils=Utils(completed))) == uids(mine)


def test_in_the_hour_that_comes_twice_all_of_it_is_before_the_end(serve: Any) -> None:
    """Acquired at 1:40 before the clocks went back, completed at 1:10 after that."""
    wl = plan()
    mine = winston_lutz(wl, dt.datetime(2026, 11, 1, 1, 40))
    serve(wl, mine, winston_lutz(wl, dt.datetime(2026, 10, 31, 9)))
    session = Utils(dt.datetime(2026, 11, 1, 0, 10))
    session.meta["work_completed"] += 2 * dt.timedelta(hours=1)
    assert uids(fetch(utils=session)) == uids(mine)


def test_a_node_knows_that_its_imagers_have_no_summer_time(serve: Any, node: Any) -> None:
    """Their clocks are an hour behind, and other images followed half an hour after the session."""
    wl = plan()
    hour = 60 * MINUTE
    mine, later = winston_lutz(wl, NOON - DAY - hour), winston_lutz(wl, NOON - DAY - hour / 4)
    serve(wl, mine, later)
    node.clock_ahead = -3600
    node.save()
    assert uids(fetch(utils=Utils(NOON - DAY + 10 * MINUTE))) == uids(mine)
