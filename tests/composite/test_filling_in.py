"""A test list is filled in field by field, and QATrack+ computes its composites every time."""

from __future__ import annotations

import pytest

from qatrack_aria.models import Retrieval
from tests.helpers.aria import DAY, NOON, PATIENT, plan, winston_lutz
from tests.helpers.standin.fixtures import FETCH, HEAD, THREE

FIELDS = [f"field_{number}" for number in range(8)]
FILLED = {"patientid": PATIENT, "rtplanname": "WL"}


@pytest.fixture
def aria(serve):
    """A simulated ARIA with last week's Winston-Lutz images."""
    wl = plan()
    simulator = serve(wl, winston_lutz(wl, NOON - 7 * DAY))
    simulator.wl = wl
    return simulator


def kinds(simulator):
    """How often each kind of operation was done."""
    done = [operation.kind for operation in simulator.log]
    return {kind: done.count(kind) for kind in sorted(set(done))}


def test_ten_fields_and_three_composites_move_each_image_once(aria, page):
    opened = page(THREE, *FIELDS).fill(**FILLED)
    after_the_first_answer = kinds(aria)
    opened.fill(**dict.fromkeys(FIELDS, "1.0"))
    assert kinds(aria) == after_the_first_answer
    assert (after_the_first_answer["C-MOVE"], after_the_first_answer["C-STORE"]) == (1, 8)
    # Images of the last days, where there are none, with all return keys and with fewer; those of
    # the plan; whether the node counts; and those of a fetch (test_number_of_queries).
    assert after_the_first_answer["C-FIND"] == 14
    assert opened.screen["images_count"] == 8


def test_all_of_that_is_one_retrieval_with_repeats(aria, page):
    page(THREE, *FIELDS).fill(**FILLED, **dict.fromkeys(FIELDS, "1.0"))
    row = Retrieval.objects.get()
    assert (row.status, row.moved) == ("done", 8)
    # Nine requests of three composites, of which the very first was no repeat.
    assert row.repeats == 9 * 3 - 1


def test_the_row_names_user_unit_and_list(aria, page):
    page(THREE).fill(**FILLED)
    row = Retrieval.objects.get()
    assert (row.user, row.unit, row.test_list) == ("physicist", "TB1", "Monthly")


def test_composites_that_ask_for_different_counts_still_move_each_image_once(aria, page):
    counted = HEAD + f"result = len({FETCH.replace(')', ', count=4)')})"
    page({**THREE, "counted": counted}).fill(**FILLED)
    assert kinds(aria)["C-STORE"] == 8


def test_images_irradiated_meanwhile_are_seen_once_the_answer_is_a_minute_old(aria, page, clock):
    opened = page(THREE).fill(**FILLED)
    aria.add(winston_lutz(aria.wl, NOON, count=5))
    clock.now += 59
    assert opened.recalculate().screen["images_count"] == 8
    clock.now += 2
    assert opened.recalculate().screen["images_count"] == 5


def test_images_irradiated_meanwhile_are_seen_at_once_without_max_age(aria, page, clock):
    fresh = f"result = len({FETCH.replace(')', ', max_age=0)')})"
    opened = page(fresh).fill(**FILLED)
    aria.add(winston_lutz(aria.wl, NOON, count=5))
    assert opened.recalculate().screen["composite"] == 5


def test_the_images_of_the_last_answer_are_not_moved_again_with_the_new_ones(aria, page, clock):
    opened = page(f"result = len({FETCH.replace(')', ', select=chr(97) + chr(108) * 2)')})")
    opened.fill(**FILLED)
    aria.add(winston_lutz(aria.wl, NOON, count=5))
    clock.now += 61
    assert opened.recalculate().screen["composite"] == 13
    assert kinds(aria)["C-STORE"] == 13


def test_three_composites_wait_once_for_a_failure(aria, page, clock):
    opened = page(THREE).fill(patientid=PATIENT, rtplanname="PF")
    asked = kinds(aria)
    opened.recalculate()
    assert kinds(aria) == asked
    assert {"C-FIND"} == asked.keys()
    assert Retrieval.objects.get().repeats == 5


def test_a_plan_that_was_missing_is_seen_after_seconds(aria, page, clock):
    opened = page(THREE).fill(patientid=PATIENT, rtplanname="PF")
    pf = plan("PF")
    aria.add([pf, *winston_lutz(pf, NOON, count=3)])
    clock.now += 6
    assert opened.recalculate().screen["images_count"] == 3


def test_a_corrected_field_is_answered_at_once(aria, page):
    opened = page(THREE).fill(patientid=PATIENT, rtplanname="PF")
    assert opened.fill(rtplanname="WL").screen["images_count"] == 8
    assert opened.tooltips == {}


def test_two_lists_on_two_screens_share_an_answer(aria, page):
    page(THREE).fill(**FILLED)
    asked = kinds(aria)
    page(THREE).fill(**FILLED)
    assert kinds(aria) == asked


def test_a_list_that_is_just_opened_asks_for_nothing(aria, page):
    page(THREE, *FIELDS).fill(**dict.fromkeys(FIELDS, "1.0"))
    assert aria.log == []
    assert not Retrieval.objects.exists()


# --- local site code --------------------------------------------------------------------------


def test_local_site_code_gives_the_same_functions_without_an_import(aria, page, settings):
    settings.LOCAL_SITE_CODE_FUNCTION_MODULES = ("qatrack_aria.composite",)
    arguments = FETCH.replace("fetch_images", "")
    opened = page(
        {
            "count": f"result = len(LSC.fetch_images{arguments})",
            "status": f"result = LSC.fetch_status{arguments}",
            "summary": f"result = LOCAL_SITE_CODE.fetch_images{arguments}.summary",
            "again": "result = len(LSC.images_from(summary, utils=UTILS))",
        }
    ).fill(**FILLED)
    assert opened.tooltips == {}
    assert (opened.screen["count"], opened.screen["again"]) == (8, 8)
    assert opened.screen["status"].startswith("8 images of plan 'WL'")


def test_an_error_of_local_site_code_ends_with_its_message(aria, page, settings):
    settings.LOCAL_SITE_CODE_FUNCTION_MODULES = ("qatrack_aria.composite",)
    opened = page("result = LSC.fetch_images('arai', patientid, rtplanname)").fill(**FILLED)
    assert "did you mean 'aria'?" in opened.tooltips["composite"].splitlines()[-1]
