"""The list of retrievals: a line for each node, colours, and the table for a spreadsheet."""

from __future__ import annotations

import csv
import datetime as dt
import io
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from qatrack_aria.admin.node_statistics import node_statistics
from qatrack_aria.models import AriaNode, Retrieval
from tests.admin.test_nodes import RETRIEVALS, node, page, retrieval

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> dt.datetime:
    """Noon of the 20th, so that this month has both earlier days and a month before it."""
    moment = timezone.make_aware(dt.datetime(2026, 11, 20, 12))
    monkeypatch.setattr(timezone, "now", lambda: moment)
    return moment


def exported(client: Client, **query: str) -> list[dict[str, str]]:
    answer = client.get(f"{RETRIEVALS}export/", query)
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


# --- a line for each node ---------------------------------------------------------------------


def test_a_line_shows_the_successes_and_failures_of_a_node(
    node: AriaNode, now: dt.datetime
) -> None:
    for hours, seconds in ((1, 1.0), (2, 3.0), (3, 8.0)):
        retrieval(node=node, started=now - hours * HOUR, seconds=seconds, moved=8)
    retrieval(node=node, started=now - 5 * HOUR, status="unreachable", moved=0)
    (line,) = node_statistics()
    assert (line.name, line.images, line.median) == ("aria", 24, 3.0)
    assert line.last_success == now - HOUR
    assert line.last_failure == now - 5 * HOUR


def test_the_month_before_counts_neither_images_nor_seconds(
    node: AriaNode, now: dt.datetime
) -> None:
    retrieval(node=node, started=now - dt.timedelta(days=20, hours=13), seconds=9.0, moved=8)
    (line,) = node_statistics()
    assert (line.images, line.median) == (0, None)
    assert line.last_success is not None


def test_a_list_is_no_success_of_the_node(node: AriaNode, now: dt.datetime) -> None:
    """No image was moved: that may have failed for weeks."""
    retrieval(node=node, started=now, status="listed")
    (line,) = node_statistics()
    assert (line.last_success, line.last_failure, line.median) == (None, None, None)


def test_images_opened_again_are_no_success_of_the_node(node: AriaNode, now: dt.datetime) -> None:
    """They come from the archive; the node may be switched off."""
    retrieval(node=node, started=now, request='{"reopened": 8}')
    (line,) = node_statistics()
    assert (line.last_success, line.median) == (None, None)


def test_the_number_of_refused_calls_is_shown_and_exported(admin_client: Client) -> None:
    row = retrieval(status="refused", times=12)
    assert "refused, 12 times" in page(admin_client, RETRIEVALS)
    assert "12 calls were refused alike" in page(admin_client, f"{RETRIEVALS}{row.pk}/change/")
    assert [row["times"] for row in exported(admin_client)] == ["12"]


def test_a_single_call_is_not_counted_on_the_pages(admin_client: Client) -> None:
    row = retrieval(status="refused")
    assert "1 times" not in page(admin_client, RETRIEVALS)
    assert "refused alike" not in page(admin_client, f"{RETRIEVALS}{row.pk}/change/")


def test_a_slip_of_the_keyboard_is_no_failure_of_the_node(node: AriaNode, now: dt.datetime) -> None:
    retrieval(node=node, started=now, status="usage")
    assert [line.last_failure for line in node_statistics()] == [None]


def test_what_named_no_node_of_ours_makes_no_line(admin_client: Client) -> None:
    retrieval(node=None, node_name="arya")
    assert node_statistics() == []
    assert "aria-nodes" not in page(admin_client, RETRIEVALS)


def test_the_list_begins_with_the_lines(
    admin_client: Client, node: AriaNode, now: dt.datetime
) -> None:
    retrieval(node=node, started=now)
    shown = page(admin_client, RETRIEVALS)
    assert "Median time this month" in shown
    assert "2026-11-20 12:00" in shown


def test_a_status_has_a_colour_and_its_word(admin_client: Client) -> None:
    retrieval(status="not_found")
    shown = page(admin_client, RETRIEVALS)
    assert "aria-status-not_found" in shown
    assert "nothing found" in shown


# --- for a spreadsheet ------------------------------------------------------------------------


def test_the_list_leads_to_the_same_list_as_a_table(admin_client: Client) -> None:
    retrieval()
    shown = page(admin_client, f"{RETRIEVALS}?status__exact=done")
    assert f"{RETRIEVALS}export/?status__exact=done" in shown


def test_all_pages_of_the_list_are_in_the_table(admin_client: Client) -> None:
    Retrieval.objects.bulk_create(
        Retrieval(started=timezone.now(), node_name="aria", status="done") for _ in range(120)
    )
    assert len(exported(admin_client)) == 120


def test_the_table_is_filtered_as_the_list_is(admin_client: Client) -> None:
    retrieval(status="done")
    retrieval(status="busy", message="Waiting, in Zürich")
    (row,) = exported(admin_client, status__exact="busy")
    assert (row["status"], row["message"]) == ("busy", "Waiting, in Zürich")


def test_times_in_the_table_are_those_of_the_site(admin_client: Client) -> None:
    retrieval()
    assert [row["started"] for row in exported(admin_client)] == ["2026-11-20 22:30:00"]


SIGNS = [*"=+-@", "\uff1d", "\uff0b", "\uff0d", "\uff20"]


@pytest.mark.parametrize("begin", [*SIGNS, "\t", "\r", " =", '"=', "\t="])
def test_no_cell_is_a_formula(admin_client: Client, begin: str) -> None:
    """Any user can post any plan label, which an administrator opens in a spreadsheet."""
    retrieval(plan=f"{begin}HYPERLINK(0)")
    assert [row["plan"][:2] for row in exported(admin_client)] == [f"'{begin[0]}"]


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("separator", [";", ",", "\t", "|", "\n", "; ", ';"'])
def test_no_part_of_a_cell_is_a_formula_where_another_sign_separates_cells(
    admin_client: Client, separator: str, sign: str
) -> None:
    """A spreadsheet in German separates by semicolons, in any language by what one types."""
    retrieval(plan=f"x{separator}{sign}HYPERLINK(0)")
    (row,) = exported(admin_client)
    assert row["plan"] == f"x{separator[0]}'{separator[1:]}{sign}HYPERLINK(0)"


@pytest.mark.parametrize("text", ["QA-TB1", "a+b=c", "2026-11-20", "user@clinic", "WL, 6 MV"])
def test_other_cells_are_exported_as_they_are(admin_client: Client, text: str) -> None:
    retrieval(plan=text)
    assert [row["plan"] for row in exported(admin_client)] == [text]


def test_a_filter_that_cannot_be_is_no_list(admin_client: Client) -> None:
    answer: Any = admin_client.get(f"{RETRIEVALS}export/", {"found__exact": "many"})
    assert answer.status_code == 404


@pytest.mark.parametrize(("may", "status"), [("view_retrieval", 200), ("view_arianode", 403)])
def test_only_who_may_see_the_list_gets_the_table(client: Client, may: str, status: int) -> None:
    user = User.objects.create_user("jane", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename=may))
    client.force_login(user)
    assert client.get(f"{RETRIEVALS}export/").status_code == status


__all__ = ["node"]
