"""Whatever a browser posts: a named failure, a short message, a small row; and no image more."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from qatrack_aria import fetch_images
from qatrack_aria.models import Retrieval
from tests.helpers.aria import PATIENT, plan, winston_lutz
from tests.helpers.standin.fixtures import FETCH, assert_named_and_short, assert_small_rows

SUMMARY = f"result = {FETCH}.summary"
FILLED = {"patientid": PATIENT, "rtplanname": "WL"}


@pytest.fixture
def aria(serve):
    wl = plan()
    return serve(wl, winston_lutz(wl, count=2))


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


#: What no text of DICOM can be.
IMPOSSIBLE = {
    "a list": [PATIENT],
    "an empty list": [],
    "a dict": {"patient": PATIENT},
    "a number": 12345,
    "zero": 0,
    "a huge number": 10**4000,
    "a fraction": 0.5,
    "true": True,
    "false": False,
    "NaN": float("nan"),
    "infinity": float("-inf"),
    "ten megabytes": "Q" * 10_000_000,
    "a list of a megabyte": ["Q" * 10] * 100_000,
    "a deep list": nested(500),
    "NUL": "QA_\0TB1",
    "a line more": "QA_TB1\nSet-Cookie: x",
    "a line of another alphabet": "QA_TB1\u2028x",
    "an escape": "QA_\x1b[31mTB1",
    "from right to left": "QA_\u202e1BT",
    "half a surrogate": "QA_\ud800",
    "a wildcard": "QA_*",
    "two values": "QA_TB1\\QA_TB2",
}
#: What a text of DICOM can be.
ODD = {
    "a script": "QA_<script>alert(1)</script>",
    "SQL": "QA_'; DROP TABLE qatrack_aria_retrieval; --",
    "a format": "QA_%s{0}%(x)s",
    "a path": "QA_/../../etc/passwd",
    "another alphabet": "QA_患者",
    "a face": "QA_\U0001f600",
    "64 characters": "QA_" + "1" * 61,
}
VALUES = {**IMPOSSIBLE, **ODD}


@pytest.fixture
def posted(page):
    """Post each of some values in a field: a short failure each; what its record says, by value."""

    def statuses(opened, field, values):
        found, wrong = {}, {}
        for name, value in values.items():
            Retrieval.objects.all().delete()
            opened.values.update({**FILLED, field: value})
            try:
                assert_named_and_short(opened.recalculate())
            except AssertionError as error:
                wrong[name] = error
            found[name] = [row.status for row in Retrieval.objects.all()]
        assert wrong == {}
        return found

    return statuses


@pytest.mark.parametrize("field", ["patientid", "rtplanname"])
def test_an_impossible_value_is_refused_before_anything_is_sent(node, page, posted, field):
    statuses = posted(page(SUMMARY), field, IMPOSSIBLE)
    assert statuses == {name: ["usage"] for name in IMPOSSIBLE}


@pytest.mark.parametrize("field", ["patientid", "rtplanname"])
def test_an_odd_value_finds_no_images(aria, page, posted, field):
    statuses = posted(page(SUMMARY), field, ODD)
    assert statuses == {name: ["not_found"] for name in ODD}


def test_the_longest_patient_and_plan_are_answered_in_few_words(aria, page):
    opened = page(SUMMARY).fill(patientid=ODD["64 characters"], rtplanname="W" * 64)
    assert_named_and_short(opened)


def test_a_script_for_a_patient_is_not_allowed(aria, page):
    opened = page(SUMMARY).fill(**{**FILLED, "patientid": "<script>alert(1)</script>"})
    assert_named_and_short(opened)
    assert aria.log == []


def test_64_characters_that_are_none_are_answered_in_few_words(node, page):
    unprintable = "".join(chr(0xF0000 + number) for number in range(64))
    assert_named_and_short(page(SUMMARY).fill(**{**FILLED, "patientid": unprintable}))


# --- what else a procedure may take from a field ----------------------------------------------

CALLS = {
    "node": "fetch_images(posted, patientid, rtplanname, utils=UTILS)",
    "image type": 'fetch_images("aria", patientid, rtplanname, posted, utils=UTILS)',
    **{
        option: f'fetch_images("aria", patientid, rtplanname, utils=UTILS, {option}=posted)'
        for option in ("date", "count", "machine", "course", "select")
    },
}


@pytest.mark.parametrize("argument", CALLS)
def test_any_value_of_an_argument_is_answered_in_few_words(node, page, posted, argument):
    opened = page(f"result = {CALLS[argument]}.summary", "posted")
    assert posted(opened, "posted", VALUES).keys() == VALUES.keys()


@pytest.mark.parametrize("times", [100, 100_000])
def test_an_image_type_of_very_many_values_is_answered_in_few_words(aria, page, times):
    opened = page(f"result = {CALLS['image type']}.summary", "posted")
    opened.values.update(
        {**FILLED, "posted": "ORIGINAL\\PRIMARY\\PORTAL" + "\\A_LONG_VALUE" * times}
    )
    assert_named_and_short(opened.recalculate())


# --- META -------------------------------------------------------------------------------------

NO_TIME = {
    **VALUES,
    "a day": "22 Nov 2026",
    "an impossible day": "2026-02-30 08:30",
    "a time of day": "08:30",
    "a year of five digits": "12026-11-22 08:30",
    "a year before all years": "-2026-11-22 08:30",
    "milliseconds": 1795305600000,
    "a zone that cannot be": "2026-11-22T08:30:00+99:99",
}


def test_a_session_that_ended_at_no_time_is_refused_before_anything_is_sent(node, page):
    for value in NO_TIME.values():
        Retrieval.objects.all().delete()
        opened = page(SUMMARY, work_completed=value)
        opened.values.update(FILLED)
        assert_named_and_short(opened.recalculate())
        assert Retrieval.objects.get().status == "usage"


@pytest.mark.parametrize("end", ["1969-12-31 23:59", "1900-01-01 00:00", "1000-01-01 00:00"])
def test_a_session_before_all_images_is_answered_in_few_words(aria, page, end):
    assert_named_and_short(page(SUMMARY, work_completed=end).fill(**FILLED))


@pytest.mark.parametrize("end", ["0001-01-01 00:00", "0001-01-10 12:00", "0001-04-01 12:00"])
def test_a_session_of_the_year_1_is_answered_in_few_words(aria, page, end):
    assert_named_and_short(page(SUMMARY, work_completed=end).fill(**FILLED))


def test_days_that_are_sent_have_eight_digits(aria, page):
    page(SUMMARY, work_completed="1000-01-01 00:00").fill(**FILLED)
    asked = {key for find in aria.log for key in (find.identifier.get("ContentDate"),) if key}
    assert {len(day) for key in asked for day in key.split("-") if day} <= {8}


@pytest.mark.parametrize("end", ["2300-01-01 00:00", "9990-01-01 00:00", "9999-12-30 23:59"])
def test_a_session_that_ends_in_the_far_future_brings_the_newest(aria, page, end):
    opened = page(SUMMARY, work_completed=end).fill(**FILLED)
    assert (opened.tooltips, len(opened.screen["composite"]["images"])) == ({}, 2)


@pytest.mark.parametrize("value", ["a list", "a huge number", "ten megabytes", "NUL"])
def test_a_session_may_have_begun_at_any_time(aria, page, value):
    """Only its end says which images are meant."""
    opened = page(SUMMARY, work_started=VALUES[value]).fill(**FILLED)
    assert (opened.tooltips, len(opened.screen["composite"]["images"])) == ({}, 2)


@pytest.mark.parametrize("meta", [None, [], [1], {}, "x", "", 5, True, 0.5, nested(100)])
def test_a_page_without_meta_is_a_session_under_way(aria, page, meta):
    opened = page(SUMMARY)
    opened.meta = meta
    opened.fill(**FILLED)
    assert (opened.tooltips, len(opened.screen["composite"]["images"])) == ({}, 2)


def test_who_a_page_says_that_it_is_is_not_believed(aria, page):
    names = {"username": "admin", "unit_number": 99, "test_list_name": "Annual"}
    page(SUMMARY, **names).fill(**FILLED)
    row = Retrieval.objects.get()
    assert (row.user, row.unit, row.test_list) == ("physicist", "TB1", "Monthly")


# --- UTILS ------------------------------------------------------------------------------------


class Raising:
    """An object that the database did not give: each attribute raises."""

    def __getattr__(self, name):
        raise RuntimeError(f"no {name}")


class RaisingProperties:
    @property
    def user(self):
        raise OSError

    unit = test_list = meta = context = user


def long_names():
    thing = SimpleNamespace(username="u" * 1_000_000, name="n" * 1_000_000)
    return SimpleNamespace(user=thing, unit=thing, test_list=thing, meta={})


UTILS = {
    "None": lambda: None,
    "a string": lambda: "UTILS",
    "a number": lambda: 5,
    "a dict": lambda: {"user": "x", "meta": {}},
    "the class itself": lambda: SimpleNamespace,
    "nothing": object,
    "attributes that are None": lambda: SimpleNamespace(user=None, unit=None, meta=None),
    "attributes of other kinds": lambda: SimpleNamespace(user=5, unit=[], test_list={}, meta="x"),
    "names of other kinds": lambda: SimpleNamespace(user=SimpleNamespace(username=["x"])),
    "names with NUL": lambda: SimpleNamespace(user=SimpleNamespace(username="a\0b\ud800")),
    "attributes that raise": Raising,
    "properties that raise": RaisingProperties,
    "users that raise": lambda: SimpleNamespace(user=Raising(), unit=Raising(), meta=Raising()),
    "names of a megabyte": long_names,
}


@pytest.mark.parametrize("utils", UTILS)
def test_any_utils_brings_the_images(aria, utils):
    assert len(fetch_images("aria", PATIENT, "WL", utils=UTILS[utils]())) == 2
    assert_small_rows()


@pytest.mark.parametrize("name", [["x"], 5, b"x", {}, True])
def test_a_name_that_is_no_text_is_left_out(aria, name):
    thing = SimpleNamespace(username=name, name=name)
    fetch_images("aria", PATIENT, "WL", utils=SimpleNamespace(user=thing, unit=thing))
    row = Retrieval.objects.get()
    assert (row.user, row.unit) == ("", "")
