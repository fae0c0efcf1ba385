"""What a node turns out to be able to do: learned once, used, shown, and learned again."""

from __future__ import annotations

import time
from typing import Any

import pytest

from qatrack_aria import fetch_images
from qatrack_aria.dicom import abilities
from qatrack_aria.retrieval import known_series
from qatrack_aria.retrieval.node_abilities import abilities_of, forget
from qatrack_aria.simulator import Behaviour
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz

MANY = 40  # series


@pytest.fixture
def images() -> list[Any]:
    """Three a day, each day a series, the newest of yesterday; all of one plan."""
    wl = plan()
    taken = [winston_lutz(wl, NOON - days * DAY, count=3) for days in range(1, MANY)]
    return [wl, *(image for one in taken for image in one)]


def fetch(**options: Any) -> list[str]:
    return uids(fetch_images("aria", PATIENT, "WL", max_age=0, **options))


def values(node: Any) -> dict[str, Any]:
    return {name: finding["value"] for name, finding in abilities_of(node).items()}


def asked(sim: Any) -> list[Any]:
    queries = sim.operations("C-FIND")
    sim.log.clear()
    return list(queries)


@pytest.mark.parametrize("keyword", ["RadiationMachineName", "PrimaryDosimeterUnit"])
def test_a_return_key_that_empties_an_answer_costs_no_history(
    serve: Any, node: Any, images: list[Any], keyword: str
) -> None:
    sim = serve(images, empty_return_keys=frozenset({keyword}))
    for _ in range(2):
        assert fetch() == uids(images[1:4])
        queries = [query for query in asked(sim) if "ImageType" in query.identifier]
        assert sum(query.answers for query in queries) <= 40
    assert not any(keyword in query.identifier for query in queries)
    assert values(node)[abilities.ALL_KEYS] is False


def test_a_refused_way_is_not_tried_at_each_visit(serve: Any, node: Any, images: list[Any]) -> None:
    sim = serve(images[:10], relational=False)
    fetch()
    assert [query.status for query in asked(sim) if query.status]
    fetch()
    assert not [query.status for query in asked(sim) if query.status]
    assert values(node)[abilities.RELATIONAL] is False


def test_what_was_refused_is_tried_again_after_a_day(
    serve: Any, images: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = serve(images[:10], relational=False)
    fetch()
    asked(sim)
    now = time.time
    monkeypatch.setattr(abilities.time, "time", lambda: now() + abilities.LASTING + 1)
    fetch()
    assert [query.status for query in asked(sim) if query.status]


def test_a_server_that_answers_nothing_for_a_while_is_not_taken_for_a_strict_one(
    serve: Any, node: Any, images: list[Any]
) -> None:
    sim = serve(images[:10], find_failures=3)
    fetch()
    asked(sim)
    fetch()
    assert not [query for query in asked(sim) if query.level == "STUDY" and query.answers > 1]
    assert values(node).get(abilities.RELATIONAL) is not False


@pytest.mark.parametrize("counts", [False, True])
def test_with_counts_that_are_as_before_no_days_are_searched(
    serve: Any, node: Any, images: list[Any], counts: bool
) -> None:
    sim = serve(images, counts=counts)
    fetch()
    asked(sim)
    assert fetch() == uids(images[1:4])
    by_days = [query for query in asked(sim) if "20" in query.identifier.get("ContentDate", "")]
    assert bool(by_days) is not counts
    assert values(node)[abilities.COUNTS] is counts
    newer = winston_lutz(images[0], NOON - DAY / 4, count=2)
    sim.add(newer)
    assert fetch() == uids(newer)


def test_a_correction_in_the_newest_series_is_seen_though_the_counts_are_as_before(
    serve: Any, images: list[Any]
) -> None:
    sim = serve(images, counts=True)
    fetch()
    fetch()
    other = plan("OTHER")
    for image in images[1:4]:
        image.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID = other.SOPInstanceUID
    sim.replace([*images, other])
    assert fetch() == uids(images[4:7])


def test_a_longer_list_than_we_take_is_cancelled(
    serve: Any, images: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_series, "MOST_SERIES", 5)
    sim = serve(images)
    assert fetch() == uids(images[1:4])
    cancelled = [query for query in asked(sim) if query.status == 0xFE00]
    assert [query.level for query in cancelled] in ([], ["SERIES"])  # it may have ended before
    assert fetch() == uids(images[1:4])
    assert not [query for query in asked(sim) if query.level == "SERIES"]


def test_the_plan_uid_as_a_key_is_learned(serve: Any, node: Any, images: list[Any]) -> None:
    yearly = plan("YEARLY")
    sim = serve(images, yearly, winston_lutz(yearly, NOON - 300 * DAY, count=2))
    for matches in (True, False):
        ignored = () if matches else ("ReferencedRTPlanSequence",)
        sim.behaviour = Behaviour(ignored_keys=frozenset(ignored))
        forget(node)
        fetch_images("aria", PATIENT, "YEARLY", max_age=0)
        assert values(node)[abilities.PLAN_KEY] is matches
        assert values(node)[abilities.SERIES_LISTS] is True


def test_a_cut_list_tells_the_limit(serve: Any, node: Any, images: list[Any]) -> None:
    serve(images, answer_limit=30)
    with pytest.raises(Exception, match="cut off at the server's limit"):
        fetch(select="all")
    assert values(node)[abilities.LIMIT] == 30


def test_what_was_learned_can_be_forgotten(serve: Any, node: Any, images: list[Any]) -> None:
    serve(images[:10])
    fetch()
    assert values(node)
    forget(node)
    assert values(node) == {}
    forget(node)
    assert fetch() == uids(images[1:4])
