"""Which images are the set, and when choosing would be guessing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.errors import AmbiguousImagesError, AmbiguousPlanError
from qatrack_aria.retrieval.request import Request
from qatrack_aria.retrieval.selection import (
    choose,
    may_grow,
    require_one_plan,
    require_unambiguous,
)
from tests.helpers.datasets import KV, LABEL, PATIENT, PLAN_UID, TAKEN, plan_ref, series_refs

PLANS = frozenset({PLAN_UID})
DAY = dt.timedelta(days=1)


def request(**options: Any) -> Request:
    return Request.parse(PATIENT, options.pop("plan", LABEL), **options)


def chosen(images: list[ImageRef], **options: Any) -> list[ImageRef]:
    """The set of images whose headers are known."""
    asked = request(**options)
    images_chosen = choose(images, asked, PLANS)
    require_unambiguous(images_chosen, images, asked, PLANS)
    return images_chosen


def test_one_plan_of_the_label_is_certain() -> None:
    require_one_plan([plan_ref()], request())


def test_two_plans_of_one_label_are_listed_instead_of_guessed() -> None:
    plans = [plan_ref(course="C2", sop_uid="1.2.4"), plan_ref(course="C1", sop_uid="1.2.3")]

    with pytest.raises(AmbiguousPlanError, match=r"2 plans .* C1, .*1\.2\.3.* C2, .*1\.2\.4"):
        require_one_plan(plans, request())


def test_a_plan_without_a_course_can_be_listed() -> None:
    plans = [plan_ref(course=None, sop_uid="1.2.4"), plan_ref(course="C1", sop_uid="1.2.3")]

    with pytest.raises(AmbiguousPlanError, match="no course given"):
        require_one_plan(plans, request())


def test_the_newest_series_is_chosen() -> None:
    old, new = series_refs("1", 1, 2, 3), series_refs("2", 11, 12)

    assert chosen(old + new) == new


def test_all_of_the_series_is_chosen_also_across_midnight() -> None:
    evening = series_refs("1", 1, 2)
    after_midnight = series_refs("1", 3, acquired=TAKEN + DAY)

    assert chosen(evening + after_midnight) == evening + after_midnight


def test_a_kv_image_in_the_series_is_left_out() -> None:
    mv, kv = series_refs("1", 1, 2), series_refs("1", 3, **KV)

    assert chosen(mv + kv) == mv


def test_a_newer_series_of_kv_images_does_not_hide_the_mv_images() -> None:
    mv, kv = series_refs("1", 1, 2), series_refs("2", 3, **KV)

    assert chosen(mv + kv) == mv


def test_kv_images_alone_can_be_requested() -> None:
    mv, kv = series_refs("1", 1, 2), series_refs("1", 3, 4, **KV)
    assert chosen([*mv, *kv], kv="only") == kv


def test_one_series_can_be_requested() -> None:
    older, newer = series_refs("1", 1, 2), series_refs("2", 3)
    assert chosen([*older, *newer], series="1.2.3.1") == older
    assert choose([*older, *newer], request(series="1.2.3.3"), PLANS) == []


def test_a_single_image_of_the_requested_series_is_certain() -> None:
    single = series_refs("1", 1)
    images = [*single, *series_refs("2", 2)]
    asked = request(series="1.2.3.1")
    require_unambiguous(single, images, asked, PLANS)


def test_all_of_the_newest_day_can_be_requested() -> None:
    yesterday = series_refs("1", 1, acquired=TAKEN - DAY)
    morning, evening = series_refs("2", 1, 2), series_refs("3", 11)

    assert chosen(yesterday + morning + evening, select="day") == morning + evening


def test_all_images_can_be_requested() -> None:
    images = (
        series_refs("1", 1, acquired=TAKEN - DAY) + series_refs("2", 1, 2) + series_refs("3", 3)
    )

    assert chosen(images, select="all") == images


def test_a_date_chooses_the_newest_series_of_that_day() -> None:
    asked_day = series_refs("1", 1, 2, acquired=TAKEN - DAY)
    later = series_refs("2", 1, 2)

    assert chosen(asked_day + later, date=TAKEN - DAY) == asked_day


def test_a_later_series_does_not_hide_the_one_of_the_session() -> None:
    """Last month's list, opened again, gives last month's images."""
    of_the_session, later = series_refs("1", 1, 2), series_refs("2", 11, 12)

    until = TAKEN + dt.timedelta(seconds=5)
    assert chosen(of_the_session + later, until=until) == of_the_session


def test_equal_series_uids_in_two_studies_are_two_series() -> None:
    old, new = (
        series_refs("1", 1, 2, study_uid="1.2.3.8"),
        series_refs("1", 11, 12, study_uid="1.2.3.9"),
    )

    assert chosen(old + new) == new


def test_no_images_are_chosen_if_none_match() -> None:
    assert choose(series_refs("1", 1, 2, **KV), request(), PLANS) == []


def test_an_answer_without_a_date_has_to_be_retrieved_before_any_is_ranked() -> None:
    dated = series_refs("1", 1, 2)
    undated = series_refs("2", 3, acquired=None, from_file=False)

    assert choose(dated + undated, request(), PLANS) == undated


def test_images_that_may_match_are_chosen_to_be_retrieved() -> None:
    old = series_refs("1", 1, 2)
    may_be_kv = series_refs("2", 3, dose_unit=None, from_file=False)

    assert choose(old + may_be_kv, request(), PLANS) == may_be_kv


@pytest.mark.parametrize("names", ["12", "123"])
def test_single_images_of_one_day_may_belong_together(names: str) -> None:
    """Some imagers open a series for every image."""
    images = [image for name in names for image in series_refs(name, int(name))]

    with pytest.raises(
        AmbiguousImagesError, match=rf"{len(names) - 1} more series .* select='day'"
    ):
        chosen(images)


@pytest.mark.parametrize("options", [{"select": "series"}, {"count": 1}])
def test_a_request_that_says_which_gets_the_single_image(options: dict[str, Any]) -> None:
    images = [image for name in "123" for image in series_refs(name, int(name))]

    assert chosen(images, **options) == images[-1:]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(series_refs("1", 1, acquired=TAKEN - DAY), id="of another day"),
        pytest.param(series_refs("1", 1, 2), id="in a longer series"),
        pytest.param(series_refs("1", 1, **KV), id="kV"),
    ],
)
def test_a_single_image_beside_other_images_is_certain(other: list[ImageRef]) -> None:
    newest = series_refs("2", 11)

    assert chosen(other + newest) == newest


def test_a_single_image_is_certain() -> None:
    assert chosen(series_refs("1", 1)) == series_refs("1", 1)


@pytest.mark.parametrize(
    "options", [{"date": TAKEN}, {"select": "day"}, {"until": TAKEN + DAY}], ids=str
)
def test_an_undated_image_in_the_series_of_a_day_is_not_silently_left_out(
    options: dict[str, Any],
) -> None:
    images = series_refs("1", 1, 2) + series_refs("1", 3, acquired=None)

    with pytest.raises(AmbiguousImagesError, match="1 of the images"):
        chosen(images, **options)


@pytest.mark.parametrize(
    "options", [{"date": TAKEN}, {"select": "day"}, {"until": TAKEN + DAY}], ids=str
)
def test_an_undated_kv_image_in_the_series_does_no_harm(options: dict[str, Any]) -> None:
    mv, kv = series_refs("1", 1, 2), series_refs("1", 3, acquired=None, **KV)

    assert chosen(mv + kv, **options) == mv


def test_an_undated_image_in_another_series_does_not_stop_a_date() -> None:
    dated, undated = series_refs("1", 1, 2), series_refs("2", 3, acquired=None)

    assert chosen(dated + undated, date=TAKEN) == dated


@pytest.mark.parametrize("options", [{}, {"select": "series"}, {"select": "day"}])
def test_of_two_undated_series_the_newest_is_unknown(options: dict[str, Any]) -> None:
    images = series_refs("1", 1, 2, acquired=None) + series_refs("2", 3, acquired=None)

    with pytest.raises(AmbiguousImagesError, match="3 of the images"):
        chosen(images, **options)


@pytest.mark.parametrize("options", [{}, {"select": "day"}, {"select": "all"}])
def test_one_undated_series_alone_is_certain(options: dict[str, Any]) -> None:
    images = series_refs("1", 1, 2, acquired=None)

    assert chosen(images, **options) == images


def test_a_request_for_all_images_gets_the_undated_ones_too() -> None:
    images = series_refs("1", 1, 2) + series_refs("2", 3, acquired=None)

    assert chosen(images, select="all") == images


def test_a_preview_does_not_call_images_undated_whose_date_the_server_does_not_return() -> None:
    """dcmqrscp returns no dates: whether the images have any is seen when they are fetched."""
    answers = [i for n in "12" for i in series_refs(n, int(n), acquired=None, from_file=False)]

    assert chosen(answers) == answers


# --- a session that may still be under way ----------------------------------------------------


def taken_ago(minutes: float, number: int = 2) -> list[ImageRef]:
    at = dt.datetime.now() - dt.timedelta(minutes=minutes)
    return series_refs("1", *range(number), acquired=at)


@pytest.mark.parametrize("minutes", [0, 9, -9], ids=["just now", "nine minutes", "clock ahead"])
def test_images_taken_a_moment_ago_may_be_followed_by_more(minutes: float) -> None:
    assert may_grow(taken_ago(minutes), request())


@pytest.mark.parametrize("minutes", [11, -11, 3 * 24 * 60])
def test_a_session_is_over_when_no_image_came_for_ten_minutes(minutes: float) -> None:
    assert not may_grow(taken_ago(minutes), request())


def test_a_session_is_over_when_its_test_list_is_completed() -> None:
    assert not may_grow(taken_ago(0), request(until=dt.datetime.now()))


@pytest.mark.parametrize(("count", "grows"), [(1, False), (2, False), (3, True)])
def test_a_session_is_over_when_as_many_images_came_as_were_asked_for(
    count: int, grows: bool
) -> None:
    assert may_grow(taken_ago(0), request(count=count)) == grows
