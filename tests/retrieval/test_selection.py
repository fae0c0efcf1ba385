"""Which images are the set, and when choosing would be guessing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.errors import AmbiguousImagesError, AmbiguousPlanError, TooFewImagesError
from qatrack_aria.retrieval.request import Request
from qatrack_aria.retrieval.selection import (
    candidates,
    nearby,
    require_one_plan,
    settle,
    to_verify,
)
from tests.helpers.datasets import KV, LABEL, PATIENT, PLAN_UID, TAKEN, plan_ref, series_refs

PLANS = frozenset({PLAN_UID})
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)


def request(**options: Any) -> Request:
    return Request.parse(PATIENT, options.pop("plan", LABEL), **options)


def chosen(images: list[ImageRef], **options: Any) -> list[ImageRef]:
    """The set of images whose headers are known."""
    return settle(images, request(**options), PLANS)


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


# --- sessions and series ----------------------------------------------------------------------


def test_the_newest_session_is_chosen() -> None:
    old, new = series_refs("1", 1, 2, 3, acquired=TAKEN - HOUR), series_refs("2", 11, 12)

    assert chosen(old + new) == new


@pytest.mark.parametrize("apart", [MINUTE, 30 * MINUTE])
def test_a_session_in_two_series_is_ambiguous_until_something_says_which(apart: Any) -> None:
    seven = series_refs("1", *range(7), acquired=TAKEN)
    eighth = series_refs("2", 8, acquired=TAKEN + apart)
    images = seven + eighth

    with pytest.raises(AmbiguousImagesError, match=r"8 images in 2 series .* holds 1 image"):
        chosen(images)
    assert chosen(images, select="session") == images
    assert chosen(images, select="series") == eighth
    assert chosen(images, select="day") == images
    assert chosen(images, count=8) == images
    assert chosen(images, count=(8, 8)) == images
    assert chosen(images, count=1) == eighth
    with pytest.raises(AmbiguousImagesError):
        chosen(images, count=7)
    with pytest.raises(TooFewImagesError, match="8 images"):
        chosen(images, count=9)


def test_two_sessions_in_one_series_are_ambiguous_until_something_says_which() -> None:
    last_month = series_refs("1", *range(8), acquired=TAKEN - 30 * DAY)
    today = series_refs("1", *range(10, 18), acquired=TAKEN)
    images = last_month + today

    with pytest.raises(AmbiguousImagesError, match=r"has 8 images of .* holds 16 images"):
        chosen(images)
    assert chosen(images, select="session") == today
    assert chosen(images, select="series") == images
    assert chosen(images, count=8) == today
    assert chosen(images, count=16) == images
    with pytest.raises(AmbiguousImagesError):
        chosen(images, count=9)


def test_half_an_hour_without_an_image_ends_a_session() -> None:
    earlier = series_refs("1", 1, acquired=TAKEN - 31 * MINUTE)
    later = series_refs("1", 2, 3, acquired=TAKEN)

    assert chosen(earlier + later, select="session") == later


def test_series_that_end_in_the_same_second_are_not_ranked_by_their_uids() -> None:
    one, other = series_refs("1", 1, acquired=TAKEN), series_refs("2", 2, acquired=TAKEN)

    for options in ({}, {"select": "series"}):
        with pytest.raises(AmbiguousImagesError):
            chosen(one + other, **options)
    assert chosen(one + other, select="session") == one + other


def test_an_image_that_is_listed_in_two_series_is_one_image() -> None:
    series = series_refs("1", 1, 2, 3, 4)
    again = series_refs("2", 1)

    assert {i.sop_uid for i in chosen(series + again)} == {i.sop_uid for i in series}


def test_a_part_of_a_day_that_midnight_cuts_off_is_refused() -> None:
    midnight = dt.datetime.combine(TAKEN.date(), dt.time())
    before = series_refs("1", *range(4), acquired=midnight - MINUTE)
    after = series_refs("1", *range(4, 8), acquired=midnight + MINUTE)
    images = before + after

    assert chosen(images) == images
    for options in ({"select": "day"}, {"date": TAKEN}, {"date": TAKEN - DAY}):
        for count in (None, 4, (1, 5)):
            with pytest.raises(AmbiguousImagesError, match=r"midnight cuts .* 4 of the same"):
                chosen(images, count=count, **options)
    assert chosen(images, select="day", count=(4, 4)) == after


def test_more_images_than_counted_on_are_refused() -> None:
    with pytest.raises(AmbiguousImagesError, match=r"3 images .* at most 2"):
        chosen(series_refs("1", 1, 2, 3), count=(1, 2))


# --- what else lies beside ---------------------------------------------------------------------


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
    assert chosen([*older, *newer], series="1.2.3.3") == []


def test_naming_a_series_does_not_say_which_of_its_sessions_is_wanted() -> None:
    january = series_refs("1", 1, 2, acquired=TAKEN - 30 * DAY)
    february = series_refs("1", 3, 4, 5)
    images = january + february

    with pytest.raises(AmbiguousImagesError, match=r"session .* has 3 .* series holds 5"):
        chosen(images, series="1.2.3.1")
    assert chosen(images, series="1.2.3.1", select="session") == february
    assert chosen(images, series="1.2.3.1", select="series") == images
    assert chosen(images, series="1.2.3.1", count=5) == images


def test_what_one_series_holds_of_one_day_is_what_is_asked_for_though_midnight_cuts_it() -> None:
    midnight = dt.datetime.combine(TAKEN.date(), dt.time())
    evening = series_refs("1", 1, 2, acquired=midnight - dt.timedelta(minutes=3))
    night = series_refs("1", 3, acquired=midnight + dt.timedelta(minutes=3))

    for asked in ({"select": "series"}, {"series": "1.2.3.1"}, {}):
        with pytest.raises(AmbiguousImagesError, match="midnight"):
            chosen(evening + night, date=TAKEN, **asked)
    assert chosen(evening + night, date=TAKEN, series="1.2.3.1", select="series") == night


def test_a_single_image_of_the_requested_series_is_certain() -> None:
    single = series_refs("1", 1)
    assert chosen([*single, *series_refs("2", 2)], series="1.2.3.1") == single


def test_all_of_the_newest_day_can_be_requested() -> None:
    yesterday = series_refs("1", 1, acquired=TAKEN - DAY)
    morning, evening = series_refs("2", 1, 2), series_refs("3", 11, acquired=TAKEN + 8 * HOUR)

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
    of_the_session = series_refs("1", 1, 2)
    later = series_refs("2", 11, 12, acquired=TAKEN + HOUR)

    until = TAKEN + dt.timedelta(seconds=5)
    assert chosen(of_the_session + later, until=until) == of_the_session


def test_equal_series_uids_in_two_studies_are_two_series() -> None:
    old, new = (
        series_refs("1", 1, 2, study_uid="1.2.3.8", acquired=TAKEN - HOUR),
        series_refs("1", 11, 12, study_uid="1.2.3.9"),
    )

    assert chosen(old + new) == new


def test_no_images_are_chosen_if_none_match() -> None:
    assert chosen(series_refs("1", 1, 2, **KV)) == []


def test_an_answer_without_a_date_has_to_be_retrieved_before_any_is_ranked() -> None:
    dated = series_refs("1", 1, 2)
    undated = series_refs("2", 3, acquired=None, from_file=False)

    assert candidates(dated + undated, request(), PLANS) == undated


def test_images_that_may_match_are_chosen_to_be_retrieved() -> None:
    old = series_refs("1", 1, 2, acquired=TAKEN - HOUR)
    may_be_kv = series_refs("2", 3, dose_unit=None, from_file=False)

    assert candidates(old + may_be_kv, request(), PLANS) == may_be_kv


def test_of_answers_with_dates_only_the_newest_session_is_retrieved() -> None:
    old = series_refs("1", 1, 2, acquired=TAKEN - HOUR, from_file=False)
    newest = series_refs("2", 3, 4, from_file=False)

    assert candidates(old + newest, request(), PLANS) == newest


def test_the_headers_that_are_needed_depend_on_what_was_asked_for() -> None:
    """Two series in one session, the first of which goes back to an hour ago."""
    an_hour_ago = series_refs("1", 1, acquired=TAKEN - HOUR)
    first, last = series_refs("1", 2), series_refs("2", 3, acquired=TAKEN + MINUTE)
    images = an_hour_ago + first + last

    assert candidates(images, request(), PLANS) == images
    assert candidates(images, request(select="session"), PLANS) == first + last
    assert candidates(images, request(select="series"), PLANS) == last


@pytest.mark.parametrize("names", ["12", "123"])
def test_single_images_of_one_day_may_belong_together(names: str) -> None:
    """Some imagers open a series for every image."""
    images = [
        image for n in names for image in series_refs(n, int(n), acquired=TAKEN + int(n) * HOUR)
    ]

    with pytest.raises(
        AmbiguousImagesError, match=rf"{len(names) - 1} more series .* select='day'"
    ):
        chosen(images)
    assert chosen(images, select="series") == images[-1:]
    assert chosen(images, count=1) == images[-1:]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(series_refs("1", 1, acquired=TAKEN - DAY), id="of another day"),
        pytest.param(series_refs("1", 1, 2, acquired=TAKEN - HOUR), id="in a longer series"),
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


@pytest.mark.parametrize("options", [{}, {"date": TAKEN}, {"select": "session"}], ids=str)
def test_an_undated_image_in_another_series_may_belong_to_the_set(options: Any) -> None:
    dated, undated = series_refs("1", 1, 2), series_refs("2", 3, acquired=None)

    with pytest.raises(AmbiguousImagesError, match="1 of the images"):
        chosen(dated + undated, **options)


@pytest.mark.parametrize("options", [{}, {"select": "series"}])
def test_of_two_undated_series_the_newest_is_unknown(options: dict[str, Any]) -> None:
    images = series_refs("1", 1, 2, acquired=None) + series_refs("2", 3, acquired=None)

    with pytest.raises(AmbiguousImagesError):
        chosen(images, **options)


# --- a day without a time ---------------------------------------------------------------------


def untimed(name: str, *numbers: int, day: dt.date | None = None) -> list[ImageRef]:
    return series_refs(name, *numbers, acquired=None, acquired_on=day or TAKEN.date())


def test_images_of_a_later_day_are_the_newest_without_a_time_too() -> None:
    single, yesterday = untimed("1", 1), series_refs("2", 1, 2, acquired=TAKEN - DAY)

    assert chosen(single + yesterday) == single


def test_images_of_a_day_without_times_may_be_of_several_sessions() -> None:
    today, yesterday = untimed("1", 1, 2), series_refs("2", 1, 2, acquired=TAKEN - DAY)
    images = today + yesterday

    with pytest.raises(AmbiguousImagesError, match=r"no readable time.* select='day' for all"):
        chosen(images)
    with pytest.raises(AmbiguousImagesError, match="no readable time"):
        chosen(images, select="session", count=2)
    for said in ({"select": "series"}, {"select": "day"}, {"count": 2}, {"count": (2, 2)}):
        assert chosen(images, **said) == today


def test_an_image_without_a_time_of_an_earlier_day_does_no_harm() -> None:
    today, yesterday = series_refs("1", 1, 2), untimed("2", 3, day=(TAKEN - DAY).date())

    assert chosen(today + yesterday) == today


def test_an_image_without_a_time_may_be_of_a_session_that_goes_on_after_midnight() -> None:
    late = dt.datetime.combine(TAKEN.date(), dt.time()) - 5 * MINUTE
    evening, morning = series_refs("2", 5, 6, acquired=late), series_refs("1", 1, 2)

    for images in (evening + untimed("1", 3), evening + morning + untimed("1", 3)):
        for options in ({}, {"select": "session"}, {"date": TAKEN}, {"select": "day"}):
            with pytest.raises(AmbiguousImagesError):
                chosen(images, **options)
        assert chosen(images, select="series") == [i for i in images if i not in evening]


def test_an_image_without_a_time_may_be_of_another_session_of_its_series_and_day() -> None:
    images = series_refs("1", 1, 2) + untimed("1", 3)

    for said in ({}, {"select": "session"}, {"count": 2}, {"select": "session", "count": 3}):
        with pytest.raises((AmbiguousImagesError, TooFewImagesError)):
            chosen(images, **said)
    for said in ({"select": "series"}, {"select": "day"}, {"count": 3}):
        assert chosen(images, **said) == images


@pytest.mark.parametrize("options", [{}, {"count": 2}, {"date": TAKEN, "count": 2}], ids=str)
def test_which_of_two_series_of_a_day_is_newer_is_unknown_without_times(options: Any) -> None:
    """Two images of 06:00 beside two of the same day that have no time."""
    images = series_refs("1", 1, 2) + untimed("2", 3, 4)

    with pytest.raises(AmbiguousImagesError):
        chosen(images, **options)
    with pytest.raises(AmbiguousImagesError):
        chosen(untimed("1", 1, 2) + untimed("2", 3, 4), **options)
    assert chosen(images, select="day") == images


# --- signs of both kV and MV ------------------------------------------------------------------

BOTH = {"dose_unit": "MINUTE", "described": "MV"}


def test_an_image_with_signs_of_both_is_neither_taken_nor_left_out() -> None:
    images = series_refs("1", 1, 2) + series_refs("1", 3, **BOTH)

    with pytest.raises(AmbiguousImagesError, match=r"unit MINUTE, KVP none, described as MV"):
        chosen(images)
    assert chosen(images, kv=True) == images
    assert chosen(images, count=2) == images[:2]


def test_an_older_image_with_signs_of_both_does_no_harm_unless_all_are_asked_for() -> None:
    images, older = series_refs("1", 1, 2), series_refs("2", 3, acquired=TAKEN - DAY, **BOTH)

    assert chosen(images + older) == images
    with pytest.raises(AmbiguousImagesError, match="described as MV"):
        chosen(images + older, select="all")


def test_an_image_with_signs_of_both_may_be_of_a_day_at_any_of_its_times() -> None:
    images = series_refs("1", 1, 2)
    morning = series_refs("2", 3, acquired=dt.datetime.combine(TAKEN.date(), dt.time()), **BOTH)

    assert chosen(images + morning, select="session") == images
    with pytest.raises(AmbiguousImagesError, match="described as MV"):
        chosen(images + morning, select="day")


@pytest.mark.parametrize("claim", [KV, {"image_type": ("ORIGINAL", "PRIMARY", "DRR")}], ids=str)
def test_an_answer_alone_excludes_no_image_from_a_day(claim: Any) -> None:
    files = series_refs("1", 1, 2)
    midnight = dt.datetime.combine(TAKEN.date(), dt.time())
    morning = series_refs("2", 3, from_file=False, acquired=midnight, **claim)
    before = series_refs("3", 4, from_file=False, acquired=midnight - HOUR, **claim)

    images = files + morning + before
    assert to_verify(files, images, request(select="day"), PLANS) == morning
    assert to_verify(files, images, request(select="session"), PLANS) == []


def test_an_image_that_is_kv_by_its_answer_is_looked_at_if_it_may_be_of_that_time() -> None:
    files = series_refs("1", 1, 2)
    today = series_refs("2", 3, from_file=False, acquired=None, acquired_on=TAKEN.date(), **KV)
    before = series_refs(
        "3", 4, from_file=False, acquired=None, acquired_on=(TAKEN - DAY).date(), **KV
    )

    assert to_verify(files, files + today + before, request(), PLANS) == today


# --- what the files have to confirm -----------------------------------------------------------


@pytest.mark.parametrize(
    "claim",
    [
        {"plan_uids": frozenset({"1.2.9"})},
        {"image_type": ("ORIGINAL", "PRIMARY", "PORTAL", "X")},
        KV,
        {"machines": frozenset({"TB2"})},
    ],
    ids=str,
)
def test_an_answer_alone_excludes_no_image_from_among_the_chosen(claim: Any) -> None:
    files = series_refs("1", 1, 3)
    among = series_refs("1", 2, from_file=False, **claim)
    far = series_refs("3", 9, from_file=False, acquired=TAKEN - HOUR, **claim)
    asked = request(machine="TB1")

    assert to_verify(files, files + among + far, asked, PLANS) == among
    settled = request(machine="TB1", count=2)
    assert to_verify(files, files + among, settled, PLANS) == []


def test_images_of_other_series_are_confirmed_where_the_set_is_of_several() -> None:
    claim = {"plan_uids": frozenset({"1.2.9"}), "from_file": False}
    one, several = series_refs("1", 1, 3), series_refs("1", 1) + series_refs("3", 3)
    other = series_refs("2", 2, **claim)

    assert to_verify(one, one + other, request(), PLANS) == []
    assert to_verify(several, several + other, request(), PLANS) == other


@pytest.mark.parametrize(
    ("options", "chosen_by", "excluded_by"),
    [({}, {}, KV), ({"kv": "only"}, KV, {"dose_unit": "MU"})],
    ids=["kV", "MV"],
)
def test_images_that_are_of_the_other_kind_by_their_unit_alone_are_looked_at(
    options: Any, chosen_by: Any, excluded_by: Any
) -> None:
    """Newer ones; where all are asked for, older ones too."""
    files = series_refs("1", 1, 3, **chosen_by)
    newer = series_refs("2", 9, from_file=False, acquired=TAKEN + HOUR, **excluded_by)
    older = series_refs("3", 8, from_file=False, acquired=TAKEN - DAY, **excluded_by)

    images = files + newer + older
    assert to_verify(files, images, request(**options), PLANS) == newer
    assert to_verify(files, images, request(select="all", **options), PLANS) == newer + older


def test_images_that_are_kv_by_their_unit_alone_are_looked_at_from_half_an_hour_before_on() -> None:
    files = series_refs("1", 1, acquired=TAKEN)
    before = series_refs("2", 9, from_file=False, acquired=TAKEN - 30 * MINUTE, **KV)
    long_before = series_refs("3", 8, from_file=False, acquired=TAKEN - 32 * MINUTE, **KV)

    assert to_verify(files, files + before + long_before, request(), PLANS) == before


@pytest.mark.parametrize(
    "options", [{"select": "series"}, {"select": "all"}, {"count": 2}], ids=str
)
def test_one_undated_series_alone_is_certain_if_it_is_asked_for(options: dict[str, Any]) -> None:
    images = series_refs("1", 1, 2, acquired=None)

    assert chosen(images, **options) == images


@pytest.mark.parametrize("options", [{}, {"select": "day"}, {"select": "session"}], ids=str)
def test_which_undated_images_were_taken_together_is_unknown(options: dict[str, Any]) -> None:
    with pytest.raises(AmbiguousImagesError, match="no readable date"):
        chosen(series_refs("1", 1, 2, acquired=None), **options)
    single = series_refs("1", 1, acquired=None)
    assert chosen(single, **options) == single


def test_a_request_for_all_images_gets_the_undated_ones_too() -> None:
    images = series_refs("1", 1, 2) + series_refs("2", 3, acquired=None)

    assert chosen(images, select="all") == images


def test_a_preview_does_not_call_images_undated_whose_date_the_server_does_not_return() -> None:
    """dcmqrscp returns no dates: whether the images have any is seen when they are fetched."""
    answers = [i for n in "12" for i in series_refs(n, int(n), acquired=None, from_file=False)]

    assert candidates(answers, request(), PLANS) == answers


# --- what is mentioned ------------------------------------------------------------------------


def test_images_of_the_plan_within_six_hours_of_the_newest_are_nearby() -> None:
    newest = series_refs("1", 1, acquired=TAKEN)
    near = [
        *series_refs("2", 2, acquired=TAKEN - 6 * HOUR),
        *series_refs("3", 3, acquired=TAKEN + 6 * HOUR),
    ]
    elsewhere = [
        *series_refs("4", 4, acquired=TAKEN - 6 * HOUR - MINUTE),
        *series_refs("5", 5, acquired=TAKEN + 6 * HOUR + MINUTE),
        *series_refs("6", 6, acquired=None),
        *series_refs("7", 7, **KV),
    ]

    assert nearby(newest, newest + near + elsewhere, request(), PLANS) == newest + near


def test_images_beyond_midnight_are_nearby_though_one_day_was_asked_for() -> None:
    midnight = dt.datetime.combine(TAKEN.date(), dt.time())
    before = series_refs("1", 1, acquired=midnight - HOUR)
    after = series_refs("2", 2, acquired=midnight + HOUR)

    assert nearby(after, before + after, request(date=TAKEN), PLANS) == before + after
