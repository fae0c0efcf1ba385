"""Watches: from the simulated beam to a list that QATrack+ has as performed, and not reviewed."""

from __future__ import annotations

import datetime as dt
import html
import re

import pytest
from zoneinfo import ZoneInfo

from tests.installed_qatrack.aria import (
    DAY,
    FIELDS,
    FILLED,
    HOUR,
    LATEST,
    PATIENT,
    asking,
    irradiation,
    plan,
    sent,
    uids_of,
)

ADD = "/admin/qatrack_aria/watch/add/"
CLINIC = ZoneInfo("America/Toronto")
COUNT = asking("fetch_images", "len(images)")
UIDS = asking("fetch_images", '" ".join(i["sop_uid"] for i in images.summary["images"])')


def span_of(images):
    """When the first and the last image were taken, as QATrack+ keeps it."""
    moments = [
        dt.datetime.strptime(f"{i.AcquisitionDate}{i.AcquisitionTime}"[:14], "%Y%m%d%H%M%S")
        for i in images
    ]
    ends = min(moments), max(moments)
    return [str(moment.replace(tzinfo=CLINIC).astimezone(dt.timezone.utc)) for moment in ends]


#: The tests of two lists; macro names are unique within a list only.
TESTS = {
    "One": [*FIELDS, ("number", "string composite", COUNT)],
    "Two": [*FIELDS, ("number", "string composite", COUNT)],
}
WITH_A_MANUAL_TEST = [
    *FIELDS,
    ("couch", "number", None),
    ("number", "string composite", COUNT),
    ("double", "composite", "result = 2 * couch\n"),
]


@pytest.fixture
def watch(qatrack):
    """Watch the Winston-Lutz plan for a list."""

    def make(of, **fields):
        known = {"patient_id": PATIENT, "plan": "WL", "collection": of["collection"]}
        wrong = qatrack.ask("add_watch", name="WL on TB1", **{**known, **fields})
        assert wrong == {}

    return make


@pytest.fixture
def look(qatrack):
    """Have the watch look."""
    return lambda: qatrack.ask("look", name="WL on TB1")


# --- performed --------------------------------------------------------------------------------


def test_a_session_is_performed_once_and_not_reviewed(serve, add_list, qatrack, wl, watch, look):
    images = irradiation(wl)
    aria = serve(wl, images)
    watch(add_list(number=COUNT, uids=UIDS))
    said = look()
    (saved,) = qatrack.ask("sessions")
    assert saved["values"]["number"] == "8", said
    assert sorted(saved["values"]["uids"].split()) == uids_of(images)
    assert (saved["values"]["patientid"], saved["values"]["rtplanname"]) == (PATIENT, "WL")
    assert (saved["by"], saved["in_progress"], saved["reviewed"]) == ("physicist", False, False)
    assert saved["comments"] == []  # with one, QATrack+ would not review it by its rules
    assert [saved["started"], saved["completed"]] == span_of(images)
    look()
    assert len(qatrack.ask("sessions")) == 1
    assert sent(aria) == uids_of(images)


def test_sessions_that_were_missed_are_performed_in_order(
    serve, add_list, qatrack, wl, watch, look
):
    days = [irradiation(wl, LATEST - number * DAY) for number in (2, 1, 0)]
    serve(wl, *days)
    watch(add_list(uids=UIDS))
    look()
    saved = qatrack.ask("sessions")
    assert [sorted(one["values"]["uids"].split()) for one in saved] == list(map(uids_of, days))


def test_nothing_before_its_beginning_is_performed(serve, add_list, qatrack, wl, watch, look):
    serve(wl, irradiation(wl, LATEST - 3 * DAY), irradiation(wl))
    watch(add_list(number=COUNT), since=f"{LATEST - DAY:%Y-%m-%d}")
    look()
    assert len(qatrack.ask("sessions")) == 1


