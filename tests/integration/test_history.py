"""Images below years of another plan's: each is learned once, and what was learned is no proof."""

from __future__ import annotations

import time
from copy import deepcopy
from typing import Any, Callable

import pytest

from qatrack_aria import fetch_images
from qatrack_aria.errors import (
    AmbiguousImagesError,
    ImagesNotFoundError,
    SearchUnfinishedError,
)
from qatrack_aria.retrieval import history
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz
from tools.node import make_node

#: Days ago of the newest yearly images, and of those before them.
NEWEST, BEFORE = 200, 565
DAILY = 30  # series of the daily plan
#: How a server may show that nothing is missing.
WAYS = {
    "plan key": {},
    "counts": {"counts": True, "ignored_keys": frozenset({"ReferencedRTPlanSequence"})},
    "lists": {"ignored_keys": frozenset({"ReferencedRTPlanSequence"})},
    "level by level": {"relational": False},
    "no dates, no lists": {
        "ignored_keys": frozenset({"ContentDate", "AcquisitionDate"}),
        "empty_keys": frozenset({"ReferencedRTPlanSequence"}),
    },
}
ways = pytest.mark.parametrize("behaviour", list(WAYS.values()), ids=list(WAYS))


class Yearly:
    """A patient with a yearly plan, WL, and a daily one."""

    def __init__(self) -> None:
        self.wl, self.daily = plan(), plan("DAILY")
        self.newest = winston_lutz(self.wl, NOON - NEWEST * DAY, count=3)
        self.before = winston_lutz(self.wl, NOON - BEFORE * DAY, count=3)
        self.others = [
            winston_lutz(self.daily, NOON - days * DAY, count=2) for days in range(5, 5 + DAILY)
        ]

    @property
    def datasets(self) -> list[Any]:
        others = [image for one in self.others for image in one]
        return [self.wl, self.daily, *self.newest, *self.before, *others]


@pytest.fixture
def yearly() -> Yearly:
    return Yearly()


def fetch(node: str = "aria", **options: Any) -> list[str]:
    return uids(fetch_images(node, PATIENT, "WL", max_age=0, **options))


def answers(sim: Any) -> int:
    return sum(query.answers for query in sim.operations("C-FIND"))


def full_answers(sim: Any) -> int:
    """Answers to queries for all that is known of an image."""
    queries = sim.operations("C-FIND")
    return sum(query.answers for query in queries if "ImageType" in query.identifier)


def corrected(image: Any, **attributes: Any) -> Any:
    copy = deepcopy(image)
    for keyword, value in attributes.items():
        setattr(copy, keyword, value)
    return copy


@ways
def test_they_are_found_and_found_again(serve: Any, yearly: Yearly, behaviour: Any) -> None:
    sim = serve(yearly.datasets, **behaviour)
    for _ in range(3):
        assert fetch() == uids(yearly.newest)
    assert len(sim.operations("C-MOVE")) == 1


def test_the_history_is_listed_once(serve: Any, yearly: Yearly) -> None:
    sim = serve(yearly.datasets)
    fetch()
    assert full_answers(sim) < 1.2 * len(yearly.datasets)
    sim.log.clear()
    fetch()
    assert full_answers(sim) < 0.4 * len(yearly.datasets)
    assert answers(sim) < 0.6 * len(yearly.datasets)
    sim.add(winston_lutz(yearly.daily, NOON - DAY, count=2))
    sim.log.clear()
    assert fetch() == uids(yearly.newest)
    assert full_answers(sim) < 0.4 * len(yearly.datasets)


@ways
def test_where_a_server_shows_what_is_new_its_images_are_not_listed_again(
    serve: Any, yearly: Yearly, behaviour: Any
) -> None:
    """But for those of the set, and of the days that are searched first where no plan is a key."""
    sim = serve(yearly.datasets, **behaviour)
    fetch()
    sim.log.clear()
    fetch()
    by_days = "ignored_keys" in behaviour and "empty_keys" not in behaviour
    of_days = 1.5 * sum(map(len, yearly.others)) if by_days else 0
    shows_what_is_new = behaviour == {} or "counts" in behaviour
    of_all = 0 if shows_what_is_new else len(yearly.datasets)
    assert full_answers(sim) <= 5 * len(yearly.newest) + of_days + of_all


