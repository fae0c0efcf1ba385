"""Watches in the admin: checked where they are typed; and the morning page."""

from __future__ import annotations

import datetime as dt
import html
import re
from typing import Any

import pytest
from django.utils import timezone

from qatrack_aria.models import Watch, WatchedSession, WatchState
from tests.helpers.aria import DAY, NOON, PATIENT

ADD = "/admin/qatrack_aria/watch/add/"
MORNING = "/admin/qatrack_aria/watchedsession/"
YESTERDAY = NOON - DAY
SCRIPT = "<script>alert('x')</script>"


@pytest.fixture
def typed(node):
    """What somebody has typed in."""
    return {
        "name": "WL",
        "is_active": "on",
        "node": str(node.pk),
        "patient_id": PATIENT,
        "plan": "WL",
        "image_type": "portal",
        "minutes": "5",
        "since_0": "2026-01-01",
        "since_1": "00:00:00",
        "patient_test": "patientid",
        "plan_test": "rtplanname",
    }


@pytest.fixture
def watch(node):
    return Watch.objects.create(name="WL", node=node, patient_id=PATIENT, plan="WL")


def session(watch: Watch, **fields: Any) -> WatchedSession:
    first = timezone.make_aware(YESTERDAY)
    known = {"first": first, "last": first + dt.timedelta(minutes=9), "images": 8, "found": first}
    return WatchedSession.objects.create(watch=watch, **{**known, **fields})


def errors(answer: Any) -> dict[str, str]:
    form = answer.context["adminform"].form
    return {field: " ".join(found) for field, found in form.errors.items()}


# --- typing -----------------------------------------------------------------------------------


def test_a_watch_is_saved_as_it_was_typed(admin_client, typed):
    answer = admin_client.post(ADD, typed)
    assert answer.status_code == 302, errors(answer)
    watch = Watch.objects.get()
    assert (watch.patient_id, watch.plan, watch.collection) == (PATIENT, "WL", None)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("patient_id", "12345678", "not among the patients"),
        ("patient_id", "QA_*", "contains '*'"),
        ("plan", "WL\\PF", "contains"),
        ("image_type", "poral", "did you mean 'portal'"),
        ("count", "many", "is not a number of images"),
        ("minutes", "0", "greater than or equal to 1"),
        ("minutes", "99999", "less than or equal to 1440"),
        ("mail_to", "physics", "valid email address"),
        ("collection", "17", "valid choice"),
        ("node", "99", "valid choice"),
        ("since_0", "the first", "valid date"),
        ("name", "", "required"),
    ],
)
def test_what_cannot_work_is_refused_at_its_field(admin_client, typed, field, value, expected):
    found = errors(admin_client.post(ADD, {**typed, field: value}))
    assert list(found) == [field.split("_0")[0]]
    assert expected.lower() in next(iter(found.values())).lower()
    assert not Watch.objects.exists()


def test_hours_that_are_none_are_refused(admin_client, typed):
    found = errors(admin_client.post(ADD, {**typed, "begins": "07:00", "ends": "07:00"}))
    assert list(found) == ["ends"]


def test_without_qatrack_there_is_no_list_to_choose(admin_client, typed):
    form = admin_client.get(ADD).context["adminform"].form
    assert list(form.fields["collection"].choices) == [("", "---------")]


def test_an_address_fills_a_watch_in(admin_client, node):
    answer = admin_client.get(ADD, {"node": node.pk, "patient_id": PATIENT, "plan": "WL"})
    form = answer.context["adminform"].form
    assert (form["patient_id"].value(), form["plan"].value()) == (PATIENT, "WL")


def test_the_list_says_when_it_last_looked(admin_client, watch):
    page = admin_client.get("/admin/qatrack_aria/watch/").content.decode()
    assert "not yet" in page
    WatchState.objects.create(watch=watch, message="Connection: no answer.")
    page = admin_client.get("/admin/qatrack_aria/watch/").content.decode()
    assert "Connection: no answer." in page


# --- the morning page -------------------------------------------------------------------------


def morning(client: Any, **asked: Any) -> str:
    answer = client.get(MORNING, asked)
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_shows_what_became_of_the_sessions_of_a_day(admin_client, watch):
    session(watch, state="left", message="Images: only 2 of 8.")
    page = morning(admin_client, day=f"{YESTERDAY:%Y-%m-%d}")
    assert "left for a person" in page
    assert "Images: only 2 of 8." in page
    assert "12:00 – 12:09" in page
    assert "left for a person" not in morning(admin_client, day=f"{YESTERDAY - DAY:%Y-%m-%d}")


def test_without_images_it_shows_the_last_session(admin_client, watch):
    session(watch, state="performed")
    page = morning(admin_client)
    assert "No images." in page
    assert f"The last session: {YESTERDAY:%Y-%m-%d} 12:00, performed." in page


