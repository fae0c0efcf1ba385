"""The judge knows what the README promises: hospitals small enough to be judged by hand."""

from __future__ import annotations

import datetime as dt

import pytest

from tools.hospitals.judge import Now

from .worlds import DAY, both_plans, due, error, image, plan, sets, uids

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR")

AMBIGUOUS = "AmbiguousImagesError"
WL = plan()
MORNING = [image(WL, f"07:{minute}") for minute in (30, 31, 32)]
FEBRUARY = [image(WL, f"07:{minute}", series="9", day=-30) for minute in (30, 31)]
FRIDAY = DAY.date()


def test_the_newest_session_is_what_is_meant():
    assert due([WL, *FEBRUARY, *MORNING]) == sets(MORNING)


@pytest.mark.parametrize(
    ("changes", "kv"),
    [
        ({"PrimaryDosimeterUnit": "MINUTE", "KVP": "75"}, "only"),
        ({"PrimaryDosimeterUnit": None, "KVP": "6"}, False),
        ({"PrimaryDosimeterUnit": None, "ExposureSequence": None}, False),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "Portal", ""]}, False),
        ({"RadiationMachineName": "", "StationName": "TB1"}, False),
        ({"AcquisitionDate": "2026.03.02", "AcquisitionTime": "07:33:00"}, False),
        ({"AcquisitionTime": "073300.1234567"}, False),
        ({"AcquisitionDate": None, "AcquisitionTime": None}, False),
        ({"ContentDate": None, "ContentTime": None}, False),
        ({"AcquisitionTime": "093300"}, False),  # of saving; the content is of 07:33
    ],
)
def test_an_image_belongs_whatever_its_imager_writes(changes, kv):
    odd = image(WL, "07:33", **changes)
    expected = sets([odd]) if kv else sets([*MORNING, odd])
    assert due([WL, *MORNING, odd], machine="TB1", kv=kv) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"PatientID": "QA_TB2"},
        {"ImageType": ["ORIGINAL", "PRIMARY", "PORTAL", "ACQUIRED_DOSE"]},
        {"PrimaryDosimeterUnit": "MINUTE", "KVP": "75"},
        {"RadiationMachineName": "TB2"},
        {"ReferencedRTPlanSequence": []},
    ],
)
def test_an_image_that_does_not_match_is_left_out(changes):
    other = image(WL, "07:33", **changes)
    assert due([WL, *MORNING, other], machine="TB1") == sets(MORNING)


def test_the_second_plan_of_an_image_counts_too():
    other = plan("PF")
    shared = both_plans(image(WL, "07:33"), other, WL)
    assert due([WL, other, *MORNING, shared]) == sets([*MORNING, shared])


def test_a_session_in_two_series_is_ambiguous_unless_something_decides():
    last = image(WL, "07:33", series="2")
    world = [WL, *MORNING, last]
    assert due(world) == error(AMBIGUOUS)
    assert due(world, select="session") == sets([*MORNING, last])
    assert due(world, select="series") == sets([last])
    assert due(world, count=4) == sets([*MORNING, last])
    assert due(world, count=1) == sets([last])
    assert due(world, count=2) == error(AMBIGUOUS, "TooFewImagesError")


def test_two_sessions_in_a_series_are_ambiguous_unless_something_decides():
    later = [image(WL, "07:30", day=7)]
    world = [WL, *MORNING, *later]
    assert due(world) == error(AMBIGUOUS)
    assert due(world, select="session") == sets(later)
    assert due(world, select="series") == sets([*MORNING, *later])
    assert due(world, select="day") == sets(later)


@pytest.mark.parametrize(("minute", "number"), [("02", 4), ("03", 1)])
def test_images_of_a_session_are_half_an_hour_apart_at_most(minute, number):
    last = image(WL, f"08:{minute}", series="2")
    assert due([WL, *MORNING, last], select="session") == sets([*MORNING, last][-number:])


def test_a_session_that_midnight_cuts_is_ambiguous_by_its_day():
    night = [image(WL, "23:58"), image(WL, "23:59"), image(WL, "00:01", day=1)]
    assert due([WL, *night]) == sets(night)
    assert due([WL, *night], select="day") == error(AMBIGUOUS)
    assert due([WL, *night], date=FRIDAY) == error(AMBIGUOUS)
    assert due([WL, *night], select="session", date=FRIDAY).sets == sets(night).sets