# --- what was learned is out of date -------------------------------------------------------------


def _deleted(it: Yearly) -> list[Any]:
    it.newest.pop()
    return it.newest


def _all_deleted(it: Yearly) -> list[Any]:
    it.newest.clear()
    return it.before


def _moved(it: Yearly) -> list[Any]:
    series = f"{it.newest[0].SeriesInstanceUID[:60]}.9"
    it.newest[:] = [corrected(image, SeriesInstanceUID=series) for image in it.newest]
    return it.newest


def _corrected(it: Yearly) -> list[Any]:
    """The newest are in truth older than all others."""
    old = f"{NOON - 900 * DAY:%Y%m%d}"
    dates = {"AcquisitionDate": old, "ContentDate": old}
    it.newest[:] = [corrected(image, **dates) for image in it.newest]
    return it.before


def _filed_late(it: Yearly) -> list[Any]:
    """A newer session, in a series of its own."""
    it.newest = winston_lutz(it.wl, NOON - (NEWEST - 20) * DAY, count=2)
    it.others.append(it.before)
    return it.newest


def _grown(it: Yearly) -> list[Any]:
    """The series of the set has gone on, months later."""
    (late,) = winston_lutz(it.wl, NOON - (NEWEST - 60) * DAY, count=1)
    late.SeriesInstanceUID = it.newest[0].SeriesInstanceUID
    it.others.append(list(it.newest))
    it.newest = [late]
    return it.newest


def _another_series_grown(it: Yearly) -> list[Any]:
    """A series of daily images has got newer images of the yearly plan."""
    newer = winston_lutz(it.wl, NOON - (NEWEST - 100) * DAY, count=2)
    for image in newer:
        image.SeriesInstanceUID = it.others[3][0].SeriesInstanceUID
    it.others.append(it.newest)
    it.newest = newer
    return newer


def test_a_type_that_is_corrected_while_images_are_listed_is_seen(
    serve: Any, yearly: Yearly
) -> None:
    """The list of the plan's images, the fifth, proves the others, and says what they did not."""
    corrected = (
        rf"{yearly.newest[0].SOPInstanceUID}:ImageType=ORIGINAL\PRIMARY\PORTAL\ACQUIRED_DOSE"
    )
    serve(yearly.datasets, late_from=5, corrected=frozenset({corrected}))
    with pytest.raises(AmbiguousImagesError, match="ACQUIRED_DOSE in the answer"):
        fetch(select="all")


@pytest.mark.parametrize("name", ["plan key", "lists", "level by level", "no dates, no lists"])
def test_an_image_of_another_series_that_is_corrected_in_place_is_seen(
    serve: Any, yearly: Yearly, name: str
) -> None:
    """A node that counts, and matches no plan, cannot show that; README, "What is kept"."""
    sim = serve(yearly.datasets, **WAYS[name])
    fetch()
    yearly.others[9] = _of_plan(yearly.others[9], yearly.wl)
    sim.replace(yearly.datasets)
    assert fetch() == uids(yearly.others[9])


@ways
@pytest.mark.parametrize(
    "change",
    [_deleted, _all_deleted, _moved, _corrected, _filed_late, _grown, _another_series_grown],
)
def test_a_change_is_seen(
    serve: Any, yearly: Yearly, behaviour: Any, change: Callable[[Yearly], list[Any]]
) -> None:
    sim = serve(yearly.datasets, **behaviour)
    earlier = uids(yearly.newest)
    assert fetch() == earlier
    due = uids(change(yearly))
    sim.replace(yearly.datasets)
    for _ in range(2):
        assert fetch(select="session") == due


