"""The pages of this app in QATrack+'s admin, which has templates of its own."""

from __future__ import annotations

import html
import re

import pytest

from tests.installed_qatrack.aria import FIELDS, FILLED, PATIENT, SUMMARY, irradiation, plan
from tests.installed_qatrack.conftest import add_node

NODES = "/admin/qatrack_aria/arianode/"
RETRIEVALS = "/admin/qatrack_aria/retrieval/"

FORM = {
    "name": "aria",
    "is_active": "on",
    "remote_ae_title": "VMSDBD",
    "remote_host": "aria.example",
    "remote_port": "51402",
    "extra_hosts": "",
    "local_ae_title": "QATRACK",
    "local_host": "",
    "local_port": "11112",
    "allowed_patients": "QA_*",
    "retrieve_method": "C-MOVE",
    "query_model": "STUDY",
    "character_set": "ISO_IR 192",
    "stable_answers": "1",
    "clock_ahead": "0",
    "deadline": "25",
    "command_deadline": "300",
    "connect_timeout": "5",
    "response_timeout": "100",
    "quiet_timeout": "60",
    "grace": "5",
    "notes": "",
}


@pytest.fixture
def node(qatrack):
    """A node; its number."""
    add_node(qatrack, remote_host="aria.example", notes="Call the help desk.")
    return qatrack.ask("nodes")[0]["id"]


@pytest.fixture
def retrieval(qatrack, serve, physicist):
    """What a physicist has fetched; the row."""
    wl = plan()
    serve(wl, irradiation(wl))
    tests = [*FIELDS, ("found", "string composite", SUMMARY)]
    physicist.composite(qatrack.ask("add_list", name="WL monthly", tests=tests), FILLED)
    (row,) = qatrack.ask("retrievals")
    return row


# --- nodes ------------------------------------------------------------------------------------


def test_the_index_leads_to_nodes_and_retrievals(admin):
    page = admin.get("/admin/").text
    assert NODES in page
    assert RETRIEVALS in page


def test_the_list_shows_whom_a_node_calls(admin, node):
    page = admin.get(NODES)
    assert page.status == 200
    for shown in ("aria", "VMSDBD", "aria.example"):
        assert shown in page.text


def test_a_node_can_be_added(admin, qatrack):
    assert admin.get(f"{NODES}add/").status == 200
    answer = admin.post(f"{NODES}add/", FORM)
    assert answer.url.endswith(NODES)
    (node,) = qatrack.ask("nodes")
    assert (node["name"], node["remote_port"], node["is_default"]) == ("aria", 51402, False)


def test_a_node_can_be_changed(admin, qatrack, node):
    assert "aria.example" in admin.get(f"{NODES}{node}/change/").text
    admin.post(f"{NODES}{node}/change/", {**FORM, "remote_host": "10.0.0.7"})
    assert qatrack.ask("nodes")[0]["remote_host"] == "10.0.0.7"


def test_a_node_can_be_removed_and_what_it_fetched_stays(admin, qatrack, retrieval):
    admin.post(f"{NODES}{retrieval['node_id']}/delete/", {"post": "yes"})
    assert qatrack.ask("nodes") == []
    assert [row["node_name"] for row in qatrack.ask("retrievals")] == ["aria"]


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("name", "my node"),
        ("remote_ae_title", "TOO\\BAD"),
        ("remote_host", "http://aria:105"),
        ("remote_port", "0"),
        ("local_ae_title", ""),
        ("local_port", "66000"),
        ("extra_hosts", "10.0.0.300"),
        ("deadline", "abc"),
        ("grace", "-1"),
        ("retrieve_method", "C-FETCH"),
    ],
)
def test_what_is_typed_wrong_is_shown_at_its_field(admin, qatrack, field, typed):
    answer = admin.post(f"{NODES}add/", {**FORM, field: typed})
    assert answer.status == 200
    assert qatrack.ask("nodes") == []
    assert re.findall(r"errors field-(\w+)", answer.text) == [field]


def test_a_second_node_of_the_same_name_is_refused(admin, qatrack, node):
    assert "errorlist" in admin.post(f"{NODES}add/", FORM).text
    assert len(qatrack.ask("nodes")) == 1


def test_a_new_default_takes_the_place_of_the_old_one(admin, qatrack, node):
    admin.post(f"{NODES}{node}/change/", {**FORM, "is_default": "on"})
    admin.post(f"{NODES}add/", {**FORM, "name": "second", "is_default": "on"})
    assert [n["name"] for n in qatrack.ask("nodes") if n["is_default"]] == ["second"]


# --- retrievals -------------------------------------------------------------------------------