def test_after_a_restored_backup_nothing_is_performed_again(
    serve, add_list, qatrack, wl, watch, look
):
    serve(wl, irradiation(wl))
    watch(add_list(number=COUNT))
    look()
    qatrack.ask("forget_watched")
    look()
    assert len(qatrack.ask("sessions")) == 1
    assert [row["state"] for row in qatrack.ask("watched")] == ["performed"]


def test_tests_that_need_a_person_are_skipped_with_the_reason(serve, qatrack, wl, watch, look):
    serve(wl, irradiation(wl))
    watch(qatrack.ask("add_list", name="WL", tests=WITH_A_MANUAL_TEST[:-1]))
    look()
    (saved,) = qatrack.ask("sessions")
    assert list(saved["skipped"]) == ["couch"]
    assert "person" in saved["skipped"]["couch"]


def test_a_default_of_qatrack_is_taken(serve, qatrack, wl, watch, look):
    serve(wl, irradiation(wl))
    tests = [
        (slug, kind, "result = 3\n" if slug == "couch" else text)
        for slug, kind, text in WITH_A_MANUAL_TEST
    ]
    watch(qatrack.ask("add_list", name="WL", tests=tests))
    look()
    (saved,) = qatrack.ask("sessions")
    assert saved["skipped"] == {}
    assert (saved["values"]["couch"], saved["values"]["double"]) == (3, 6)


# --- not performed ----------------------------------------------------------------------------


def test_composites_that_depend_on_a_person_leave_no_list(serve, qatrack, wl, watch, look):
    serve(wl, irradiation(wl))
    watch(qatrack.ask("add_list", name="WL", tests=WITH_A_MANUAL_TEST))
    look()
    assert qatrack.ask("sessions") == []
    assert "couch need a person, and double depend on them" in qatrack.ask("watched")[0]["message"]


def test_a_composite_that_fails_leaves_no_list(serve, add_list, qatrack, wl, watch, look):
    serve(wl, irradiation(wl))
    watch(add_list(number=COUNT, broken="result = 1 / 0\n"))
    look()
    (row,) = qatrack.ask("watched")
    assert qatrack.ask("sessions") == []
    assert row["state"] == "waiting"
    assert "broken" in row["message"]
    assert "division by zero" in row["message"]
    assert "\n" not in row["message"]


@pytest.mark.parametrize("procedure", ["raise SystemExit", "import x_x"])
def test_a_procedure_that_raises_anything_leaves_no_list(
    serve, add_list, qatrack, wl, watch, look, procedure
):
    serve(wl, irradiation(wl))
    watch(add_list(number=COUNT, broken=f"{procedure}\nresult = 1\n"))
    look()
    assert qatrack.ask("sessions") == []
    assert qatrack.ask("watched")[0]["state"] == "waiting"


def test_an_empty_composite_leaves_no_list(serve, add_list, qatrack, wl, watch, look):
    serve(wl, irradiation(wl))
    watch(add_list(number=COUNT, empty='result = ""\n'))
    look()
    assert qatrack.ask("sessions") == []
    assert "empty came to nothing" in qatrack.ask("watched")[0]["message"]


def test_composites_that_use_other_images_leave_no_list(serve, add_list, qatrack, wl, watch, look):
    serve(wl, irradiation(wl, LATEST - DAY), irradiation(wl))
    watch(add_list(number=asking("fetch_images", "len(images)", utils=False)))
    look()
    first, second = qatrack.ask("watched")
    assert (first["state"], second["state"]) == ("waiting", "performed")
    assert "give them utils=UTILS" in first["message"]


def test_what_a_person_has_performed_is_not_performed_again(
    serve, add_list, qatrack, wl, watch, look
):
    serve(wl, irradiation(wl, LATEST - DAY), irradiation(wl))
    made = add_list(number=COUNT)
    by_chief = qatrack.ask(
        "save_session", collection=made["collection"], completed=str(LATEST - DAY + HOUR)
    )
    watch(made)
    look()
    assert len(qatrack.ask("sessions")) == 2
    first, second = qatrack.ask("watched")
    assert (first["state"], first["performed_as"]) == ("by_person", by_chief)
    assert "chief has performed TB1: WL monthly for this session already" in first["message"]
    assert second["state"] == "performed"


