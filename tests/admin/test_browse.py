"""The pages that go through a node: who may see them, what they show, and what Fetch does."""

from __future__ import annotations

import re
from typing import Any, Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from qatrack_aria.conf import conf
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.models import Retrieval
from qatrack_aria.retrieval.lock import hold_destination
from qatrack_aria.storage.archive import Archive
from tests.helpers.aria import PATIENT, plan, winston_lutz
from tests.helpers.browsing import YESTERDAY, browse_address, images_address, shown

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
CHANGE = "/admin/qatrack_aria/arianode/{}/change/"


def fields(page: str, place: int = 0) -> dict[str, str]:
    """What the button of a row sends."""
    form = re.findall(r'<form method="post">.*?</form>', page, re.S)[place]
    sent = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    return {name: value.replace("&quot;", '"') for name, value in sent.items()}


@pytest.fixture
def press(viewer: Client, node: Any) -> Callable[..., Any]:
    """Press Fetch in one row of the plan; the answer."""

    def post(page: str, place: int = 0, **changed: str) -> Any:
        return viewer.post(browse_address(node), {**fields(page, place), **changed})

    return post


@pytest.fixture
def of_wl(page: Callable[..., str], world: Any) -> str:
    """The page of the plan WL."""
    return page(patient=PATIENT, plan=world.wl.SOPInstanceUID)


def said(client: Client, address: str) -> str:
    """What a page says after a redirect."""
    return client.get(address).content.decode()


# --- who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("models", "status"),
    [([], 403), (["arianode"], 403), (["retrieval"], 403), (["arianode", "retrieval"], 200)],
    ids=["nothing", "nodes", "retrievals", "both"],
)
def test_only_who_may_see_nodes_and_retrievals_may_browse(
    staff: Any, node: Any, world: Any, models: list[str], status: int
) -> None:
    client = staff(*models)
    address = browse_address(node)
    asked = {"patient": PATIENT, "plan": world.wl.SOPInstanceUID}
    assert client.get(address).status_code == status
    assert client.get(address, asked).status_code == status
    assert (world.aria.log != []) is (status == 200)
    answer = client.post(address, {"patient": PATIENT, "plan": "WL"})
    assert answer.status_code == (303 if status == 200 else 403)


def test_nobody_browses_without_logging_in(client: Client, node: Any, world: Any) -> None:
    answer = client.get(browse_address(node), {"patient": PATIENT})
    assert answer.status_code == 302
    assert "login" in answer["Location"]
    assert world.aria.log == []


def test_the_node_leads_to_it_for_those_who_may(staff: Any, node: Any, admin_client: Any) -> None:
    leads = browse_address(node)
    assert leads in admin_client.get(CHANGE.format(node.pk)).content.decode()
    assert leads in staff("arianode", "retrieval").get(CHANGE.format(node.pk)).content.decode()
    assert leads not in staff("arianode").get(CHANGE.format(node.pk)).content.decode()


def test_who_may_change_retrievals_may_see_them(client: Client, node: Any) -> None:
    user = User.objects.create_user("joe", is_staff=True)
    for codename in ("change_retrieval", "change_arianode"):
        user.user_permissions.add(Permission.objects.get(codename=codename))
    client.force_login(user)
    assert client.get(browse_address(node)).status_code == 200


def test_a_node_that_is_not_there(admin_client: Client, node: Any) -> None:
    address = browse_address(node).replace(str(node.pk), "999")
    assert admin_client.get(address).status_code == 404


def test_nobody_else_can_press_a_button(admin_user: User, node: Any, world: Any) -> None:
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(admin_user)
    answer = careful.post(browse_address(node), {"patient": PATIENT, "plan": "WL"})
    assert answer.status_code == 403
    assert world.aria.log == []


# --- what is shown --------------------------------------------------------------------------------


def test_looking_at_the_first_page_sends_nothing(page: Any, world: Any) -> None:
    assert "Show plans" in page()
    assert "QA_*" in page()
    assert world.aria.log == []


def test_plans_are_a_table(page: Any, world: Any) -> None:
    plans = page(patient=PATIENT)
    assert "4 plans of patient QA_TB1" in plans
    for text in ("DAILY", "C2", "APPROVED", str(world.wl.SOPInstanceUID)):
        assert text in plans


def test_a_plan_is_a_table_of_days(of_wl: str) -> None:
    for text in ("PORTAL", "ACQUIRED_DOSE", "MV", "kV", "TB1", f"{YESTERDAY:%Y-%m-%d}", "12:00"):
        assert text in of_wl
    assert of_wl.count('scope="rowgroup"') == 2


def test_what_is_here_already_is_said(page: Any, press: Any, of_wl: str, world: Any) -> None:
    assert "all in the archive" not in of_wl
    press(of_wl)
    assert page(patient=PATIENT, plan=world.wl.SOPInstanceUID).count("all in the archive") == 1