def test_the_list_of_retrievals_shows_their_outcomes(admin, retrieval):
    page = admin.get(RETRIEVALS)
    assert page.status == 200
    for shown in (PATIENT, "WL", "8 moved", "physicist"):
        assert shown in page.text


@pytest.mark.parametrize("query", ["status__exact=done", "q=QA_TB1", "user=physicist", "o=-1"])
def test_retrievals_are_filtered_searched_and_sorted(admin, retrieval, query):
    page = admin.get(f"{RETRIEVALS}?{query}")
    assert (page.status, PATIENT in page.text) == (200, True)
    assert "e=1" not in page.url  # where the admin sends whom it does not understand


def test_the_page_of_a_retrieval_tells_all_and_nothing_can_be_changed(admin, retrieval):
    page = admin.get(f"{RETRIEVALS}{retrieval['id']}/change/")
    assert page.status == 200
    for shown in ("physicist", "TB1", "WL monthly", retrieval["message"]):
        assert shown in html.unescape(page.text)
    assert 'name="_save"' not in page.text


@pytest.mark.parametrize("page", ["add/", "{}/delete/"])
def test_nobody_adds_or_removes_a_retrieval(admin, retrieval, page):
    assert admin.get(RETRIEVALS + page.format(retrieval["id"])).status == 403


def test_nobody_changes_a_retrieval(admin, qatrack, retrieval):
    page = f"{RETRIEVALS}{retrieval['id']}/change/"
    assert admin.post(page, {"message": "all well"}).status == 403
    assert qatrack.ask("retrievals") == [retrieval]


# --- looking through a node -------------------------------------------------------------------


@pytest.fixture
def seen(qatrack, serve):
    """Where the plan WL of the node is shown, and its images."""
    wl = plan()
    images = irradiation(wl)
    serve(wl, images)
    return f"{NODES}{qatrack.ask('nodes')[0]['id']}/browse/?patient={PATIENT}", wl, images


def test_who_may_look_goes_from_a_patient_to_the_pictures(visit, qatrack, seen):
    browse, wl, images = seen
    auditor = visit("auditor")
    assert "WL" in auditor.get(browse).text
    page = auditor.get(f"{browse}&plan={wl.SOPInstanceUID}")
    form = re.search(r'<form method="post">.*?</form>', page.text, re.S)[0]
    answer = auditor.post(browse, dict(re.findall(r'name="(\w+)" value="([^"]*)"', form)))
    assert (answer.status, answer.text.count("<figure>")) == (200, len(images))
    assert [row["source"] for row in qatrack.ask("retrievals")] == ["admin"]


@pytest.mark.parametrize("who", ["", "physicist", "secretary"])
def test_who_may_not_look_does_not_browse(visit, seen, who):
    browse, wl, _ = seen
    for address in (browse, f"{browse}&plan={wl.SOPInstanceUID}"):
        assert "aria-table" not in visit(who).get(address).text


# --- who may look -----------------------------------------------------------------------------


@pytest.mark.parametrize("page", [NODES, "{node}", RETRIEVALS, "{retrieval}"])
@pytest.mark.parametrize("who", ["", "physicist", "secretary"])
def test_who_has_no_permission_sees_nothing_of_patients_or_nodes(visit, retrieval, who, page):
    address = page.format(
        node=f"{NODES}{retrieval['node_id']}/change/",
        retrieval=f"{RETRIEVALS}{retrieval['id']}/change/",
    )
    answer = visit(who).get(address)
    assert answer.status in (200, 403, 404)
    assert answer.status != 200 or "/login/" in answer.url
    assert PATIENT not in answer.text
    assert "VMSDBD" not in answer.text


def test_the_index_of_a_secretary_names_nothing_of_this_app(visit):
    assert "qatrack_aria" not in visit("secretary").get("/admin/").text


def test_who_may_look_sees_the_retrievals(visit, retrieval):
    auditor = visit("auditor")
    assert PATIENT in auditor.get(RETRIEVALS).text
    page = auditor.get(f"{RETRIEVALS}{retrieval['id']}/change/")
    assert (page.status, PATIENT in page.text) == (200, True)


def test_who_may_look_sees_a_node_and_cannot_change_it(visit, qatrack, node):
    page = f"{NODES}{node}/change/"
    auditor = visit("auditor")
    answer = auditor.get(page)
    assert (answer.status, "aria.example" in answer.text) == (200, True)
    assert 'name="_save"' not in answer.text
    assert auditor.post(page, {**FORM, "remote_host": "10.0.0.7"}).status == 403
    assert qatrack.ask("nodes")[0]["remote_host"] == "aria.example"


@pytest.mark.parametrize("page", ["add/", "{}/delete/"])
def test_who_may_look_neither_adds_nor_removes_nodes(visit, node, page):
    assert visit("auditor").get(NODES + page.format(node)).status == 403
