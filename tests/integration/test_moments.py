"""When an image was acquired, in all the ways in which imagers write it, or do not."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from qatrack_aria import fetch_images
from qatrack_aria.errors import AmbiguousImagesError
from qatrack_aria.retrieval import date_windows, known_series
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz

MINUTE = dt.timedelta(minutes=1)
YESTERDAY = NOON - DAY
MORNING = dt.datetime.combine(YESTERDAY.date(), dt.time(6))

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR")


def fetch(**options: Any) -> Any:
    return fetch_images("aria", PATIENT, "WL", max_age=0, **options)


def written(images: list[Any], time: str | None, day: str | None = None) -> list[Any]:
    """The images with a time, and perhaps a date, in another form."""
    for image in images:
        image.AcquisitionTime = image.ContentTime = time
        if day is not None:
            image.AcquisitionDate = image.ContentDate = day
    return images


@pytest.mark.parametrize(
    "time", ["07:30:00", "07:30", "073000.1234567", "0730", "07", "073000-0500", "07:30:00.5"]
)
def test_each_form_of_a_time_is_read(serve: Any, time: str) -> None:
    """The newer images are of 07:30, the others of 06:00."""
    wl = plan()
    newer = written(winston_lutz(wl, MORNING, count=2), time)
    serve(wl, newer, winston_lutz(wl, MORNING, count=2))
    fetched = fetch()
    assert uids(fetched) == uids(newer)
    assert fetched.acquired.hour == 7


@pytest.mark.parametrize("time", ["240000", "25", "7:30", "half past seven", "", None])
@pytest.mark.parametrize(
    "options", [{}, {"count": 2}, {"date": YESTERDAY.date(), "count": 2}], ids=str
)
def test_a_time_that_cannot_be_read_is_unknown_and_not_midnight(
    serve: Any, time: str | None, options: dict[str, Any]
) -> None:
    wl = plan()
    serve(
        wl,
        written(winston_lutz(wl, MORNING, count=2), time),
        winston_lutz(wl, MORNING, count=2),
    )
    with pytest.raises(AmbiguousImagesError):
        fetch(**options)


def test_a_series_without_times_is_whole_also_where_it_began_weeks_ago(serve: Any) -> None:
    """The days that are searched first hold its newest images only."""
    wl = plan()
    newest = written(winston_lutz(wl, YESTERDAY, count=4), None)
    older = winston_lutz(wl, YESTERDAY - 13 * DAY, count=2)
    for image in older:
        image.SeriesInstanceUID = newest[0].SeriesInstanceUID
    serve(wl, older, newest, winston_lutz(wl, YESTERDAY - 2 * DAY, count=3))
    assert set(uids(fetch(select="series"))) == set(uids(older + newest))
    assert set(uids(fetch(select="day"))) == set(uids(newest))
    for count in (4, (4, 4)):
        with pytest.raises(AmbiguousImagesError, match="no readable time"):
            fetch(count=count)


def test_a_reopened_list_does_not_take_an_image_of_an_unknown_time(serve: Any) -> None:
    """It may have been taken in the afternoon, after the session."""
    from django.utils import timezone

    class Utils:
        meta = {"work_completed": timezone.make_aware(MORNING + 30 * MINUTE)}

    wl = plan()
    images = winston_lutz(wl, MORNING, count=3)
    written(images[2:], None)
    serve(wl, images)
    with pytest.raises(AmbiguousImagesError):
        fetch(utils=Utils())


def test_the_time_of_saving_is_not_the_time_of_acquisition(serve: Any) -> None:
    """TrueBeam 2.5: the first field was saved after the second, and both after the session."""
    from django.utils import timezone

    class Utils:
        meta = {"work_completed": timezone.make_aware(YESTERDAY.replace(hour=14, minute=19))}

    wl = plan()
    first, second = images = winston_lutz(wl, YESTERDAY.replace(hour=14, minute=18), count=2)
    first.ContentTime, first.AcquisitionTime = "141803", "142021.57"
    second.ContentTime, second.AcquisitionTime = "141859", "142020.857"
    serve(wl, images)
    fetched = fetch(utils=Utils())
    assert [image.sop_uid for image in fetched.images] == [i.SOPInstanceUID for i in images]
    assert f"{fetched.acquired:%H%M%S}" == "141859"


def test_a_content_date_of_another_day_is_not_the_time_of_acquisition(serve: Any) -> None:
    """The image was worked on the day before it was acquired: one of them is wrong."""
    wl = plan()
    images = winston_lutz(wl, YESTERDAY, count=2)
    for image in images:
        image.ContentDate = f"{YESTERDAY - DAY:%Y%m%d}"
    serve(wl, images)
    assert fetch().acquired.date() == YESTERDAY.date()


def test_a_time_that_only_the_answer_has_is_not_forgotten(serve: Any) -> None:
    wl = plan()
    older, newer = winston_lutz(wl, MORNING, count=2), winston_lutz(wl, YESTERDAY, count=2)

    def on_send(ds: Any) -> Any:
        if ds.SOPInstanceUID in uids(newer):
            ds.AcquisitionTime = ds.ContentTime = ""
        return ds

    serve(wl, older, newer, on_send=on_send)
    assert uids(fetch()) == uids(newer)


def test_a_newest_series_without_any_date_is_not_passed_over(serve: Any) -> None:
    wl = plan()
    undated = winston_lutz(wl, NOON, count=2)
    for image in undated:
        for keyword in ("AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"):
            delattr(image, keyword)
    serve(wl, undated, winston_lutz(wl, YESTERDAY, count=2))
    with pytest.raises(AmbiguousImagesError, match="2 of the images"):
        fetch()


@pytest.mark.parametrize("select", [None, "day"])
def test_an_image_without_a_date_that_is_added_to_a_chosen_series_is_not_passed_over(
    serve: Any, select: str | None
) -> None:
    """Series are looked at for such images once only, but those of the set each time."""
    wl = plan()
    images = winston_lutz(wl, YESTERDAY, count=2)
    aria = serve(wl, images)
    assert uids(fetch(select=select)) == uids(images)
    undated = winston_lutz(wl, NOON, count=1)
    for keyword in ("AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"):
        delattr(undated[0], keyword)
    undated[0].SeriesInstanceUID = images[0].SeriesInstanceUID
    aria.add(undated)
    with pytest.raises(AmbiguousImagesError):
        fetch(select=select)


def test_a_date_that_the_server_does_not_match_is_not_passed_over(serve: Any) -> None:
    """In ACR-NEMA's form it lies outside every range of days."""
    wl = plan()
    newest = winston_lutz(wl, YESTERDAY, count=2)
    for image in newest:
        image.AcquisitionDate = image.ContentDate = f"{YESTERDAY:%Y.%m.%d}"
    serve(wl, newest, winston_lutz(wl, YESTERDAY - DAY, count=2))
    assert uids(fetch()) == uids(newest)