def test_the_count_is_a_least_number_or_a_range():
    world = [WL, *MORNING]
    assert due(world, count=2) == due(world, count=(1, 3)) == due(world, count=(3, 3))
    assert due(world, count=4) == error("TooFewImagesError")
    assert due(world, count=(1, 2)).is_error


def test_a_day_without_a_time_is_ambiguous_unless_it_cannot_matter():
    odd = image(WL, "07:33", AcquisitionTime="", ContentTime="")
    assert due([WL, *MORNING, odd]) == error(AMBIGUOUS)
    assert due([WL, *MORNING, odd], select="day") == sets([*MORNING, odd])
    assert due([WL, *MORNING, odd], date=dt.date(2026, 1, 31), select="all").is_error
    later = image(WL, "07:30", series="2", day=3)
    assert due([WL, *MORNING, odd, later]) == sets([later])


def test_an_undated_image_is_ambiguous_unless_all_are_wanted():
    odd = image(WL, "07:33", AcquisitionDate="", ContentDate="")
    assert due([WL, *MORNING, odd]) == error(AMBIGUOUS)
    assert due([WL, *MORNING, odd], select="day") == error(AMBIGUOUS)
    assert due([WL, *MORNING, odd], select="all") == sets([*MORNING, odd])


def test_midnight_at_the_end_of_the_day_may_be_read_in_two_ways():
    odd = image(WL, "07:33", AcquisitionTime="240000", ContentTime="240000")
    assert not due([WL, odd]).is_error
    assert not due([WL, *MORNING, odd], select="series").is_error


@pytest.mark.parametrize(
    "changes",
    [
        {"PrimaryDosimeterUnit": "MINUTE", "KVP": "", "RTImageDescription": " 18MV, 240MU/min"},
        {"KVP": "75"},
    ],
)
def test_an_image_that_contradicts_itself_is_an_error_unless_it_cannot_matter(changes):
    odd = image(WL, "07:33", **changes)
    assert due([WL, *MORNING, odd]) == error(AMBIGUOUS)
    assert due([WL, *MORNING, odd], kv=True) == sets([*MORNING, odd])
    assert uids(MORNING) in due([WL, *MORNING, odd], count=(3, 3)).sets
    later = image(WL, "07:30", series="2", day=3)
    assert due([WL, *MORNING, odd, later]) == sets([later])


def test_plans_of_one_label_are_ambiguous_unless_something_decides():
    first, second = plan(course="C1"), plan("WL ", course="C2")
    mine = [image(first, "07:30"), image(first, "07:31")]
    others = [image(second, "07:40", series="2", RadiationMachineName="TB2")]
    world = [first, second, *mine, *others]
    assert due(world) == error("AmbiguousPlanError")
    assert due(world, course="C1") == sets(mine)
    assert due(world, machine="TB2") == sets(others)
    assert due(world, str(first.SOPInstanceUID)) == sets(mine)


def test_labels_compare_after_normalisation():
    composed = plan("W\u00f6")
    one = image(composed, "07:30")
    assert due([composed, one], "Wo\u0308") == sets([one])


def test_what_is_not_there_is_an_error():
    assert due([WL, *MORNING], "PF") == error("PlanNotFoundError")
    assert due([WL, *MORNING], date=dt.date(2026, 1, 1)) == error("ImagesNotFoundError")
    assert due([WL, *MORNING], kv="only") == error("ImagesNotFoundError")


def test_a_session_under_way_is_no_set_unless_it_is_as_large_as_asked():
    def at(seconds: int) -> Now:
        moment = DAY + dt.timedelta(hours=7, minutes=32, seconds=seconds)
        return Now(moment, moment + dt.timedelta(seconds=1))

    world = [WL, *MORNING]
    assert due(world, now=at(20)).is_error
    assert due(world, now=at(170)).is_error
    assert due(world, now=at(190)) == sets(MORNING)
    assert due(world, now=at(20), select="day").is_error
    assert due(world, now=at(20), count=3) == sets(MORNING)
    assert due(world, now=at(20), unfinished=True) == sets(MORNING)
