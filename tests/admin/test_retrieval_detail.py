"""The page of one retrieval: it shows any row, and nothing in it does harm."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from qatrack_aria.models import AriaNode, Retrieval
from tests.admin.test_nodes import RETRIEVALS, SCRIPT, node, page, retrieval, somebody

pytestmark = pytest.mark.django_db

BIDI = "\u202e"
STEPS = [
    {"step": "lock", "seconds": 0.25, "times": 1},
    {"step": "images", "seconds": 0.5, "times": 1},
    {"step": "move", "seconds": 1.0, "times": 3},
]
TIMELINE: dict[str, Any] = {
    "steps": STEPS,
    "node": "node 'aria' (VMSDBD at 10.0.0.5:51402)",
    "remarks": [{"code": "shared"}],
    "plans": [{"label": "WL", "course": "C1", "created": "2026-10-20 12:00", "uid": "1.2.9"}],
    "listed": 40,
    "acquired": "2026-11-20 12:00:00 to 2026-11-20 12:04:05",
    "machine": "TB1",
    "left_out": [
        {"why": {"code": "kv"}, "number": 31},
        {"why": {"code": "other_machine", "machine": "TB2"}, "number": 1},
    ],
    "queries": [
        {"level": "IMAGE", "keys": "Modality=RTPLAN", "answers": 1, "problem": None},
        {"level": "IMAGE", "keys": "Modality=RTIMAGE", "answers": 40, "other_patients": 2},
    ],
    "queries_in_all": 57,
    "transfers": [
        {
            "service": "C-MOVE",
            "level": "IMAGE",
            "asked": 8,
            "arrived": 8,
            "status": 0,
            "completed": 8,
            "failed": 0,
        }
    ],
    "transfers_in_all": 1,
    "refused": [{"why": {"code": "unrequested"}, "number": 3}],
}


def page_of(client: Client, timeline: Any = TIMELINE, **changes: Any) -> str:
    """The page of a row of that timeline."""
    kept = timeline if isinstance(timeline, str) else json.dumps(timeline)
    row = retrieval(timeline=kept, **{"seconds": 2.0, **changes})
    return page(client, f"{RETRIEVALS}{row.pk}/change/")


def words(shown: str) -> str:
    """What a person reads of a page."""
    return " ".join(re.sub(r"<[^>]*>", " ", shown).split())


# --- the timeline --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20 22:30:00",
        "It took 2.0 s.",
        "Requested by: composite test (user jane, unit TrueBeam, test list Monthly). Node:",
        "node &#x27;aria&#x27; (VMSDBD at 10.0.0.5:51402)",
        "8 images of plan WL",
        "Another retrieval fetched the same images while this one waited.",
        "patient ID QA_TB1",
        "machine TB1",
        "WL C1 2026-10-20 12:00 1.2.9",
        "The node listed 40 images; matching: 8. Acquired 2026-11-20 12:00:00 to "
        "2026-11-20 12:04:05 on TB1.",
        "IMAGE Modality=RTIMAGE 40 2 of another patient ID",
        "55 more between the first and the last of these.",
        "kV 31",
        "of machine TB2 1",
        "Moved: 8 (26.2 MB). In the archive before: 0.",
        "C-MOVE IMAGE 8 8 status 0x0000 (Success), the node counts 8 completed and 0 failed",
        "Instances and connections that our port rejected: 3.",
        "an instance that was not requested 3",
        "Requested again 2 times, and answered from disk.",
        "/archive/sets/1",
    ],
)
def test_the_page_shows(admin_client: Client, text: str) -> None:
    shown = page_of(
        admin_client,
        message="8 images of plan WL",
        test_list="Monthly",
        unit="TrueBeam",
        refused=3,
        repeats=2,
    )
    assert text in words(shown).replace("&#39;", "&#x27;")


def test_what_happened_comes_in_its_order(admin_client: Client) -> None:
    shown = page_of(admin_client, message="8 images", refused=3, repeats=2)

    headings = re.findall(r"<h2>(.*?)</h2>", shown)
    timeline = [
        "Request",
        "Found",
        "Left out",
        "Moved",
        "Rejected",
        "Time",
        "Since then",
    ]
    assert [heading for heading in headings if heading in timeline] == timeline


def test_a_status_has_its_colour(admin_client: Client) -> None:
    assert "aria-status-incomplete" in page_of(admin_client, status="incomplete")


def test_a_failure_shows_where_it_ended(admin_client: Client) -> None:
    timeline = {**TIMELINE, "stopped_at": "plan"}

    assert "It ended while finding the plan." in page_of(admin_client, timeline, status="not_found")


def test_one_that_is_under_way_says_so(admin_client: Client) -> None:
    shown = page_of(admin_client, "{}", status="running", seconds=None, started=timezone.now())
    assert "It is still running, or was killed" in shown


def test_one_that_was_killed_says_so(admin_client: Client) -> None:
    before = timezone.now() - dt.timedelta(hours=2)

    shown = page_of(admin_client, "{}", status="running", seconds=None, started=before)
    assert "It was killed" in shown


# --- time -------------------------------------------------------------------------------------


def bars(shown: str) -> list[tuple[str, str]]:
    return re.findall(r'<svg class="aria-bar".*?<rect width="([^"]*)".*?</svg>\s*([^<]*)', shown)


def test_each_step_has_its_bar_and_the_rest_one_more(admin_client: Client) -> None:
    shown = page_of(admin_client)

    assert [width for width, _ in bars(shown)] == ["12.5", "25.0", "50.0", "12.5"]
    assert "waiting for other retrievals 0.25 s 12.5&nbsp;%" in words(shown)
    assert "moving (3 times) 1.00 s" in words(shown)
    assert "other 0.25 s" in words(shown)


def test_a_bar_says_in_words_what_it_shows(admin_client: Client) -> None:
    assert all(said == f"{width}&nbsp;%" for width, said in bars(page_of(admin_client)))


@pytest.mark.parametrize("seconds", [0.0, 0.5, None, float("inf"), -1.0, 1e300])
def test_a_time_that_does_not_go_with_the_steps_breaks_no_bar(
    admin_client: Client, seconds: Any
) -> None:
    widths = [float(width) for width, _ in bars(page_of(admin_client, seconds=seconds))]
    assert sum(widths) == pytest.approx(100, abs=0.3)
    assert all(0 <= width <= 100 for width in widths)


def test_a_site_that_writes_numbers_its_own_way_gets_bars_too(
    admin_client: Client, settings: Any
) -> None:
    settings.LANGUAGE_CODE, settings.USE_THOUSAND_SEPARATOR = "de", True

    assert bars(page_of(admin_client))[0][0] == "12.5"


def test_no_style_is_written_into_the_page(admin_client: Client) -> None:
    """A Content Security Policy of a hospital forbids it."""
    shown = page_of(admin_client)
    content = shown[shown.index('class="aria-retrieval"') :]

    assert "style=" not in content.split("</div>")[0]
    assert "<script" not in content.split("</div>")[0]


# --- rows of all kinds ------------------------------------------------------------------------


def test_a_row_of_an_earlier_version_is_shown_as_far_as_it_goes(admin_client: Client) -> None:
    shown = page_of(admin_client, "{}", message="8 images")

    assert "Moved: 8 (26.2 MB)" in shown
    assert "The steps of this retrieval were not kept." in shown
    assert "aria-bar" not in shown


@pytest.mark.parametrize("text", ["", "{", '{"steps": [', "null", "[]", "[[[[", "NaN", "9" * 6000])
@pytest.mark.parametrize("field", ["timeline", "request"])
def test_what_is_no_json_breaks_no_page(admin_client: Client, field: str, text: str) -> None:
    row = retrieval(**{field: text})

    assert "QA_TB1" in page(admin_client, f"{RETRIEVALS}{row.pk}/change/")


ODD = [None, True, -1, 10**400, float("nan"), float("inf"), "7", [], {}, [1], [[]], [{}], {"a": 1}]


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_what_is_of_another_kind_breaks_no_page(admin_client: Client, value: Any) -> None:
    top = dict.fromkeys(TIMELINE, value)
    entries = {
        name: [dict.fromkeys(entry, value) for entry in entries]
        for name, entries in TIMELINE.items()
        if isinstance(entries, list)
    }
    for timeline in (top, entries):
        assert "QA_TB1" in page_of(admin_client, timeline, request=json.dumps({"plan": value}))


def test_a_row_of_nothing_at_all_has_a_page(admin_client: Client) -> None:
    row = Retrieval.objects.create(started=timezone.now())

    assert "Retrieval of" in page(admin_client, f"{RETRIEVALS}{row.pk}/change/")


# --- what is posted and answered does no harm -------------------------------------------------


def filled(value: Any, text: str) -> Any:
    """The same timeline with another text in every place of one."""
    if isinstance(value, dict):
        return {name: filled(one, text) for name, one in value.items()}
    if isinstance(value, list):
        return [filled(one, text) for one in value]
    return text if isinstance(value, str) else value


def page_full_of(client: Client, text: str) -> str:
    fields = ("message", "patient_id", "plan", "user", "unit", "test_list", "node_name", "folder")
    request = json.dumps({text: text})
    timeline = {**filled(TIMELINE, text), "stopped_at": text}
    return page_of(client, timeline, refused=3, request=request, **dict.fromkeys(fields, text))


def test_html_is_shown_as_text_wherever_it_stands(admin_client: Client) -> None:
    shown = page_full_of(admin_client, SCRIPT)

    assert SCRIPT not in shown
    assert shown.count("&lt;script&gt;") > 25


def test_no_text_ends_an_attribute(admin_client: Client) -> None:
    assert '"onload=' not in page_full_of(admin_client, '"onload="x')


@pytest.mark.parametrize("bad", [BIDI, "\u2066", "\x1b", "\u200b", "\r", "\x7f"])
def test_no_text_turns_round_or_hides_what_follows_it(admin_client: Client, bad: str) -> None:
    shown = page_full_of(admin_client, f"a{bad}b")
    assert bad not in shown


def test_half_a_surrogate_breaks_no_page(admin_client: Client) -> None:
    assert "\\ud800" in page_of(admin_client, filled(TIMELINE, "\ud800"))


# --- who may look, and what it costs ----------------------------------------------------------


def test_who_may_see_retrievals_reads_the_timeline(client: Client) -> None:
    assert "The node listed 40 images" in page_of(somebody(client, "view_retrieval"))


def test_who_may_not_see_retrievals_does_not(client: Client) -> None:
    row = retrieval(timeline=json.dumps(TIMELINE))
    reader = somebody(client, "view_arianode")

    assert reader.get(f"{RETRIEVALS}{row.pk}/change/").status_code == 403


@pytest.mark.parametrize("may", ["view_arianode", "change_arianode"])
def test_who_may_see_nodes_is_led_to_the_node(client: Client, node: AriaNode, may: str) -> None:
    reader = somebody(client, "view_retrieval", may)

    assert f'href="/admin/qatrack_aria/arianode/{node.pk}/change/"' in page_of(reader, node=node)


def test_who_may_not_see_nodes_is_not_led_to_one(client: Client, node: AriaNode) -> None:
    shown = page_of(somebody(client, "view_retrieval"), node=node)
    assert f"arianode/{node.pk}" not in shown


def test_there_is_nothing_to_fill_in(admin_client: Client) -> None:
    shown = page_of(admin_client)
    content = shown[shown.index('class="aria-retrieval"') :].split("</div>")[0]

    assert [tag for tag in ("<form", "<input", "<button") if tag in content] == []


def test_a_long_timeline_costs_no_more_queries_than_none(admin_client: Client) -> None:
    rows = [retrieval(timeline="{}"), retrieval(timeline=json.dumps(TIMELINE), refused=3)]
    admin_client.get(RETRIEVALS)
    costs = []
    for row in rows:
        with CaptureQueriesContext(connection) as asked:
            page(admin_client, f"{RETRIEVALS}{row.pk}/change/")
        costs.append(len(asked))
    assert costs[0] == costs[1] <= 6


def test_tables_have_captions_and_headings(admin_client: Client) -> None:
    shown = page_of(admin_client, refused=3)
    content = shown[shown.index('class="aria-retrieval"') :].split("</div>")[0]

    assert content.count("<table>") == content.count("<caption") == 7
    assert re.findall(r"<th(?! scope=)[^>]*>", content) == ["<thead>"] * 6


def test_what_the_page_loads_is_there(admin_client: Client) -> None:
    assert "/static/qatrack_aria/pages.css" in page_of(admin_client)
    assert finders.find("qatrack_aria/pages.css")


__all__ = ["node"]
