"""What a person may ask for, and what is refused before anything is sent."""

from __future__ import annotations

import dataclasses
import datetime as dt
import fractions
import inspect
import json
from typing import Any, Iterable

import pytest

from qatrack_aria import fetch_images
from qatrack_aria.errors import RequestError
from qatrack_aria.retrieval.options import OF_SERIES, OPTIONS
from qatrack_aria.retrieval.request import Request, parse_deadline

TODAY = dt.date(2026, 11, 22)
PLAN_UID = "1.2.246.352.71.5.123456789"


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qatrack_aria.retrieval.option_values._today", lambda: TODAY)


def parse(patient_id: Any = "QA_TB1", plan: Any = "WL", *args: Any, **options: Any) -> Request:
    return Request.parse(patient_id, plan, *args, **options)


def refusal(*args: Any, **options: Any) -> str:
    """The message of a refusal, which must fit into the tooltip that QATrack+ shows."""
    with pytest.raises(RequestError) as caught:
        parse(*args, **options)
    message = str(caught.value)
    assert message.isprintable(), "one line, without control characters"
    assert len(message) < 500
    assert message.endswith("Nothing was sent.")
    return message


def assert_each_refused(values: Iterable[Any], says: str, *fields: str) -> None:
    """Each of some values is refused, in each of some fields, with words that name it."""
    for field in fields:
        for number, value in enumerate(values):
            case = f"value {number} ({type(value).__name__}) as {field}"
            try:
                message = refusal(**{field: value})
            except pytest.fail.Exception:
                pytest.fail(f"{case} is not refused")
            assert says.format(field=field) in message, case


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


HOSTILE = [
    5,
    5.0,
    float("nan"),
    True,
    b"QA_TB1",
    [],
    ["QA_TB1"],
    {"id": "QA_TB1"},  # dict
    {},
    object(),
    "x" * 10_000_000,  # 10 MB
    "\n" * 1000 + "x\ny",  # lines
    nested(100_000),
    10**5000,
]


# --- patient and plan -------------------------------------------------------------------------


def test_a_plain_request_asks_for_the_newest_portal_images() -> None:
    assert parse() == Request("QA_TB1", "WL", ("ORIGINAL", "PRIMARY", "PORTAL"))


@pytest.mark.parametrize(
    "name", ["QA TB1", "QA-1/2 (old)", "Jürgen", "患者", "O'Neil", "A^B=C", "[QA]", "x" * 64]
)
def test_any_name_that_aria_can_hold_is_taken_as_it_is(name: str) -> None:
    request = parse(name, name)

    assert (request.patient_id, request.plan) == (name, name)


def test_spaces_around_a_name_do_not_count() -> None:
    """DICOM pads values with spaces, and people paste them."""
    assert parse(" QA_TB1 \n", "\tWL ") == parse()


@pytest.mark.parametrize("empty", [None, "", "  ", "\t\n"])
def test_a_test_that_nobody_filled_in_is_named(empty: Any) -> None:
    assert "Waiting for the plan label" in refusal(plan=empty)


def test_a_patient_id_that_is_no_short_text_is_refused() -> None:
    assert_each_refused(HOSTILE, "patient ID", "patient_id")


def test_a_plan_that_is_no_short_text_is_refused() -> None:
    assert_each_refused(HOSTILE, "plan label", "plan")


def test_a_character_that_would_match_other_patients_is_refused() -> None:
    characters = [
        "*",  # any characters
        "?",  # any one character
        "\\",  # value separator
        "\0",  # NUL
        "\x1b",  # escape
        "\n",  # line end
        "\u200b",  # zero-width space
        "\u202e",  # right-to-left override
        "\xa0",  # no-break space
        "\ud800",  # half a surrogate
    ]
    values = [f"QA{bad}TB1" for bad in characters]
    fields = ("patient_id", "plan", "machine", "course")
    assert_each_refused(values, "something else in a DICOM query", *fields)


