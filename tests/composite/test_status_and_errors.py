"""What a physicist reads: the line of a status composite, and the tooltip behind a red badge."""

from __future__ import annotations

import pytest

from qatrack_aria import fetch_status
from qatrack_aria.models import Retrieval
from tests.helpers.aria import PATIENT, plan, winston_lutz
from tests.helpers.standin.fixtures import FETCH, HEAD, THREE

STATUS = "result = " + FETCH.replace("fetch_images", "fetch_status")


def serve_everything(serve, **behaviour):
    wl, lonely = plan(), plan("PF")
    return serve(wl, winston_lutz(wl), lonely, **behaviour)


# --- the status line --------------------------------------------------------------------------


@pytest.mark.parametrize("empty", ["", None, " "])
def test_an_empty_field_is_waited_for_by_name(node, page, empty):
    opened = page(STATUS).fill(patientid=empty)
    assert opened.screen["composite"].startswith("Waiting for the patient ID")
    opened.fill(patientid=PATIENT, rtplanname=empty)
    assert opened.screen["composite"].startswith("Waiting for the plan label")
    assert not Retrieval.objects.exists()


def test_the_status_of_a_list_says_what_its_other_composites_got(serve, page):
    serve_everything(serve)
    opened = page(THREE).fill(patientid=PATIENT, rtplanname="WL")
    assert opened.screen["images_status"].startswith("8 images of plan 'WL', acquired")


@pytest.mark.parametrize(
    ("behaviour", "values", "says"),
    [
        ({}, {"rtplanname": "DAILY"}, "has no plan 'DAILY'"),
        ({}, {"rtplanname": "PF"}, "no images match"),
        ({}, {"patientid": "12345"}, "not among the patients"),
        ({}, {"patientid": ["QA_TB1"]}, "must be text"),
        ({"find_failures": 99}, {}, "it lists no RT Plan"),
        ({"abort_after": 0}, {}, "8 of 8 images did not arrive"),
        ({"refused_keys": frozenset({"PatientID"})}, {}, "C-FIND"),
    ],
)
def test_the_status_of_every_failure_is_one_line_and_no_error(serve, page, behaviour, values, says):
    serve_everything(serve, **behaviour)
    opened = page(STATUS)
    opened.values.update({"patientid": PATIENT, "rtplanname": "WL", **values})
    opened.recalculate()
    assert opened.tooltips == {}
    assert says in opened.screen["composite"]
    assert len(opened.screen["composite"].splitlines()) == 1


def test_the_status_of_a_mistake_in_the_procedure_is_a_line_too(node, page):
    opened = page("result = fetch_status('aria', 'QA_TB1', 'WL', 'portal', UTILS)")
    assert opened.screen["composite"].startswith("Unexpected: TypeError: ")


class Contrary:
    """Whatever is asked of it ends in an error without words."""

    def __getattr__(self, name):
        raise RuntimeError

    def __repr__(self):
        raise RuntimeError

    __str__ = __len__ = __iter__ = __float__ = __bool__ = __repr__


#: Made when the test runs: pytest itself would stumble over some of them.
JUNK = {
    "contrary": Contrary,
    "an object": object,
    "bytes": lambda: b"x",
    "NaN": lambda: float("nan"),
    "a dict": dict,
    "a list of lists": lambda: [[]],
    "zero": int,
    "a number of 400 digits": lambda: 10**400,
    "a number that Python does not print": lambda: 10**5000,
    "NUL": lambda: "\0",
    "lines": lambda: "a\nb\r\nc\u2028d",
    "half a surrogate": lambda: "\ud800",
    "a megabyte": lambda: "x" * 1_000_000,
}


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("junk", JUNK)
def test_a_status_is_never_empty_and_never_an_error(node, position, junk):
    arguments = ["aria", PATIENT, "WL", "portal"]
    arguments[position] = JUNK[junk]()
    assert_one_short_line(fetch_status(*arguments, utils=JUNK[junk]()))


@pytest.mark.parametrize(
    "option", ["date", "count", "machine", "course", "select", "kv", "max_age", "deadline"]
)
@pytest.mark.parametrize("junk", JUNK)
def test_a_status_takes_any_option(node, option, junk):
    assert_one_short_line(fetch_status("aria", PATIENT, "WL", **{option: JUNK[junk]()}))


def assert_one_short_line(status):
    assert status.strip()
    assert not status.startswith("Unexpected")
    assert len(status.splitlines()) == 1
    assert len(status) <= 500


# --- the tooltip ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "values", "kind"),
    [
        ({}, {"rtplanname": "DAILY"}, "PlanNotFoundError"),
        ({}, {"rtplanname": "PF"}, "ImagesNotFoundError"),
        ({}, {"patientid": "12345"}, "PatientNotAllowedError"),
        ({}, {"patientid": 5}, "RequestError"),
        ({"abort_after": 0}, {}, "IncompleteRetrievalError"),
        ({"refused_keys": frozenset({"PatientID"})}, {}, "QueryError"),
    ],
)
def test_the_last_line_of_a_tooltip_is_the_whole_message(serve, page, behaviour, values, kind):
    serve_everything(serve, **behaviour)
    opened = page(f"result = {FETCH}.summary")
    opened.values.update({"patientid": PATIENT, "rtplanname": "WL", **values})
    shown = opened.recalculate().tooltips["composite"]
    message = Retrieval.objects.get().message
    assert shown.splitlines()[-1] == f"qatrack_aria.errors.{kind}: {message}"


def test_a_tooltip_shows_the_line_of_the_procedure_and_one_of_ours(serve, page):
    serve_everything(serve)
    shown = page(f"result = {FETCH}").fill(patientid=PATIENT, rtplanname="XX").tooltips["composite"]
    assert shown.startswith('Invalid Test Procedure: composite", line 2, in composite\n')
    assert shown.count("File ") == 1


def test_an_image_set_as_result_is_refused_as_json(serve, page):
    serve_everything(serve)
    opened = page(f"result = {FETCH}").fill(patientid=PATIENT, rtplanname="WL")
    assert "ImageSet is not JSON serializable" in opened.tooltips["composite"]


def test_the_tooltip_of_a_composite_that_needs_a_failed_one_is_empty(serve, page):
    serve_everything(serve)
    opened = page(
        {
            "images_summary": HEAD + f"result = {FETCH}.summary",
            "again": HEAD + "result = len(images_from(images_summary, utils=UTILS))",
        }
    ).fill(patientid=PATIENT, rtplanname="XX")
    assert opened.tooltips.keys() == {"images_summary"}
