"""A session that is under way while its images are fetched."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from qatrack_aria import fetch_images
from qatrack_aria.errors import IncompleteRetrievalError
from qatrack_aria.retrieval import workflow
from tests.helpers.aria import PATIENT, plan, uids, winston_lutz

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def just_now(node: Any) -> dt.datetime:
    """A session that began two minutes ago; the node asks once more while it may go on."""
    node.stable_answers = 1
    node.save()
    now = dt.datetime.now().replace(microsecond=0)
    for minutes_ago in (2, 0, 7):  # one of them leaves it, of some minutes, on one day
        start = now - minutes_ago * MINUTE
        if start.date() == (start + 5 * MINUTE).date():
            break
    return start


class Linac:
    """Irradiates one field more whenever the server sends an image: the session goes on."""

    def __init__(self, serve: Any, there: list[Any], fields: list[Any]) -> None:
        self.fields = list(fields)
        self.aria = serve(there, on_send=self.go_on)

    def go_on(self, ds: Any) -> Any:
        if self.fields:
            self.aria.add([self.fields.pop(0)])
        return ds

    @property
    def queries(self) -> int:
        return len(self.aria.operations("C-FIND"))


def fetch(**options: Any) -> Any:
    return fetch_images("aria", PATIENT, "WL", **options)


@pytest.mark.parametrize("select", [None, "day", "all"])
def test_images_that_come_while_the_first_are_fetched_are_fetched_too(
    serve: Any, just_now: dt.datetime, select: Any
) -> None:
    wl = plan()
    images = winston_lutz(wl, just_now)
    Linac(serve, [wl, *images[:3]], images[3:])
    assert uids(fetch(select=select)) == uids(images)


def test_a_session_that_does_not_end_is_an_error(
    serve: Any, just_now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow, "MOST_ROUNDS", 3)
    wl = plan()
    images = winston_lutz(wl, just_now)
    Linac(serve, [wl, *images[:1]], images[1:])
    with pytest.raises(
        IncompleteRetrievalError, match=r"more and more images .* last field is done"
    ):
        fetch()


def test_with_nothing_new_one_query_more_is_made(serve: Any, just_now: dt.datetime) -> None:
    wl = plan()
    linac = Linac(serve, [wl, *winston_lutz(wl, just_now)], [])
    fetch()
    assert linac.queries == 5


@pytest.mark.parametrize("times", [0, 3])
def test_how_often_is_a_setting_of_the_node(
    serve: Any, node: Any, just_now: dt.datetime, times: int
) -> None:
    node.stable_answers = times
    node.save()
    wl = plan()
    linac = Linac(serve, [wl, *winston_lutz(wl, just_now)], [])
    fetch()
    assert linac.queries == 4 + times


def test_with_the_count_met_nothing_more_is_asked(serve: Any, just_now: dt.datetime) -> None:
    wl = plan()
    linac = Linac(serve, [wl, *winston_lutz(wl, just_now)], [])
    fetch(count=8)
    assert linac.queries == 4


def test_images_of_an_hour_ago_are_not_asked_for_twice(serve: Any, just_now: dt.datetime) -> None:
    wl = plan()
    linac = Linac(serve, [wl, *winston_lutz(wl, just_now - 60 * MINUTE)], [])
    fetch()
    assert linac.queries == 4
