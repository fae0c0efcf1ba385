"""The timeline of a retrieval: it adds up, stays small, breaks nothing, and can be read back."""

from __future__ import annotations

import datetime as dt
import json
import time
from typing import Any

import pytest

from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.dicom.c_find import QueryRecord
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.dicom.retrieve import RetrieveAttempt
from qatrack_aria.phrases import phrase, read_phrase
from qatrack_aria.retrieval import report
from qatrack_aria.retrieval.request import Request
from qatrack_aria.retrieval.timeline import (
    HIGHEST,
    LONGEST,
    LONGEST_READ,
    LONGEST_TEXT,
    StoredTimeline,
    Timeline,
)

NOON = dt.datetime(2026, 11, 20, 12)
BIDI = "\u202egnp.exe"


class Clock:
    """Goes on only when a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made)
    return made


def seconds(timeline: Timeline) -> dict[str, float]:
    return {step.name: step.seconds for step in timeline.steps}


def kept(timeline: Timeline) -> Any:
    return json.loads(timeline.as_json())


# --- time -------------------------------------------------------------------------------------


def test_a_step_takes_the_time_it_takes(clock: Clock) -> None:
    timeline = Timeline()
    with timeline.step("images"):
        clock.now += 2
    clock.now += 5

    assert seconds(timeline) == {"images": 2}


def test_a_step_that_is_returned_to_goes_on(clock: Clock) -> None:
    timeline = Timeline()
    for _ in range(3):
        with timeline.step("images"):
            clock.now += 2
        clock.now += 5

    assert seconds(timeline) == {"images": 6}
    assert timeline.steps[0].times == 3


def test_a_step_within_another_is_not_counted_twice(clock: Clock) -> None:
    timeline = Timeline()
    with timeline.step("images"):
        clock.now += 1
        with timeline.step("calling"):
            clock.now += 4
        clock.now += 2

    assert seconds(timeline) == {"images": 3, "calling": 4}


def test_a_step_that_fails_is_timed_too(clock: Clock) -> None:
    def fail() -> None:
        clock.now += 2
        raise ZeroDivisionError

    timeline = Timeline()
    with pytest.raises(ZeroDivisionError), timeline.step("images"):
        fail()

    assert seconds(timeline) == {"images": 2}


def test_the_innermost_step_that_failed_is_where_it_stopped() -> None:
    timeline = Timeline()
    with pytest.raises(ZeroDivisionError), timeline.step("images"), timeline.step("calling"):
        raise ZeroDivisionError
    with timeline.step("hanging up"):
        pass

    assert timeline.stopped_at == "calling"


def test_a_process_that_is_terminated_stopped_somewhere_too() -> None:
    """gunicorn ends a worker that takes too long by SystemExit."""
    timeline = Timeline()
    with pytest.raises(SystemExit), timeline.step("images"):
        raise SystemExit(1)

    assert timeline.stopped_at == "images"


# --- what is kept -----------------------------------------------------------------------------


def test_a_timeline_without_steps_is_empty() -> None:
    assert Timeline().as_json() == "{}"


def test_steps_are_kept_in_their_order(clock: Clock) -> None:
    timeline = Timeline()
    for name in ("plan", "images", "plan"):
        with timeline.step(name):
            clock.now += 1

    assert kept(timeline)["steps"] == [
        {"step": "plan", "seconds": 2.0, "times": 2},
        {"step": "images", "seconds": 1.0, "times": 1},
    ]


def test_a_report_that_fails_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> dict[str, Any]:
        raise KeyError("QA_TB1")

    timeline = Timeline()
    timeline.add(broken)

    assert kept(timeline) == {}
    assert "the report of a retrieval failed: KeyError" in caplog.text
    assert "QA_TB1" not in caplog.text


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x"], ids=["object", "set", "bytes"])
def test_what_json_cannot_hold_is_no_error(value: Any) -> None:
    timeline = Timeline()
    timeline.add(lambda: {"value": value})

    assert timeline.as_json() == "{}"


def test_remarks_come_to_an_end() -> None:
    timeline = Timeline()
    for number in range(1000):
        timeline.remark(phrase("other_type", image_type=str(number)))

    assert len(kept(timeline)["remarks"]) == 20


# --- the report of a retrieval ----------------------------------------------------------------


def image(number: int, **changes: Any) -> ImageRef:
    values: dict[str, Any] = {
        "patient_id": "QA_TB1",
        "study_uid": "1.2.1",
        "series_uid": "1.2.1.1",
        "sop_uid": f"1.2.3.{number}",
        "modality": "RTIMAGE",
        "image_type": ("ORIGINAL", "PRIMARY", "PORTAL"),
        "plan_uids": frozenset(["1.2.9"]),
        "acquired": NOON + dt.timedelta(seconds=number),
        "machines": frozenset(["TB1"]),
        "dose_unit": "MU",
        "from_file": True,
    }
    return ImageRef(**{**values, **changes})


def report_of(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "plans": [PlanRef("QA_TB1", "1.2.1", "1.2.1.2", "1.2.9", label="WL", course="C1")],
        "listed": [],
        "chosen": [],
        "queries": [],
        "attempts": [],
        "refused": [],
    }
    request = changes.pop("request", Request.parse("QA_TB1", "WL"))
    peer = Peer("aria", "VMSDBD", "10.0.0.5", 104, "QATRACK", "", 11112)
    return report.build_report(peer, request, **{**values, **changes})


def reasons(reported: dict[str, Any]) -> dict[str, int]:
    return {read_phrase(entry["why"]): entry["number"] for entry in reported["left_out"]}


def test_what_was_left_out_is_counted_by_reason() -> None:
    chosen = [image(1), image(2)]
    others = [image(3, dose_unit="MINUTE"), image(4, dose_unit="MINUTE")]
    others.append(image(5, plan_uids=frozenset()))

    reported = report_of(listed=[*chosen, *others], chosen=chosen)
    assert reasons(reported) == {"kV": 2, "of another plan or of none": 1}


def test_a_matching_image_of_an_older_series_is_left_out_for_that() -> None:
    older = image(3, series_uid="1.2.1.5", acquired=NOON - dt.timedelta(days=1))

    reported = report_of(listed=[image(1), older], chosen=[image(1)])
    assert reasons(reported) == {"not of the newest session": 1}


def test_while_it_is_open_which_are_the_newest_none_is_said_to_be_older() -> None:
    undated = image(1, acquired=None, from_file=False)

    assert reasons(report_of(listed=[undated, image(2)], chosen=[undated])) == {}


def test_the_most_frequent_reasons_are_named_and_the_others_counted() -> None:
    request = Request.parse("QA_TB1", "WL", machine="TB1")
    others = [image(n, machines=frozenset([f"M{n}"])) for n in range(30)] * 2

    reported = reasons(report_of(request=request, listed=others))
    assert len(reported) == 20
    assert reported["for other reasons"] == 22
    assert sum(reported.values()) == 60


def test_of_many_queries_the_first_and_the_last_are_kept() -> None:
    queries = [QueryRecord("SERIES", {"StudyInstanceUID": f"1.2.{n}"}, n) for n in range(500)]

    reported = report_of(queries=queries)
    assert [query["answers"] for query in reported["queries"]] == [*range(10), *range(490, 500)]
    assert reported["queries_in_all"] == 500


@pytest.mark.parametrize("letter", ["x", "患", "\U0001f4a3", "\0", "\ud800"])
def test_a_timeline_is_short_whatever_the_peer_answers(letter: str) -> None:
    """Machine names, image types, labels, refusals: as long, as many and as odd as can be."""
    long = letter * 100_000
    odd = phrase("damaged", error=long)
    hostile = [image(n, machines=frozenset([f"{n}{long}"])) for n in range(200)]
    timeline = Timeline()
    for number in range(1000):
        with timeline.step(f"{number} {letter}"):
            pass
    timeline.add(
        lambda: report_of(
            request=Request.parse("QA_TB1", "WL", machine="TB1"),
            plans=[PlanRef(long, long, long, long, label=long, course=long)] * 500,
            listed=hostile,
            chosen=hostile[:50],
            queries=[
                QueryRecord(
                    "IMAGE",
                    {"PatientID": long, long: long},
                    10**9,
                    phrase("status", status=long),
                    10**9,
                )
            ]
            * 5000,
            attempts=[RetrieveAttempt("C-MOVE", "IMAGE", 10**9, 0, None, None, None, odd)] * 5000,
            refused=[phrase("damaged", error=f"{n} {long}") for n in range(1000)],
        )
    )

    text = timeline.as_json()
    assert len(text) <= LONGEST
    assert text.isascii()
    assert json.loads(text)["queries_in_all"] == 5000
    assert len(json.loads(text)["steps"]) == 20


# --- reading back -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"steps": [{"step": "pl',
        "null",
        "[]",
        "7",
        '"text"',
        "NaN",
        "[" * 50_000,
        '{"a":' * 10_000,
        "9" * 10_000,
        '{"a": "' + "x" * LONGEST_READ + '"}',
        None,
        b"{}",
    ],
    ids=lambda text: repr(text)[:20],
)
def test_an_invalid_timeline_reads_as_an_empty_one(text: Any) -> None:
    stored = StoredTimeline(text)

    assert (stored.text("a"), stored.number("a"), stored.seconds("a"), stored.items("a")) == (
        "",
        0,
        0,
        [],
    )


ODD = [None, True, -1, 1.5, 10**400, float("nan"), float("inf"), "7", [], [[]], {}, {"a": 1}]


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_a_value_of_another_kind_reads_as_none(value: Any) -> None:
    stored = StoredTimeline(json.dumps({"a": value}))

    assert isinstance(stored.text("a"), str)
    assert 0 <= stored.number("a") < HIGHEST
    assert 0 <= stored.seconds("a") < HIGHEST
    assert stored.items("a") == []


def test_entries_that_are_none_are_passed_over() -> None:
    stored = StoredTimeline('{"steps": [1, null, [], "x", {"step": "plan"}]}')

    assert [entry.text("step") for entry in stored.items("steps")] == ["plan"]


def test_a_list_that_is_too_long_is_cut() -> None:
    assert len(StoredTimeline(json.dumps({"a": [{}] * 5000})).items("a")) == 20


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (f"a{BIDI}", "a\\u202egnp.exe"),
        ("a\nb\0", "a\\nb\\x00"),
        ("\ud800", "\\ud800"),
        ("x" * 5000, "x" * LONGEST_TEXT + "…"),
        ("患者", "患者"),
    ],
)
def test_a_text_is_one_line_that_can_be_shown(text: str, read: str) -> None:
    assert StoredTimeline(json.dumps({"a": text})).text("a") == read
