"""A session that is under way while its images are fetched: a part of it is not the whole."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Any

import pytest

from qatrack_aria import fetch_images
from qatrack_aria.conf import conf
from qatrack_aria.errors import IncompleteRetrievalError, SessionUnderWayError
from qatrack_aria.retrieval import search, session_end, sessions
from tests.helpers.aria import PATIENT, command, plan, uids, winston_lutz

MINUTE = dt.timedelta(minutes=1)
SECOND = dt.timedelta(seconds=1)


@pytest.fixture(autouse=True)
def careful(node: Any) -> None:
    """As a node is by default: it does not accept a session that is under way."""
    node.stable_answers = 1
    node.save()


def taken(ago: dt.timedelta, count: int = 3) -> tuple[Any, list[Any]]:
    """A plan, and images 35 s apart, the newest that long ago."""
    wl = plan()
    newest = dt.datetime.now().replace(microsecond=0) - ago
    return wl, winston_lutz(wl, newest - (count - 1) * 35 * SECOND, count=count)


def fetch(**options: Any) -> Any:
    return fetch_images("aria", PATIENT, "WL", max_age=0, **options)


class Linac:
    """Irradiates one field more whenever the server sends an image: the session goes on."""

    def __init__(self, serve: Any, there: list[Any], fields: list[Any]) -> None:
        self.fields = list(fields)
        self.aria = serve(there, on_send=self.go_on)

    def go_on(self, ds: Any) -> Any:
        if self.fields:
            self.aria.add([self.fields.pop(0)])
        return ds


# --- by the clock of the imager ---------------------------------------------------------------


@pytest.mark.parametrize("select", [None, "session", "series", "day", "all"])
def test_images_of_a_moment_ago_are_not_taken_for_the_whole(serve: Any, select: Any) -> None:
    wl, images = taken(20 * SECOND)
    serve(wl, images)
    with pytest.raises(SessionUnderWayError, match=r"newest \d+ s old.* 35 s apart.* Ask"):
        fetch(select=select)


def test_after_three_times_the_largest_gap_the_session_is_over(serve: Any) -> None:
    wl, images = taken(110 * SECOND)
    serve(wl, images)
    assert uids(fetch()) == uids(images)


def test_the_time_between_two_sessions_is_none_between_images(serve: Any) -> None:
    """All images are asked for; those of the newest session come every 35 s."""
    wl, images = taken(110 * SECOND)
    before = winston_lutz(wl, dt.datetime.now() - 400 * MINUTE, count=2)
    serve(wl, before, images)
    assert uids(fetch(select="all")) == uids(before + images)


def test_a_single_image_is_the_whole_after_a_minute(serve: Any) -> None:
    wl, images = taken(20 * SECOND, count=1)
    serve(wl, images)
    with pytest.raises(SessionUnderWayError):
        fetch()
    wl, images = taken(70 * SECOND, count=1)
    serve(wl, images)
    assert uids(fetch()) == uids(images)


def test_the_count_says_how_many_there_will_be(serve: Any) -> None:
    wl, images = taken(20 * SECOND)
    serve(wl, images)
    assert uids(fetch(count=3)) == uids(images)
    with pytest.raises(IncompleteRetrievalError, match="at least 8"):
        fetch(count=8)


def test_what_there_is_can_be_had(serve: Any) -> None:
    wl, images = taken(20 * SECOND)
    sim = serve(wl, images)
    assert len(fetch_images("aria", PATIENT, "WL", unfinished=True)) == 3
    sim.add(winston_lutz(wl, dt.datetime.now(), count=1))
    code, out, _ = command("fetch_aria", "aria", PATIENT, "WL", "--unfinished", "--select=session")
    assert (code, out.count(".dcm")) == (0, 4)


def test_a_part_of_a_session_is_not_remembered(serve: Any) -> None:
    wl, images = taken(20 * SECOND)
    sim = serve(wl, images[:2])
    assert len(fetch_images("aria", PATIENT, "WL", unfinished=True)) == 2
    sim.add(images[2:])
    assert len(fetch_images("aria", PATIENT, "WL", unfinished=True)) == 3


def test_the_check_can_be_switched_off_for_a_node(serve: Any, node: Any) -> None:
    node.stable_answers = 0
    node.save()
    wl, images = taken(20 * SECOND)
    serve(wl, images)
    assert uids(fetch()) == uids(images)


@pytest.mark.parametrize("behind", [900, -900])
def test_an_imager_whose_clock_is_wrong_is_known_by_its_node(
    serve: Any, node: Any, behind: int
) -> None:
    node.clock_ahead = -behind
    node.save()
    wl, images = taken(20 * SECOND + behind * SECOND)
    serve(wl, images)
    with pytest.raises(SessionUnderWayError, match=r"the newest 2\d s old"):
        fetch()


def test_a_list_that_is_completed_tomorrow_does_not_end_the_session(serve: Any) -> None:
    from django.utils import timezone

    class Utils:
        meta = {"work_completed": timezone.now() + dt.timedelta(days=1)}

    wl, images = taken(20 * SECOND)
    serve(wl, images)
    with pytest.raises(SessionUnderWayError):
        fetch(utils=Utils())


def age_by(seconds: int) -> None:
    """Let so many seconds pass since the list of images was seen first."""
    (seen,) = Path(conf.ARCHIVE).rglob("*.seen")
    first = seen.stat().st_mtime - seconds
    os.utime(seen, (first, first))


# --- by our own clock -------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session counts as over after half a second without a new image."""
    monkeypatch.setattr(sessions, "LEAST_SILENCE", dt.timedelta(seconds=0.5))
    monkeypatch.setattr(session_end, "RESERVE", 0.1)


def test_the_end_is_awaited_where_the_deadline_allows_it(serve: Any, impatient: None) -> None:
    wl, images = taken(-5 * MINUTE, count=1)  # a clock that is ahead shows no age
    serve(wl, images)
    assert uids(fetch()) == uids(images)


def test_who_asks_again_need_not_wait_again(serve: Any, impatient: None) -> None:
    wl, images = taken(-5 * MINUTE)
    serve(wl, images)
    with pytest.raises(SessionUnderWayError, match="Ask again in 105 s"):
        fetch()
    age_by(110)
    assert uids(fetch()) == uids(images)


def test_another_image_begins_the_silence_anew(serve: Any) -> None:
    wl, images = taken(-5 * MINUTE, count=4)
    sim = serve(wl, images[:3])
    with pytest.raises(SessionUnderWayError):
        fetch()
    age_by(110)
    sim.add(images[3:])
    with pytest.raises(SessionUnderWayError, match="4 found"):
        fetch()


# --- images that come meanwhile ---------------------------------------------------------------


@pytest.mark.parametrize("select", [None, "session", "day", "all"])
def test_images_that_come_while_the_first_are_fetched_are_fetched_too(
    serve: Any, select: Any
) -> None:
    wl, images = taken(10 * MINUTE, count=8)
    Linac(serve, [wl, *images[:3]], images[3:])
    assert uids(fetch(select=select)) == uids(images)


def test_a_session_that_does_not_end_is_an_error(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MOST_ROUNDS", 3)
    wl, images = taken(10 * MINUTE, count=8)
    Linac(serve, [wl, *images[:1]], images[1:])
    with pytest.raises(
        IncompleteRetrievalError, match=r"more and more images .* last field is done"
    ):
        fetch()