def test_a_name_of_65_characters_is_refused() -> None:
    assert "65 characters" in refusal("x" * 65)


@pytest.mark.parametrize(
    ("plan", "is_uid"),
    [
        (PLAN_UID, True),
        ("1.2.3.4.5", False),  # a label of digits and dots
        ("1.2.246.352.71.5.", False),  # unfinished
        ("WL 1.2.246.352.71.5.1", False),  # a label with digits
        ("١.٢.٣.٤.٥.٦.٧.٨.٩.١.٢.٣.٤", False),  # Arabic digits
    ],
)
def test_a_plan_is_taken_for_a_uid_only_if_it_is_one(plan: str, is_uid: bool) -> None:
    assert parse(plan=plan).names_plan_uid is is_uid


# --- image type -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ("portal", ("ORIGINAL", "PRIMARY", "PORTAL")),
        (" Portal ", ("ORIGINAL", "PRIMARY", "PORTAL")),
        ("portal_dose", ("ORIGINAL", "PRIMARY", "PORTAL", "ACQUIRED_DOSE")),
        ("DERIVED\\SECONDARY\\PORTAL", ("DERIVED", "SECONDARY", "PORTAL")),
        ("ORIGINAL \\PRIMARY\\ DRR", ("ORIGINAL", "PRIMARY", "DRR")),
        (["ORIGINAL", "PRIMARY", "SIMULATOR"], ("ORIGINAL", "PRIMARY", "SIMULATOR")),
        (
            ("ORIGINAL", "PRIMARY", "PORTAL", "PREDICTED_DOSE"),
            ("ORIGINAL", "PRIMARY", "PORTAL", "PREDICTED_DOSE"),
        ),
    ],
)
def test_an_image_type_is_a_preset_or_a_full_type(given: Any, values: tuple[str, ...]) -> None:
    assert parse("QA_TB1", "WL", given).image_type == values


def test_an_image_type_that_no_image_has_is_refused() -> None:
    values = [
        None,
        "",
        "DRR",
        "ORIGINAL\\PRIMARY",
        "original\\primary\\portal",
        "PRIMARY\\ORIGINAL\\PORTAL",
        "ORIGINAL\\PRIMARY\\PORTAL\\",
        "ORIGINAL\\PRIMARY\\PORTAL\\*",
        "ORIGINAL\\PRIMARY\\PORTAL\\" + "X" * 17,
        "ORIGINAL\\PRIMARY\\PORTAL\\DOSE\0",
        ["ORIGINAL", "PRIMARY", 3],
        [None] * 3,
        *HOSTILE,
    ]
    assert_each_refused(values, "image type", "image_type")


@pytest.mark.parametrize(
    ("typed", "meant"), [("portl", "'portal'"), ("PORTAL-DOSE", "'portal_dose'")]
)
def test_a_misspelt_preset_is_corrected(typed: str, meant: str) -> None:
    assert f"did you mean {meant}?" in refusal("QA_TB1", "WL", typed)


# --- date -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        dt.date(2026, 11, 2),
        dt.datetime(2026, 11, 2, 23, 59),
        "2026-11-02",
        "20261102",
        "02 Nov 2026",
        "2 Nov 2026",
        " 2026-11-02 ",
        "2026-11-02 08:30",
        "2026-11-02 08:30:15",
        "2026-11-02T08:30:15",
        "02 Nov 2026 08:30",
        "02 Nov 2026 08:30:15",
    ],
)
def test_a_date_is_understood_as_qatrack_and_dicom_write_it(given: Any) -> None:
    assert parse(date=given).date == dt.date(2026, 11, 2)


@pytest.mark.parametrize("empty", [None, ""])
def test_no_date_means_the_newest_images(empty: Any) -> None:
    assert parse(date=empty).date is None


