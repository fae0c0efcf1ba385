"""Every attempt leaves a row, however it ends, and no row is worth losing images over."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
from typing import Any, Iterator

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from qatrack_aria import errors
from qatrack_aria.errors import AriaError, Outcome, WaitingError
from qatrack_aria.models import AriaNode, Retrieval
from qatrack_aria.retrieval.record import Record, recorded, request_json

pytestmark = pytest.mark.django_db


@contextlib.contextmanager
def begin(
    node: Any = "aria", patient: Any = "QA_TB1", plan: Any = "WL", user: str = "jane"
) -> Iterator[Record]:
    with recorded(
        node_name=node, patient_id=patient, plan=plan, source=Retrieval.COMPOSITE, user=user
    ) as record:
        record.begin()
        yield record


def ended_with(error: BaseException) -> Retrieval:
    """The row of an attempt that ended so."""
    with pytest.raises(type(error)), begin():
        raise error
    return Retrieval.objects.get()


def subclasses(kind: type[AriaError]) -> list[type[AriaError]]:
    return [kind, *(found for sub in kind.__subclasses__() for found in subclasses(sub))]


# --- how it ends ------------------------------------------------------------------------------


def test_an_attempt_that_is_under_way_can_be_seen() -> None:
    """One that stays so was killed."""
    with begin():
        row = Retrieval.objects.get()

    assert (row.status, row.seconds) == ("running", None)


def test_who_asked_for_what_is_known_from_the_start() -> None:
    with begin():
        row = Retrieval.objects.get()

    asked = (row.node_name, row.patient_id, row.plan, row.source, row.user)
    assert asked == ("aria", "QA_TB1", "WL", "composite", "jane")


def test_what_came_of_a_success_is_kept() -> None:
    node = AriaNode.objects.create(name="aria", remote_port=104)
    with begin() as record:
        record.row.node = node
        record.row.request = request_json({"plan": "WL", "count": 8})
        record.row.found, record.row.already_here, record.row.moved, record.row.refused = 8, 3, 5, 1
        record.row.bytes, record.row.folder, record.row.message = (
            5_000_000_000,
            "/sets/1",
            "8 images",
        )

    row = Retrieval.objects.get()
    assert (row.status, row.node) == ("done", node)
    assert json.loads(row.request) == {"plan": "WL", "count": 8}
    assert (row.found, row.already_here, row.moved, row.refused) == (8, 3, 5, 1)
    assert (row.bytes, row.folder, row.message) == (5_000_000_000, "/sets/1", "8 images")


def test_the_time_it_began_and_took_is_kept() -> None:
    before = timezone.now()
    with begin():
        pass

    row = Retrieval.objects.get()
    assert before <= row.started <= timezone.now()
    assert row.seconds is not None
    assert row.seconds >= 0


@pytest.mark.parametrize(
    "kind",
    [kind for kind in subclasses(AriaError) if kind is not WaitingError],
    ids=lambda kind: kind.__name__,
)
def test_every_named_failure_is_kept_with_its_outcome(kind: type[AriaError]) -> None:
    row = ended_with(kind("Plan: none."))

    assert (row.status, row.message) == (kind.outcome.value, "Plan: none.")


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("oops"), KeyboardInterrupt(), SystemExit(1), MemoryError()]
)
def test_any_other_end_is_kept_as_a_failure_too(error: BaseException) -> None:
    """gunicorn ends a worker that takes too long by SystemExit."""
    row = ended_with(error)

    assert row.status == "failed"
    assert row.message.startswith(type(error).__name__)


def lose_five_of_eight() -> None:
    with begin() as record:
        record.row.found, record.row.moved = 8, 3
        raise errors.IncompleteRetrievalError("5 of 8 did not arrive")


def test_what_was_found_before_a_failure_is_kept() -> None:
    with pytest.raises(AriaError):
        lose_five_of_eight()

    row = Retrieval.objects.get()
    assert (row.status, row.found, row.moved) == ("incomplete", 8, 3)


def test_each_attempt_has_a_row_of_its_own() -> None:
    for plan in ("WL", "PF"):
        with begin(plan=plan):
            pass

    assert sorted(Retrieval.objects.values_list("plan", flat=True)) == ["PF", "WL"]


# --- what was asked ---------------------------------------------------------------------------


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param(None, "", id="nothing"),
        pytest.param("", "", id="empty"),
        pytest.param(5, "5", id="int"),
        pytest.param(1.5, "1.5", id="float"),
        pytest.param(True, "True", id="bool"),
        pytest.param(["WL"], "['WL']", id="list"),
        pytest.param({"a": 1}, "{'a': 1}", id="dict"),
        pytest.param(b"WL", "b'WL'", id="bytes"),
        pytest.param("Prüfkörper 患者", "Prüfkörper 患者", id="another alphabet"),
        pytest.param("a\0b", "ab", id="NUL"),
        pytest.param("a\ud800b", "a?b", id="half a surrogate"),
        pytest.param("x" * 10_000_000, "x" * 80, id="10 MB"),
        pytest.param(nested(100_000), "<list>", id="deep list"),
        pytest.param("患" * 100, "患" * 80, id="80 characters, not bytes"),
    ],
)
def test_whatever_was_posted_is_kept_and_cut(given: Any, kept: str) -> None:
    with begin(given, given, given):
        row = Retrieval.objects.get()

    assert (row.node_name, row.patient_id, row.plan) == (kept, kept, kept)


def test_a_number_that_python_does_not_print_is_kept_somehow() -> None:
    with begin(10**5000, 10**5000, 10**5000):
        row = Retrieval.objects.get()

    assert len(row.plan) <= 80


def test_a_long_login_is_cut() -> None:
    with begin(user="x" * 200):
        row = Retrieval.objects.get()

    assert row.user == "x" * 150


def test_a_message_that_quotes_a_hostile_server_is_kept() -> None:
    """A label on the server can hold anything; the images must not be lost over it."""
    row = ended_with(errors.AmbiguousPlanError("2 plans: W\0L, W\ud800L"))

    assert row.message == "2 plans: WL, W?L"


def test_a_request_in_another_alphabet_is_kept() -> None:
    with begin() as record:
        record.row.request = request_json({"plan": "患者\0"})

    row = Retrieval.objects.get()
    assert json.loads(row.request) == {"plan": "患者\0"}


# --- when the database refuses ----------------------------------------------------------------


class Refusing:
    """Lets through so many saves of a row, then refuses."""

    def __init__(self, error: Exception, after: int = 0) -> None:
        self.error = error
        self.left = after

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        save = Retrieval.save

        def refuse(row: Retrieval, *args: Any, **options: Any) -> None:
            if self.left == 0:
                raise self.error
            self.left -= 1
            save(row, *args, **options)

        monkeypatch.setattr(Retrieval, "save", refuse)


@pytest.mark.parametrize("after", [0, 1], ids=["at the start", "at the end"])
@pytest.mark.parametrize("kind", [DatabaseError, IntegrityError])
def test_a_database_that_refuses_the_row_does_not_stop_the_retrieval(
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception], after: int
) -> None:
    Refusing(kind("disk full"), after).install(monkeypatch)

    with begin() as record:
        record.row.found = 8

    assert record.row.found == 8


def test_a_database_that_refuses_the_row_does_not_hide_the_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Refusing(DatabaseError("disk full")).install(monkeypatch)

    with pytest.raises(errors.PlanNotFoundError, match="no such plan"), begin():
        raise errors.PlanNotFoundError("no such plan")


def test_a_database_that_refuses_the_row_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Refusing(DatabaseError("disk full")).install(monkeypatch)

    with begin():
        pass

    assert "the record of a retrieval could not be written: DatabaseError" in caplog.text


def test_a_row_that_was_refused_at_the_start_is_written_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        Refusing(DatabaseError("locked")).install(patch)
        attempt = begin()
        attempt.__enter__()
    attempt.__exit__(None, None, None)

    row = Retrieval.objects.get()
    assert (row.status, row.plan) == ("done", "WL")
    assert row.started <= timezone.now()


def test_a_row_that_is_refused_leaves_the_transaction_of_the_request_whole(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """QATrack+ saves the session in the same transaction."""
    with transaction.atomic():
        with begin() as record:
            record.row.found = -1  # the database itself refuses it
        AriaNode.objects.create(name="aria", remote_port=104)

    assert "could not be written" in caplog.text
    assert AriaNode.objects.count() == 1


# --- the log ----------------------------------------------------------------------------------


def test_an_attempt_is_logged_without_the_patient(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "qatrack_aria"), begin() as record:
        record.row.found, record.row.moved, record.row.bytes = 8, 5, 1000

    assert "retrieval from aria: done, 8 found, 5 moved, 1000 bytes" in caplog.text
    assert "QA_TB1" not in caplog.text
    assert "jane" not in caplog.text


def test_every_failure_has_an_outcome_of_its_row() -> None:

    assert all(isinstance(kind.outcome, Outcome) for kind in subclasses(AriaError))


# --- what leaves no row -----------------------------------------------------------------------


def test_a_test_that_is_not_filled_in_yet_leaves_no_row() -> None:
    with pytest.raises(WaitingError), recorded(
        node_name="aria", patient_id=None, plan="WL", source=Retrieval.COMPOSITE, user="jane"
    ):
        raise WaitingError("Waiting for the patient ID.")

    assert not Retrieval.objects.exists()


def test_an_answer_that_is_repeated_is_counted_in_its_first_row() -> None:
    with begin() as first:
        pass
    for _ in range(3):
        with recorded(
            node_name="aria",
            patient_id="QA_TB1",
            plan="WL",
            source=Retrieval.COMPOSITE,
            user="jane",
        ) as again:
            again.repeat(first.row.pk)

    assert Retrieval.objects.get().repeats == 3


# --- refused again and again ------------------------------------------------------------------

REFUSED = errors.PatientNotAllowedError("Patient: 'X' is not among the patients.")
MINUTE = dt.timedelta(minutes=1)


def refuse(error: AriaError = REFUSED, **known: str) -> None:
    """A call that is refused before anything is sent."""
    asked = {"node_name": "aria", "patient_id": "X", "plan": "WL", "user": "jane", **known}
    with pytest.raises(type(error)), recorded(source=Retrieval.COMPOSITE, **asked):
        raise error


def test_calls_refused_alike_within_a_minute_are_one_row() -> None:
    """QATrack+ repeats a call at every changed field, and a script may at any rate."""
    for _ in range(50):
        refuse()

    row = Retrieval.objects.get()
    assert (row.status, row.times) == ("refused", 50)


@pytest.mark.parametrize(
    "other",
    [
        {"user": "john"},
        {"node_name": "aria2"},
        {"patient_id": "Y"},
        {"plan": "PF"},
        {"unit": "TB2"},
        {"test_list": "Monthly"},
        {"error": errors.PatientNotAllowedError("Patient: not any more.")},
        {"error": errors.RequestError(str(REFUSED))},
    ],
    ids=lambda other: next(iter(other)),
)
def test_calls_that_differ_have_rows_of_their_own(other: dict[str, Any]) -> None:
    for _ in range(2):
        refuse()
        refuse(**other)

    assert [row.times for row in Retrieval.objects.all()] == [2, 2]


def test_a_call_refused_a_minute_later_is_another_row() -> None:
    refuse()
    Retrieval.objects.update(started=timezone.now() - 2 * MINUTE)
    refuse()
    refuse()

    assert [row.times for row in Retrieval.objects.all()] == [2, 1]


def test_calls_without_end_are_one_row_a_minute() -> None:
    """A minute from the first of them, not from the last."""
    refuse()
    for seconds in (40, 40):
        row = Retrieval.objects.first()
        Retrieval.objects.update(started=row.started - dt.timedelta(seconds=seconds))
        refuse()

    assert [row.times for row in Retrieval.objects.order_by("pk")] == [2, 1]


def test_a_failure_after_something_was_sent_has_its_own_row() -> None:
    """Its page shows the steps."""
    for _ in range(2):
        with pytest.raises(errors.QueryError), begin():
            raise errors.QueryError("C-FIND: refused")

    assert [row.times for row in Retrieval.objects.all()] == [1, 1]


def test_a_refusal_with_a_value_that_no_database_takes_is_counted_too() -> None:
    for _ in range(2):
        refuse(patient_id="a\0b", plan="x" * 500)

    assert Retrieval.objects.get().times == 2


def test_a_refusal_is_no_accident_where_the_database_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("locked")

    monkeypatch.setattr(Retrieval.objects, "filter", fail)
    refuse()
    assert Retrieval.objects.count() == 1