def test_a_person_who_has_the_list_in_progress_is_waited_for(
    serve, add_list, qatrack, wl, watch, look
):
    serve(wl, irradiation(wl))
    made = add_list(number=COUNT)
    started = qatrack.ask(
        "save_session",
        collection=made["collection"],
        completed=str(LATEST - DAY),
        in_progress=True,
    )
    watch(made)
    look()
    assert len(qatrack.ask("sessions")) == 1
    assert "chief has TB1: WL monthly in progress" in qatrack.ask("watched")[0]["message"]
    qatrack.ask("delete_session", pk=started)
    qatrack.ask("set_session", retry=None)
    look()
    assert [one["by"] for one in qatrack.ask("sessions")] == ["physicist"]


def test_too_few_images_are_waited_for(serve, add_list, qatrack, wl, watch, look):
    images = irradiation(wl)
    aria = serve(wl, images[:6])
    watch(add_list(number=COUNT), count="8")
    look()
    assert qatrack.ask("sessions") == []
    assert qatrack.ask("watched")[0]["state"] == "waiting"
    aria.add(images[6:])
    qatrack.ask("set_session", retry=None)
    look()
    assert len(qatrack.ask("sessions")) == 1


# --- QATrack+'s own part ----------------------------------------------------------------------


def test_the_rules_of_auto_review_apply(serve, add_list, qatrack, wl, watch, look):
    serve(wl, irradiation(wl))
    watch(add_list(number=COUNT))
    qatrack.ask("review_automatically")
    look()
    assert [one["reviewed"] for one in qatrack.ask("sessions")] == [True]


def test_the_notification_is_sent(serve, add_list, qatrack, wl, watch, look):
    serve(wl, irradiation(wl))
    watch(add_list(number=COUNT))
    qatrack.ask("notify", address="physics@example.org")
    look()
    (sent,) = qatrack.ask("sent_mail")
    assert sent["to"] == ["physics@example.org"]
    assert "WL monthly" in sent["subject"] + sent["body"]


def test_the_due_date_is_set(serve, add_list, qatrack, wl, watch, look):
    serve(wl, irradiation(wl))
    made = add_list(number=COUNT)
    watch(made)
    look()
    assert qatrack.ask("due", collection=made["collection"]) > str(LATEST)


def test_the_days_of_a_cycle_follow_each_other(serve, add_list, qatrack, wl, watch, look):
    serve(wl, *(irradiation(wl, LATEST - number * DAY) for number in (2, 1, 0)))
    lists = [qatrack.ask("add_list", name=name, tests=TESTS[name]) for name in ("One", "Two")]
    watch(qatrack.ask("assign_cycle", names=[one["name"] for one in lists]))
    look()
    assert [one["list"] for one in qatrack.ask("sessions")] == ["One", "Two", "One"]


def test_a_certain_day_of_a_cycle_is_performed(serve, qatrack, wl, watch, look):
    serve(wl, irradiation(wl, LATEST - DAY), irradiation(wl))
    lists = [qatrack.ask("add_list", name=name, tests=TESTS[name]) for name in ("One", "Two")]
    watch(qatrack.ask("assign_cycle", names=[one["name"] for one in lists]), day=2)
    look()
    assert [one["list"] for one in qatrack.ask("sessions")] == ["Two", "Two"]


def test_two_lists_are_performed_with_the_same_images(serve, qatrack, wl, watch, look):
    serve(wl, irradiation(wl))
    lists = [qatrack.ask("add_list", name=name, tests=TESTS[name]) for name in ("One", "Two")]
    watch(lists[0])
    look()
    wrong = qatrack.ask(
        "add_watch",
        name="Two",
        patient_id=PATIENT,
        plan="WL",
        collection=lists[1]["collection"],
    )
    assert wrong == {}
    qatrack.ask("look", name="Two")
    assert [one["list"] for one in qatrack.ask("sessions")] == ["One", "Two"]


