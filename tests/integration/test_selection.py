"""The right images are fetched, whatever lies beside them."""

from __future__ import annotations

import datetime as dt

import pytest

from qatrack_aria import fetch_images
from qatrack_aria.errors import (
    AmbiguousImagesError,
    AmbiguousPlanError,
    ImagesNotFoundError,
    PlanNotFoundError,
    TooFewImagesError,
)
from qatrack_aria.simulator import phantom
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz


def test_the_newest_session_comes_whole_and_nothing_else(serve):
    wl = plan()
    today, last_week = winston_lutz(wl), winston_lutz(wl, NOON - 7 * DAY)
    serve(wl, last_week, today)
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(today)


def test_images_of_another_plan_inside_the_newest_series_are_left_behind(serve):
    wl, other = plan(), plan("PF")
    mine, other_patients = (
        winston_lutz(wl),
        winston_lutz(other, NOON + dt.timedelta(minutes=5), count=3),
    )
    for image in other_patients:
        image.SeriesInstanceUID = mine[0].SeriesInstanceUID
        image.StudyInstanceUID = mine[0].StudyInstanceUID
    serve(wl, other, mine, other_patients)
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(mine)


def test_a_kv_image_in_the_series_is_left_behind(serve):
    wl = plan()
    mine = winston_lutz(wl)
    serve(wl, mine, phantom.kv(wl, NOON + dt.timedelta(minutes=1), like=mine[0]))
    images = fetch_images("aria", PATIENT, "WL")
    assert uids(images) == uids(mine)
    assert "kV" in images.status


def test_kv_images_come_too_when_asked_for(serve):
    wl = plan()
    mine = winston_lutz(wl)
    kv = phantom.kv(wl, NOON + dt.timedelta(minutes=1), like=mine[0])
    serve(wl, mine, kv)
    assert uids(fetch_images("aria", PATIENT, "WL", kv=True)) == uids(mine + kv)


def test_portal_dose_images_are_an_image_type_of_their_own(serve):
    pd = plan("PD")
    dose, portal = phantom.portal_dose(pd, NOON - DAY), winston_lutz(pd, NOON)
    serve(pd, dose, portal)
    assert uids(fetch_images("aria", PATIENT, "PD", "portal_dose")) == uids(dose)


def test_the_images_of_a_day_are_found_under_its_date(serve):
    wl = plan()
    today, last_week = winston_lutz(wl), winston_lutz(wl, NOON - 7 * DAY)
    serve(wl, last_week, today)
    day = (NOON - 7 * DAY).date()
    for date in (day, day.isoformat(), day.strftime("%d %b %Y")):
        assert uids(fetch_images("aria", PATIENT, "WL", date=date)) == uids(last_week)


def test_newest_is_by_acquisition_and_not_by_the_dates_of_filing(serve):
    wl = plan()
    today, yesterday = winston_lutz(wl), winston_lutz(wl, NOON - DAY)
    for image in yesterday:  # exported again today
        image.InstanceCreationDate = image.SeriesDate = image.StudyDate = "20991231"
    serve(wl, yesterday, today)
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(today)


def test_todays_images_without_an_acquisition_date_beat_yesterdays(serve):
    wl = plan()
    today, yesterday = winston_lutz(wl, machine_type="ias3"), winston_lutz(wl, NOON - DAY)
    serve(wl, yesterday, today)
    images = fetch_images("aria", PATIENT, "WL")
    assert uids(images) == uids(today)
    assert images.acquired.date() == NOON.date()


def test_todays_images_without_a_content_date_beat_yesterdays(serve):
    wl = plan()
    today, yesterday = winston_lutz(wl), winston_lutz(wl, NOON - DAY)
    for image in today:
        del image.ContentDate, image.ContentTime
    serve(wl, yesterday, today)
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(today)


@pytest.mark.parametrize("days", [0, 13, 20, 100, 1000])
def test_the_newest_images_are_found_however_old_they_are(serve, days):
    wl = plan()
    images = winston_lutz(wl, NOON - days * DAY)
    serve(wl, images, winston_lutz(wl, NOON - (days + 1) * DAY))
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(images)


def test_a_session_that_the_searched_days_cut_in_two_comes_whole(serve):
    """Its first images are of the day before the first day that is searched."""
    wl = plan()
    midnight = NOON - 14.5 * DAY
    images = winston_lutz(wl, midnight - dt.timedelta(minutes=2))
    serve(wl, images)
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(images)