def test_a_date_that_is_not_understood_is_refused() -> None:
    """Above all, it is never read as another day."""
    values = [
        "yesterday",
        "2026-02-30",
        "11/02/2026",
        "02.11.2026",
        "2026112",  # 2 November or 12 January
        "20251101-",
        "2026-11-02\0",
        20261102,
        1793577600.0,
        *HOSTILE,
    ]
    assert_each_refused(values, "is not understood", "date")


def test_today_is_no_future_date() -> None:
    assert parse(date=TODAY).date == TODAY


def test_a_date_in_the_future_is_refused() -> None:
    assert "2026-11-23 is in the future (today is 2026-11-22)" in refusal(date="2026-11-23")


@pytest.mark.parametrize("value", ["0026-11-02", dt.date(26, 11, 2), dt.datetime.min])
def test_a_year_of_two_digits_is_refused(value: Any) -> None:
    """DICOM cannot be asked for it: Python writes year 26 with two digits."""
    assert "year in four digits" in refusal(date=value)


def test_without_a_given_today_this_machines_date_is_used() -> None:
    tomorrow = dt.date.today() + dt.timedelta(days=2)

    with pytest.raises(RequestError, match="in the future"):
        Request.parse("QA_TB1", "WL", date=tomorrow)


# --- the other wishes -------------------------------------------------------------------------


@pytest.mark.parametrize("given", [8, 8.0, "8", " 8 ", "8.0", fractions.Fraction(8)])
def test_a_count_may_be_any_kind_of_number(given: Any) -> None:
    """QATrack+ gives 8.0 for 8, and text in string tests."""
    count = parse(count=given).count

    assert (count, type(count)) == (8, int)


@pytest.mark.parametrize(
    "given", [(4, 8), [4.0, "8"], "4-8", " 4 - 8 ", "(4, 8)", "[4, 8]"], ids=str
)
def test_a_count_may_be_the_least_and_the_most(given: Any) -> None:
    """As the message of a wrong one writes it, also in a string test."""
    assert parse(count=given).count == (4, 8)


@pytest.mark.parametrize("empty", [None, ""])
def test_no_count_means_any_number_of_images(empty: Any) -> None:
    assert parse(count=empty).count is None


def test_a_count_that_is_no_number_of_images_is_refused() -> None:
    values = [
        0,
        -1,
        7.5,
        10_001,
        "eight",
        "nan",
        "inf",
        " ",
        "8\0",
        float("inf"),
        float("nan"),
        True,
        False,
        [8],
        (8, 4),
        (0, 8),
        (1, 2, 3),
        "8-",
        "-8",
        "8-4",
        "()",
        "(8)",
        "(",
        "4, 8",
        {"n": 8},
        b"8",
        10**400,
        10**5000,
        "9" * 1_000_000,  # 1 MB
        nested(100_000),
    ]
    assert_each_refused(values, "is not a number of images", "count")


@pytest.mark.parametrize("field", ["machine", "course"])
def test_no_machine_or_course_means_any(field: str) -> None:
    assert getattr(parse(**{field: None}), field) is None


@pytest.mark.parametrize("field", ["machine", "course"])
@pytest.mark.parametrize("empty", ["", "  "])
def test_a_machine_or_course_that_is_not_filled_in_yet_is_waited_for(
    field: str, empty: str
) -> None:
    """Any machine would be the wrong one."""
    assert f"Waiting for the {field}" in refusal(**{field: empty})


def test_a_machine_or_course_that_is_no_short_text_is_refused() -> None:
    assert_each_refused(HOSTILE, "{field}", "machine", "course")


class Array:
    """Compares as numpy's arrays do: element by element, and is then neither true nor false."""

    def __eq__(self, other: object) -> Any:
        return self

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array is ambiguous")


@pytest.mark.parametrize("field", ["date", "count", "machine", "course", "select", "kv"])
def test_an_array_is_refused_and_not_compared(field: str) -> None:
    assert refusal(**{field: Array()})


@pytest.mark.parametrize("value", [None, "series", "day", "all"])
def test_the_known_selections_are_taken(value: Any) -> None:
    assert parse(select=value).select == value