def test_an_image_that_only_the_list_of_its_series_shows_is_not_forgotten(serve: Any) -> None:
    """No search by days finds the newest session; a part of it lies in the series before."""
    wl = plan()
    older = winston_lutz(wl, MORNING - DAY, count=3)
    newest = written(winston_lutz(wl, MORNING, count=3), "060000", f"{MORNING:%Y.%m.%d}")
    newest[0].SeriesInstanceUID = older[0].SeriesInstanceUID
    serve(wl, older, newest)
    for _ in range(2):
        with pytest.raises(AmbiguousImagesError, match="has 3 images in 2 series"):
            fetch()
        assert set(uids(fetch(select="session"))) == set(uids(newest))


@pytest.mark.parametrize(("most", "found"), [(3, True), (2, False)])
def test_so_many_series_are_looked_at_for_such_dates_and_no_more(
    serve: Any, monkeypatch: Any, most: int, found: bool
) -> None:
    """A search of years would take too long, each time."""
    monkeypatch.setattr(known_series, "MOST_SERIES", most)
    wl = plan()
    newest = written(winston_lutz(wl, YESTERDAY, count=2), "120000", f"{YESTERDAY:%Y.%m.%d}")
    dated = winston_lutz(wl, YESTERDAY - DAY, count=2)
    of_last_week = [winston_lutz(wl, YESTERDAY - days * DAY, count=1) for days in (7, 8)]
    serve(wl, newest, dated, *of_last_week)
    assert uids(fetch()) == uids(newest if found else dated)


def test_an_image_whose_date_the_server_does_not_match_is_kept_when_the_search_is_widened(
    serve: Any,
) -> None:
    """It is the first of the session, and so near to the first day searched that more may follow.

    The search by days does not find it. It is found beside those days, and that only once.
    """
    wl = plan()
    begin = dt.datetime.combine((NOON - date_windows.WINDOWS[0] * DAY).date(), dt.time())
    first = winston_lutz(wl, begin + 20 * MINUTE, count=1)
    written(first, "002000", f"{begin:%Y.%m.%d}")
    others = winston_lutz(wl, begin + 40 * MINUTE, count=2)
    serve(wl, first, others)
    assert uids(fetch(select="session")) == uids(first + others)


def test_an_image_listed_in_two_series_is_one_image(serve: Any, monkeypatch: Any) -> None:
    from qatrack_aria.simulator import find as simulated_find

    wl = plan()
    images = winston_lutz(wl, YESTERDAY, count=4)
    answer = simulated_find.find

    def find(*arguments: Any) -> Any:
        import copy

        for ds in answer(*arguments):
            yield ds
            if ds.get("SOPInstanceUID") == images[0].SOPInstanceUID and "SeriesInstanceUID" in ds:
                again = copy.deepcopy(ds)
                again.SeriesInstanceUID = f"{ds.SeriesInstanceUID[:60]}.9"
                yield again

    monkeypatch.setattr(simulated_find, "find", find)
    serve(wl, images)
    assert uids(fetch(count=4)) == uids(images)
