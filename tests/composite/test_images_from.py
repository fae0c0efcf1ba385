"""What a composite test can do with images besides analysing them."""

from __future__ import annotations

import copy
import json
import shutil
import time
import traceback
from pathlib import Path

import pytest

from qatrack_aria import composite, fetch_images, fetch_series, fetch_status, images_from
from qatrack_aria.errors import (
    AriaError,
    BusyError,
    IncompleteRetrievalError,
    PatientNotAllowedError,
    RequestError,
    WaitingError,
)
from qatrack_aria.models import Retrieval
from qatrack_aria.qatrack.context import SINCE
from qatrack_aria.retrieval.signature import signed
from qatrack_aria.simulator import phantom
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz


@pytest.fixture
def images(serve):
    wl = plan()
    serve(wl, winston_lutz(wl, NOON - DAY))
    return fetch_images("aria", PATIENT, "WL")


# --- one line for people ----------------------------------------------------------------------


def test_the_status_of_a_success_is_that_of_the_images(images):
    assert fetch_status("aria", PATIENT, "WL") == images.status


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("aria", None, "WL"), "Waiting for the patient ID"),
        (("aria", PATIENT, ""), "Waiting for the plan label"),
        (("arai", PATIENT, "WL"), "did you mean 'aria'"),
        (("aria", PATIENT, "XX"), "nothing answers"),
        (("aria",), "Unexpected: TypeError"),
    ],
)
def test_the_status_of_everything_else_is_one_line_too(node, arguments, says):
    status = fetch_status(*arguments)
    assert says in status
    assert "\n" not in status


def test_the_message_is_the_last_line_of_the_traceback_and_few_frames_stand_before(node):
    """QATrack+ shows the traceback's end in a tooltip, and nothing else."""
    with pytest.raises(AriaError) as raised:
        fetch_images("arai", PATIENT, "WL")
    shown = traceback.format_exception(raised.type, raised.value, raised.value.__traceback__)
    assert str(raised.value) in shown[-1]
    # This test, and fetch_images itself.
    assert sum(line.lstrip().startswith("File ") for line in shown) == 2
    assert raised.value.__cause__ is None


# --- the summary, through a database and a browser --------------------------------------------


def test_the_summary_is_small_plain_json(images):
    text = json.dumps(images.summary, allow_nan=False)
    assert json.loads(text) == images.summary
    assert len(text) < 4000
    assert phantom.OPERATOR not in text


def test_the_same_images_are_opened_again_without_the_network(serve, images):
    sim = serve()
    stored = json.loads(json.dumps(images.summary))
    again = images_from(stored)
    assert sim.log == []
    assert (uids(again), again.summary["images"]) == (uids(images), images.summary["images"])
    assert again.path != images.path


def test_a_reopening_leaves_a_row(images):
    images_from(images.summary)
    row = Retrieval.objects.first()
    assert (row.status, row.found, row.moved, row.patient_id) == ("done", 8, 0, PATIENT)


def test_images_that_are_gone_from_the_archive_are_named(images, settings):
    lost = images.summary["images"][0]["sop_uid"]
    for path in Path(settings.QATRACK_ARIA_ARCHIVE, "instances").rglob(f"{lost}.dcm"):
        path.unlink()
    with pytest.raises(IncompleteRetrievalError, match=f"1 of 8 images.*{lost}"):
        images_from(images.summary)


def resigned(summary, **request):
    """A summary as this site would have signed it, with other values in its request."""
    content = {key: value for key, value in summary.items() if key != "signature"}
    return signed({**content, "request": {**content["request"], **request}})


def test_a_summary_of_another_patient_is_refused(images):
    with pytest.raises(PatientNotAllowedError):
        images_from(resigned(images.summary, patient_id="SOMEBODY"))


def test_a_summary_of_an_allowed_patient_does_not_open_anothers_images(images):
    with pytest.raises(IncompleteRetrievalError, match="8 of 8"):
        images_from(resigned(images.summary, patient_id="QA_OTHER"))


def test_a_summary_does_not_open_images_under_another_plans_name(images):
    edited = resigned({**images.summary, "plan_uid": "1.2.3.4.5.6.7.8.9"})
    with pytest.raises(RequestError, match="do not reference the plan"):
        images_from(edited)


@pytest.mark.parametrize("nothing", [None, "", {}])
def test_a_summary_that_is_not_there_yet_is_waited_for(node, nothing):
    with pytest.raises(WaitingError):
        images_from(nothing)


@pytest.mark.parametrize(
    "junk",
    [
        "<script>",
        5,
        [1],
        {"images": []},
        {"request": {"patient_id": PATIENT}, "images": [{"sop_uid": "../../x"}]},
        {"request": None, "images": 3},
    ],
)
def test_a_summary_that_is_none_is_refused(node, junk):
    with pytest.raises(RequestError, match="Summary"):
        images_from(junk)


def test_paths_in_a_summary_are_no_paths(images):
    edited = copy.deepcopy(images.summary)
    edited["images"][0]["sop_uid"] = "../../../etc/passwd"
    with pytest.raises(RequestError, match=r"not a value of images\.summary"):
        images_from(resigned(edited))


# --- local site code --------------------------------------------------------------------------


def test_local_site_code_finds_the_same_functions():
    assert {
        "fetch_images": fetch_images,
        "fetch_series": fetch_series,
        "fetch_status": fetch_status,
        "images_from": images_from,
    } == composite.LOCAL_SITE_CODE_FUNCTIONS


def test_opening_again_at_every_changed_field_leaves_one_folder_and_one_row(images):
    before = Retrieval.objects.count()
    folders = {images_from(images.summary).path for _ in range(5)}
    assert len(folders) == 1
    assert Retrieval.objects.count() == before + 1
    assert Retrieval.objects.first().repeats == 4


def test_a_folder_that_was_removed_meanwhile_is_laid_out_anew(images):
    shutil.rmtree(images_from(images.summary).path)
    again = images_from(images.summary)
    assert uids(again) == uids(images)


# --- the time that the composites of one request have together ---------------------------------


class Utils:
    """As much of QATrack+'s ``UTILS`` as the time needs: one object for each request."""


def first_call_was(utils, seconds_ago):
    setattr(utils, SINCE, time.monotonic() - seconds_ago)


def test_composites_of_one_request_share_the_time_that_the_web_server_gives(serve, images):
    """gunicorn ends a request after 30 s, however many composites are in it."""
    utils = Utils()
    fetch_images("aria", PATIENT, "WL", utils=utils, max_age=0)
    first_call_was(utils, 26)
    with pytest.raises(BusyError, match="have used the 25 s that they may take together"):
        fetch_images("aria", PATIENT, "WL", utils=utils, max_age=0)


def test_what_is_on_disk_is_answered_when_the_time_is_used_up(images):
    utils = Utils()
    first_call_was(utils, 26)
    assert uids(fetch_images("aria", PATIENT, "WL", utils=utils)) == uids(images)


def test_the_next_request_goes_on_where_the_time_was_used_up(images):
    """Running out of time is no answer that would be remembered for the next request."""
    utils = Utils()
    first_call_was(utils, 26)
    with pytest.raises(BusyError):
        fetch_images("aria", PATIENT, "WL", utils=utils, select="day")
    assert len(fetch_images("aria", PATIENT, "WL", utils=Utils(), select="day")) == 8


@pytest.mark.parametrize(
    "utils", [object(), "UTILS", None, 3, {}], ids=lambda given: type(given).__name__
)
def test_without_a_usable_utils_each_call_has_its_own_time(images, utils):
    assert len(fetch_images("aria", PATIENT, "WL", utils=utils)) == 8