def test_an_unknown_selection_is_refused_with_the_known_ones() -> None:
    values = ["Series", "newest", "", *HOSTILE]
    assert_each_refused(values, "one of session, series, day, all", "select")


def test_kv_is_true_or_false_or_only() -> None:
    """``kv="False"`` from a string test is true in Python."""
    assert [parse(kv=value).kv for value in (False, True, "only")] == [False, True, "only"]
    for value in (None, 0, 1, "yes", "", "False", []):
        assert "must be True, False or 'only'" in refusal(kv=value)


# --- series -----------------------------------------------------------------------------------


def test_a_series_is_named_by_its_uid() -> None:
    assert parse(series=" 1.2.246.352.64.2.5 ").series == "1.2.246.352.64.2.5"
    assert parse(series=None).series is None
    for value in ("first", "1", "1.2/../3", "1..2"):
        assert "is not a Series Instance UID" in refusal(series=value)


def test_an_empty_series_is_waited_for() -> None:
    """A test that nobody filled in: "any series" would be a guess."""
    assert "Waiting for the series" in refusal(series="")


# --- the table of options ---------------------------------------------------------------------


def test_the_table_and_the_signature_of_fetch_images_agree() -> None:
    parameters = inspect.signature(fetch_images).parameters
    documentation = inspect.getdoc(fetch_images) or ""
    for option in OPTIONS:
        assert parameters[option.name].default == option.default
        assert option.help or option.flags
        assert f"\n{option.name} :" in documentation
    assert {field.name for field in dataclasses.fields(Request)} == {
        *("patient_id", "plan", "image_type", "until", "modality", "frames"),
        *(option.name for option in (*OPTIONS, *OF_SERIES)),
    }


def test_an_option_that_does_not_exist_is_an_error_of_the_programmer() -> None:
    with pytest.raises(TypeError, match="'gantry'"):
        parse(gantry=0)


def test_a_session_ends_at_a_moment_of_the_clinics_clocks() -> None:
    assert parse(until=dt.datetime(2026, 11, 2, 8, 30)).until == dt.datetime(2026, 11, 2, 8, 30)


def test_a_session_that_ended_at_no_moment_is_refused() -> None:
    values = [
        "",
        "2026-11-02 08:30",
        dt.date(2026, 11, 2),
        dt.datetime(2026, 11, 2, tzinfo=dt.timezone.utc),  # with time zone
        *HOSTILE,
    ]
    assert_each_refused(values, "The session was completed at", "until")


# --- the record of it -------------------------------------------------------------------------


def test_a_record_names_only_what_was_asked() -> None:
    assert parse().as_dict == {
        "patient_id": "QA_TB1",
        "plan": "WL",
        "image_type": "ORIGINAL\\PRIMARY\\PORTAL",
    }


def test_a_record_of_everything_can_be_written_as_json() -> None:
    request = parse(
        date="2026-11-02", count=8, machine="TB1", course="C1", select="day", kv=True
    ).as_dict

    assert json.loads(json.dumps(request)) == {
        "patient_id": "QA_TB1",
        "plan": "WL",
        "image_type": "ORIGINAL\\PRIMARY\\PORTAL",
        "date": "2026-11-02",
        "count": 8,
        "machine": "TB1",
        "course": "C1",
        "select": "day",
        "kv": True,
    }


# --- deadline ---------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [1, 0.5, 3600])
def test_a_deadline_is_a_number_of_seconds(value: Any) -> None:
    assert parse_deadline(value) == value


def test_without_a_deadline_the_nodes_own_counts() -> None:
    assert parse_deadline(None) is None


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        3600.1,
        float("nan"),
        float("inf"),
        True,
        "25",
        "",
        [25],
        {},
        b"25",
        10**400,
    ],
)
def test_a_deadline_that_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(RequestError, match="is not a valid time: give seconds"):
        parse_deadline(value)
