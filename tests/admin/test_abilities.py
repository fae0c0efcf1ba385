"""The node's page shows what it can do, and lets it be forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from qatrack_aria import fetch_images
from tests.helpers.aria import PATIENT, plan, winston_lutz

pytestmark = pytest.mark.django_db


@pytest.fixture
def learned(serve: Any, node: Any) -> Any:
    wl = plan()
    serve(wl, winston_lutz(wl))
    fetch_images("aria", PATIENT, "WL")
    return node


def address(node: Any, page: str) -> str:
    return reverse(f"admin:qatrack_aria_arianode_{page}", args=[node.pk])


def test_they_are_on_its_page(learned: Any, admin_client: Client) -> None:
    page = admin_client.get(address(learned, "change")).content.decode()
    assert "What this node can do" in page
    assert "Content Date and Acquisition Date as keys" in page
    assert "8 answers" in page


def test_the_button_forgets_them(learned: Any, admin_client: Client) -> None:
    answer = admin_client.post(address(learned, "forget"), follow=True)
    page = answer.content.decode()
    assert "What was learned of aria" in page
    assert "What this node can do" not in page
    assert admin_client.post(address(learned, "forget")).status_code == 302


def test_only_a_post_of_somebody_who_may_change_nodes_forgets(
    learned: Any, admin_client: Client, client: Client
) -> None:
    assert admin_client.get(address(learned, "forget")).status_code == 405
    reader = get_user_model().objects.create_user("reader", password="x", is_staff=True)
    client.force_login(reader)
    assert client.post(address(learned, "forget")).status_code == 403
    page = admin_client.get(address(learned, "change")).content.decode()
    assert "What this node can do" in page


def test_a_page_of_a_node_never_asked_shows_none(node: Any, admin_client: Client) -> None:
    page = admin_client.get(address(node, "change")).content.decode()
    assert "What this node can do" not in page
