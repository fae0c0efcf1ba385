"""Composite tests that fetch images, calculated by QATrack+ as its page asks for it."""

from __future__ import annotations

import pytest

from tests.installed_qatrack.aria import (
    DAY,
    FILLED,
    HOUR,
    LATEST,
    PATIENT,
    STATUS,
    STRANGER,
    SUMMARY,
    asking,
    irradiation,
    plan,
    sent,
    uids_in,
    uids_of,
)

BOTH = pytest.mark.parametrize("utils", [True, False], ids=["with UTILS", "without UTILS"])


# --- what a physicist gets --------------------------------------------------------------------


@BOTH
def test_a_composite_test_hands_over_the_newest_images(serve, add_list, physicist, wl, utils):
    images = irradiation(wl)
    serve(wl, images, irradiation(wl, LATEST - DAY))
    wl_list = add_list(found=asking("fetch_images", "images.summary", utils=utils))
    result = physicist.composite(wl_list, FILLED)["found"]
    assert result.error is None
    assert uids_in(result.value) == uids_of(images)


def test_the_row_names_user_unit_and_test_list(serve, add_list, physicist, qatrack, wl):
    serve(wl, irradiation(wl))
    physicist.composite(add_list("WL monthly", found=SUMMARY), FILLED)
    (row,) = qatrack.ask("retrievals")
    assert (row["user"], row["unit"], row["test_list"]) == ("physicist", "TB1", "WL monthly")
    assert (row["status"], row["source"], row["moved"]) == ("done", "composite", 8)


def test_the_row_names_whom_the_server_knows_not_whom_the_browser_says(
    serve, add_list, physicist, qatrack, wl
):
    serve(wl, irradiation(wl))
    physicist.composite(add_list(found=SUMMARY), FILLED, username="admin", unit_number=7)
    (row,) = qatrack.ask("retrievals")
    assert (row["user"], row["unit"]) == ("physicist", "TB1")


def test_without_utils_the_row_names_nobody(serve, add_list, physicist, qatrack, wl):
    serve(wl, irradiation(wl))
    physicist.composite(
        add_list(found=asking("fetch_images", "images.summary", utils=False)), FILLED
    )
    (row,) = qatrack.ask("retrievals")
    assert (row["user"], row["unit"], row["test_list"]) == ("", "", "")


def test_last_months_list_brings_last_months_images(serve, add_list, physicist, wl):
    last_month = LATEST - 30 * DAY
    images = irradiation(wl, last_month)
    serve(wl, irradiation(wl), irradiation(wl, last_month + 2 * HOUR), images)
    result = physicist.composite(add_list(found=SUMMARY), FILLED, last_month + HOUR)["found"]
    assert uids_in(result.value) == uids_of(images)


def test_without_utils_last_months_list_brings_the_newest_images(serve, add_list, physicist, wl):
    images = irradiation(wl)
    serve(wl, images, irradiation(wl, LATEST - 30 * DAY))
    wl_list = add_list(found=asking("fetch_images", "images.summary", utils=False))
    result = physicist.composite(wl_list, FILLED, LATEST - 29 * DAY)["found"]
    assert uids_in(result.value) == uids_of(images)


@BOTH
def test_a_date_brings_the_images_of_that_day(serve, add_list, physicist, wl, utils):
    images = irradiation(wl, LATEST - DAY)
    serve(wl, irradiation(wl), images)
    day = f"{LATEST - DAY:%Y-%m-%d}"
    wl_list = add_list(found=asking("fetch_images", "images.summary", utils=utils, date=day))
    assert uids_in(physicist.composite(wl_list, FILLED)["found"].value) == uids_of(images)


@BOTH
def test_the_files_are_there_for_an_analysis(serve, add_list, physicist, wl, utils):
    serve(wl, irradiation(wl))
    read = "[int(pydicom.dcmread(file).pixel_array.max()) for file in images]"
    wl_list = add_list(brightest=asking("fetch_images", read, utils=utils))
    result = physicist.composite(wl_list, FILLED)["brightest"]
    assert len(result.value) == 8
    assert min(result.value) > 1000


@BOTH
def test_an_earlier_result_is_opened_again_by_the_next_composite(
    serve, add_list, physicist, wl, utils
):
    images = irradiation(wl)
    aria = serve(wl, images)
    extra = ", utils=UTILS" if utils else ""
    opened = (
        "from qatrack_aria import images_from\n\n"
        f"images = images_from(found{extra})\n"
        "result = [str(pydicom.dcmread(file).SOPInstanceUID) for file in images]\n"
    )
    fetch = asking("fetch_images", "images.summary", utils=utils)
    results = physicist.composite(add_list(found=fetch, opened=opened), FILLED)
    assert results["opened"].error is None
    assert sorted(results["opened"].value) == uids_of(images)
    assert len(aria.operations("C-MOVE")) == 1


