"""The page "Test connection" of a node."""

from __future__ import annotations

from typing import Any, Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.helpers.aria import PATIENT, plan, winston_lutz

BOTH = {"patient": PATIENT, "plan": "WL"}
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def aria(serve: Any) -> Any:
    wl = plan()
    return serve(wl, winston_lutz(wl))


@pytest.fixture
def address(node: Any) -> str:
    return f"/admin/qatrack_aria/arianode/{node.pk}/check/"


@pytest.fixture
def press(admin_client: Client, address: str) -> Callable[..., str]:
    """Press the button, and read the page."""

    def post(**typed: str) -> str:
        answer = admin_client.post(address, typed)
        assert answer.status_code == 200
        return answer.content.decode()

    return post


def test_the_nodes_own_page_leads_to_it(admin_client: Client, node: Any, address: str) -> None:
    page = admin_client.get(f"/admin/qatrack_aria/arianode/{node.pk}/change/")
    assert address in page.content.decode()


def test_looking_at_the_page_sends_nothing(admin_client: Client, aria: Any, address: str) -> None:
    page = admin_client.get(address)
    assert page.status_code == 200
    assert "Test the connection of aria" in page.content.decode()
    assert aria.log == []


def test_the_button_shows_each_step_and_that_all_works(press: Any, aria: Any) -> None:
    page = press(patient="", plan="")
    assert "All checks passed" in page
    assert page.count("aria-passed") == 8
    assert "aria-failed" not in page


def test_with_a_patient_and_a_plan_an_image_arrives(press: Any, aria: Any) -> None:
    page = press(**BOTH)
    assert "image retrieval" in page
    assert len(aria.operations("C-STORE")) == 1
    assert f'value="{PATIENT}"' in page


def test_the_step_that_fails_says_what_to_change(press: Any, aria: Any) -> None:
    aria.peers.clear()
    page = press(**BOTH)
    assert "The last check failed" in page
    assert page.count("aria-failed") == 1
    assert "trusted application entities" in page


def test_half_of_the_two_is_asked_for_the_other(press: Any, aria: Any) -> None:
    assert "both the patient ID and the plan" in press(patient=PATIENT, plan=" ")
    assert aria.log == []


@pytest.mark.parametrize("typed", [{"patient": SCRIPT, "plan": "WL"}, {**BOTH, "plan": SCRIPT}])
def test_what_is_typed_is_text_and_nothing_else(press: Any, aria: Any, typed: Any) -> None:
    assert SCRIPT not in press(**typed)


def test_a_plan_label_of_the_server_is_text_and_nothing_else(press: Any, serve: Any) -> None:
    serve(plan("<script>"))
    page = press(**BOTH)
    assert "<script>" not in page.replace("<script src=", "")
    assert "&lt;script&gt;" in page


def test_a_node_that_is_not_there(admin_client: Client, node: Any) -> None:
    assert admin_client.get("/admin/qatrack_aria/arianode/999/check/").status_code == 404


@pytest.mark.parametrize(("may", "status"), [("view", 403), ("change", 200)])
def test_only_who_may_change_nodes_may_test_them(
    client: Client, address: str, may: str, status: int
) -> None:
    user = User.objects.create_user("jane", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename=f"{may}_arianode"))
    client.force_login(user)
    assert client.get(address).status_code == status
    page = client.get(address.replace("check/", "change/")).content.decode()
    assert (address in page) == (status == 200)


def test_nobody_else_can_press_the_button(node: Any, address: str, admin_user: User) -> None:
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(admin_user)
    assert careful.post(address, BOTH).status_code == 403
