"""Listing the images of some days by both of their dates, from servers that answer well or not."""

from __future__ import annotations

import datetime as dt
from typing import Any, Callable

import pytest
from pydicom.dataset import Dataset

from qatrack_aria.dicom.c_find import QueryRecord
from qatrack_aria.dicom.day_search import DaySearch, dated_image
from qatrack_aria.dicom.queries import PatientQueries, QueryRefused
from tests.helpers import datasets
from tests.helpers.datasets import PATIENT

MONDAY = dt.date(2026, 11, 16)
TUESDAY = MONDAY + dt.timedelta(days=1)
FRIDAY = MONDAY + dt.timedelta(days=4)


def image(number: int, day: dt.date | None, **changes: Any) -> Dataset:
    """An image with both of its dates; `changes` overwrite attributes, ``None`` removes one."""
    date = day and f"{day:%Y%m%d}"
    dates = {"ContentDate": date, "AcquisitionDate": date, **changes}
    return datasets.image(SOPInstanceUID=f"1.2.3.{number}", **dates)


class Node(PatientQueries):
    """Answers queries by day from a list of images.

    Attributes
    ----------
    spoil : callable
        Takes the number of a query (from 1), its keys and the answers; returns those that are sent.
    """

    def __init__(self, *images: Dataset) -> None:
        super().__init__(None, PATIENT)  # type: ignore[arg-type]
        self.images_held = list(images)
        self.spoil: Callable[[int, Any, list[Dataset]], list[Dataset]] = lambda _, __, found: found

    def send(
        self, level: str, keys: Any, returned: Any, read: Any = None, most: int | None = None
    ) -> list[Any]:
        days = {keyword: value for keyword, value in keys.items() if keyword.endswith("Date")}
        found = [ds for ds in self.images_held if all(_matches(ds, *key) for key in days.items())]
        self.records.append(QueryRecord(level, dict(keys), len(found)))
        return [read(ds) for ds in self.spoil(len(self.records), days, found)]


def _matches(ds: Dataset, keyword: str, days: str) -> bool:
    first, _, last = days.partition("-")
    date = str(ds.get(keyword) or "")
    return bool(date) and first <= date <= (last or ("9" if "-" in days else first))


def listed(search: DaySearch, since: Any = MONDAY, until: Any = None, first_day: Any = None) -> Any:
    return [ref.sop_uid for ref in search.images(since, until, first_day)]


def uids(*images: Dataset) -> list[str]:
    return [str(ds.SOPInstanceUID) for ds in images]


BOTH = image(1, TUESDAY)
CONTENT_ONLY = image(2, TUESDAY, AcquisitionDate=None)
ACQUISITION_ONLY = image(3, TUESDAY, ContentDate=None)
OLD = image(4, MONDAY - dt.timedelta(days=1))
NEW = image(5, FRIDAY)


def test_an_image_is_found_by_either_of_its_dates() -> None:
    search = DaySearch(Node(BOTH, CONTENT_ONLY, ACQUISITION_ONLY, OLD, NEW))

    assert set(listed(search)) == set(uids(BOTH, CONTENT_ONLY, ACQUISITION_ONLY, NEW))
    assert set(listed(search, MONDAY, TUESDAY)) == set(uids(BOTH, CONTENT_ONLY, ACQUISITION_ONLY))
    assert listed(search, FRIDAY, FRIDAY) == uids(NEW)
    assert search.supported


def test_acquisition_dates_are_queried_from_the_day_that_the_caller_gives() -> None:
    node = Node(BOTH, NEW, image(6, TUESDAY, ContentDate=None))

    assert set(listed(DaySearch(node), first_day=lambda images: FRIDAY)) == set(uids(BOTH, NEW))
    assert [r.keys.get("AcquisitionDate") for r in node.records] == [None, "20261120-"]


def test_without_such_a_day_the_search_ends() -> None:
    node = Node(BOTH)
    search = DaySearch(node)

    assert listed(search, first_day=lambda images: None) == []
    assert (len(node.records), search.supported) == (1, True)


@pytest.mark.parametrize("refused", ["ContentDate", "AcquisitionDate"])
def test_a_node_that_refuses_a_date_is_not_searched_by_days(refused: str) -> None:
    def refuse(number: int, days: Any, found: list[Dataset]) -> list[Dataset]:
        if refused in days:
            raise QueryRefused(0)
        return found

    node = Node(BOTH)
    node.spoil = refuse
    search = DaySearch(node)

    assert search.images(MONDAY, None, None) == []
    assert not search.supported


