"""How often the node is asked does not depend on the years of images it holds."""

from __future__ import annotations

from typing import Any

import pytest

from qatrack_aria import fetch_images
from tests.fetch.conftest import DAY, NOON, PATIENT, plan, uids, winston_lutz

#: Days from one session to the next.
OFTEN = 1
SELDOM = 60
#: Of the search, in days: see the first of `visit.WINDOWS`.
SEARCHED = 14


def history(wl: Any, sessions: int, every: int = OFTEN) -> list[Any]:
    """Sessions of two images, each a series of its own, the newest of them yesterday."""
    newest = NOON - DAY
    found = []
    for number in range(sessions):
        found += winston_lutz(wl, newest - number * every * DAY)[:2]
    return found


def asked(sim: Any, kind: str) -> int:
    return len(sim.operations(kind))


def answers(sim: Any) -> int:
    return sum(query.answers for query in sim.operations("C-FIND"))


@pytest.mark.parametrize("sessions", [1, 10, 200])
def test_four_queries_and_one_move_whatever_the_history(serve: Any, sessions: int) -> None:
    wl = plan()
    images = history(wl, sessions)
    sim = serve(wl, images)
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(images[:2])
    assert asked(sim, "C-FIND") <= 4
    assert asked(sim, "C-MOVE") == 1
    # Each image of the searched days by its Content Date and by its Acquisition Date.
    assert answers(sim) <= 1 + 2 * 2 * min(sessions, SEARCHED) + 2


def test_a_wider_search_is_made_only_where_the_narrow_one_finds_nothing(serve: Any) -> None:
    wl = plan()
    images = history(wl, 100, SELDOM)
    for image in images[:2]:
        image.AcquisitionDate = image.ContentDate = (NOON - 60 * DAY).strftime("%Y%m%d")
    sim = serve(wl, images)
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(images[:2])
    assert asked(sim, "C-FIND") == 4 + 2
    assert answers(sim) < 20


def test_with_nothing_new_nothing_is_moved(serve: Any) -> None:
    wl = plan()
    sim = serve(wl, history(wl, 10))
    fetch_images("aria", PATIENT, "WL")
    sim.log.clear()
    fetch_images("aria", PATIENT, "WL", max_age=0)
    assert asked(sim, "C-FIND") <= 4
    assert asked(sim, "C-MOVE") == 0


def test_asked_again_within_a_minute_nothing_goes_over_the_network(serve: Any) -> None:
    wl = plan()
    sim = serve(wl, history(wl, 10))
    first = fetch_images("aria", PATIENT, "WL")
    sim.stop()
    assert list(fetch_images("aria", PATIENT, "WL")) == list(first)


def test_a_server_that_answers_level_by_level_is_asked_once_for_each_series(serve: Any) -> None:
    """Above the images it tells no days that could be trusted: each series has to be listed."""
    wl = plan()
    sim = serve(wl, history(wl, 20), relational=False)
    fetch_images("aria", PATIENT, "WL")
    levels = [query.level for query in sim.operations("C-FIND")]
    refused, studies, series_of_each_modality, plans = 2, 1, 2, 1
    assert levels.count("STUDY") == studies
    assert levels.count("SERIES") == series_of_each_modality
    assert levels.count("IMAGE") == refused + plans + 20
