"""The check of a node, its composite tests, and the retrievals: every button pressed."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from qatrack_aria.models import Retrieval
from tests.browser.conftest import (
    Person,
    check_address,
    exactly,
    node_address,
    retrieval_address,
)
from tests.helpers.aria import PATIENT

# What the server's threads write, the test's own connection has to see.
pytestmark = pytest.mark.django_db(transaction=True)

RETRIEVALS = "/admin/qatrack_aria/retrieval/"
STEPS = ".aria-check tbody th"


@pytest.fixture
def downloads(person: Person, tmp_path: Path) -> Path:
    """Where what is downloaded comes to lie."""
    where = {"behavior": "allow", "downloadPath": str(tmp_path)}
    person.driver.execute_cdp_cmd("Browser.setDownloadBehavior", where)
    return tmp_path


def downloaded(person: Person, folder: Path, name: str) -> str:
    path = folder / name
    person.until(lambda: path.exists() and path.stat().st_size)
    return path.read_text(encoding="utf-8-sig")


# --- a node ---------------------------------------------------------------------------------------


def test_the_connection_is_tested_from_the_nodes_own_page(
    anyone: Person, node: Any, world: Any
) -> None:
    anyone.open(node_address(node))
    anyone.follow("Test connection")
    anyone.leave(anyone.find("[type=submit].default").click)
    anyone.reads(".aria-outcome", ["All checks passed."])
    anyone.reads(STEPS, lambda texts: texts and all(text.startswith("✓") for text in texts))


def test_with_a_patient_and_a_plan_an_image_arrives(anyone: Person, node: Any, world: Any) -> None:
    anyone.open(check_address(node))
    anyone.find("#id_patient").send_keys(PATIENT)
    anyone.find("#id_plan").send_keys("WL")
    anyone.leave(anyone.find("[type=submit].default").click)
    anyone.reads(".aria-outcome", ["All checks passed."])
    anyone.until(lambda: len(world.aria.operations("C-STORE")) == 1)
    assert anyone.find("#id_plan").get_property("value") == "WL"


def test_the_step_that_fails_is_crossed_and_says_what_to_change(
    anyone: Person, node: Any, world: Any
) -> None:
    node.remote_port = 1
    node.save()
    anyone.open(check_address(node))
    anyone.leave(anyone.find("[type=submit].default").click)
    anyone.reads(".aria-outcome", ["The last check failed: it says what to change."])
    anyone.reads(STEPS, lambda texts: [text[:1] for text in texts] == ["✓", "✓", "✗"])
    anyone.reads(".aria-failed td", lambda texts: texts and "firewall" in texts[-1])


def test_the_text_of_a_composite_test_is_copied(person: Person, node: Any, world: Any) -> None:
    person.may_copy()
    person.open(node_address(node))
    person.find(".aria-composite-tests summary").click()
    wanted = person.reads(".aria-composite-tests pre", bool)[0].split("\n")[0]
    person.copy(".aria-composite-tests .aria-copy-button")
    person.open(check_address(node))
    assert person.copied().startswith(wanted)


def test_a_test_pack_is_downloaded(anyone: Person, node: Any, world: Any, downloads: Path) -> None:
    anyone.open(node_address(node))
    link = anyone.find(".aria-composite-tests a[href*=testpacks]")
    name = link.get_attribute("href").split("/")[-1]
    anyone.open(link.get_attribute("href").replace(anyone.url, ""))
    assert downloaded(anyone, downloads, name).startswith("{")


# --- retrievals -----------------------------------------------------------------------------------


def test_from_the_list_over_the_retrieval_to_the_images(
    anyone: Person, world: Any, fetched: Retrieval
) -> None:
    anyone.open(RETRIEVALS)
    anyone.reads(".aria-nodes tbody th", ["aria"])
    anyone.leave(anyone.find("#result_list tbody th a").click)
    assert anyone.driver.current_url.endswith(retrieval_address(fetched))
    anyone.reads(".aria-retrieval .aria-status", ["done"])
    anyone.until(lambda: len(anyone.driver.find_elements("css selector", ".aria-bar")) > 5)
    anyone.follow("Show the images")
    anyone.reads("figcaption", exactly(8))


def test_the_retrieval_leads_to_its_node(anyone: Person, node: Any, fetched: Retrieval) -> None:
    anyone.open(retrieval_address(fetched))
    anyone.leave(anyone.find(".aria-retrieval p a").click)
    assert anyone.driver.current_url.endswith(node_address(node))


def test_the_filtered_list_is_exported(
    anyone: Person, world: Any, fetched: Retrieval, downloads: Path
) -> None:
    anyone.open(f"{RETRIEVALS}?status=done")
    anyone.find(".object-tools a").click()
    (row,) = csv.DictReader(downloaded(anyone, downloads, "retrievals.csv").splitlines())
    assert (row["patient_id"], row["plan"], row["status"]) == (PATIENT, "WL", "done")


def test_the_list_is_filtered_by_a_click(anyone: Person, world: Any, fetched: Retrieval) -> None:
    for status, rows in (("incomplete", 0), ("done", 1)):
        anyone.open(RETRIEVALS)
        link = anyone.find(f"#changelist-filter a[href='?status={status}']")
        anyone.open(RETRIEVALS + link.get_attribute("href").split("/")[-1])
        anyone.reads("#result_list tbody tr", exactly(rows))
