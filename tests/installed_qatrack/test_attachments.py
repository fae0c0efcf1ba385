"""Images attached to a composite test: one attachment, however often QATrack+ calculates it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pydicom
import pytest

from tests.installed_qatrack.aria import (
    DAY,
    EVERYBODY,
    FILLED,
    HOUR,
    LATEST,
    PATIENT,
    asking,
    irradiation,
    plan,
    uids_of,
)

ATTACH = asking("fetch_images", "images.attach(UTILS)")
ATTACH_NEWEST = asking("fetch_images", "images.attach(UTILS)", max_age=0)
ATTACH_SHEET = asking("fetch_images", 'images.attach(UTILS, "sheet")')
ATTACH_BOTH = asking("fetch_images", '[images.attach(UTILS), images.attach(UTILS, "sheet")]')
PNG = b"\x89PNG\r\n\x1a\n"


def uids_in_zip(content):
    """The SOP Instance UIDs of the images in a zip file; in no order."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = [io.BytesIO(archive.read(name)) for name in archive.namelist()]
    return uids_of([pydicom.dcmread(file) for file in files])


# --- while a list is filled in ----------------------------------------------------------------


def test_the_zip_holds_all_images_and_no_name_of_staff(serve, add_list, physicist, qatrack, wl):
    images = irradiation(wl)
    serve(wl, images)
    result = physicist.composite(add_list(images=ATTACH), FILLED)["images"]
    assert result.error is None
    (attachment,) = qatrack.ask("attachments")
    content = Path(attachment["file"]).read_bytes()
    assert uids_in_zip(content) == uids_of(images)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            assert str(images[0].OperatorsName).encode() not in archive.read(name)


def test_the_contact_sheet_is_a_picture(serve, add_list, physicist, qatrack, wl):
    serve(wl, irradiation(wl))
    result = physicist.composite(add_list(sheet=ATTACH_SHEET), FILLED)["sheet"]
    assert result.error is None
    assert [given["is_image"] for given in result.attached] == [True]
    (attachment,) = qatrack.ask("attachments")
    assert Path(attachment["file"]).read_bytes().startswith(PNG)


def test_a_list_that_is_calculated_again_attaches_nothing_more(
    serve, add_list, physicist, qatrack, wl
):
    serve(wl, irradiation(wl))
    wl_list = add_list(images=ATTACH)
    given = [physicist.composite(wl_list, FILLED)["images"].attached for _ in range(5)]
    (attachment,) = qatrack.ask("attachments")
    assert [[a["attachment_id"] for a in one] for one in given] == [[attachment["pk"]]] * 5
    assert qatrack.uploads() == [Path(attachment["file"])]


def test_whoever_attached_it_is_named(serve, add_list, physicist, qatrack, wl):
    serve(wl, irradiation(wl))
    physicist.composite(add_list(images=ATTACH), FILLED, username="admin")
    assert [attachment["by"] for attachment in qatrack.ask("attachments")] == ["physicist"]


def test_other_images_take_the_place_of_those_before(serve, add_list, physicist, qatrack, wl):
    aria = serve(wl, irradiation(wl, LATEST - DAY))
    wl_list = add_list(images=ATTACH_NEWEST)
    physicist.composite(wl_list, FILLED)
    (before,) = qatrack.ask("attachments")
    newest = irradiation(wl)
    aria.add(newest)
    physicist.composite(wl_list, FILLED)
    (after,) = qatrack.ask("attachments")
    assert after["pk"] == before["pk"]
    assert uids_in_zip(Path(after["file"]).read_bytes()) == uids_of(newest)
    assert qatrack.uploads() == [Path(after["file"])]


def test_two_tests_of_a_list_have_an_attachment_each(serve, add_list, physicist, qatrack, wl):
    serve(wl, irradiation(wl))
    wl_list = add_list(first=ATTACH, second=ATTACH)
    for _ in range(2):
        results = physicist.composite(wl_list, FILLED)
    given = {slug: [a["attachment_id"] for a in r.attached] for slug, r in results.items()}
    assert sorted(given["first"] + given["second"]) == [a["pk"] for a in qatrack.ask("attachments")]
    assert (len(given["first"]), len(given["second"])) == (1, 1)


def test_one_test_can_have_the_zip_and_the_sheet(serve, add_list, physicist, qatrack, wl):
    serve(wl, irradiation(wl))
    wl_list = add_list(images=ATTACH_BOTH)
    for _ in range(2):
        result = physicist.composite(wl_list, FILLED)["images"]
    assert [Path(name).suffix for name in result.value] == [".zip", ".png"]
    assert len(result.attached) == len(qatrack.ask("attachments")) == len(qatrack.uploads()) == 2


def test_two_people_at_the_same_list_have_an_attachment_each(
    serve, add_list, physicist, admin, qatrack, wl
):
    serve(wl, irradiation(wl))
    wl_list = add_list(images=ATTACH)
    for visitor in (physicist, admin, physicist, admin):
        visitor.composite(wl_list, FILLED)
    assert [a["by"] for a in qatrack.ask("attachments")] == ["physicist", "admin"]


def test_the_page_learns_where_the_attachment_is(serve, add_list, physicist, qatrack, wl):
    serve(wl, irradiation(wl))
    (given,) = physicist.composite(add_list(sheet=ATTACH_SHEET), FILLED)["sheet"].attached
    (attachment,) = qatrack.ask("attachments")
    assert f"{qatrack.directory}{given['url']}" == attachment["file"]


