"""One test list, filled in and opened again in a real browser."""

from __future__ import annotations

import json

import pytest

from tests.installed_qatrack.aria import (
    EVERYBODY,
    FIELDS,
    HOUR,
    LATEST,
    PATIENT,
    STATUS,
    SUMMARY,
    asking,
    irradiation,
    plan,
    sent,
    uids_in,
    uids_of,
)

NUMBERS = [f"reading_{number}" for number in range(1, 9)]
TYPED = {
    "patientid": PATIENT,
    "rtplanname": "WL",
    **{slug: str(number) for number, slug in enumerate(NUMBERS)},
}
COMPOSITES = ("found", "said", "counted")


@pytest.fixture
def aria(serve):
    """An ARIA with one session of a plan; `aria.plan` and `aria.images` are what it holds."""
    wl = plan()
    images = irradiation(wl)
    simulator = serve(wl, images)
    simulator.plan, simulator.images = wl, images
    return simulator


@pytest.fixture
def wl_list(qatrack):
    """Ten fields, and three composite tests that ask for the same images."""
    tests = [
        *FIELDS,
        *[(slug, "number", None) for slug in NUMBERS],
        ("found", "string composite", SUMMARY),
        ("said", "string composite", STATUS),
        ("counted", "composite", asking("fetch_images", "len(images)")),
    ]
    return qatrack.ask("add_list", name="WL monthly", tests=tests)


@pytest.fixture
def filled_in(browser, aria, wl_list):
    """The list on the screen, with all fields typed in, one after the other."""
    browser.perform(wl_list["collection"])
    for slug, text in TYPED.items():
        browser.fill_in(slug, text)
    return browser


@pytest.fixture
def saved(filled_in, qatrack):
    """The list submitted, an hour after the images of the phantom were taken."""
    filled_in.submit()
    (session,) = qatrack.ask("sessions")
    times = {"started": f"{LATEST:%Y-%m-%d %H:%M}", "completed": f"{LATEST + HOUR:%Y-%m-%d %H:%M}"}
    qatrack.ask("date_session", pk=session["pk"], **times)
    qatrack.forget()
    return session


def test_every_image_is_moved_once_while_a_list_is_filled_in(
    filled_in, aria, qatrack, print_at_end
):
    rows = qatrack.ask("retrievals")
    posts = qatrack.requests("POST /qc/composite/")
    finds, moves = (len(aria.operations(kind)) for kind in ("C-FIND", "C-MOVE"))
    print_at_end(
        f"{len(TYPED)} fields typed, {len(COMPOSITES)} composite tests: {posts} composite POSTs, "
        f"{finds} C-FINDs, {moves} C-MOVE, {len(sent(aria))} images moved, "
        f"{len(rows)} Retrieval row with {sum(row['repeats'] for row in rows)} repeats"
    )
    assert posts >= len(TYPED)
    assert moves == 1
    assert sent(aria) == uids_of(aria.images)
    assert [(row["status"], row["moved"]) for row in rows] == [("done", 8)]


def test_the_page_shows_what_was_fetched(filled_in, aria):
    assert uids_in(json.loads(filled_in.shown("found"))) == uids_of(aria.images)
    assert "8 images" in filled_in.shown("said")
    assert float(filled_in.shown("counted")) == 8


def test_what_was_shown_is_what_is_saved(saved, aria):
    assert uids_in(json.loads(saved["values"]["found"])) == uids_of(aria.images)
    assert saved["values"]["counted"] == 8


@EVERYBODY
def test_a_list_opened_for_editing_shows_the_images_of_its_session(saved, browser, aria):
    aria.add(irradiation(aria.plan, LATEST + 3 * HOUR, count=4))
    browser.edit(saved["pk"])
    assert uids_in(json.loads(browser.shown("found"))) == uids_of(aria.images)
    assert float(browser.shown("counted")) == 8


@EVERYBODY
def test_opening_it_for_editing_moves_nothing(saved, browser, aria):
    before = sent(aria)
    browser.edit(saved["pk"])
    assert sent(aria) == before