def test_opened_for_editing_it_has_the_same_images(
    serve, add_list, qatrack, physicist, wl, watch, look
):
    images = irradiation(wl, LATEST - DAY)
    aria = serve(wl, images)
    made = add_list(uids=UIDS)
    watch(made)
    look()
    aria.add(irradiation(wl))
    (saved,) = qatrack.ask("sessions")
    completed = dt.datetime.fromisoformat(saved["completed"]).astimezone(CLINIC)
    again = physicist.composite(made, FILLED, completed.replace(tzinfo=None))["uids"]
    assert sorted(again.value.split()) == uids_of(images)


def test_a_list_with_manual_tests_is_left_in_progress(serve, qatrack, wl, watch, look):
    serve(wl, irradiation(wl))
    made = qatrack.ask("add_list", name="WL", tests=WITH_A_MANUAL_TEST)
    qatrack.ask("permit", username="physicist", codename="can_save_in_progress")
    watch(made, in_progress=True)
    look()
    (saved,) = qatrack.ask("sessions")
    assert (saved["in_progress"], saved["values"]["number"]) == (True, "8")
    assert set(saved["skipped"]) == {"couch", "double"}
    look()
    assert len(qatrack.ask("sessions")) == 1


@pytest.mark.parametrize("person", ["physicist"])
def test_a_person_completes_a_list_that_was_left_in_progress(
    serve, qatrack, wl, watch, look, browser
):
    serve(wl, irradiation(wl))
    made = qatrack.ask("add_list", name="WL", tests=WITH_A_MANUAL_TEST)
    qatrack.ask("permit", username="physicist", codename="can_save_in_progress")
    watch(made, in_progress=True)
    look()
    (saved,) = qatrack.ask("sessions")
    browser.go_on(saved["pk"])
    browser.take_up("couch")
    browser.fill_in("couch", "3")
    browser.complete()
    (saved,) = qatrack.ask("sessions")
    assert not saved["in_progress"]
    assert (saved["values"]["couch"], saved["values"]["double"]) == (3, 6)
    assert saved["values"]["number"] == "8"


def test_the_morning_page_shows_what_became_of_it(serve, qatrack, admin, wl, watch, look):
    serve(wl, irradiation(wl))
    numbers = [
        (f"n{n}", "composite", asking("fetch_images", f"len(images) + {n}")) for n in (0, 1.5, 5)
    ]
    numbers = [(slug.replace(".", "_"), *rest) for slug, *rest in numbers]
    made = qatrack.ask("add_list", name="WL monthly", tests=[*FIELDS, *numbers])
    for slug, _, _ in numbers:
        qatrack.ask("refer", slug=slug, value=8)
    watch(made)
    look()
    page = admin.get(f"/admin/qatrack_aria/watchedsession/?day={LATEST:%Y-%m-%d}").text
    for shown in ("TB1: WL monthly", "1 passed", "1 in tolerance", "1 in action", "Review"):
        assert shown in page, shown
    address = re.findall(r'<a href="([^"]+)">Review</a>', page)[0]
    assert admin.get(address).status == 200


