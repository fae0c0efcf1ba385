"""ARIA lists only a part now and then, with Success: no such list may decide anything.

In each of these clinics one answer is left out of one list, once; which one, and of which list, is
tried one after the other. What comes must be the same as without.
"""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any, Callable

import pytest
from pydicom.uid import generate_uid

from qatrack_aria import fetch_images
from qatrack_aria.errors import AmbiguousImagesError, AmbiguousPlanError, QueryError
from qatrack_aria.simulator import find as simulated_find
from qatrack_aria.simulator import server as simulated_server
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz

MINUTE = dt.timedelta(minutes=1)
YESTERDAY = NOON - DAY
MOST_QUERIES = 40


@pytest.fixture
def leave_out(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], list[Any]]:
    """Let the simulator leave one answer out of one list; what it left out."""
    answer = simulated_find.find

    def install(query: int, position: int) -> list[Any]:
        left_out: list[Any] = []
        asked = [0]

        def find(*arguments: Any) -> Any:
            answers = list(answer(*arguments))
            if asked[0] == query and answers:
                left_out.append(answers.pop(position))
            asked[0] += 1
            return answers

        monkeypatch.setattr(simulated_find, "find", find)
        return left_out

    return install


def recent() -> tuple[list[Any], list[Any], dict[str, Any], dict[str, Any]]:
    """Images of yesterday, above those of the day before."""
    wl = plan()
    mine = winston_lutz(wl, YESTERDAY, count=4)
    return [wl, *mine, *winston_lutz(wl, YESTERDAY - DAY, count=2)], mine, {}, {}


def old() -> Any:
    """Images that are older than the days that are searched first."""
    wl = plan()
    mine = winston_lutz(wl, NOON - 200 * DAY, count=4)
    return [wl, *mine, *winston_lutz(wl, NOON - 300 * DAY, count=2)], mine, {}, {}


def everything() -> Any:
    wl = plan()
    mine = winston_lutz(wl, YESTERDAY, count=2) + winston_lutz(wl, NOON - 200 * DAY, count=2)
    return [wl, *mine], mine, {"select": "all"}, {}


def hierarchical() -> Any:
    """A server that lists level by level only."""
    wl = plan()
    mine = winston_lutz(wl, YESTERDAY, count=4)
    older = winston_lutz(wl, YESTERDAY - DAY, count=2)
    return [wl, *mine, *older], mine, {}, {"relational": False}


def of_a_day_with_content_dates_only() -> Any:
    wl = plan()
    mine = winston_lutz(wl, YESTERDAY, count=4, machine_type="ias3")
    return [wl, *mine], mine, {"select": "day"}, {}


def with_acquisition_dates_only() -> Any:
    wl = plan()
    mine = winston_lutz(wl, YESTERDAY, count=4)
    for image in mine:
        del image.ContentDate, image.ContentTime
    return [wl, *mine], mine, {}, {}


def one_series_for_each_image() -> Any:
    wl = plan()
    mine = winston_lutz(wl, YESTERDAY, count=4, series_per_image=True)
    return [wl, *mine], mine, {"select": "session"}, {}


def a_named_series() -> Any:
    wl = plan()
    mine = winston_lutz(wl, YESTERDAY, count=4)
    return [wl, *mine], mine, {"series": str(mine[0].SeriesInstanceUID)}, {}


def of_a_date() -> Any:
    wl = plan()
    mine = winston_lutz(wl, NOON - 30 * DAY, count=4)
    date = (NOON - 30 * DAY).date()
    return [wl, *mine, *winston_lutz(wl, YESTERDAY, count=2)], mine, {"date": date}, {}


def an_image_without_dates_in_the_series() -> Any:
    """It may belong to the set: with select='series' and all of the series undated, it does."""
    wl = plan()
    mine = winston_lutz(wl, YESTERDAY, count=3)
    for image in mine:
        for keyword in ("AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"):
            delattr(image, keyword)
    return [wl, *mine], mine, {"select": "series"}, {}


def dates_that_no_server_matches() -> Any:
    """Half of a session is dated as ACR-NEMA did: no search by days finds that."""
    wl = plan()
    mine = winston_lutz(wl, YESTERDAY, count=4)
    for image in mine[:2]:
        image.AcquisitionDate = image.ContentDate = f"{YESTERDAY:%Y.%m.%d}"
    return [wl, *mine, *winston_lutz(wl, YESTERDAY - DAY, count=2)], mine, {"select": "day"}, {}


