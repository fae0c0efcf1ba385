"""What answers and files say of the images, and where they contradict each other."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.retrieval.listed_images import ListedImages, differences
from tests.helpers.datasets import KV, PLAN_UID, TAKEN, image_ref, series_refs

SECOND = dt.timedelta(seconds=1)
MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)
OTHER_TYPE = {"image_type": ("ORIGINAL", "PRIMARY", "PORTAL", "ACQUIRED_DOSE")}


def answer(changes: dict[str, Any]) -> ImageRef:
    return image_ref(**{"acquired": TAKEN, "from_file": False, **changes})


def file(changes: dict[str, Any]) -> ImageRef:
    return image_ref(**{"acquired": TAKEN, **changes})


@pytest.mark.parametrize(
    ("listed", "filed"),
    [
        pytest.param({}, {}, id="the same"),
        pytest.param({}, {"acquired": TAKEN + MINUTE}, id="a minute later"),
        pytest.param({"acquired": None}, {}, id="no time in the answer"),
        pytest.param({}, {"acquired": None}, id="no date in the file"),
        pytest.param({}, {"acquired": None, "acquired_on": TAKEN.date()}, id="the day in the file"),
        pytest.param({}, {"acquired": TAKEN - DAY, "saved": TAKEN}, id="the time of saving"),
        pytest.param({"image_type": None}, {}, id="no type in the answer"),
        pytest.param({"plan_uids": None}, {}, id="no plan in the answer"),
        pytest.param({}, {"plan_uids": frozenset({PLAN_UID, "1.2.9"})}, id="one of two plans"),
        pytest.param({"machines": frozenset()}, {}, id="no machine in the answer"),
        pytest.param({"machines": frozenset({"tb1"})}, {}, id="other capitals"),
        pytest.param({}, {"machines": frozenset({"TB1", "TB2"})}, id="one of two names"),
        pytest.param({"dose_unit": None}, KV, id="no unit in the answer"),
    ],
)
def test_an_answer_that_says_less_than_the_file_contradicts_nothing(
    listed: dict[str, Any], filed: dict[str, Any]
) -> None:
    assert differences(answer(listed), file(filed)) == []


@pytest.mark.parametrize(
    ("filed", "said"),
    [
        pytest.param(
            {"acquired": TAKEN + MINUTE + SECOND},
            "time 2026-11-20 08:30:00 in the answer, 2026-11-20 08:31:01 in the file",
            id="time",
        ),
        pytest.param(
            {"acquired": None, "acquired_on": (TAKEN - DAY).date()},
            "time 2026-11-20 08:30:00 in the answer, 2026-11-19 in the file",
            id="day",
        ),
        pytest.param(
            {"plan_uids": frozenset({"1.2.10", "1.2.9"})},
            f"plan {PLAN_UID} in the answer, 1.2.10, 1.2.9 in the file",
            id="plans",
        ),
        pytest.param(
            {"plan_uids": None}, f"plan {PLAN_UID} in the answer, none in the file", id="no plan"
        ),
        pytest.param(
            OTHER_TYPE,
            "image type ORIGINAL\\PRIMARY\\PORTAL in the answer, "
            "ORIGINAL\\PRIMARY\\PORTAL\\ACQUIRED_DOSE in the file",
            id="image type",
        ),
        pytest.param(
            {"machines": frozenset({"TB2"})},
            "machine 'TB1' in the answer, 'TB2' in the file",
            id="machine",
        ),
        pytest.param(KV, "unit MU in the answer, MINUTE in the file", id="unit"),
        pytest.param({"dose_unit": None}, "unit MU in the answer, none in the file", id="no unit"),
    ],
)
def test_a_file_that_says_something_else_contradicts_its_answer(
    filed: dict[str, Any], said: str
) -> None:
    assert differences(answer({}), file(filed)) == [said]


def test_contradictions_are_listed_of_the_images_in_question_only() -> None:
    images = ListedImages()
    images.add([*series_refs("1", 1, 2, 3, from_file=False)])
    images.read({ref.sop_uid: ref for ref in series_refs("1", 1, 2, **KV)})
    first, _, unread = (ref.sop_uid for ref in images)

    assert images.contradictions([first, unread]) == ["unit MU in the answer, MINUTE in the file"]
    assert images.contradictions([unread]) == []


def test_the_header_takes_the_place_of_the_answer() -> None:
    images = ListedImages()
    images.add(series_refs("1", 1, 2, from_file=False))
    header = series_refs("9", 1, **KV)[0]
    images.read({header.sop_uid: header})

    read, unread = images

    assert (read.from_file, read.dose_unit) == (True, "MINUTE")
    assert read.series_uid == "1.2.3.1"  # as it is listed, and can be asked for
    assert not unread.from_file


@pytest.mark.parametrize(
    ("day", "known"), [(TAKEN.date(), TAKEN), (None, TAKEN), ((TAKEN - DAY).date(), None)]
)
def test_a_time_that_only_the_answer_has_is_believed_unless_the_file_is_of_another_day(
    day: Any, known: Any
) -> None:
    images = ListedImages()
    images.add([answer({})])
    header = file({"acquired": None, "acquired_on": day})
    images.read({header.sop_uid: header})

    assert [image.acquired for image in images] == [known]


def test_what_was_seen_before_is_no_news_though_it_was_missing_from_the_last_list() -> None:
    images = ListedImages()
    one, two, three = (series_refs("1", n, from_file=False) for n in (1, 2, 3))

    assert images.add(one + two)
    assert not images.add(two)
    assert not images.replace(one)
    assert not images.replace(one + two)
    assert images.replace(one + three)
    assert images.uids == {image.sop_uid for image in one + three}


@pytest.mark.parametrize("claim", [OTHER_TYPE, KV, {"acquired": TAKEN + MINUTE}], ids=str)
def test_a_series_is_confirmed_by_a_list_that_says_the_same_of_each_image(claim: Any) -> None:
    images = ListedImages()
    first = series_refs("1", 1, 2, from_file=False)
    images.add(first + series_refs("2", 3, from_file=False))
    key = first[0].series_key

    assert images.of_series(*key) == {image.sop_uid for image in first}
    assert images.confirmed_by(key, reversed(first))
    assert not images.confirmed_by(key, first[:1])
    assert not images.confirmed_by(key, series_refs("1", 1, 2, **claim))