def test_one_day_can_be_asked_for(page: Any, world: Any) -> None:
    asked = {"patient": PATIENT, "plan": world.wl.SOPInstanceUID}
    assert page(**asked, day=f"{YESTERDAY:%Y-%m-%d}").count('scope="rowgroup"') == 1
    assert "lists no images of this plan on 2020-02-02" in page(**asked, day="2020-02-02")


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "0001-01-01", "<b>"])
def test_a_day_that_is_none_is_said_to_be_none(page: Any, world: Any, day: str) -> None:
    answer = page(patient=PATIENT, plan=world.wl.SOPInstanceUID, day=day)
    assert "is not valid: enter it as" in answer
    assert shown(day) in answer
    assert world.aria.log == []


@pytest.mark.parametrize("period", ["14", "120", "all", "-1", "x"])
def test_periods_are_those_of_the_page_and_no_others(page: Any, world: Any, period: str) -> None:
    asked = {"patient": PATIENT, "plan": world.wl.SOPInstanceUID, "period": period}
    assert page(**asked).count(" selected") == 1


def test_a_plan_without_images_says_so(page: Any, world: Any) -> None:
    answer = page(patient=PATIENT, plan=world.pf.SOPInstanceUID)
    assert "lists no images of this plan" in answer


def test_a_patient_without_plans_says_so(page: Any, world: Any) -> None:
    assert "lists no plans of patient QA_NONE" in page(patient="QA_NONE")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"patient": "SECRET"}, "is not among the patients"),
        ({"patient": ""}, "Waiting for the patient ID"),
        ({"patient": "QA_*"}, "without wildcards"),
        ({"patient": PATIENT, "plan": "1.2.3.4.5"}, "does not list that plan"),
        ({"patient": "SECRET", "plan": "1.2.3.4.5"}, "is not among the patients"),
    ],
)
def test_what_cannot_be_shown_says_why(page: Any, world: Any, asked: Any, says: str) -> None:
    answer = page(**asked)
    assert says in answer
    assert "errornote" in answer


def test_a_node_that_is_switched_off_says_so(page: Any, node: Any, world: Any) -> None:
    type(node).objects.update(is_active=False)
    assert "is switched off" in page(patient=PATIENT)
    assert world.aria.log == []


def test_a_node_that_is_down_says_so(page: Any) -> None:
    assert "nothing answers" in page(patient=PATIENT)


@pytest.mark.parametrize("step", ["plans", "images"])
def test_a_page_costs_the_same_however_much_it_shows(
    viewer: Client, node: Any, serve: Any, step: str
) -> None:
    few, many = plan("FEW", "QA_FEW"), [plan(f"P{n}", "QA_MANY") for n in range(20)]
    serve(few, winston_lutz(few, count=1), many, winston_lutz(many[0], series_per_image=True))
    costs = []
    for patient, one in (("QA_FEW", few), ("QA_MANY", many[0])):
        asked = {"patient": patient}
        if step == "images":
            asked["plan"] = one.SOPInstanceUID
        with CaptureQueriesContext(connection) as queries:
            assert viewer.get(browse_address(node), asked).status_code == 200
        costs.append(len(queries))
    assert costs[0] == costs[1] <= 6


# --- texts from outside ---------------------------------------------------------------------------


@pytest.mark.parametrize("script", [SCRIPT, IMAGE])
def test_no_text_of_the_node_is_more_than_text(page: Any, serve: Any, script: str) -> None:
    """In every attribute that it answers with; a value is cut at 64 characters."""
    wl = plan("WL")
    wl.RTPlanLabel = wl.StudyID = wl.ApprovalStatus = script
    images = winston_lutz(wl, YESTERDAY)
    for image in images:
        image.ImageType = ["ORIGINAL", "PRIMARY", script]
        image.RadiationMachineName = image.StationName = image.PrimaryDosimeterUnit = script
        image.ImageComments = image.RTImageLabel = image.PatientName = script
    serve(wl, images)
    plans, rows = page(patient=PATIENT), page(patient=PATIENT, plan=wl.SOPInstanceUID)
    for answer in (plans, rows):
        assert script not in answer
        assert shown(script) in answer
    assert plans.count(shown(script)) == 3
    assert "is not one of RT Images" in rows


@pytest.mark.parametrize("name", ["patient", "plan", "day", "period"])
def test_nothing_of_an_address_is_more_than_text(page: Any, world: Any, name: str) -> None:
    asked = {"patient": PATIENT, "plan": world.wl.SOPInstanceUID, name: IMAGE}
    assert IMAGE not in page(**asked)


def test_signs_that_turn_the_line_round_or_end_it_are_spelt_out(page: Any, serve: Any) -> None:
    wl = plan("WL")
    wl.RTPlanLabel, wl.StudyID = "WL\u202egpj", "C\r1\x07"
    serve(wl)
    answer = page(patient=PATIENT)
    assert "\u202e" not in answer
    assert "\x07" not in answer
    assert "WL\\u202egpj" in answer