def a_series_with_such_dates() -> Any:
    held, mine, _, behaviour = dates_that_no_server_matches()
    for image in mine[:2]:
        image.SeriesInstanceUID = "1.2.3.4"
    return held, mine, {"select": "day"}, behaviour


def many_series_with_such_dates() -> Any:
    held, mine, options, behaviour = dates_that_no_server_matches()
    for number, image in enumerate(mine):
        image.SeriesInstanceUID = f"1.2.3.{number}"
    older = [i for n in range(3) for i in winston_lutz(held[0], YESTERDAY - n * 30 * DAY, count=1)]
    return [*held, *older[1:]], mine, options, behaviour


def counted() -> Any:
    """Neither is a short list taken for a session that is too small."""
    wl = plan()
    mine = winston_lutz(wl, YESTERDAY, count=4)
    return [wl, *mine], mine, {"count": 4}, {}


@pytest.mark.parametrize(
    "clinic",
    [
        recent,
        old,
        everything,
        hierarchical,
        of_a_day_with_content_dates_only,
        with_acquisition_dates_only,
        one_series_for_each_image,
        a_named_series,
        of_a_date,
        an_image_without_dates_in_the_series,
        dates_that_no_server_matches,
        a_series_with_such_dates,
        many_series_with_such_dates,
        counted,
    ],
)
@pytest.mark.parametrize("position", [0, -1], ids=["first", "last"])
def test_one_answer_left_out_once_changes_nothing(
    serve: Any, settings: Any, leave_out: Any, clinic: Any, position: int
) -> None:
    """For a patient whose images were never searched for before."""
    held, mine, options, behaviour = clinic()
    serve(held, **behaviour)
    for query in range(MOST_QUERIES):
        left_out = leave_out(query, position)
        known_series = Path(settings.QATRACK_ARIA_ARCHIVE) / "series"
        shutil.rmtree(known_series, ignore_errors=True)
        fetched = fetch_images("aria", PATIENT, "WL", max_age=0, **options)
        assert uids(fetched) == uids(mine), f"query {query}"
        if not left_out and query > 2:
            return
    pytest.fail(f"more than {MOST_QUERIES} queries")


@pytest.mark.parametrize("relational", [True, False])
def test_a_second_plan_of_the_label_is_seen_though_one_list_lacks_it(
    serve: Any, leave_out: Any, relational: bool
) -> None:
    first, second = plan(course="C1"), plan(course="C2")
    images = winston_lutz(first, YESTERDAY - DAY, count=2), winston_lutz(second, YESTERDAY, count=2)
    serve(first, second, *images, relational=relational)
    for query in range(12):
        for position in (0, -1):
            leave_out(query, position)
            with pytest.raises(AmbiguousPlanError):
                fetch_images("aria", PATIENT, "WL", max_age=0)


@pytest.mark.parametrize("earlier", [0, 5], ids=["one series", "six series"])
@pytest.mark.parametrize("position", [0, -1], ids=["first", "last"])
def test_images_without_dates_in_a_series_of_their_own_are_seen(
    serve: Any, settings: Any, tmp_path: Any, leave_out: Any, position: int, earlier: int
) -> None:
    """They may be the newest, whether a list lacks their series, or lacks them in it."""
    wl = plan()
    mine, undated = winston_lutz(wl, YESTERDAY, count=2), winston_lutz(wl, NOON, count=1)
    for keyword in ("AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"):
        delattr(undated[0], keyword)
    old = [winston_lutz(wl, NOON - days * 100 * DAY, count=1) for days in range(1, earlier + 1)]
    serve(wl, mine, *old, undated)
    for query in range(MOST_QUERIES):
        settings.QATRACK_ARIA_ARCHIVE = str(tmp_path / f"archive{query}")  # a first fetch
        left_out = leave_out(query, position)
        for _ in range(2):  # what a short list has left out is not forgotten for good
            with pytest.raises(AmbiguousImagesError, match="neither an acquisition nor a content"):
                fetch_images("aria", PATIENT, "WL", max_age=0)
            if not left_out and query > 5:
                return


@pytest.mark.parametrize("earlier", [0, 5], ids=["one series", "six series"])
def test_images_without_dates_are_seen_where_answers_tell_no_dates(
    serve: Any, earlier: int
) -> None:
    wl = plan()
    mine, undated = winston_lutz(wl, YESTERDAY, count=2), winston_lutz(wl, NOON, count=1)
    keywords = ("AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime")
    for keyword in keywords:
        delattr(undated[0], keyword)
    old = [winston_lutz(wl, NOON - days * 100 * DAY, count=1) for days in range(1, earlier + 1)]
    serve(wl, mine, *old, undated, unreturned_keys=frozenset(keywords))
    for _ in range(2):
        with pytest.raises(AmbiguousImagesError, match="neither an acquisition nor a content"):
            fetch_images("aria", PATIENT, "WL", max_age=0)


