"""The service: which watches are due, one service at a time, told to stop, and its command."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from django.utils import timezone

from qatrack_aria.automation import service
from qatrack_aria.automation.service import active, due, look_at_all, only_one, serve
from qatrack_aria.automation.tasks import look as task
from qatrack_aria.errors import BusyError
from qatrack_aria.models import Watch, WatchedSession, WatchState
from tests import ROOT
from tests.helpers.aria import DAY, NOON, command, plan, winston_lutz
from tests.helpers.waiting import PATIENCE, until

NOW = timezone.make_aware(NOON)
MINUTE = dt.timedelta(minutes=1)


def looked(watch: Watch, ago: dt.timedelta, failures: int = 0) -> None:
    WatchState.objects.create(watch=watch, looked=NOW - ago, failures=failures)


# --- which are due ----------------------------------------------------------------------------


def test_a_watch_that_has_not_looked_is_due(watch):
    assert due([watch], NOW) == [watch]


@pytest.mark.parametrize(("minutes", "expected"), [(4, False), (5, True)])
def test_a_watch_is_due_every_so_many_minutes(watch, minutes, expected):
    looked(watch, minutes * MINUTE)
    assert bool(due([watch], NOW)) is expected


@pytest.mark.parametrize(
    ("failures", "minutes", "expected"),
    [(1, 9, False), (1, 10, True), (9, 59, False), (9, 60, True)],
)
def test_after_failures_it_is_due_less_often(watch, failures, minutes, expected):
    looked(watch, minutes * MINUTE, failures)
    assert bool(due([watch], NOW)) is expected


def test_a_clock_that_was_set_back_stops_no_watch(watch):
    looked(watch, -2 * DAY)
    assert due([watch], NOW) == [watch]


@pytest.mark.parametrize(
    ("begins", "ends", "expected"),
    [
        ("06:00", "18:00", True),
        ("13:00", None, False),
        (None, "11:00", False),
        ("22:00", "06:00", False),
        ("22:00", "13:00", True),
    ],
)
def test_it_looks_between_its_hours(watch, begins, ends, expected):
    watch.begins, watch.ends = (t and dt.time.fromisoformat(t) for t in (begins, ends))
    assert bool(due([watch], NOW)) is expected


def test_the_one_that_has_waited_longest_is_first(watch, node):
    other = Watch.objects.create(name="PF", node=node, patient_id="QA_TB1", plan="PF")
    looked(watch, 6 * MINUTE)
    looked(other, 7 * MINUTE)
    assert due([watch, other], NOW) == [other, watch]


def test_what_is_switched_off_is_not_looked_at(watch, node):
    node.is_active = False
    node.save()
    assert active([]) == []
    node.is_active = True
    node.save()
    Watch.objects.update(is_active=False)
    assert active([]) == []


# --- running ----------------------------------------------------------------------------------


def test_only_one_runs_at_a_time(node):
    with only_one():
        with pytest.raises(BusyError, match="another watch_aria is running"):
            with only_one():
                pass
        task()  # says so, and does nothing
    with only_one():
        pass


def test_one_round_looks_at_every_watch_that_is_due(serve, watch, node):
    wl = plan()
    serve(wl, winston_lutz(wl, NOON - DAY, count=2))
    task()
    assert [row.state for row in WatchedSession.objects.all()] == ["ready"]
    said: list[str] = []
    look_at_all([], said.append)
    assert said == []  # it is not due again


@pytest.mark.django_db(transaction=True)
def test_it_goes_on_until_it_is_told_to_stop(monkeypatch, watch):
    rounds = []
    monkeypatch.setattr(service, "TICK", 0.01)
    monkeypatch.setattr(service, "look_at_all", lambda names, say: rounds.append(names))
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=([], print, stop))
    thread.start()
    until(lambda: len(rounds) > 2)
    stop.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.mark.django_db(transaction=True)
def test_a_database_that_fails_is_outlived(monkeypatch):
    from django.db import OperationalError

    stop, said = threading.Event(), []
    monkeypatch.setattr(service, "TICK", 0.0)

    def fail(names, say):
        if said:
            stop.set()
        raise OperationalError

    monkeypatch.setattr(service, "look_at_all", fail)
    serve([], said.append, stop)
    assert said == ["Watches: OperationalError: trying again in 0 s."] * 2


# --- the command ------------------------------------------------------------------------------


def test_once_looks_and_says_what_it_did(serve, watch):
    wl = plan()
    serve(wl, winston_lutz(wl, NOON - DAY, count=2))
    code, out, err = command("watch_aria", "--once")
    assert (code, err) == (0, "")
    assert "WL: found 2 images" in out
    assert "2 images of plan 'WL'" in out


def test_a_dry_run_says_what_would_be_done(serve, watch):
    wl = plan()
    serve(wl, winston_lutz(wl, NOON - DAY, count=2))
    _, out, _ = command("watch_aria", "--dry-run")
    assert "WL: would fetch 2 images" in out
    assert not WatchedSession.objects.exists()


def test_a_second_one_is_told_that_there_is_one(watch):
    with only_one():
        code, _, err = command("watch_aria", "--once")
    assert code == 8
    assert "another watch_aria is running" in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--watch", "nobody"], "no active watch 'nobody'"),
        (["--since", "2026-01-01"], "--since needs the name of one watch"),
        (["--since", "yesterday", "--watch", "WL"], "give a day like 2026-01-01"),
        (["--per-hour", "0"], "--per-hour takes a number"),
    ],
)
def test_what_it_cannot_do_it_says(watch, arguments, expected):
    from django.core.management import CommandError

    with pytest.raises(CommandError, match=expected):
        command("watch_aria", "--once", *arguments)


def test_past_sessions_are_taken_in_order(serve, watch):
    wl = plan()
    days = [winston_lutz(wl, NOON - number * DAY, count=2) for number in (200, 100, 1)]
    aria = serve(wl, *days)
    Watch.objects.update(since=NOW)
    day = f"{NOON - 250 * DAY:%Y-%m-%d}"
    command("watch_aria", "--watch", "WL", "--since", day, "--per-hour", "3600")
    moved = [one.identifier["SOPInstanceUID"] for one in aria.operations("C-STORE")]
    order = [
        next(n for n, d in enumerate(days) if uid in {i.SOPInstanceUID for i in d}) for uid in moved
    ]
    assert order == [0, 0, 1, 1, 2, 2]


#: A service of its own, of a node and a watch; what it is told comes as JSON.
SERVICE = """
import json, sys
import django
django.setup()
from django.conf import settings
from django.core.management import call_command
from qatrack_aria.models import AriaNode, Watch
call_command("migrate", verbosity=0)
told = json.loads(sys.argv[1])
settings.QATRACK_ARIA_ARCHIVE = told["archive"]
node = AriaNode.objects.create(**told["node"])
Watch.objects.create(name="WL", node=node, **told["watch"])
call_command("watch_aria")
"""


@pytest.fixture
def service_of(tmp_path, node):
    """Start the service in a process of its own, which writes what it says to a pipe."""
    running = []

    def start(**watch):
        names = ("name", "remote_ae_title", "remote_host", "remote_port", "local_ae_title")
        names += ("local_host", "local_port", "allowed_patients", "grace")
        node.refresh_from_db()
        told = {"node": {name: getattr(node, name) for name in names}, "watch": watch}
        told["archive"] = str(tmp_path / "archive")
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "QATRACK_ARIA_TEST_DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
            "PYTHONUNBUFFERED": "1",
        }
        started = subprocess.Popen(
            [sys.executable, "-c", SERVICE, json.dumps(told)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        running.append(started)
        return started

    yield start
    for one in running:
        one.kill()
        one.wait()
        one.stdout.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGTERM of another process")
@pytest.mark.parametrize("busy", [False, True], ids=["while it waits", "while it fetches"])
def test_a_signal_ends_it_at_once_and_loses_nothing(serve, service_of, tmp_path, busy):
    wl, sent, goes_on = plan(), [], threading.Event()

    def send(image):
        sent.append(image)
        if busy and len(sent) > 2:
            goes_on.wait(PATIENCE)
        return image

    serve(wl, winston_lutz(wl, NOON - DAY, count=4), on_send=send)
    running = service_of(patient_id="QA_TB1", plan="WL", since=f"{NOON - 9 * DAY:%Y-%m-%d}T00:00Z")
    assert "Looking after 1 watches" in running.stdout.readline()
    assert "WL: found 4 images" in running.stdout.readline()
    if busy:
        until(lambda: len(sent) > 2)
    else:
        assert "4 images of plan" in running.stdout.readline()
    running.send_signal(signal.SIGTERM)
    assert running.wait(PATIENCE) == 0
    goes_on.set()
    whole = list((tmp_path / "archive" / "instances").rglob("*.dcm"))
    assert len(whole) >= (2 if busy else 4)


# --- asking a node once -----------------------------------------------------------------------


@pytest.fixture
def many(serve, node):
    """Three patients with a plan each, two of them watched, and the ARIA that holds them."""
    plans = {patient: plan(patient=patient) for patient in ("QA_A", "QA_B", "QA_C")}
    images = [winston_lutz(one, NOON - DAY, count=2) for one in plans.values()]
    for patient in ("QA_A", "QA_B"):
        Watch.objects.create(
            name=patient, node=node, patient_id=patient, plan="WL", since=NOW - 300 * DAY
        )

    def start(**behaviour):
        aria = serve(*plans.values(), *images, **behaviour)
        aria.plans = plans
        return aria

    return start


def again(aria):
    """Have all look again; the C-FINDs of that."""
    WatchState.objects.update(looked=None)
    before = len(aria.operations("C-FIND"))
    look_at_all([], str)
    return len(aria.operations("C-FIND")) - before


def test_nothing_new_costs_one_query_a_node(many):
    aria = many(counts=True)
    again(aria)
    assert again(aria) == 1
    (asked,) = [one.identifier for one in aria.operations("C-FIND")[-1:]]
    assert asked["PatientID"] == "QA_*"


def test_what_is_new_is_found_all_the_same(many):
    aria = many(counts=True)
    again(aria)
    aria.add(winston_lutz(aria.plans["QA_B"], NOON - DAY + 60 * MINUTE, count=2))
    again(aria)
    assert WatchedSession.objects.filter(watch__name="QA_B").count() == 2


@pytest.mark.parametrize("ignored", [(), ("ContentDate", "AcquisitionDate")], ids=["", "no dates"])
def test_a_node_that_does_not_count_is_asked_for_the_images_of_the_last_days(many, ignored):
    aria = many(ignored_keys=frozenset(ignored))
    again(aria)
    again(aria)  # by now it is known that it does not count
    WatchState.objects.update(succeeded=timezone.now())
    assert again(aria) == 2
    aria.add(winston_lutz(aria.plans["QA_B"], NOON - DAY + 60 * MINUTE, count=2))
    again(aria)
    assert WatchedSession.objects.filter(watch__name="QA_B").count() == 2


def test_a_node_that_matches_no_pattern_is_asked_for_one_patient_after_the_other(many):
    def answer(number, identifier, found):
        return [] if "*" in str(identifier.get("PatientID", "")) else found

    aria = many(on_answer=answer)
    again(aria)
    aria.add(winston_lutz(aria.plans["QA_B"], NOON - DAY + 60 * MINUTE, count=2))
    again(aria)
    assert WatchedSession.objects.filter(watch__name="QA_B").count() == 2


def test_a_pattern_that_allows_everybody_is_never_asked_for(many, node):
    """It would list the patients of the clinic."""
    node.allowed_patients = "*"
    node.save()
    aria = many(counts=True)
    again(aria)
    again(aria)
    asked = {one.identifier.get("PatientID") for one in aria.operations("C-FIND")}
    assert asked <= {"QA_A", "QA_B", None}


@pytest.mark.parametrize(
    "behaviour",
    [
        {"relational": False},
        {"answer_limit": 1},
        {"refused_keys": frozenset({"AcquisitionDate"})},
    ],
    ids=lambda behaviour: next(iter(behaviour)),
)
def test_other_nodes_are_asked_for_one_patient_after_the_other(many, behaviour):
    aria = many(**behaviour)
    again(aria)
    again(aria)
    if "answer_limit" not in behaviour:
        assert WatchedSession.objects.count() == 2


def test_a_node_that_is_down_is_asked_once_a_round(many, monkeypatch):
    aria = many(counts=True)
    aria.stop()
    asked = []
    connect = service.counts_of
    monkeypatch.setattr(
        service, "counts_of", lambda *arguments: asked.append(1) or connect(*arguments)
    )
    again(aria)
    assert asked == [1]
    assert [state.failures for state in WatchState.objects.all()] == [1, 1]


def test_a_watch_that_fails_in_an_unforeseen_way_stops_no_other(many, monkeypatch):
    many(counts=True)
    run = service.Look.run

    def fail_first(look, *arguments):
        if str(look.state.watch) == "QA_A":
            raise RuntimeError("unforeseen")
        run(look, *arguments)

    monkeypatch.setattr(service.Look, "run", fail_first)
    look_at_all([], str)
    assert WatchState.objects.get(watch__name="QA_A").message.startswith("Unexpected: RuntimeError")
    assert WatchedSession.objects.get().watch.name == "QA_B"