def test_a_node_name_is_text(viewer: Client, node: Any, world: Any) -> None:
    type(node).objects.update(name=SCRIPT, allowed_patients=f"{SCRIPT}\n{PATIENT}")
    for asked in ({}, {"patient": PATIENT, "plan": world.wl.SOPInstanceUID}):
        assert SCRIPT not in viewer.get(browse_address(node), asked).content.decode()


def test_no_name_of_a_person_is_shown(of_wl: str) -> None:
    assert "PHANTOM" not in of_wl
    assert "FAKE_STAFF_LOGIN" not in of_wl


# --- Fetch ----------------------------------------------------------------------------------------


def test_fetch_leads_to_the_images(press: Any, of_wl: str, viewer: Client) -> None:
    answer = press(of_wl)
    row = Retrieval.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, images_address(row))
    assert "8 images of plan &#39;WL&#39;" in said(viewer, answer["Location"]).replace(
        "#x27", "#39"
    )


def test_the_record_names_who_pressed_and_where(press: Any, of_wl: str) -> None:
    press(of_wl)
    row = Retrieval.objects.get()
    assert (row.source, row.user, row.node_name) == ("admin", "jane2", "aria")
    assert (row.status, row.found, row.moved, row.plan) == ("done", 8, 8, "WL")
    assert row.source_label == "admin"


def test_a_second_press_does_nothing_and_leads_to_the_same(press: Any, of_wl: str) -> None:
    first, second = press(of_wl), press(of_wl)
    assert first["Location"] == second["Location"]
    assert Retrieval.objects.get().repeats == 1


def test_images_that_came_since_are_noted(press: Any, of_wl: str, world: Any, viewer: Any) -> None:
    more = winston_lutz(world.wl, YESTERDAY, count=1)
    for image in more:
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID"):
            setattr(image, keyword, getattr(world.days[0][0], keyword))
    world.aria.add(more)
    assert "1 more than the page listed" in said(viewer, press(of_wl)["Location"])


def test_a_failure_leads_back_and_says_why(press: Any, of_wl: str, world: Any, viewer: Any) -> None:
    world.aria.peers["QATRACK"] = ("127.0.0.1", 1)
    answer = press(of_wl)
    assert answer.status_code == 303
    assert str(world.wl.SOPInstanceUID) in answer["Location"]
    assert "Transfer:" in said(viewer, answer["Location"])
    assert Retrieval.objects.get().status == "incomplete"


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [
        ({"patient": "SECRET"}, "refused"),
        ({"plan": "OTHER"}, "not_found"),
        ({"count": "9"}, "incomplete"),
        ({"count": "many"}, "usage"),
        ({"date": "soon"}, "usage"),
        ({"image_type": SCRIPT}, "usage"),
        ({"select": "both"}, "usage"),
        ({"machine": "*"}, "usage"),
        ({"course": IMAGE}, "not_found"),
    ],
)
def test_what_a_browser_makes_up_is_refused_like_any_request(
    press: Any, of_wl: str, viewer: Client, changed: dict[str, str], outcome: str
) -> None:
    answer = press(of_wl, **changed)
    after = said(viewer, answer["Location"])
    assert 'class="error"' in after
    assert SCRIPT not in after
    assert IMAGE not in after
    assert Retrieval.objects.get().status == outcome


def test_a_press_without_anything_is_no_failure_of_ours(viewer: Client, node: Any) -> None:
    answer = viewer.post(browse_address(node))
    assert answer.status_code == 303
    assert "Waiting for the patient ID" in said(viewer, answer["Location"])
    assert not Retrieval.objects.exists()


def test_a_press_keeps_to_the_time_of_a_web_request(press: Any, of_wl: str, node: Any) -> None:
    type(node).objects.update(deadline=2, command_deadline=300)
    archive = Archive(conf.ARCHIVE)
    with hold_destination(archive, node.peer(), Deadline(9), "somebody else"):
        press(of_wl)
    assert "not done within 2 s" in Retrieval.objects.get().message


def test_browsing_waits_for_its_turn_as_long(page: Any, node: Any, world: Any) -> None:
    type(node).objects.update(deadline=2, command_deadline=300)
    archive = Archive(conf.ARCHIVE)
    with hold_destination(archive, node.peer(), Deadline(9), "somebody else"):
        assert "not done within 2 s" in page(patient=PATIENT)
    assert world.aria.log == []


# --- the page itself ------------------------------------------------------------------------------


def test_nothing_in_a_page_needs_a_lenient_content_security_policy(of_wl: str) -> None:
    ours = of_wl[of_wl.index('id="content-main"') :]
    assert re.findall(r"<style|<script(?![^>]* src=)|\sstyle=|\son[a-z]+=|javascript:", ours) == []


def test_nothing_in_a_page_comes_from_elsewhere(of_wl: str) -> None:
    for address in re.findall(r'(?:src|href|action)="([^"]*)"', of_wl):
        assert address.startswith(("/", "?", "#"))
        assert not address.startswith("//")