def test_a_node_that_answers_with_other_days_is_not_searched_by_days() -> None:
    node = Node(BOTH)
    node.spoil = lambda number, days, found: [BOTH, OLD]
    search = DaySearch(node)

    assert search.images(MONDAY, None, None) == []
    assert not search.supported
    assert len(node.records) == 1


@pytest.mark.parametrize("short", [1, 2], ids=["by Content Date", "by Acquisition Date"])
def test_a_list_that_lacks_an_image_of_the_other_is_repeated_once(short: int) -> None:
    def once(number: int, days: Any, found: list[Dataset]) -> list[Dataset]:
        return found[1:] if number == short else found

    def always(number: int, days: Any, found: list[Dataset]) -> list[Dataset]:
        return found[1:] if ("ContentDate" in days) == (short == 1) else found

    for spoil, expected in ((once, uids(BOTH, NEW)), (always, [])):
        node = Node(BOTH, NEW)
        node.spoil = spoil
        search = DaySearch(node)
        assert sorted(listed(search)) == expected
        assert search.supported


def test_a_node_that_finds_nothing_by_one_of_the_dates_is_not_asked_twice() -> None:
    node = Node(BOTH)
    node.spoil = lambda number, days, found: found if "ContentDate" in days else []

    assert listed(DaySearch(node)) == []
    assert len(node.records) == 2


# --- confirmation -----------------------------------------------------------------------------


def test_a_list_is_confirmed_by_the_same_images() -> None:
    search = DaySearch(Node(BOTH, CONTENT_ONLY, ACQUISITION_ONLY, NEW))
    known = set(listed(search))

    assert search.confirms(MONDAY, None, known)
    assert search.confirms(FRIDAY, None, known)  # some of the days
    assert search.confirms(MONDAY, None, known | set(uids(OLD)))  # found otherwise


@pytest.mark.parametrize("more", [CONTENT_ONLY, ACQUISITION_ONLY, BOTH], ids=["C", "A", "both"])
def test_a_list_is_not_confirmed_if_there_is_an_image_more(more: Dataset) -> None:
    node = Node(NEW)
    search = DaySearch(node)
    known = set(listed(search))
    node.images_held.append(more)

    assert not search.confirms(MONDAY, None, known)


@pytest.mark.parametrize("less", [CONTENT_ONLY, ACQUISITION_ONLY, BOTH], ids=["C", "A", "both"])
def test_a_list_is_not_confirmed_if_an_image_is_missing(less: Dataset) -> None:
    node = Node(NEW, less)
    search = DaySearch(node)
    known = set(listed(search))
    node.images_held.remove(less)

    assert not search.confirms(MONDAY, None, known)


def test_an_empty_answer_to_few_keys_is_asked_for_with_the_keys_of_the_list() -> None:
    node = Node(BOTH)
    search = DaySearch(node)
    known = set(listed(search))
    listing = len(node.records)
    node.spoil = lambda number, days, found: [] if number in (listing + 1, listing + 3) else found

    assert search.confirms(MONDAY, None, known)
    assert len(node.records) == listing + 4


def test_no_answer_where_none_is_due_is_not_asked_for_again() -> None:
    node = Node(BOTH)
    search = DaySearch(node)
    known = set(listed(search))
    listing = len(node.records)

    assert search.confirms(FRIDAY, None, known)
    assert len(node.records) == listing + 2


# --- dates ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dates", "has_day"),
    [
        ({}, True),
        ({"ContentDate": None}, True),
        ({"AcquisitionDate": ""}, True),
        ({"ContentDate": None, "AcquisitionDate": None}, False),
        ({"ContentDate": "", "AcquisitionDate": ""}, False),
        ({"ContentDate": "2026.11.17", "AcquisitionDate": None}, False),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_a_server_can_match_an_image_by_a_date_in_the_standards_form(
    dates: dict[str, Any], has_day: bool
) -> None:
    assert dated_image(image(1, TUESDAY, **dates)).has_day is has_day


def test_whether_the_node_returns_dates_is_seen_from_its_answers() -> None:
    undated = image(1, None)
    node = Node(BOTH, NEW)
    search = DaySearch(node)
    assert not search.returns_dates

    for answers, with_dates in (([NEW], True), ([NEW, undated], True), ([undated], False)):
        node.spoil = lambda number, days, found, answers=answers: answers
        listed(search)
        assert search.returns_dates is with_dates
