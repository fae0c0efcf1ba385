"""How often the node is asked does not depend on the years of images it holds."""

from __future__ import annotations

from typing import Any

import pytest

from qatrack_aria import fetch_images
from qatrack_aria.simulator import phantom
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz

SMALL = 2  # images of a session
SEARCHED = 3  # days before today: the first of search.WINDOWS


def history(wl: Any, sessions: int, newest: int = 1, every: int = 1) -> list[Any]:
    """Sessions of two images, each a series of its own; all in days before today."""
    found = []
    for number in range(sessions):
        found += winston_lutz(wl, NOON - (newest + number * every) * DAY)[:SMALL]
    return found


def asked(sim: Any, kind: str) -> int:
    return len(sim.operations(kind))


def answers(sim: Any) -> int:
    return sum(query.answers for query in sim.operations("C-FIND"))


#: Two for the plans; by each date once with all keys and once with the fewest; two for the newest
#: series; and two for the list of all series.
QUERIES = 10


@pytest.mark.parametrize("sessions", [1, 10, 200])
def test_ten_queries_and_one_move_whatever_the_history(serve: Any, sessions: int) -> None:
    wl = plan()
    images = history(wl, sessions)
    sim = serve(wl, images)
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(images[:SMALL])
    assert asked(sim, "C-MOVE") == 1
    counts = 1  # whether the node counts what it holds is asked once a day
    assert asked(sim, "C-FIND") == QUERIES + counts + 2 * (sessions > SEARCHED)
    sim.log.clear()
    fetch_images("aria", PATIENT, "WL", max_age=0)
    assert asked(sim, "C-FIND") == QUERIES
    # The plan twice; the images of the searched days; five times more those of the newest; and the
    # lists of series, one of which has that of the plan too.
    assert answers(sim) <= 2 + SMALL * (min(sessions, SEARCHED) + 5) + 2 * sessions + 1


def test_the_series_of_the_past_are_looked_at_once(serve: Any) -> None:
    """They may hold images without a date, which no search by days finds."""
    wl = plan()
    images = history(wl, 50)
    sim = serve(wl, images)
    fetch_images("aria", PATIENT, "WL")
    sim.add(winston_lutz(wl, NOON - 30 * DAY)[:SMALL])
    sim.log.clear()
    fetch_images("aria", PATIENT, "WL", max_age=0)
    assert asked(sim, "C-FIND") == QUERIES + 2
    assert max(query.answers for query in sim.operations("C-FIND")) == 52


@pytest.mark.parametrize(("newest", "queries"), [(0, 10), (3, 10), (7, 12), (60, 12), (400, 8)])
def test_the_search_is_widened_only_where_nothing_is_found(
    serve: Any, newest: int, queries: int
) -> None:
    """Where there are none of the last days, the node is asked for those of the plan."""
    wl = plan()
    images = history(wl, 4, newest, every=200)
    sim = serve(wl, images)
    for _ in range(2):
        sim.log.clear()
        assert uids(fetch_images("aria", PATIENT, "WL", max_age=0)) == uids(images[:SMALL])
    assert asked(sim, "C-FIND") == queries


def test_images_of_other_plans_do_not_lengthen_the_search_by_more_than_their_own_query(
    serve: Any,
) -> None:
    """Picket fence today, Winston-Lutz a week ago."""
    wl, fence = plan(), plan("PF")
    images = history(wl, 10, 7, every=7)
    sim = serve(wl, fence, images, phantom.picket_fence(fence, NOON, full_size=False))
    for _ in range(2):
        sim.log.clear()
        assert uids(fetch_images("aria", PATIENT, "WL", max_age=0)) == uids(images[:SMALL])
    by_plan = 1
    assert asked(sim, "C-FIND") == QUERIES + 1 + by_plan


@pytest.mark.parametrize(
    "behaviour",
    [{"ignored_keys": frozenset({"ContentDate"})}, {"refused_keys": frozenset({"ContentDate"})}],
    ids=["ignores", "refuses"],
)
def test_a_server_without_date_keys_is_queried_by_days_just_once(
    serve: Any, behaviour: Any
) -> None:
    """Else it would list its whole history for each of the days that are searched."""
    wl = plan()
    images = history(wl, 10, newest=60)
    sim = serve(wl, images, **behaviour)
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(images[:SMALL])
    plans, by_days, all_series, their_images, by_plan = 2, 1, 1, 1, 1
    assert asked(sim, "C-FIND") == plans + by_days + all_series + their_images + by_plan


def test_with_nothing_new_nothing_is_moved(serve: Any) -> None:
    wl = plan()
    sim = serve(wl, history(wl, 10))
    fetch_images("aria", PATIENT, "WL")
    sim.log.clear()
    fetch_images("aria", PATIENT, "WL", max_age=0)
    assert asked(sim, "C-FIND") == QUERIES
    assert asked(sim, "C-MOVE") == 0


def test_asked_again_within_a_minute_nothing_goes_over_the_network(serve: Any) -> None:
    wl = plan()
    sim = serve(wl, history(wl, 10))
    first = fetch_images("aria", PATIENT, "WL")
    sim.stop()
    assert list(fetch_images("aria", PATIENT, "WL")) == list(first)


def test_a_server_that_answers_level_by_level_is_asked_twice_for_each_series(serve: Any) -> None:
    """Above the images it tells no days that could be trusted: each series has to be listed."""
    wl = plan()
    sim = serve(wl, history(wl, 20), relational=False)
    fetch_images("aria", PATIENT, "WL")
    levels = [query.level for query in sim.operations("C-FIND")]
    refused, plans, series = 2, 1, 20
    assert levels.count("STUDY") == levels.count("SERIES") == 4  # of plans and of images
    assert levels.count("IMAGE") == refused + 2 * (plans + series)
