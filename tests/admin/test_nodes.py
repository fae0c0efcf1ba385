"""The admin's pages: nodes can be set up, retrievals can be read and nothing else."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

from qatrack_aria.models import AriaNode, Retrieval

pytestmark = pytest.mark.django_db

NODES = "/admin/qatrack_aria/arianode/"
RETRIEVALS = "/admin/qatrack_aria/retrieval/"
# Half past ten in the evening of 20 November in Toronto.
STARTED = dt.datetime(2026, 11, 21, 3, 30, tzinfo=dt.timezone.utc)
SCRIPT = "<script>alert('x')</script>"
TYPED = {
    "name": "aria",
    "is_active": "on",
    "remote_ae_title": "VMSDBD",
    "remote_host": "10.0.0.5",
    "remote_port": "51402",
    "extra_hosts": "",
    "local_ae_title": "QATRACK",
    "local_host": "",
    "local_port": "11112",
    "allowed_patients": "QA_*",
    "retrieve_method": "C-MOVE",
    "query_model": "STUDY",
    "character_set": "ISO_IR 192",
    "clock_ahead": "0",
    "stable_answers": "1",
    "deadline": "25",
    "command_deadline": "300",
    "connect_timeout": "5",
    "response_timeout": "100",
    "quiet_timeout": "60",
    "grace": "5",
    "notes": "",
}


@pytest.fixture
def node() -> AriaNode:
    return AriaNode.objects.create(
        name="aria",
        remote_ae_title="VMSDBD",
        remote_host="10.0.0.5",
        remote_port=51402,
        local_ae_title="QATRACK",
        allowed_patients="QA_*",
    )


def retrieval(**changes: Any) -> Retrieval:
    values = {
        "started": STARTED,
        "node_name": "aria",
        "source": Retrieval.COMPOSITE,
        "user": "jane",
        "patient_id": "QA_TB1",
        "plan": "WL",
        "status": "done",
        "found": 8,
        "moved": 8,
        "bytes": 26_214_400,
        "seconds": 1.25,
        "folder": "/archive/sets/1",
        "request": json.dumps({"patient_id": "QA_TB1", "plan": "WL", "machine": "TB1"}),
    }
    return Retrieval.objects.create(**{**values, **changes})


def page(client: Client, path: str, **query: str) -> str:
    response = client.get(path, query)
    assert response.status_code == 200
    return response.content.decode()


def listed(client: Client, path: str, **query: str) -> list[Any]:
    response = client.get(path, query)
    # An unknown filter sends the browser to the list with ?e=1.
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


# --- nodes ------------------------------------------------------------------------------------


def test_the_app_is_named_for_people(admin_client: Client) -> None:
    assert "ARIA images" in page(admin_client, "/admin/")


def test_the_list_of_nodes_shows_whom_they_call(admin_client: Client, node: AriaNode) -> None:
    shown = page(admin_client, NODES)

    assert all(text in shown for text in ("aria", "VMSDBD", "10.0.0.5", "51402", "C-MOVE"))


@pytest.mark.parametrize("word", ["aria", "VMSDBD", "10.0.0.5", "Müller"])
def test_a_node_is_found_by_what_people_know_of_it(
    admin_client: Client, node: AriaNode, word: str
) -> None:
    AriaNode.objects.update(notes="Call Mr Müller.")

    assert listed(admin_client, NODES, q=word) == [node]


@pytest.mark.parametrize("query", [{"is_active__exact": "0"}, {"retrieve_method__exact": "C-GET"}])
def test_nodes_can_be_filtered(admin_client: Client, node: AriaNode, query: dict[str, str]) -> None:
    assert listed(admin_client, NODES, **query) == []


def test_a_new_node_is_offered_with_sensible_values(admin_client: Client) -> None:
    shown = page(admin_client, NODES + "add/")

    assert 'value="11112"' in shown
    assert 'value="25' in shown


def test_a_node_can_be_added(admin_client: Client) -> None:
    response = admin_client.post(NODES + "add/", TYPED)

    assert response.status_code == 302
    assert AriaNode.objects.named("aria").remote_port == 51402


def test_a_node_can_be_changed(admin_client: Client, node: AriaNode) -> None:
    shown = page(admin_client, f"{NODES}{node.pk}/change/")
    response = admin_client.post(f"{NODES}{node.pk}/change/", {**TYPED, "remote_port": "105"})

    assert 'value="51402"' in shown
    assert response.status_code == 302
    assert AriaNode.objects.named("aria").remote_port == 105


def test_saving_a_node_that_allows_every_patient_warns(admin_client: Client) -> None:
    typed = {**TYPED, "allowed_patients": "QA_*\n**"}
    response = admin_client.post(NODES + "add/", typed, follow=True)

    shown = [str(message) for message in response.context["messages"] if message.tags == "warning"]
    assert len(shown) == 1
    assert "'**'" in shown[0]
    assert AriaNode.objects.get().allowed_patients == "QA_*\n**"


def test_saving_a_node_for_qa_patients_does_not_warn(admin_client: Client) -> None:
    response = admin_client.post(NODES + "add/", TYPED, follow=True)

    assert {message.tags for message in response.context["messages"]} == {"success"}


def test_every_field_of_a_node_can_be_set(admin_client: Client) -> None:
    response = admin_client.get(NODES + "add/")

    offered = set(response.context["adminform"].form.fields)
    fields = {field.name for field in AriaNode._meta.get_fields() if field.concrete}
    assert offered == fields - {"id"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "my node"),
        ("remote_ae_title", "A\\B"),
        ("remote_ae_title", "   "),
        ("remote_ae_title", "X" * 17),
        ("remote_host", "aria:104"),
        ("remote_host", "http://aria"),
        ("remote_port", "0"),
        ("remote_port", "65536"),
        ("remote_port", "dicom"),
        ("extra_hosts", "a, b"),
        ("local_ae_title", "Ärzte"),
        ("local_host", "10.0.0.256"),
        ("local_port", ""),
        ("retrieve_method", "C-STORE"),
        ("deadline", "0"),
        ("deadline", "nan"),
        ("grace", "inf"),
        ("is_default", "on"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(admin_client: Client, field: str, value: str) -> None:
    """The node is switched off, so it cannot be the default."""
    typed = {**TYPED, "is_active": "", field: value}

    response = admin_client.post(NODES + "add/", typed)

    assert list(response.context["adminform"].form.errors) == [field]
    assert "errorlist" in response.content.decode()
    assert AriaNode.objects.count() == 0


def test_a_nul_that_was_typed_is_refused(admin_client: Client) -> None:
    response = admin_client.post(NODES + "add/", {**TYPED, "notes": "a\0b"})

    assert list(response.context["adminform"].form.errors) == ["notes"]


def test_spaces_around_what_was_typed_do_not_count(admin_client: Client) -> None:
    admin_client.post(NODES + "add/", {**TYPED, "remote_ae_title": " VMSDBD ", "name": " aria "})

    assert AriaNode.objects.named("aria").remote_ae_title == "VMSDBD"


def test_ticking_a_new_default_unticks_the_old_one(admin_client: Client, node: AriaNode) -> None:
    AriaNode.objects.update(is_default=True)

    admin_client.post(NODES + "add/", {**TYPED, "name": "aria2", "is_default": "on"})

    assert [made.name for made in AriaNode.objects.filter(is_default=True)] == ["aria2"]


def test_a_node_with_retrievals_can_be_removed(admin_client: Client, node: AriaNode) -> None:
    retrieval(node=node)

    response = admin_client.post(f"{NODES}{node.pk}/delete/", {"post": "yes"})

    assert response.status_code == 302
    assert (AriaNode.objects.count(), Retrieval.objects.count()) == (0, 1)


def test_what_a_node_holds_is_shown_as_text(admin_client: Client, node: AriaNode) -> None:
    AriaNode.objects.update(name=SCRIPT, notes=SCRIPT, remote_host=SCRIPT)

    shown = page(admin_client, NODES) + page(admin_client, f"{NODES}{node.pk}/change/")
    assert SCRIPT not in shown


# --- retrievals -------------------------------------------------------------------------------


def test_the_list_of_retrievals_shows_their_outcomes(admin_client: Client) -> None:
    retrieval(status="not_found")

    shown = page(admin_client, RETRIEVALS)
    assert all(text in shown for text in ("nothing found", "aria", "QA_TB1", "WL", "jane", "1.2 s"))


def test_a_retrieval_that_was_killed_can_be_listed(admin_client: Client) -> None:
    retrieval(status="running", seconds=None)

    shown = page(admin_client, RETRIEVALS)
    assert "running, or killed" in shown
    assert "–" in shown


def test_times_are_shown_in_the_time_of_the_site(admin_client: Client) -> None:
    retrieval()

    assert "2026-11-20 22:30:00" in page(admin_client, RETRIEVALS)


@pytest.mark.parametrize(
    ("query", "others"),
    [
        ({"status__exact": "done"}, {"status": "busy"}),
        ({"node_name": "aria"}, {"node_name": "test"}),
        ({"source__exact": "composite"}, {"source": "command"}),
        ({"user": "jane"}, {"user": "joe"}),
        ({"q": "QA_TB1"}, {"patient_id": "QA_TB2"}),
        ({"q": "WL"}, {"plan": "PF"}),
        ({"q": "jane"}, {"user": "joe"}),
        ({"q": "no plan"}, {"message": ""}),
    ],
)
def test_retrievals_can_be_filtered_and_searched(
    admin_client: Client, query: dict[str, str], others: dict[str, str]
) -> None:
    meant = retrieval(message="it has no plan")
    retrieval(**{"message": "", **others})

    assert listed(admin_client, RETRIEVALS, **query) == [meant]


def test_the_list_leads_to_each_day(admin_client: Client) -> None:
    for days in (0, 1):
        retrieval(started=STARTED + dt.timedelta(days=days))

    assert "started__day=" in page(admin_client, RETRIEVALS)


def test_a_day_of_the_date_hierarchy_is_the_sites_day(admin_client: Client) -> None:
    meant = retrieval()
    retrieval(started=STARTED + dt.timedelta(days=1))
    day = {"started__year": "2026", "started__month": "11", "started__day": "20"}

    assert listed(admin_client, RETRIEVALS, **day) == [meant]


def test_retrievals_can_be_sorted_by_their_time(admin_client: Client) -> None:
    rows = [retrieval(seconds=seconds) for seconds in (3, 1, 2)]
    column = list(admin_client.get(RETRIEVALS).context["cl"].list_display).index("time_taken")

    by_time = listed(admin_client, RETRIEVALS, o=str(column))
    assert by_time == [rows[1], rows[2], rows[0]]


def test_many_retrievals_are_listed_in_pages(admin_client: Client) -> None:
    for _ in range(60):
        retrieval()

    assert len(listed(admin_client, RETRIEVALS)) == 50


def test_a_retrieval_is_shown_in_full(admin_client: Client) -> None:
    row = retrieval(message="8 images of plan 'WL'")

    shown = page(admin_client, f"{RETRIEVALS}{row.pk}/change/")
    expected = ("8 images of plan", "26.2 MB", "1.2 s", "/archive/sets/1", "machine", "TB1", "jane")
    assert [text for text in expected if text not in shown] == []


def test_a_request_in_another_alphabet_is_readable(admin_client: Client) -> None:
    row = retrieval(request=json.dumps({"plan": "患者"}))

    assert "患者" in page(admin_client, f"{RETRIEVALS}{row.pk}/change/")


@pytest.mark.parametrize("field", ["message", "patient_id", "plan", "user", "node_name", "folder"])
def test_what_somebody_posted_is_shown_as_text(admin_client: Client, field: str) -> None:
    """Any user can post any value, which an administrator reads."""
    row = retrieval(**{field: SCRIPT})

    shown = page(admin_client, RETRIEVALS) + page(admin_client, f"{RETRIEVALS}{row.pk}/change/")
    assert SCRIPT not in shown
    assert "&lt;script&gt;" in shown


def test_a_whole_request_is_shown_as_text(admin_client: Client) -> None:
    row = retrieval(request=json.dumps({"plan": "</pre>" + SCRIPT}))

    shown = page(admin_client, f"{RETRIEVALS}{row.pk}/change/")
    assert SCRIPT not in shown
    assert "&lt;/pre&gt;&lt;script&gt;" in shown


def test_no_retrieval_can_be_added(admin_client: Client) -> None:
    assert admin_client.get(RETRIEVALS + "add/").status_code == 403
    assert admin_client.post(RETRIEVALS + "add/", {"plan": "WL"}).status_code == 403
    assert Retrieval.objects.count() == 0


def test_no_retrieval_can_be_changed(admin_client: Client) -> None:
    row = retrieval()

    response = admin_client.post(f"{RETRIEVALS}{row.pk}/change/", {"plan": "PF"})

    assert response.status_code == 403
    row.refresh_from_db()
    assert row.plan == "WL"


def test_a_retrieval_is_shown_without_a_button_to_save_it(admin_client: Client) -> None:
    row = retrieval()

    shown = page(admin_client, f"{RETRIEVALS}{row.pk}/change/")
    assert 'name="_save"' not in shown
    assert "deletelink" not in shown


def test_no_retrieval_can_be_removed(admin_client: Client) -> None:
    row = retrieval()

    response = admin_client.post(f"{RETRIEVALS}{row.pk}/delete/", {"post": "yes"})

    assert response.status_code == 403
    assert Retrieval.objects.count() == 1


def test_no_retrievals_can_be_removed_in_bulk(admin_client: Client) -> None:
    row = retrieval()
    chosen = {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"}

    admin_client.post(RETRIEVALS, chosen)

    assert Retrieval.objects.count() == 1


# --- who may look -----------------------------------------------------------------------------


def somebody(client: Client, *permissions: str) -> Client:
    user = get_user_model().objects.create_user("joe", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


@pytest.mark.parametrize("path", [NODES, RETRIEVALS])
def test_who_is_not_logged_in_sees_nothing(client: Client, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 302
    assert response.url.startswith(reverse("admin:login"))


@pytest.mark.parametrize("path", [NODES, RETRIEVALS])
def test_staff_without_permission_sees_nothing(client: Client, path: str) -> None:
    assert somebody(client).get(path).status_code == 403


def test_staff_may_be_allowed_to_read_retrievals(client: Client) -> None:
    row = retrieval()
    reader = somebody(client, "view_retrieval")

    assert listed(reader, RETRIEVALS) == [row]
    assert "QA_TB1" in page(reader, f"{RETRIEVALS}{row.pk}/change/")


def test_staff_may_be_allowed_to_look_at_nodes_only(client: Client, node: AriaNode) -> None:
    reader = somebody(client, "view_arianode")

    assert listed(reader, NODES) == [node]
    assert reader.post(f"{NODES}{node.pk}/change/", TYPED).status_code == 403


# --- composite tests of a node ----------------------------------------------------------------

PACK = "winston_lutz_qatrack40.tpk"


def pack_of(node: AriaNode, file: str = PACK) -> str:
    return reverse("admin:qatrack_aria_arianode_testpack", args=(node.pk, file))


def test_a_node_shows_composite_tests_that_call_it(admin_client: Client, node: AriaNode) -> None:
    AriaNode.objects.update(name="linac-2")

    shown = page(admin_client, f"{NODES}{node.pk}/change/")
    assert "fetch_images(&quot;linac-2&quot;, patientid, rtplanname" in shown
    assert "aria_node = &quot;linac-2&quot;" in shown


def test_a_node_leads_to_its_test_packs(admin_client: Client, node: AriaNode) -> None:
    shown = page(admin_client, f"{NODES}{node.pk}/change/")

    for version in ("qatrack31", "qatrack40"):
        for kind in ("winston_lutz", "picket_fence", "images"):
            assert f'href="{pack_of(node, f"{kind}_{version}.tpk")}"' in shown


def test_a_node_that_is_not_saved_yet_has_no_composite_tests(admin_client: Client) -> None:
    assert "composite-tests" not in page(admin_client, NODES + "add/")


def test_the_name_of_a_node_is_text_in_a_procedure(admin_client: Client, node: AriaNode) -> None:
    AriaNode.objects.update(name="</pre>" + SCRIPT)

    shown = page(admin_client, f"{NODES}{node.pk}/change/")
    assert SCRIPT not in shown
    assert "aria_node = &quot;&lt;/pre&gt;&lt;script&gt;" in shown


def test_composite_tests_call_the_saved_name_while_another_is_refused(
    admin_client: Client, node: AriaNode
) -> None:
    typed = {**TYPED, "name": "other", "remote_port": "none"}

    response = admin_client.post(f"{NODES}{node.pk}/change/", typed)

    shown = response.content.decode()
    assert "aria_node = &quot;aria&quot;" in shown
    assert "aria_node = &quot;other&quot;" not in shown


@pytest.mark.parametrize("file", ["copy.js", "composite-tests.css"])
def test_what_the_page_of_a_node_loads_is_there(
    admin_client: Client, node: AriaNode, file: str
) -> None:
    shown = page(admin_client, f"{NODES}{node.pk}/change/")

    assert f"/static/qatrack_aria/{file}" in shown
    assert finders.find(f"qatrack_aria/{file}")


def test_a_test_pack_is_sent_as_a_file(admin_client: Client, node: AriaNode) -> None:
    response = admin_client.get(pack_of(node))

    assert response.status_code == 200
    assert response["Content-Disposition"] == f'attachment; filename="{PACK}"'
    assert response["Content-Type"] == "application/json"


def test_a_test_pack_calls_its_node(admin_client: Client, node: AriaNode) -> None:
    text = admin_client.get(pack_of(node)).content.decode()

    (test_list,) = json.loads(text)["objects"]["testlists"]
    procedures = [
        entry["fields"]["calculation_procedure"] or ""
        for entry in json.loads(test_list)["dependencies"]
        if entry["model"] == "qa.test"
    ]
    assert any('aria_node = "aria"' in procedure for procedure in procedures)


@pytest.mark.parametrize("file", ["winston_lutz_qatrack99.tpk", "..", "winston_lutz", "%00.tpk"])
def test_a_test_pack_that_there_is_not_is_not_found(
    admin_client: Client, node: AriaNode, file: str
) -> None:
    path = pack_of(node).replace(PACK, file)

    assert admin_client.get(path).status_code == 404


@pytest.mark.parametrize("key", ["999999", "aria"])
def test_a_test_pack_of_a_node_that_is_gone_is_not_found(
    admin_client: Client, node: AriaNode, key: str
) -> None:
    path = pack_of(node).replace(f"/{node.pk}/", f"/{key}/")

    assert admin_client.get(path).status_code == 404


def test_who_may_look_at_nodes_may_take_their_composite_tests(
    client: Client, node: AriaNode
) -> None:
    reader = somebody(client, "view_arianode")

    assert "aria_node = &quot;aria&quot;" in page(reader, f"{NODES}{node.pk}/change/")
    assert reader.get(pack_of(node)).status_code == 200


def test_who_may_not_look_at_nodes_gets_no_test_packs(client: Client, node: AriaNode) -> None:
    assert somebody(client, "view_retrieval").get(pack_of(node)).status_code == 403


def test_who_is_not_logged_in_gets_no_test_packs(client: Client, node: AriaNode) -> None:
    response = client.get(pack_of(node))

    assert response.status_code == 302
    assert response.url.startswith(reverse("admin:login"))