def test_a_series_that_goes_back_beyond_the_searched_days_comes_whole(serve):
    """Images of last week and of yesterday were filed in one series."""
    wl = plan()
    last_week, yesterday = winston_lutz(wl, NOON - 7 * DAY), winston_lutz(wl, NOON - DAY)
    for image in yesterday:
        image.SeriesInstanceUID = last_week[0].SeriesInstanceUID
        image.StudyInstanceUID = last_week[0].StudyInstanceUID
    serve(wl, last_week, yesterday)
    whole = fetch_images("aria", PATIENT, "WL", select="series")
    assert uids(whole) == uids(last_week + yesterday)
    assert uids(fetch_images("aria", PATIENT, "WL", select="session")) == uids(yesterday)


def test_halcyon_plans_are_of_a_private_class_and_are_found(serve):
    wl = plan(sop_class="1.2.246.352.70.1.70")
    images = winston_lutz(wl)
    serve(wl, images)
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(images)


@pytest.mark.parametrize("label", ["Winston-Lutz 16", "WL "])
def test_long_and_padded_labels_are_matched_here(serve, label):
    wl = plan(label)
    images = winston_lutz(wl)
    serve(wl, plan("OTHER"), images, exact_label_limit=12)
    assert uids(fetch_images("aria", PATIENT, label)) == uids(images)


def test_a_patient_id_that_is_too_long_for_an_exact_match_is_found_by_its_beginning(serve):
    patient = "QA_MACHINE_NUMBER_1"
    wl, other = plan(patient=patient), plan(patient=patient + "2")
    images = winston_lutz(wl)
    serve(wl, other, images, winston_lutz(other), exact_patient_limit=16)
    assert uids(fetch_images("aria", patient, "WL")) == uids(images)


# --- more than one answer ---------------------------------------------------------------------


@pytest.fixture
def twins(serve):
    """Two plans of one label, in two courses and for two machines."""
    first, second = plan(course="C1", machine="TB1"), plan(course="C2", machine="TB2")
    images = [winston_lutz(first), winston_lutz(second, NOON + dt.timedelta(hours=1))]
    serve(first, second, *images)
    return first, second, images


def test_a_label_on_two_plans_is_an_error_that_lists_them(twins):
    with pytest.raises(AmbiguousPlanError) as error:
        fetch_images("aria", PATIENT, "WL")
    for shown in ("C1", "C2", (NOON - 30 * DAY).date().isoformat(), "course="):
        assert shown in str(error.value)


def test_the_course_distinguishes_plans_of_one_label(twins):
    assert uids(fetch_images("aria", PATIENT, "WL", course="C1")) == uids(twins[2][0])


def test_the_machine_distinguishes_plans_of_one_label(twins):
    assert uids(fetch_images("aria", PATIENT, "WL", machine="TB1")) == uids(twins[2][0])


@pytest.mark.parametrize(("machine", "number"), [("TB1", 0), ("TB2", 1)])
def test_the_plan_is_that_of_the_images_of_the_machine(twins, machine, number):
    images = fetch_images("aria", PATIENT, "WL", machine=machine)
    assert images.plan.sop_uid == twins[number].SOPInstanceUID


def test_the_plans_uid_distinguishes_plans_of_one_label(twins):
    uid = str(twins[0].SOPInstanceUID)
    assert uids(fetch_images("aria", PATIENT, uid)) == uids(twins[2][0])


def test_two_plans_on_one_machine_stay_ambiguous(serve):
    first, second = plan(course="C1"), plan(course="C2")
    minute = dt.timedelta(minutes=1)
    serve(first, second, winston_lutz(first), winston_lutz(second, NOON + minute))
    machine = str(winston_lutz(first, count=1)[0].RadiationMachineName)
    with pytest.raises(AmbiguousPlanError):
        fetch_images("aria", PATIENT, "WL", machine=machine, select="day")


def test_a_course_without_the_plan_is_named(twins):
    with pytest.raises(PlanNotFoundError, match="in course 'C1', 'C2', not in 'C3'"):
        fetch_images("aria", PATIENT, "WL", course="C3")


# --- how many ---------------------------------------------------------------------------------


def test_a_set_of_one_image_series_is_not_taken_for_its_last_image(serve):
    wl = plan()
    serve(wl, winston_lutz(wl, series_per_image=True))
    with pytest.raises(AmbiguousImagesError, match="select='day'"):
        fetch_images("aria", PATIENT, "WL")


