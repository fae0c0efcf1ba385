"""A list is performed once, with the images of one session and no others, or not at all."""

from __future__ import annotations

import datetime as dt

import pytest
from django.apps import apps
from django.utils import timezone

from qatrack_aria.models import Watch, WatchedSession
from qatrack_aria.qatrack import performing
from tests.helpers.aria import DAY, NOON, plan, winston_lutz
from tests.helpers.standin.fixtures import (
    FETCH,
    HEAD,
    attachment_tables,
    attachments,
    unit,
    user,
)
from tests.helpers.standin.performing import KEY, performed_list

__all__ = ["attachment_tables", "attachments", "performed_list", "unit", "user"]

YESTERDAY = NOON - DAY
HOUR = dt.timedelta(hours=1)
COUNT = f"{HEAD}result = len({FETCH})"


@pytest.fixture
def performs(performed_list, watch):
    """Have the watch perform a list of these procedures."""

    def start(**procedures):
        made = performed_list(**procedures)
        Watch.objects.update(collection=made.collection, user=made.user)
        return made

    return start


@pytest.fixture
def wl():
    return plan()


def saved():
    return list(apps.get_model("qa", "TestListInstance").objects.order_by("work_started"))


def row():
    return WatchedSession.objects.get()


def save_by_hand(completed, **fields):
    moment = timezone.make_aware(completed)
    times = {"work_started": moment, "work_completed": moment}
    model = apps.get_model("qa", "TestListInstance")
    return model.objects.create(unit_test_collection_id=KEY, test_list_id=1, **times, **fields)


def test_a_session_is_performed_once(serve, wl, performs, look):
    serve(wl, winston_lutz(wl, YESTERDAY, count=3))
    made = performs(number=COUNT)
    look()
    look()
    (session,) = saved()
    assert session.created_by == made.user
    assert timezone.localtime(session.work_started).replace(tzinfo=None) == YESTERDAY
    assert row().state == "performed"
    assert row().performed_as == session.pk
    assert session.user_key == row().key


def test_each_session_is_performed_with_its_own_images(serve, wl, performs, look):
    days = [winston_lutz(wl, YESTERDAY - n * DAY, count=2 + n) for n in (2, 1, 0)]
    serve(wl, *days)
    performs(number=COUNT)
    look()
    assert [r.images for r in WatchedSession.objects.order_by("first")] == [4, 3, 2]
    assert len(saved()) == 3


def test_what_was_performed_is_known_by_its_key(serve, wl, performs, look):
    """As after a restored backup of our own tables."""
    serve(wl, winston_lutz(wl, YESTERDAY, count=3))
    performs(number=COUNT)
    look()
    WatchedSession.objects.all().delete()
    look()
    assert len(saved()) == 1
    assert row().state == "performed"


def test_who_comes_second_by_a_moment_finds_it_performed(serve, wl, performs, look, monkeypatch):
    """Both have seen that nobody has performed it."""
    serve(wl, winston_lutz(wl, YESTERDAY, count=3))
    performs(number=COUNT)
    look()
    WatchedSession.objects.all().delete()
    nobody = apps.get_model("qa", "TestListInstance").objects.none()
    known = performing.performed_as
    monkeypatch.setattr(performing, "performed_as", lambda key: nobody.first())
    monkeypatch.setattr(
        "qatrack_aria.automation.performing.require_no_other", lambda *arguments: None
    )
    look()
    assert row().state == "waiting"
    monkeypatch.setattr(performing, "performed_as", known)
    WatchedSession.objects.update(retry=None)
    look()
    assert row().state == "performed"
    assert len(saved()) == 1


@pytest.mark.parametrize(
    ("procedure", "expected"),
    [
        (f"{HEAD}result = 1 / 0", "division by zero"),
        (f"{HEAD}result = 5", "used 0 of the 3 images"),
        (f"{HEAD}result = len({FETCH.replace(')', ', count=9)')})", "3 images"),
        (f"{HEAD}result = len({FETCH.replace(', utils=UTILS', '')})", "give them utils=UTILS"),
        (
            HEAD + f"result = len({FETCH})\nfetch_images('aria', patientid, rtplanname)",
            "1 image that is not of the session",
        ),
    ],
    ids=["failing", "none", "too few", "newest", "others too"],
)
def test_other_images_or_none_leave_no_list(serve, wl, performs, look, procedure, expected):
    serve(wl, winston_lutz(wl, YESTERDAY, count=3), winston_lutz(wl, YESTERDAY + HOUR, count=1))
    performs(result=procedure)
    Watch.objects.update(since=timezone.make_aware(YESTERDAY - HOUR))
    look()
    first = WatchedSession.objects.order_by("first").first()
    assert first.state == "waiting"
    assert expected in first.message
    assert not [one for one in saved() if one.work_started == first.first]