def test_local_site_code_has_the_same_functions(serve, add_list, physicist, wl):
    serve(wl, irradiation(wl))
    called = (
        "from qatrack_aria.composite import LOCAL_SITE_CODE_FUNCTIONS as LSC\n\n"
        'result = LSC["fetch_status"]("aria", patientid, rtplanname, utils=UTILS)\n'
    )
    assert "8 images" in physicist.composite(add_list(said=called), FILLED)["said"].value


# --- no more network than needed --------------------------------------------------------------


def test_composites_of_one_list_share_one_transfer(serve, add_list, physicist, wl):
    images = irradiation(wl)
    aria = serve(wl, images)
    wl_list = add_list(first=SUMMARY, second=SUMMARY, third=STATUS)
    results = physicist.composite(wl_list, FILLED)
    assert [result.error for result in results.values()] == [None] * 3
    assert len(aria.operations("C-MOVE")) == 1
    assert sent(aria) == uids_of(images)


def test_the_same_once_more_asks_nothing_of_the_network(serve, add_list, physicist, qatrack, wl):
    aria = serve(wl, irradiation(wl))
    wl_list = add_list(found=SUMMARY)
    first = physicist.composite(wl_list, FILLED)
    asked = list(aria.log)
    again = physicist.composite(wl_list, FILLED)
    assert again == first
    assert aria.log == asked
    assert [row["repeats"] for row in qatrack.ask("retrievals")] == [1]


@BOTH
def test_without_an_age_a_new_irradiation_is_seen_at_once(serve, add_list, physicist, wl, utils):
    aria = serve(wl, irradiation(wl, LATEST - DAY))
    wl_list = add_list(found=asking("fetch_images", "images.summary", utils=utils, max_age=0))
    physicist.composite(wl_list, FILLED)
    newest = irradiation(wl)
    aria.add(newest)
    assert uids_in(physicist.composite(wl_list, FILLED)["found"].value) == uids_of(newest)


def test_what_was_moved_once_is_not_moved_again(serve, add_list, physicist, wl):
    images = irradiation(wl)
    aria = serve(wl, images)
    wl_list = add_list(found=asking("fetch_images", "images.summary", max_age=0))
    for _ in range(2):
        physicist.composite(wl_list, FILLED)
    assert sent(aria) == uids_of(images)


# --- what a physicist reads - -----------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("empty", ["", None], ids=["empty", "none"])
@pytest.mark.parametrize(
    ("field", "waited_for"), [("patientid", "patient ID"), ("rtplanname", "plan label")]
)
def test_an_unfilled_field_is_waited_for_quietly(
    serve, add_list, physicist, qatrack, utils, field, waited_for, empty
):
    aria = serve()
    wl_list = add_list(said=asking("fetch_status", "images", utils=utils))
    result = physicist.composite(wl_list, {**FILLED, field: empty})["said"]
    assert result.error is None
    assert f"Waiting for the {waited_for}" in result.value
    assert (aria.log, qatrack.ask("retrievals")) == ([], [])


@BOTH
def test_an_error_tells_all_of_its_message_in_its_last_line(
    serve, add_list, physicist, qatrack, wl, utils
):
    serve(wl, irradiation(wl))
    wl_list = add_list(
        found=asking("fetch_images", "images.summary", utils=utils),
        said=asking("fetch_status", "images", utils=utils),
    )
    results = physicist.composite(wl_list, {**FILLED, "rtplanname": "wl"})
    (row,) = qatrack.ask("retrievals")
    assert row["message"]
    assert results["found"].message.endswith(row["message"])
    assert results["said"].value == row["message"]


def test_a_stranger_is_refused_before_anything_is_sent(serve, add_list, physicist, wl):
    aria = serve(wl, irradiation(wl))
    result = physicist.composite(add_list(found=SUMMARY), {**FILLED, "patientid": STRANGER})
    assert "not among the patients" in result["found"].message
    assert aria.log == []


# --- what a browser may post ------------------------------------------------------------------

NESTED = {"PatientID": [{"*": "*"}]}
LONG = "x" * 10_000_000
LIES = {
    "another patient": STRANGER,
    "a wildcard": "*",
    "a pattern that is allowed": "QA_*",
    "two patients": f"{PATIENT}\\{STRANGER}",
    "two lines": f"{PATIENT}\n{STRANGER}",
    "nul": f"{PATIENT}\0",
    "half a surrogate": "\ud800",
    "a path": "../../etc/passwd",
    "html": "<script>alert(1)</script>",
    "a list": [PATIENT, STRANGER],
    "a list in lists": [[[[PATIENT]]]],
    "a dict": NESTED,
    "a number": 12345678,
    "a huge number": 10**300,
    "true": True,
    "10 MB": LONG,
    "a list of 10 MB": [LONG],
}


