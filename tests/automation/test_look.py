"""One look: what is found, fetched, tried again, and left for a person."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core import mail
from django.utils import timezone

from qatrack_aria.automation.look import GIVEN_UP, Look
from qatrack_aria.models import Retrieval, WatchedSession, WatchState
from tests.helpers.aria import DAY, NOON, plan, uids, winston_lutz

YESTERDAY = NOON - DAY
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def wl():
    return plan()


def rows():
    return list(WatchedSession.objects.order_by("first"))


def states():
    return [row.state for row in rows()]


def test_each_session_is_fetched_and_kept_ready(serve, wl, look):
    sessions = [winston_lutz(wl, YESTERDAY - n * DAY, count=2) for n in (2, 1, 0)]
    aria = serve(wl, *sessions)
    look()
    assert states() == ["ready"] * 3
    assert [row.retrieval.moved for row in rows()] == [2, 2, 2]
    moved = sorted(one.identifier["SOPInstanceUID"] for one in aria.operations("C-STORE"))
    assert moved == uids(image for images in sessions for image in images)


def test_its_times_are_those_of_the_first_and_last_image(serve, wl, look):
    images = winston_lutz(wl, YESTERDAY, count=3)
    serve(wl, images)
    look()
    (row,) = rows()
    times = [timezone.localtime(moment).strftime("%H%M%S") for moment in (row.first, row.last)]
    assert times == [str(image.AcquisitionTime)[:6] for image in (images[0], images[-1])]


def test_the_clock_of_the_imager_is_corrected(serve, wl, look, node):
    node.clock_ahead = 600
    node.save()
    serve(wl, winston_lutz(wl, YESTERDAY, count=2))
    look()
    (row,) = rows()
    expected = YESTERDAY - dt.timedelta(minutes=10)
    assert timezone.localtime(row.first).replace(tzinfo=None) == expected
    assert row.state == "ready"


def test_nothing_new_costs_one_query_where_the_node_counts(serve, wl, look):
    aria = serve(wl, winston_lutz(wl, YESTERDAY, count=2), counts=True)
    look()
    before = len(aria.operations("C-FIND"))
    look()
    assert len(aria.operations("C-FIND")) - before == 1


@pytest.mark.parametrize("counts", [True, False])
def test_a_session_that_comes_later_is_seen(serve, wl, look, counts):
    aria = serve(wl, winston_lutz(wl, YESTERDAY, count=2), counts=counts)
    look()
    aria.add(winston_lutz(wl, YESTERDAY + 2 * HOUR, count=2))
    look()
    assert states() == ["ready", "ready"]


def test_images_that_are_added_to_a_session_are_fetched_too(serve, wl, look):
    images = winston_lutz(wl, YESTERDAY, count=4)
    aria = serve(wl, images[:2])
    look()
    aria.add(images[2:])
    look()
    (row,) = rows()
    assert (row.state, row.images) == ("ready", 4)


def test_nothing_from_before_its_beginning_is_taken(serve, wl, look, watch):
    serve(wl, winston_lutz(wl, YESTERDAY - 3 * DAY), winston_lutz(wl, YESTERDAY, count=2))
    watch.since = timezone.make_aware(YESTERDAY - DAY)
    watch.save()
    look()
    assert [row.images for row in rows()] == [2]


def test_after_a_long_time_without_a_look_nothing_is_missed(serve, wl, look):
    aria = serve(wl, winston_lutz(wl, YESTERDAY - 99 * DAY, count=2))
    look()
    WatchState.objects.update(succeeded=timezone.now() - 90 * DAY, counts="{}")
    aria.add(winston_lutz(wl, YESTERDAY - 60 * DAY, count=2))
    look()
    assert states() == ["ready", "ready"]


def test_images_whose_time_only_the_files_tell_are_taken(serve, wl, look):
    unreturned = frozenset({"AcquisitionTime", "ContentTime", "AcquisitionDateTime"})
    serve(wl, winston_lutz(wl, YESTERDAY, count=2), unreturned_keys=unreturned)
    look()
    (row,) = rows()
    assert (row.state, row.images) == ("ready", 2)


def test_its_retrievals_are_recorded_as_its_own(serve, wl, look):
    serve(wl, winston_lutz(wl, YESTERDAY, count=2))
    look()
    (row,) = Retrieval.objects.all()
    assert (row.source, row.user, row.source_label) == ("watch", "WL", "watch")


def test_a_session_that_may_be_under_way_is_waited_for(serve, wl, look, monkeypatch):
    """Also at a node that is set up to hand it over to composite tests: stable answers 0."""
    now = timezone.localtime().replace(tzinfo=None, microsecond=0)
    images = winston_lutz(wl, now - dt.timedelta(minutes=9), count=4)
    taken = [now - dt.timedelta(minutes=minutes) for minutes in (9, 6, 3, 2)]
    for image, moment in zip(images, taken):
        image.AcquisitionTime = image.ContentTime = moment.strftime("%H%M%S")
        image.AcquisitionDate = image.ContentDate = moment.strftime("%Y%m%d")
    serve(wl, images)
    look()
    (row,) = rows()
    assert (row.state, row.attempts, row.retry) == ("waiting", 0, None)
    assert "may still be under way" in row.message
    later = timezone.now() + dt.timedelta(minutes=9)
    monkeypatch.setattr(timezone, "now", lambda: later)
    look()
    assert states() == ["ready"]


# --- what goes wrong --------------------------------------------------------------------------


def test_a_node_that_does_not_answer_is_a_failure_of_the_look(watch, look):
    look()
    state = WatchState.objects.get()
    assert state.failures == 1
    assert state.message.startswith("Connection")
    assert state.succeeded is None


def test_what_a_failed_look_has_not_done_the_next_one_does(serve, wl, look, node):
    aria = serve(wl, winston_lutz(wl, YESTERDAY, count=2), counts=True)
    aria.stop()
    look()
    aria.start()
    node.remote_port = aria.port
    node.save()
    look()
    assert states() == ["ready"]
    assert WatchState.objects.get().failures == 0


def test_a_watch_that_is_wrong_says_so_and_asks_nothing(serve, wl, look, watch):
    aria = serve(wl)
    watch.patient_id = "12345678"
    watch.save()
    (said,) = look()
    assert "not among the patients" in said
    assert aria.operations("C-FIND") == []


def test_too_few_images_are_waited_for_and_then_left_for_a_person(serve, wl, look, watch):
    serve(wl, winston_lutz(wl, YESTERDAY, count=2))
    watch.count, watch.mail_to = "8", "physics@example.org"
    watch.save()
    look()
    (row,) = rows()
    assert (row.state, row.attempts) == ("waiting", 1)
    assert row.retry is not None
    look()
    assert rows()[0].attempts == 1  # not yet
    WatchedSession.objects.update(retry=None, found=timezone.now() - GIVEN_UP)
    look()
    (row,) = rows()
    assert row.state == "left"
    (sent,) = mail.outbox
    assert sent.to == ["physics@example.org"]
    assert "2 of 8" in sent.body or "8" in sent.body


def test_what_was_left_is_taken_up_again_when_more_images_come(serve, wl, look, watch):
    images = winston_lutz(wl, YESTERDAY, count=4)
    aria = serve(wl, images[:2])
    watch.count = "4"
    watch.save()
    look()
    WatchedSession.objects.update(state="left", retry=None)
    aria.add(images[2:])
    look()
    assert states() == ["ready"]


def test_a_mail_server_that_fails_changes_nothing(serve, wl, look, watch, monkeypatch):
    def refuse(*arguments):
        raise ConnectionRefusedError

    monkeypatch.setattr("qatrack_aria.automation.mail.send_mail", refuse)
    serve(wl, winston_lutz(wl, YESTERDAY, count=2))
    watch.count, watch.mail_to = "8", "physics@example.org"
    watch.save()
    look()
    WatchedSession.objects.update(retry=None, found=timezone.now() - GIVEN_UP)
    look()
    assert states() == ["left"]


# --- only told --------------------------------------------------------------------------------


def test_a_preview_moves_nothing_and_notes_nothing(serve, wl, watch):
    aria = serve(wl, winston_lutz(wl, YESTERDAY, count=2))
    said: list[str] = []
    Look(watch, said.append).preview()
    assert said == [f"WL: would fetch 2 images of {YESTERDAY:%Y-%m-%d %H:%M} to {YESTERDAY:%H:%M}"]
    assert aria.operations("C-STORE") == []
    assert rows() == []