BEAM = f"{HEAD}result = len({FETCH.replace(')', ', beam=1)')})"


def test_a_list_may_take_some_beams_of_the_session(serve, wl, performs, look):
    serve(wl, winston_lutz(wl, YESTERDAY, count=3))
    performs(number=BEAM)
    look()
    assert row().state == "performed"


def test_beams_of_an_older_session_are_other_images(serve, wl, performs, look):
    newest = winston_lutz(wl, YESTERDAY + HOUR, count=2)
    for image in newest:
        image.ReferencedBeamNumber = 2
    serve(wl, winston_lutz(wl, YESTERDAY, count=1), newest)
    performs(number=BEAM)
    Watch.objects.update(since=timezone.make_aware(YESTERDAY + HOUR / 2))
    look()
    assert row().state == "waiting"
    assert "1 image that is not of the session" in row().message


@pytest.mark.parametrize(
    ("completed", "state"),
    [
        (YESTERDAY - HOUR, "performed"),
        (YESTERDAY + dt.timedelta(minutes=30), "by_person"),
        (YESTERDAY + 3 * HOUR, "performed"),
    ],
    ids=["before", "after", "after the next"],
)
def test_what_a_person_has_performed_is_left(serve, wl, performs, look, completed, state):
    serve(wl, winston_lutz(wl, YESTERDAY, count=3), winston_lutz(wl, YESTERDAY + 2 * HOUR, count=1))
    performs(number=COUNT)
    save_by_hand(completed)
    look()
    assert WatchedSession.objects.order_by("first").first().state == state


def test_a_list_in_progress_is_waited_for(serve, wl, performs, look):
    serve(wl, winston_lutz(wl, YESTERDAY, count=3))
    performs(number=COUNT)
    other = save_by_hand(YESTERDAY - HOUR, in_progress=True)
    look()
    assert "in progress" in row().message
    assert row().state == "waiting"
    other.delete()
    WatchedSession.objects.update(retry=None)
    look()
    assert row().state == "performed"


def test_what_does_not_mend_itself_is_left_after_three_attempts(serve, wl, performs, look):
    serve(wl, winston_lutz(wl, YESTERDAY, count=3))
    performs(number=COUNT, broken="result = 1 / 0")
    for _ in range(3):
        WatchedSession.objects.update(retry=None)
        look()
    assert (row().state, row().attempts) == ("left", 3)
    assert saved() == []


def test_images_that_come_when_it_is_performed_change_nothing(serve, wl, performs, look):
    images = winston_lutz(wl, YESTERDAY, count=4)
    aria = serve(wl, images[:3])
    performs(number=COUNT)
    look()
    aria.add(images[3:])
    look()
    assert len(saved()) == 1
    assert row().state == "performed"
    assert "4 images are listed now, 3 were there" in row().message


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"collection": 18}, "no such test list"),
        ({"user": None}, "Choose the user"),
        ({"patient_test": "patient"}, "no test with this macro name"),
        ({"plan_test": "number"}, "calculates this test"),
        ({"day": 2}, "no such day"),
        ({"in_progress": True}, "can_save_in_progress"),
        ({"status": 5}, "no such status"),
    ],
    ids=str,
)
def test_a_watch_that_cannot_perform_says_why(serve, wl, performs, look, change, expected):
    aria = serve(wl)
    performs(number=COUNT)
    Watch.objects.update(**change)
    (said,) = look()
    assert expected in said
    assert aria.operations("C-FIND") == []


def test_a_list_without_our_calls_is_refused(serve, wl, performs, look):
    serve(wl)
    performs(number="result = 1")
    (said,) = look()
    assert "fetches images from ARIA" in said


def test_a_preview_performs_nothing(serve, wl, performs, watch):
    from qatrack_aria.automation.look import Look

    serve(wl, winston_lutz(wl, YESTERDAY, count=3))
    performs(number=COUNT)
    said: list[str] = []
    Look(Watch.objects.get(), said.append).preview()
    assert said[0].startswith("WL: would perform 3 images")
    assert saved() == []