@pytest.mark.parametrize("given", ["None", "object()", "META", "images"])
def test_something_else_than_utils_is_named_and_attaches_nothing(
    serve, add_list, physicist, qatrack, wl, given
):
    serve(wl, irradiation(wl))
    wrong = asking("fetch_images", f"images.attach({given})")
    result = physicist.composite(add_list(images=wrong), FILLED)["images"]
    assert "Attach: " in result.message
    assert "UTILS" in result.message
    assert qatrack.ask("attachments") == []


LIES = {
    "html": "<b>now</b>",
    "a list": ["2026-11-15 17:30"],
    "a dict": {"year": 2026},
    "a number": 5,
    "the first days": "0001-01-03 00:00",
    "the last days": "9999-12-29 00:00",
    "10 MB": "x" * 10_000_000,
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_page_that_lies_about_its_time_has_one_attachment_too(
    serve, add_list, physicist, qatrack, wl, lie
):
    serve(wl, irradiation(wl))
    wl_list = add_list(images=ATTACH)
    for _ in range(2):
        result = physicist.composite(wl_list, FILLED, work_started=lie)["images"]
    assert result.error is None
    assert len(qatrack.ask("attachments")) == len(qatrack.uploads()) == 1


# --- submitted, and opened again --------------------------------------------------------------


@pytest.fixture
def perform(browser):
    """Fill a list in and submit it, in Chromium."""

    def do(wl_list, wl="WL"):
        browser.perform(wl_list["collection"])
        browser.fill_in("patientid", PATIENT)
        browser.fill_in("rtplanname", wl)
        browser.submit()

    return do


@pytest.fixture
def in_the_past(qatrack):
    """Have a saved session taken place within an hour after the images were taken."""

    def date(session):
        times = {"started": LATEST, "completed": LATEST + HOUR}
        fields = {name: f"{moment:%Y-%m-%d %H:%M}" for name, moment in times.items()}
        qatrack.ask("date_session", pk=session["pk"], **fields)
        qatrack.forget()

    return date


def test_the_saved_test_owns_the_one_attachment(serve, add_list, perform, qatrack, wl):
    images = irradiation(wl)
    serve(wl, images)
    perform(add_list(images=ATTACH))
    (session,) = qatrack.ask("sessions")
    (attachment,) = qatrack.ask("attachments")
    assert (attachment["session"], attachment["slug"]) == (session["pk"], "images")
    assert qatrack.uploads() == [Path(attachment["file"])]
    assert uids_in_zip(Path(attachment["file"]).read_bytes()) == uids_of(images)


@EVERYBODY
@pytest.mark.parametrize("procedure", [ATTACH, ATTACH_SHEET], ids=["zip", "sheet"])
def test_editing_a_saved_list_keeps_its_attachment(
    serve, add_list, perform, in_the_past, browser, qatrack, wl, procedure
):
    aria = serve(wl, irradiation(wl))
    perform(add_list(images=procedure))
    (session,) = qatrack.ask("sessions")
    in_the_past(session)
    aria.add(irradiation(wl, LATEST + 3 * HOUR))
    before = qatrack.ask("attachments")
    for _ in range(2):
        browser.edit(session["pk"])
        assert browser.attached("images") == [before[0]["pk"]]
        browser.submit()
    assert qatrack.ask("attachments") == before
    assert qatrack.uploads() == [Path(before[0]["file"])]


@EVERYBODY
def test_an_edit_that_is_abandoned_changes_nothing(
    serve, add_list, perform, in_the_past, browser, qatrack, wl
):
    aria = serve(wl, irradiation(wl))
    perform(add_list(images=ATTACH))
    (session,) = qatrack.ask("sessions")
    in_the_past(session)
    aria.add(irradiation(wl, LATEST + 3 * HOUR))
    before = qatrack.ask("attachments"), qatrack.uploads()
    browser.edit(session["pk"])
    browser.fill_in("rtplanname", "WL")
    assert (qatrack.ask("attachments"), qatrack.uploads()) == before


@EVERYBODY
def test_another_plan_in_a_saved_list_brings_another_attachment(
    serve, add_list, perform, in_the_past, browser, qatrack, wl
):
    other = plan(label="WL2")
    others = irradiation(other)
    serve(wl, irradiation(wl), other, others)
    perform(add_list(images=ATTACH))
    (session,) = qatrack.ask("sessions")
    in_the_past(session)
    browser.edit(session["pk"])
    browser.fill_in("rtplanname", "WL2")
    browser.submit()
    owned = [a for a in qatrack.ask("attachments") if a["session"] == session["pk"]]
    assert [uids_in_zip(Path(a["file"]).read_bytes()) for a in owned] == [uids_of(others)]


@EVERYBODY
def test_two_sessions_with_the_same_images_have_an_attachment_each(
    serve, add_list, perform, in_the_past, qatrack, wl
):
    serve(wl, irradiation(wl))
    wl_list = add_list(images=ATTACH)
    perform(wl_list)
    (first,) = qatrack.ask("sessions")
    in_the_past(first)
    perform(wl_list)
    pks = [session["pk"] for session in qatrack.ask("sessions")]
    assert [a["session"] for a in qatrack.ask("attachments")] == pks
    assert len(qatrack.uploads()) == 2


def test_two_sessions_in_the_same_minute_have_an_attachment_each(
    serve, add_list, perform, qatrack, wl
):
    """QATrack+ knows no seconds: a list that was repeated at once looks like the one before."""
    serve(wl, irradiation(wl))
    wl_list = add_list(images=ATTACH)
    for _ in range(2):
        perform(wl_list)
    pks = [session["pk"] for session in qatrack.ask("sessions")]
    assert [a["session"] for a in qatrack.ask("attachments")] == pks
