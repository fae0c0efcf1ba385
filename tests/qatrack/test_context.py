"""The newest images are those of the session: QATrack+ computes again whenever a list is opened."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest
from django.utils import timezone

from qatrack_aria import fetch_images
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz
from tests.helpers.standin.attaching import save
from tests.helpers.standin.fixtures import FETCH

MINUTE = dt.timedelta(minutes=1)
ACQUIRED = f"result = {FETCH}.acquired.isoformat()"
FILLED = {"patientid": PATIENT, "rtplanname": "WL"}
TYPED = "%d %b %Y %H:%M"


def taken(images):
    """When the last of some images was acquired, to the minute."""
    last = max(f"{ds.AcquisitionDate}{ds.AcquisitionTime}"[:12] for ds in images)
    return dt.datetime.strptime(last, "%Y%m%d%H%M")


@pytest.fixture
def sessions(serve):
    """When the images of last month, of yesterday and of today were complete."""
    wl = plan()
    sets = [winston_lutz(wl, NOON - days * DAY, count=3) for days in (31, 1, 0)]
    serve(wl, *sets)
    return [taken(images) for images in sets]


def minute(opened, slug="composite"):
    """The time of acquisition that a composite shows, to the minute."""
    assert opened.tooltips == {}
    return dt.datetime.fromisoformat(opened.screen[slug]).replace(second=0, microsecond=0)


# --- opening a saved session ------------------------------------------------------------------


@pytest.mark.parametrize("form", [TYPED, "%Y-%m-%d %H:%M", "%d %b %Y %H:%M:%S"])
def test_last_months_list_brings_last_months_images(sessions, page, form):
    end = (sessions[0] + 20 * MINUTE).strftime(form)
    assert minute(page(ACQUIRED, work_completed=end).fill(**FILLED)) == sessions[0]


def test_a_list_under_way_brings_the_newest(sessions, page):
    assert minute(page(ACQUIRED).fill(**FILLED)) == sessions[2]


def test_a_session_that_ended_between_two_irradiations_brings_the_earlier(sessions, page):
    end = (sessions[2] - 60 * MINUTE).strftime(TYPED)
    assert minute(page(ACQUIRED, work_completed=end).fill(**FILLED)) == sessions[1]


def test_an_image_of_the_minute_in_which_the_session_ended_belongs_to_it(sessions, page):
    """QATrack+ knows the end of a session to the minute."""
    end = sessions[1].strftime(TYPED)
    assert minute(page(ACQUIRED, work_completed=end).fill(**FILLED)) == sessions[1]


def test_a_session_from_before_all_images_says_so(sessions, page):
    end = (sessions[0] - 60 * DAY).strftime(TYPED)
    opened = page(ACQUIRED, work_completed=end).fill(**FILLED)
    assert "ImagesNotFoundError" in opened.tooltips["composite"]
    assert f"until {sessions[0] - 60 * DAY:%Y-%m-%d %H:%M}" in opened.tooltips["composite"]


@pytest.mark.parametrize("end", ["", None])
def test_a_list_that_is_continued_has_only_its_start_and_brings_the_newest(sessions, page, end):
    """QATrack+ empties the end of a session that was saved as in progress."""
    start = sessions[0].strftime(TYPED)
    opened = page(ACQUIRED, work_started=start, work_completed=end).fill(**FILLED)
    assert minute(opened) == sessions[2]


def test_editing_after_a_minute_is_not_answered_with_newer_images(sessions, page, clock):
    """The answer to the open list is remembered, and is not that of the old one."""
    assert minute(page(ACQUIRED).fill(**FILLED)) == sessions[2]
    end = (sessions[0] + 20 * MINUTE).strftime(TYPED)
    assert minute(page(ACQUIRED, work_completed=end).fill(**FILLED)) == sessions[0]


def test_the_time_of_completion_filled_in_last_does_not_change_the_images(sessions, page):
    opened = page(ACQUIRED).fill(**FILLED)
    before = minute(opened)
    opened.meta["work_completed"] = (sessions[2] + 10 * MINUTE).strftime(TYPED)
    assert minute(opened.recalculate()) == before


def test_a_day_asked_for_beats_nothing_of_the_session(sessions, page):
    """date= and the session are both limits."""
    asked = ACQUIRED.replace("utils=UTILS", "utils=UTILS, date=META['day']")
    end = (sessions[0] + 20 * MINUTE).strftime(TYPED)
    opened = page(asked, work_completed=end, day=sessions[2].date().isoformat()).fill(**FILLED)
    assert "ImagesNotFoundError" in opened.tooltips["composite"]


def test_a_date_and_time_test_means_the_day_in_the_clinic(sessions, page, settings):
    """A quarter past midnight in the clinic is another day in UTC."""
    settings.TIME_ZONE = "Europe/Berlin"
    late = dt.datetime.combine(sessions[1].date(), dt.time(0, 15)).strftime(TYPED)
    asked = ACQUIRED.replace("utils=UTILS", "date=META['work_started']")
    assert minute(page(asked, work_started=late).fill(**FILLED)) == sessions[1]


# --- clocks that are changed ------------------------------------------------------------------

AUTUMN, SPRING = dt.datetime(2024, 11, 3, 1, 10), dt.datetime(2024, 3, 10, 1, 10)


@pytest.fixture
def nights(serve):
    """Images of the nights in which the clocks of Toronto are changed, and of later then."""
    wl = plan()
    # The minute of the hour that is left out is an hour later for pytz than for zoneinfo.
    times = (SPRING, SPRING + 180 * MINUTE, AUTUMN, AUTUMN + 120 * MINUTE)
    sets = [winston_lutz(wl, when, count=2) for when in times]
    serve(wl, *sets)
    return {"spring": taken(sets[0]), "autumn": taken(sets[2])}


@pytest.mark.parametrize("zone", ["America/Toronto", "UTC", "Asia/Kathmandu"])
def test_times_are_those_of_the_clocks_in_the_clinic(nights, page, settings, zone):
    settings.TIME_ZONE = zone
    end = (nights["autumn"] + 20 * MINUTE).strftime(TYPED)
    assert minute(page(ACQUIRED, work_completed=end).fill(**FILLED)) == nights["autumn"]


def test_the_hour_that_comes_twice_brings_its_images(nights, page):
    assert (
        minute(page(ACQUIRED, work_completed="03 Nov 2024 01:50").fill(**FILLED))
        == nights["autumn"]
    )


def test_the_hour_that_is_left_out_brings_the_images_before_it(nights, page):
    assert (
        minute(page(ACQUIRED, work_completed="10 Mar 2024 02:30").fill(**FILLED))
        == nights["spring"]
    )


@pytest.mark.parametrize("hours", [0, 1])
def test_the_same_moment_in_utc_brings_the_same_images(nights, hours):
    """Both passes of the hour that comes twice: 01:50 is 05:50 UTC, and 06:50 UTC."""
    moment = dt.datetime(2024, 11, 3, 5 + hours, 50, tzinfo=dt.timezone.utc)
    for end in (moment, timezone.localtime(moment)):
        utils = SimpleNamespace(meta={"work_completed": end})
        found = fetch_images("aria", PATIENT, "WL", utils=utils).acquired
        assert found.replace(second=0, microsecond=0) == nights["autumn"]


# --- a page that does not tell when the work was completed --------------------------------------

BEGAN = NOON - 30 * DAY
SUMMARY = f"result = {FETCH}.summary"


@pytest.fixture
def saved_session(attachments):
    """A session of last month, as QATrack+ has saved it."""

    def save_it(**options):
        times = [timezone.make_aware(BEGAN + dt.timedelta(hours=hours)) for hours in (0, 2)]
        return save({}, *times, **options)

    return save_it


@pytest.fixture
def old_and_new(serve):
    """Images of last month's session, and newer ones."""
    wl = plan()
    old = winston_lutz(wl, BEGAN + dt.timedelta(hours=1), count=3)
    new = winston_lutz(wl, NOON - DAY, count=2)
    serve(wl, old, new)
    return old, new


def images_of(opened):
    return sorted(image["sop_uid"] for image in opened.screen["composite"]["images"])


def open_for_editing(page):
    """As somebody who may not change dates: the page posts only when the work was started."""
    return page(SUMMARY, work_started=BEGAN.strftime("%Y-%m-%d %H:%M")).fill(**FILLED)


def test_who_may_not_change_dates_gets_the_images_of_the_session_too(
    page, old_and_new, saved_session
):
    saved_session()
    assert images_of(open_for_editing(page)) == uids(old_and_new[0])


@pytest.mark.parametrize(
    "other", [{"unit": 8}, {"test_list": 2}, {"in_progress": True}], ids=lambda one: next(iter(one))
)
def test_another_unit_or_list_or_a_session_under_way_says_nothing(
    page, old_and_new, saved_session, other
):
    saved_session(**other)
    assert images_of(open_for_editing(page)) == uids(old_and_new[1])


def test_a_list_that_was_never_saved_gets_the_newest_images(page, old_and_new, attachments):
    assert images_of(open_for_editing(page)) == uids(old_and_new[1])