@pytest.mark.parametrize("earlier", [0, 5], ids=["one series", "six series"])
def test_dates_that_no_server_matches_are_seen_where_answers_tell_no_dates(
    serve: Any, earlier: int
) -> None:
    wl = plan()
    newest, dated = unmatched(wl, YESTERDAY, count=2), winston_lutz(wl, YESTERDAY - DAY, count=2)
    unreturned = frozenset({"AcquisitionDate", "ContentDate"})
    serve(wl, *years_of(wl, earlier, count=1), dated, newest, unreturned_keys=unreturned)
    assert uids(fetch_images("aria", PATIENT, "WL", max_age=0)) == uids(newest)


def unmatched(wl: Any, when: dt.datetime, **options: Any) -> list[Any]:
    """A series whose dates, in ACR-NEMA's form, the server does not match."""
    images = winston_lutz(wl, when, **options)
    for image in images:
        image.AcquisitionDate = image.ContentDate = f"{when:%Y.%m.%d}"
    return images


def years_of(wl: Any, series: int, count: int) -> list[list[Any]]:
    """Old series."""
    return [winston_lutz(wl, NOON - (n + 1) * 100 * DAY, count=count) for n in range(series)]


@pytest.mark.parametrize("says_so", [True, False], ids=["and says so", "with Success"])
def test_series_beyond_the_answers_that_a_server_gives_are_looked_at_one_by_one(
    serve: Any, monkeypatch: Any, says_so: bool
) -> None:
    """Its list of all images ends before the newest ones, that of all series does not."""
    if not says_so:
        monkeypatch.setattr(simulated_server, "RESPONSE_LIMIT_REACHED", 0x0000)
    wl = plan()
    newest = [unmatched(wl, YESTERDAY + n * MINUTE, count=1) for n in range(3)]
    dated = winston_lutz(wl, YESTERDAY - DAY, count=2)
    serve(wl, *years_of(wl, series=5, count=2), dated, *newest, answer_limit=12)
    fetched = fetch_images("aria", PATIENT, "WL", max_age=0, select="session")
    assert uids(fetched) == uids([image for series in newest for image in series])


@pytest.mark.parametrize("studies", [2, 1])
def test_series_are_listed_study_by_study_where_the_list_of_all_is_cut(
    serve: Any, studies: int
) -> None:
    wl = plan()
    newest = unmatched(wl, YESTERDAY, count=2)
    old = years_of(wl, series=8, count=1)
    if studies == 2:
        study = generate_uid()
        for images in old[::2]:
            images[0].StudyInstanceUID = study
    serve(wl, *old, winston_lutz(wl, YESTERDAY - DAY, count=2), newest, answer_limit=8)
    if studies == 2:
        assert uids(fetch_images("aria", PATIENT, "WL", max_age=0)) == uids(newest)
        return
    with pytest.raises(
        QueryError, match=r"does not list the series.*cut off at the server's limit"
    ):
        fetch_images("aria", PATIENT, "WL", max_age=0)


def test_a_series_of_which_the_server_lists_only_a_part_is_an_error(serve: Any) -> None:
    """Its images may be newer than all that have a date."""
    wl = plan()
    serve(wl, winston_lutz(wl, YESTERDAY, count=2), unmatched(wl, NOON, count=9), answer_limit=8)
    with pytest.raises(
        QueryError, match=r"does not list the images.*cut off at the server's limit"
    ):
        fetch_images("aria", PATIENT, "WL", max_age=0)


def test_lists_that_go_on_differing_are_an_error(serve: Any, monkeypatch: Any) -> None:
    """Each list lacks one image or another, so which there are is unknown."""
    from qatrack_aria.dicom import finder
    from qatrack_aria.errors import QueryError

    answer, asked = simulated_find.find, [0]

    def find(*arguments: Any) -> Any:
        answers = list(answer(*arguments))
        asked[0] += 1
        return (
            answers if len(answers) < 3 else answers[: asked[0] % 3] + answers[asked[0] % 3 + 1 :]
        )

    monkeypatch.setattr(simulated_find, "find", find)
    monkeypatch.setattr(finder, "PAUSES", (0.0,))
    wl = plan()
    serve(wl, winston_lutz(wl, YESTERDAY, count=4))
    with pytest.raises(QueryError, match="ask again in a minute"):
        fetch_images("aria", PATIENT, "WL")