# --- what administrators do -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deed", "arguments", "field"),
    [
        ("change_user", {"username": "physicist", "is_active": False}, "user"),
        ("change_test", {"slug": "patientid", "new": "patient"}, "patient_test"),
        ("change_collection", {"active": False}, "collection"),
        ("change_unit", {"active": False}, "collection"),
        ("change_node", {"allowed_patients": "QB_*"}, "patient_id"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_was_changed_since_is_said_and_nothing_performed(
    serve, add_list, qatrack, wl, watch, look, deed, arguments, field
):
    serve(wl, irradiation(wl))
    watch(add_list(number=COUNT))
    qatrack.ask(deed, **arguments)
    (said,) = look()
    assert f"({field}: " in said
    assert qatrack.ask("sessions") == []


def test_a_plan_that_was_relabelled_is_not_found(serve, add_list, qatrack, wl, watch, look):
    serve(plan(label="WL2"), irradiation(wl))
    watch(add_list(number=COUNT))
    (said,) = look()
    assert "no plan 'WL'" in said


# --- as the documents say it ------------------------------------------------------------------


@pytest.fixture
def typed(qatrack):
    """What an administrator types into the page that adds a watch."""
    names = {"name": "WL on TB1", "patient_id": PATIENT, "plan": "WL", "image_type": "portal"}
    since = {"since_0": f"{LATEST - DAY:%Y-%m-%d}", "since_1": "00:00:00", "minutes": "5"}
    tests = {"patient_test": "patientid", "plan_test": "rtplanname"}
    return lambda **fields: {**names, **since, **tests, "is_active": "on", **fields}


def choice(page, field, text):
    """The value of the choice of a field that has this text."""
    options = re.findall(rf'name="{field}".*?</select>', page, re.DOTALL)[0]
    return re.findall(rf'<option value="(\d+)"[^>]*>{re.escape(text)}</option>', options)[0]


def test_an_administrator_adds_a_watch_and_starts_the_service(
    serve, add_list, qatrack, admin, wl, typed
):
    serve(wl, irradiation(wl))
    add_list(number=COUNT)
    page = admin.get(ADD).text
    fields = {
        "node": choice(page, "node", "aria"),
        "collection": choice(page, "collection", "TB1: WL monthly"),
        "user": choice(page, "user", "physicist"),
    }
    answer = admin.post(ADD, typed(**fields))
    assert answer.url.endswith("/admin/qatrack_aria/watch/"), re.findall(
        r'<ul class="errorlist.*?</ul>', answer.text
    )
    would = qatrack.manage("watch_aria", "--dry-run")
    assert "WL on TB1: would perform 8 images of" in would
    assert qatrack.ask("sessions") == []
    done = qatrack.manage("watch_aria", "--once")
    assert "8 images of plan 'WL'" in done
    assert [one["values"]["number"] for one in qatrack.ask("sessions")] == ["8"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"user": "secretary"}, "lacks the permission qa.add_testlistinstance"),
        ({"user": ""}, "Choose the user"),
        ({"in_progress": "on"}, "lacks the permission qa.can_save_in_progress"),
        ({"patient_test": "patient"}, "no test with this macro name"),
        ({"plan_test": "number"}, "calculates this test"),
        ({"day": "2"}, "no such day"),
        ({"patient_id": "12345678"}, "not among the patients"),
    ],
    ids=str,
)
def test_what_cannot_be_performed_is_refused_where_it_is_typed(
    serve, add_list, qatrack, admin, wl, typed, changes, expected
):
    serve(wl, irradiation(wl))
    add_list(number=COUNT)
    page = admin.get(ADD).text
    user = changes.get("user", "physicist")
    fields = {
        "node": choice(page, "node", "aria"),
        "collection": choice(page, "collection", "TB1: WL monthly"),
        **changes,
        "user": user and choice(page, "user", user),
    }
    answer = admin.post(ADD, typed(**fields))
    assert expected in html.unescape(answer.text)


def test_a_list_without_our_composites_is_refused(serve, add_list, qatrack, wl):
    serve(wl)
    made = add_list(number="result = 1\n")
    known = {"patient_id": PATIENT, "plan": "WL", "collection": made["collection"]}
    wrong = qatrack.ask("add_watch", name="WL on TB1", **known)
    assert "fetches images from ARIA" in wrong["collection"]


def test_a_second_watch_for_a_list_is_refused(serve, add_list, qatrack, wl, watch):
    serve(wl)
    made = add_list(number=COUNT)
    watch(made)
    known = {"patient_id": PATIENT, "plan": "WL", "collection": made["collection"]}
    wrong = qatrack.ask("add_watch", name="again", **known)
    assert "WL on TB1 performs this list already" in wrong["collection"]