@pytest.fixture
def two_patients(serve, wl):
    """An ARIA that also holds images of somebody who is no QA patient."""
    theirs = plan(STRANGER)
    return serve(wl, irradiation(wl), theirs, irradiation(theirs))


@BOTH
@pytest.mark.parametrize("field", ["patientid", "rtplanname"])
@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_lie_brings_a_line_and_no_image(
    two_patients, add_list, physicist, qatrack, lie, field, utils
):
    wl_list = add_list(
        found=asking("fetch_images", "images.summary", utils=utils),
        said=asking("fetch_status", "images", utils=utils),
    )
    results = physicist.composite(wl_list, {**FILLED, field: lie})
    said = results["said"].value
    assert results["found"].value is None
    assert "\n" not in said
    assert 10 < len(said) < 1000
    assert results["found"].message.endswith(said)
    assert sent(two_patients) == []
    assert all(len(str(row)) < 5000 for row in qatrack.ask("retrievals"))


WORDS = {
    "html": "<b>yesterday</b>",
    "words": "yesterday",
    "a list": ["2026-11-15 17:30"],
    "a dict": NESTED,
    "a number": 1763245800,
    "true": True,
    "10 MB": LONG,
}


def test_a_session_before_all_images_brings_none(serve, add_list, physicist, wl):
    serve(wl, irradiation(wl))
    wl_list = add_list(said=STATUS)
    said = physicist.composite(wl_list, FILLED, work_completed="0001-01-03 00:00")["said"].value
    assert "which is not a date and time" in said


def test_a_session_at_the_end_of_all_days_brings_the_newest(serve, add_list, physicist, wl):
    images = irradiation(wl)
    serve(wl, images)
    wl_list = add_list(found=SUMMARY)
    result = physicist.composite(wl_list, FILLED, work_completed="9999-12-29 00:00")["found"]
    assert uids_in(result.value) == uids_of(images)


@pytest.mark.parametrize("key", ["work_completed", "work_started"])
@pytest.mark.parametrize("lie", WORDS.values(), ids=WORDS)
def test_a_session_at_no_time_brings_no_guess(serve, add_list, physicist, qatrack, wl, lie, key):
    """Which images were the newest then is unknown; when the work began is not asked."""
    images = irradiation(wl)
    serve(wl, images)
    wl_list = add_list(found=SUMMARY, said=STATUS)
    results = physicist.composite(wl_list, FILLED, **{key: lie})
    if key == "work_started":
        assert uids_in(results["found"].value) == uids_of(images)
    else:
        assert "completed at" in results["said"].value
        assert results["found"].message.endswith(results["said"].value)
    assert len(results["said"].value) < 1000
    assert all(len(str(row)) < 5000 for row in qatrack.ask("retrievals"))


@pytest.fixture
def reopening(qatrack):
    """A test list that opens whatever summary the browser posts."""
    procedure = "from qatrack_aria import images_from\n\nresult = images_from(posted).summary\n"
    tests = [("posted", "string", None), ("opened", "string composite", procedure)]
    return qatrack.ask("add_list", name="Reopening", tests=tests)


NO_SUMMARIES = {name: lie for name, lie in LIES.items() if not isinstance(lie, str)}


@pytest.mark.parametrize("lie", NO_SUMMARIES.values(), ids=NO_SUMMARIES)
def test_a_posted_summary_that_is_none_opens_nothing(serve, reopening, physicist, lie):
    serve()
    result = physicist.composite(reopening, {"posted": lie})["opened"]
    assert result.value is None
    assert "Summary: " in result.message


@pytest.mark.parametrize("claimed", [STRANGER, PATIENT], ids=["as theirs", "as a QA patient's"])
def test_a_posted_summary_does_not_open_images_that_a_stranger_has_in_the_archive(
    two_patients, add_list, reopening, qatrack, physicist, claimed
):
    """They came there while somebody had the node allow everybody."""
    qatrack.ask("change_node", allowed_patients="*")
    filled = {**FILLED, "patientid": STRANGER}
    summary = physicist.composite(add_list(found=SUMMARY), filled)["found"].value
    qatrack.ask("change_node", allowed_patients="QA_*")
    summary["request"]["patient_id"] = claimed
    result = physicist.composite(reopening, {"posted": summary})["opened"]
    assert result.value is None
    assert result.message.startswith("qatrack_aria.errors.")


def test_nobody_who_is_not_logged_in_fetches(serve, add_list, visit, wl):
    aria = serve(wl, irradiation(wl))
    answer = visit().post_composite(add_list(found=SUMMARY), FILLED)
    assert answer.status in (200, 403)
    assert PATIENT not in answer.text
    assert aria.log == []