def test_a_server_that_was_restored_from_a_backup_has_what_it_had(
    serve: Any, yearly: Yearly
) -> None:
    backup = yearly.datasets
    sim = serve(backup)
    before = fetch()
    later = winston_lutz(yearly.wl, NOON - 20 * DAY, count=2)
    sim.add(later)
    assert fetch() == uids(later)
    sim.replace(backup)
    assert fetch() == before


def test_what_was_learned_long_ago_is_learned_anew(
    serve: Any, yearly: Yearly, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = serve(yearly.datasets, **WAYS["counts"])
    fetch()
    monkeypatch.setattr(history, "LASTING", 0)
    sim.log.clear()
    assert fetch() == uids(yearly.newest)
    assert answers(sim) > len(yearly.datasets)


def test_no_set_is_missed_because_of_what_was_learned(serve: Any, yearly: Yearly) -> None:
    """An image of another plan is corrected; no count and no date shows that."""
    sim = serve(yearly.daily, yearly.wl, yearly.others[9], **WAYS["counts"])
    with pytest.raises(ImagesNotFoundError):
        fetch()
    sim.replace([yearly.daily, yearly.wl, *_of_plan(yearly.others[9], yearly.wl)])
    assert fetch() == uids(yearly.others[9])


def _of_plan(images: list[Any], of: Any) -> list[Any]:
    copies = [deepcopy(image) for image in images]
    for image in copies:
        image.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID = of.SOPInstanceUID
    return copies


@pytest.mark.parametrize("spoil", ["cut", "edited", "other", "empty", "binary"])
def test_a_file_of_what_was_learned_is_used_only_as_it_was_written(
    serve: Any, yearly: Yearly, settings: Any, tmp_path: Any, spoil: str
) -> None:
    serve(yearly.datasets)
    fetch()
    files = list((tmp_path / "archive" / "known").glob("*/*.json"))
    assert len(files) >= 2
    for file in files:
        content = file.read_bytes()
        spoilt = {
            "cut": content[: len(content) // 2],
            "edited": content.replace(b"PORTAL", b"PORTAI").replace(b"true", b"null"),
            "other": b"0" * 64 + content[64:],
            "empty": b"",
            "binary": bytes(range(256)),
        }
        file.write_bytes(spoilt[spoil])
    assert fetch() == uids(yearly.newest)


def test_two_nodes_with_the_same_images_share_nothing(
    serve: Any, node: Any, yearly: Yearly
) -> None:
    sim = serve(yearly.datasets)
    other = {"remote_port": sim.port, "local_port": node.local_port, "grace": 0.2}
    make_node(name="other", stable_answers=0, **other)
    fetch()
    sim.log.clear()
    assert fetch("other") == uids(yearly.newest)
    assert answers(sim) > len(yearly.datasets)


def test_a_change_of_the_node_forgets_what_was_learned(
    serve: Any, node: Any, yearly: Yearly
) -> None:
    sim = serve(yearly.datasets)
    fetch()
    node.query_model = "PATIENT"
    node.save()
    sim.log.clear()
    assert fetch() == uids(yearly.newest)
    assert answers(sim) > len(yearly.datasets)


# --- a search that does not finish ---------------------------------------------------------------


def _slow(number: int, identifier: Any, found: list[Any]) -> list[Any]:
    time.sleep(0.15)
    return found


def test_a_search_that_does_not_finish_says_how_far_it_came_and_goes_on(
    serve: Any, yearly: Yearly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "PORTION", 4)
    serve(yearly.datasets, on_answer=_slow)
    looked: list[int] = []
    found = None
    while found is None and len(looked) < 40:
        try:
            found = fetch(deadline=3.1)
        except SearchUnfinishedError as error:
            looked.append(_looked_through(str(error), len(yearly.datasets)))
    assert found == uids(yearly.newest)
    assert len(looked) >= 2
    assert looked == sorted(set(looked))


def _looked_through(message: str, images: int) -> int:
    words = message.replace(",", "").split()
    number, total = int(words[1]), int(words[4])
    assert "ask again" in message
    assert number <= total <= 1.2 * images
    return number