def test_a_look_that_failed_is_shown(admin_client, watch):
    WatchState.objects.create(watch=watch, message="Connection: no answer.", failures=3)
    assert "Connection: no answer." in morning(admin_client)


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "0001-01-01", SCRIPT])
def test_a_day_that_is_none_is_said_to_be(admin_client, watch, day):
    page = morning(admin_client, day=day)
    assert 'role="alert"' in page
    assert SCRIPT not in page


def test_a_monitor_gets_json(admin_client, watch):
    session(watch, state="performed", message="8 images")
    answer = admin_client.get(MORNING, {"day": f"{YESTERDAY:%Y-%m-%d}", "format": "json"}).json()
    (line,) = answer["watches"]
    assert line["watch"] == "WL"
    assert line["sessions"][0]["state"] == "performed"


def test_the_delay_of_performed_lists_is_shown(admin_client, watch):
    first = timezone.make_aware(YESTERDAY)
    for minutes in (3, 5, 20):
        done = first + dt.timedelta(minutes=9 + minutes)
        session(watch, state="performed", performed=done)
    assert "median 5 min, at worst 20 min (3 lists)" in morning(admin_client)


def test_without_watches_it_says_so(admin_client):
    assert "There is no active watch." in morning(admin_client)


@pytest.mark.parametrize(("minutes", "expected"), [(10, False), (30, True), (-60, False)])
def test_a_service_that_does_not_run_is_noticed(admin_client, watch, minutes, expected):
    looked = timezone.now() - dt.timedelta(minutes=minutes)
    WatchState.objects.create(watch=watch, looked=looked, succeeded=looked)
    assert ("see that <code>manage.py watch_aria</code>" in morning(admin_client)) is expected


def test_a_watch_that_was_just_added_alarms_nobody(admin_client, watch):
    assert "watch_aria" not in morning(admin_client)


def test_a_session_is_tried_again_where_somebody_wants_that(admin_client, watch):
    row = session(watch, state="left", attempts=3)
    assert "Try again" in morning(admin_client, day=f"{YESTERDAY:%Y-%m-%d}")
    answer = admin_client.post(MORNING, {"session": row.pk}, follow=True)
    assert "It is tried again" in answer.content.decode()
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("waiting", 0)


@pytest.mark.parametrize("key", ["", "x", "-1", "99999999999", "5'"])
def test_another_session_than_there_is_cannot_be_tried(admin_client, watch, key):
    session(watch, state="performed")
    admin_client.post(MORNING, {"session": key})
    assert WatchedSession.objects.get().state == "performed"


def test_who_may_only_view_cannot_have_it_tried_again(staff, watch):
    client = staff("watchedsession")
    row = session(watch, state="left")
    assert "Try again" not in morning(client, day=f"{YESTERDAY:%Y-%m-%d}")
    assert client.post(MORNING, {"session": row.pk}).status_code == 403


def test_who_may_not_view_sees_nothing(staff, watch):
    assert staff("arianode").get(MORNING).status_code == 403


def test_the_details_of_a_session_can_be_read_and_not_changed(admin_client, watch):
    row = session(watch, state="left", message="Images: only 2 of 8.")
    answer = admin_client.get(f"{MORNING}{row.pk}/change/")
    assert "Images: only 2 of 8." in answer.content.decode()
    assert admin_client.get(f"{MORNING}add/").status_code == 403


# --- where one begins -------------------------------------------------------------------------


def filled_in(client: Any, page: str, text: str) -> Any:
    """The form behind the first link of that text."""
    address = html.unescape(re.findall(rf'<a href="([^"]+)">{text}</a>', page)[0])
    return client.get(address).context["adminform"].form


def test_browse_fills_in_a_watch(admin_client, node, world):
    address = f"/admin/qatrack_aria/arianode/{node.pk}/browse/"
    asked = {"patient": PATIENT, "plan": str(world.wl.SOPInstanceUID), "period": "all"}
    page = admin_client.get(address, asked)
    form = filled_in(admin_client, page.content.decode(), "Watch this")
    assert (form["patient_id"].value(), form["plan"].value()) == (PATIENT, "WL")
    assert form["node"].value() == str(node.pk)


def test_a_pack_says_how_many_images_it_expects(admin_client, node):
    page = admin_client.get(f"/admin/qatrack_aria/arianode/{node.pk}/change/").content.decode()
    form = filled_in(admin_client, page, "Watch a plan for this list")
    assert form["node"].value() == str(node.pk)
    assert form["count"].value() in ("8", "1", "")


def test_who_may_not_add_one_is_not_offered_it(viewer, node, world):
    page = viewer.get(f"/admin/qatrack_aria/arianode/{node.pk}/change/").content.decode()
    assert "Watch a plan" not in page
