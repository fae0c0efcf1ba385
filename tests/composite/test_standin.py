"""The stand-in behaves to a composite as QATrack+ does."""

from __future__ import annotations

import datetime as dt

import pydicom
import pytest
from django.utils import timezone

pytestmark = pytest.mark.django_db


def test_composites_are_computed_after_those_they_name(page):
    opened = page({"a_sum": "a_sum = b + c", "b": "b = c + 1", "c": "result = 1"})
    assert opened.screen == {"a_sum": 3, "b": 2, "c": 1}


def test_a_circle_of_composites_is_an_error(page):
    opened = page({"a": "a = b", "b": "b = a", "c": "c = 1"})
    assert opened.tooltips == dict.fromkeys("ab", "Cyclic test dependency")
    assert opened.screen["c"] == 1


def test_a_later_composite_gets_the_very_object(page):
    opened = page({"a": "result = {'x': 1}", "b": "a['x'] = 2\nresult = a"})
    assert opened.screen["a"] == {"x": 2}


def test_names_that_a_procedure_makes_are_gone_for_the_next(page):
    opened = page({"a": "result = secret = 1", "b": "a\nresult = 'secret' in globals()"})
    assert opened.screen["b"] is False


def test_the_browser_posts_null_for_a_composite(page):
    opened = page({"a": "result = a"})
    opened.screen["a"] = "typed by a liar"
    assert "NameError" in opened.recalculate().tooltips["a"]


def test_an_error_is_not_shown_while_a_test_that_is_named_is_empty(page):
    opened = page("result = patientid / 2")
    assert opened.tooltips == {}
    assert "TypeError" in opened.fill(patientid="QA_TB1").tooltips["composite"]


def test_a_failure_is_not_shown_again_by_the_composite_that_needs_it(page):
    opened = page({"a": "result = 1 / 0", "b": "result = a + 1"})
    assert opened.tooltips.keys() == {"a"}


def test_the_tooltip_holds_a_few_frames_and_the_last_exception_alone(page):
    code = (
        "def deeper(n):\n"
        "    return deeper(n - 1) if n else 1 / 0\n"
        "try:\n"
        "    deeper(20)\n"
        "except ZeroDivisionError as error:\n"
        "    raise ValueError('oops') from error\n"
    )
    shown = page(code).tooltips["composite"]
    assert shown.splitlines()[-1] == "ValueError: oops"
    assert "ZeroDivisionError: " not in shown
    assert shown.count("File ") <= 5
    assert shown.startswith('Invalid Test Procedure: composite", line 7, in composite\n')


@pytest.mark.parametrize("result", ["b'x'", "pathlib.Path('/')", "Plain()"])
def test_what_is_not_json_is_an_error_of_that_composite_alone(page, result):
    code = "import pathlib\nclass Plain: pass\nresult = " + result
    opened = page({"a": code, "b": "result = 1"})
    assert "JSON serializable" in opened.tooltips["a"]
    assert "File " not in opened.tooltips["a"]
    assert opened.screen == {"a": None, "b": 1}


@pytest.mark.parametrize(
    ("result", "read"),
    [
        ("numpy.float32(0.5)", 0.5),
        ("numpy.arange(3)", [0, 1, 2]),
        ("{1}", [1]),
        ("META['work_started']", "02 Nov 2026 08:30:00"),
    ],
)
def test_numbers_arrays_and_dates_are_sent(page, result, read):
    pytest.importorskip("numpy")
    opened = page("result = " + result, work_started="2 Nov 2026 08:30")
    assert opened.screen["composite"] == read


def test_a_uid_is_sent(page):
    opened = page("result = pydicom.uid.ImplicitVRLittleEndian")
    assert opened.screen["composite"] == str(pydicom.uid.ImplicitVRLittleEndian)


def test_nan_leaves_the_old_values_of_all_composites_on_the_screen(page):
    opened = page({"a": "result = float(rtplanname)", "b": "result = patientid"})
    opened.fill(rtplanname="1", patientid="old").fill(rtplanname="nan", patientid="new")
    assert opened.replies[-1].status == 200
    assert opened.screen == {"a": 1.0, "b": "old"}
    assert opened.tooltips == {}


def test_infinity_is_shown(page):
    assert "result of 'inf'" in page("result = math.inf").tooltips["composite"]


def test_times_are_aware_or_as_they_were_posted(page):
    code = "result = [str(META[key]) for key in ('work_started', 'work_completed')]"
    opened = page(code, work_started="2026-01-15 08:30", work_completed="soon")
    assert opened.screen["composite"] == ["2026-01-15 08:30:00-05:00", "soon"]


def test_the_code_of_a_procedure_knows_its_macro_name(page):
    code = "import sys\nresult = sys._getframe().f_code.co_filename"
    assert page(code).screen["composite"] == "__QAT+COMP_composite"


def test_the_value_of_the_last_session_comes_as_the_text_that_was_saved(page):
    earlier = "result = UTILS.previous_test_instance('b').get_value()"
    opened = page({"a": earlier, "b": "result = {'x': 1}"}, work_started="2026-01-15 08:30")
    opened.submit(timezone.make_aware(dt.datetime(2026, 1, 14, 9)))
    assert opened.recalculate().screen["a"] == '{"x": 1}'


def test_only_the_page_of_default_values_has_no_composites(page):
    first, second = page("result = 1").replies
    assert "No Valid Composite" in first.text
    assert '"value": 1' in second.text
