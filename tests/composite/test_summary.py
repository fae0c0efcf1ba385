"""A summary on its way: to the next composite, to a browser, and back from the database."""

from __future__ import annotations

import copy
import json

import pytest
from django.utils import timezone

from qatrack_aria import fetch_images, images_from
from qatrack_aria.errors import PatientNotAllowedError, RequestError
from qatrack_aria.retrieval.provenance import checksum
from tests.helpers.aria import DAY, NOON, PATIENT, plan, winston_lutz
from tests.helpers.standin.encoding import Encoder
from tests.helpers.standin.fixtures import FETCH, HEAD, assert_named_and_short

REOPEN = "result = len(images_from({}, utils=UTILS))"
FILLED = {"patientid": PATIENT, "rtplanname": "WL"}
#: Whoever wants the images of a summary, and a field of the page that gives one.
SUMMARY_AND_AGAIN = {
    "images_summary": HEAD + f"result = {FETCH}.summary",
    "again": HEAD + REOPEN.format("images_summary"),
}


@pytest.fixture
def aria(serve):
    wl = plan()
    simulator = serve(wl, winston_lutz(wl, NOON - 7 * DAY))
    simulator.wl = wl
    return simulator


@pytest.fixture
def summary(aria):
    """What an earlier composite gave, as JSON made it."""
    return json.loads(json.dumps(fetch_images("aria", PATIENT, "WL").summary))


# --- what is sent -----------------------------------------------------------------------------


def test_a_summary_is_strict_json_that_a_browser_gives_back_unchanged(aria, page):
    opened = page(SUMMARY_AND_AGAIN).fill(**FILLED)
    given = fetch_images("aria", PATIENT, "WL").summary
    assert opened.screen["images_summary"] == given
    assert json.loads(json.dumps(given, cls=Encoder, allow_nan=False)) == given


def test_all_attributes_of_an_image_set_are_strict_json(aria, page):
    opened = page(
        f"i = {FETCH}\n"
        "result = [i.path, i.files, i.acquired, i.datetime, i.machine, i.status, i.moved, len(i)]"
    ).fill(**FILLED)
    assert opened.tooltips == {}
    assert len(opened.screen["composite"][1]) == opened.screen["composite"][-1] == 8


def test_the_summary_of_images_without_any_date_is_strict_json(serve, page):
    wl = plan()
    images = winston_lutz(wl, count=2)
    for image in images:
        del image.AcquisitionDate, image.AcquisitionTime, image.ContentDate, image.ContentTime
    serve(wl, images)
    opened = page(SUMMARY_AND_AGAIN).fill(**FILLED)
    assert opened.tooltips == {}
    assert opened.screen["again"] == 2
    assert opened.screen["images_summary"]["acquired"] == ""


# --- into the next composite ------------------------------------------------------------------


def test_the_next_composite_opens_the_summary_of_the_one_before(aria, page):
    opened = page(SUMMARY_AND_AGAIN).fill(**FILLED)
    assert opened.screen["again"] == 8


def test_opening_a_summary_asks_the_node_for_nothing(aria, page):
    opened = page(SUMMARY_AND_AGAIN).fill(**FILLED)
    asked = len(aria.log)
    opened.recalculate()
    assert len(aria.log) == asked


def test_the_images_of_the_summary_stay_those_when_newer_ones_are_there(aria, page, summary):
    aria.add(winston_lutz(aria.wl, NOON, count=3))
    opened = page(REOPEN.format("kept"), "kept").fill(kept=summary)
    assert opened.screen["composite"] == 8


def test_an_earlier_sessions_summary_is_opened_from_its_text(aria, page):
    """A string composite is saved as the JSON text that the browser made of it."""
    code = "json.loads(UTILS.previous_test_instance('images_summary').string_value)"
    earlier = {**SUMMARY_AND_AGAIN, "earlier": f"import json\n{HEAD}{REOPEN.format(code)}"}
    opened = page(earlier).fill(**FILLED)
    opened.submit(timezone.make_aware(NOON - DAY))
    assert opened.recalculate().screen["earlier"] == 8


def test_a_summary_is_opened_as_qatrack_stored_it(summary):
    assert len(images_from(json.dumps(summary))) == 8


@pytest.mark.parametrize("text", ["8 images", "[]", "{", '"x"', "null", "NaN", "[" * 100_000])
def test_a_text_that_is_no_summary_is_refused(node, text):
    with pytest.raises(RequestError, match="Summary") as raised:
        images_from(text)
    assert len(str(raised.value)) < 500


# --- edited -----------------------------------------------------------------------------------


def _without_an_image(summary):
    del summary["images"][3]


def _with_an_image_twice(summary):
    summary["images"].append(summary["images"][0])


def _with_another_image(summary):
    summary["images"][0]["sop_uid"] = "1.2.3.4"


def _with_no_image(summary):
    summary["images"] = []


def _of_another_node(summary):
    summary["node"] = "other"


def _of_another_patient(summary):
    summary["request"]["patient_id"] = "QA_OTHER"


def _of_a_real_patient(summary):
    summary["request"]["patient_id"] = "12345"


def _with_a_path(summary):
    summary["images"][0]["sop_uid"] = "../../etc/passwd"


def _without_its_check(summary):
    del summary["check"]


def _with_a_check_of_the_wrong_kind(summary):
    summary["check"] = {"$ne": ""}


def _with_nodes(summary):
    summary["node"] = ["aria"]


def _with_a_patient_of_ten_megabytes(summary):
    summary["request"]["patient_id"] = "QA_" + "1" * 10_000_000


def _with_a_million_images(summary):
    summary["images"] *= 20_000


def _with_no_image_and_a_new_check(summary):
    summary["images"] = []
    summary["check"] = checksum(summary)


def _with_images_that_are_text(summary):
    summary["images"] = "sop_uid" * 100


EDITS = [value for name, value in list(globals().items()) if name.startswith(("_with", "_of"))]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__.strip("_"))
def test_an_edited_summary_is_refused(summary, page, edit):
    edited = copy.deepcopy(summary)
    edit(edited)
    assert_named_and_short(page(REOPEN.format("kept"), "kept").fill(kept=edited))


def test_a_summary_of_a_patient_who_is_not_allowed_any_more_is_refused(summary, node):
    type(node).objects.update(allowed_patients="QC_*")
    with pytest.raises(PatientNotAllowedError):
        images_from(summary)


@pytest.mark.parametrize("key", ["plan_label", "plan_uid"])
def test_a_summary_under_another_plans_name_is_refused(summary, page, key):
    edited = {**summary, key: "1.2.3.4.5.6.7.8.9"}
    assert_named_and_short(page(REOPEN.format("kept"), "kept").fill(kept=edited))


@pytest.mark.parametrize(
    "extra", ["x", float("nan"), "x" * 1_000_000], ids=["text", "NaN", "a megabyte"]
)
def test_a_summary_to_which_something_was_added_is_refused(summary, page, extra):
    """It would come back, and NaN leaves the old values of all composites on the screen."""
    for place in (summary, summary["request"]):
        edited = copy.deepcopy(summary)
        (edited if place is summary else edited["request"])["extra"] = extra
        assert_named_and_short(page(REOPEN.format("kept"), "kept").fill(kept=edited))


def test_an_array_is_no_summary(node):
    numpy = pytest.importorskip("numpy")
    with pytest.raises(RequestError, match="Summary"):
        images_from(numpy.arange(3))