def test_select_day_takes_all_series_of_the_newest_day(serve):
    wl = plan()
    images = winston_lutz(wl, series_per_image=True)
    serve(wl, images, winston_lutz(wl, NOON - DAY))
    assert uids(fetch_images("aria", PATIENT, "WL", select="day")) == uids(images)


@pytest.mark.parametrize("relational", [True, False])
def test_one_series_can_be_asked_for_however_old(serve, relational):
    wl = plan()
    old = winston_lutz(wl, NOON - 400 * DAY)
    others = [winston_lutz(wl, NOON - days * DAY) for days in (0, 3)]
    serve(wl, old, *others, relational=relational)
    fetched = fetch_images("aria", PATIENT, "WL", series=str(old[0].SeriesInstanceUID), count=8)
    assert uids(fetched) == uids(old)


def test_a_series_of_another_plan_is_not_handed_over(serve):
    wl, other = plan(), plan("OTHER")
    strange = winston_lutz(other)
    serve(wl, winston_lutz(wl), other, strange)
    with pytest.raises(ImagesNotFoundError, match="none of which references this plan"):
        fetch_images("aria", PATIENT, "WL", series=str(strange[0].SeriesInstanceUID))


@pytest.mark.parametrize("relational", [True, False])
def test_a_series_that_the_node_does_not_have_is_named(serve, relational):
    wl = plan()
    serve(wl, winston_lutz(wl), relational=relational)
    with pytest.raises(ImagesNotFoundError, match=r"lists no RT Image in series 1\.2\.3"):
        fetch_images("aria", PATIENT, "WL", series="1.2.3")


def test_kv_images_alone_can_be_asked_for(serve):
    wl = plan()
    images = winston_lutz(wl)
    setup = phantom.kv(wl, NOON + DAY / 100, full_size=False, like=images[0])
    serve(wl, images, setup)
    assert uids(fetch_images("aria", PATIENT, "WL", kv="only")) == uids(setup)


def test_select_series_takes_the_newest_image_alone_when_asked_to(serve):
    pf = plan("PF")
    first, second = phantom.picket_fence(pf, NOON), phantom.picket_fence(pf, NOON + DAY / 100)
    serve(pf, first, second)
    assert uids(fetch_images("aria", PATIENT, "PF", select="series")) == uids(second)


def test_select_all_takes_every_image_of_the_plan(serve):
    wl = plan()
    images = winston_lutz(wl) + winston_lutz(wl, NOON - 400 * DAY)
    serve(wl, images)
    assert uids(fetch_images("aria", PATIENT, "WL", select="all")) == uids(images)


def test_fewer_images_than_counted_on_are_an_error(serve):
    wl = plan()
    sim = serve(wl, winston_lutz(wl, count=7))
    with pytest.raises(TooFewImagesError, match=r"7 images .* you asked for at least 8"):
        fetch_images("aria", PATIENT, "WL", count=8)
    assert sim.operations("C-MOVE") == []


# --- nothing to find --------------------------------------------------------------------------


def test_a_misspelt_label_is_answered_with_the_labels_that_are_there(serve):
    serve(plan("WL"), plan("PF"))
    with pytest.raises(PlanNotFoundError, match="it lists 'PF', 'WL'"):
        fetch_images("aria", PATIENT, "WLX")


def test_images_of_another_type_are_counted_in_the_message(serve):
    pd = plan("PD")
    dose = phantom.portal_dose(pd, NOON)
    serve(pd, dose)
    with pytest.raises(ImagesNotFoundError) as error:
        fetch_images("aria", PATIENT, "PD")
    expected = rf"{len(dose)} images of {NOON.date()} reference this plan, all {len(dose)} are "
    assert expected + r"PORTAL\ACQUIRED_DOSE; you asked for PORTAL" in str(error.value)


def test_a_plan_that_nobody_irradiated_yet_has_no_images(serve):
    serve(plan())
    with pytest.raises(ImagesNotFoundError, match="lists no RT Image"):
        fetch_images("aria", PATIENT, "WL")


def test_a_machine_that_took_no_images_names_those_that_did(serve):
    wl = plan(machine="TB1")
    serve(wl, winston_lutz(wl))
    with pytest.raises(ImagesNotFoundError, match="of machine TB1; you asked for PORTAL on TB9"):
        fetch_images("aria", PATIENT, "WL", machine="TB9")
