"""Ways to a wrong or a partial set, each of which a plausible implementation falls into."""

from __future__ import annotations

import datetime as dt

import pytest
from pydicom.uid import generate_uid

from qatrack_aria import fetch_images
from qatrack_aria.errors import (
    AmbiguousImagesError,
    AmbiguousPlanError,
    AriaError,
    IncompleteRetrievalError,
    QueryError,
)
from qatrack_aria.retrieval import answer_cache
from qatrack_aria.simulator import find as simulated_find
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def answers_altered(monkeypatch):
    """Let the simulator's C-FIND answers be changed by a function of answer and identifier."""
    answer = simulated_find.find

    def install(change):
        def find(index, behaviour, identifier):
            for ds in answer(index, behaviour, identifier):
                changed = change(ds, identifier)
                if changed is not None:
                    yield changed

        monkeypatch.setattr(simulated_find, "find", find)

    return install


def set_of_two_series_of_one_day(earlier: str, later: str):
    wl = plan()
    first, second = winston_lutz(wl, NOON - 2 * HOUR), winston_lutz(wl, NOON)
    for image in first:
        image.SeriesInstanceUID = earlier
    for image in second:
        image.SeriesInstanceUID = later
    return wl, first, second


# --- which is the newest ----------------------------------------------------------------------


def test_a_server_that_returns_days_without_times_does_not_make_an_older_series_the_newest(serve):
    low, high = sorted([generate_uid(), generate_uid()])
    wl, first, second = set_of_two_series_of_one_day(earlier=high, later=low)
    serve(wl, first, second, unreturned_keys=frozenset({"AcquisitionTime"}))
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(second)


def test_images_without_an_acquisition_time_are_ranked_by_their_content_time(serve):
    low, high = sorted([generate_uid(), generate_uid()])
    wl, first, second = set_of_two_series_of_one_day(earlier=high, later=low)
    for image in second:
        del image.AcquisitionTime
    serve(wl, first, second)
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(second)


@pytest.mark.parametrize("how", ["refused_keys", "empty_keys"])
@pytest.mark.parametrize("key", ["ContentDate", "AcquisitionDate"])
def test_half_a_search_for_days_is_not_believed(serve, how, key):
    """Today's images have one of the two dates only, and the server does not search by that one."""
    wl = plan()
    today, yesterday = winston_lutz(wl), winston_lutz(wl, NOON - DAY)
    for image in today:
        other = "AcquisitionDate" if key == "ContentDate" else "ContentDate"
        delattr(image, other)
        delattr(image, other.replace("Date", "Time"))
    serve(wl, today, yesterday, **{how: frozenset({key})})
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(today)


# --- how many belong to it --------------------------------------------------------------------


def test_a_listing_of_the_series_that_was_cut_off_is_not_taken_for_the_whole(serve):
    wl = plan()
    images = winston_lutz(wl, NOON - 14 * DAY)
    for image in images[:3]:
        for keyword in ("AcquisitionDate", "ContentDate"):
            setattr(image, keyword, (NOON - 15 * DAY).strftime("%Y%m%d"))
    serve(wl, images, answer_limit=6)
    with pytest.raises(QueryError, match="limit"):
        fetch_images("aria", PATIENT, "WL")


def test_answers_without_a_uid_are_not_one_and_the_same(serve, answers_altered):
    wl = plan()
    images = winston_lutz(wl)
    nameless = set(uids(images[:2]))
    serve(wl, images)

    def change(ds, identifier):
        if ds.SOPInstanceUID in nameless:
            ds.SOPInstanceUID = ""
        return ds

    answers_altered(change)
    with pytest.raises(QueryError, match="where a UID belongs"):
        fetch_images("aria", PATIENT, "WL")


@pytest.mark.parametrize(("level", "keyword"), [("STUDY", "Study"), ("SERIES", "Series")])
def test_a_study_or_series_without_a_uid_may_hide_the_newest(
    serve, answers_altered, level, keyword
):
    wl = plan()
    today, yesterday = winston_lutz(wl), winston_lutz(wl, NOON - DAY)
    serve(wl, today, yesterday, relational=False)
    hidden = str(getattr(today[0], f"{keyword}InstanceUID"))

    def change(ds, identifier):
        if identifier.QueryRetrieveLevel == level and ds.get(f"{keyword}InstanceUID") == hidden:
            setattr(ds, f"{keyword}InstanceUID", "")
        return ds

    answers_altered(change)
    with pytest.raises(QueryError, match="cannot be listed"):
        fetch_images("aria", PATIENT, "WL")


def test_files_that_name_another_series_do_not_make_a_failed_set_complete(serve):
    wl = plan()
    images = winston_lutz(wl)
    another = generate_uid()

    def rename(ds):
        ds.SeriesInstanceUID = another
        return ds

    lost = frozenset({str(images[0].SOPInstanceUID)})
    serve(wl, images, on_send=rename, unmovable=lost)
    for _ in range(2):
        with pytest.raises(IncompleteRetrievalError):
            fetch_images("aria", PATIENT, "WL", max_age=0)


def test_one_image_series_on_both_sides_of_midnight_are_one_session(serve):
    wl = plan()
    midnight = dt.datetime.combine(NOON.date(), dt.time())
    images = winston_lutz(wl, midnight - dt.timedelta(minutes=2), series_per_image=True)
    serve(wl, images)
    with pytest.raises(AmbiguousImagesError, match="may belong together"):
        fetch_images("aria", PATIENT, "WL")


def test_other_series_of_the_same_hours_are_mentioned(serve):
    wl = plan()
    first, second = winston_lutz(wl, NOON - HOUR, count=6), winston_lutz(wl, NOON, count=2)
    serve(wl, first, second)
    images = fetch_images("aria", PATIENT, "WL")
    assert uids(images) == uids(second)
    assert "6 images more of this plan in 1 other series" in images.status


# --- of which plan ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "unreturned", [frozenset(), frozenset({"ReferencedRTPlanSequence"})], ids=len
)
def test_a_day_on_which_only_one_of_two_plans_was_irradiated_does_not_choose_it(serve, unreturned):
    """Both are of this machine, and the other one may be meant."""
    first, second = plan(course="C1", machine="TB1"), plan(course="C2", machine="TB1")
    older = winston_lutz(second, NOON - 5 * DAY, count=2)
    serve(
        first, second, winston_lutz(first, NOON - DAY, count=2), older, unreturned_keys=unreturned
    )
    with pytest.raises(AmbiguousPlanError):
        fetch_images("aria", PATIENT, "WL", machine="TB1", date=(NOON - DAY).date())
    fetched = fetch_images("aria", PATIENT, "WL", course="C2", date=(NOON - 5 * DAY).date())
    assert uids(fetched) == uids(older)


def test_the_machine_does_not_choose_between_two_plans_of_one_machine(serve):
    first, second = plan(course="C1", machine="TB1"), plan(course="C2", machine="TB1")
    serve(first, second, winston_lutz(first, NOON - 20 * DAY), winston_lutz(second))
    with pytest.raises(AmbiguousPlanError, match="C1"):
        fetch_images("aria", PATIENT, "WL", machine="TB1")


def test_a_label_that_differs_by_padding_only_is_the_same_label(serve):
    """An exact match on the server finds one of the two, and hides the other."""
    first, second = plan("WL", course="C1"), plan(" WL", course="C2")
    serve(first, second, winston_lutz(first), winston_lutz(second))
    with pytest.raises(AmbiguousPlanError):
        fetch_images("aria", PATIENT, "WL")


def test_an_image_that_was_corrected_in_aria_is_fetched_again(serve):
    """Its plan reference was wrong when it was fetched first, and is right now."""
    wl, wrong = plan(), plan("PF")
    images = winston_lutz(wl)
    for image in images[:3]:
        image.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID = wrong.SOPInstanceUID
    serve(wl, wrong, images)
    assert len(fetch_images("aria", PATIENT, "WL", select="all")) == 5
    assert len(fetch_images("aria", PATIENT, "PF", select="all")) == 3
    for image in images[:3]:
        image.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID = wl.SOPInstanceUID
    assert uids(fetch_images("aria", PATIENT, "WL", max_age=0)) == uids(images)


# --- nobody else's business -------------------------------------------------------------------


def test_no_query_is_ever_sent_without_a_key(serve, answers_altered):
    """It would list the whole server, other patients included."""
    wl = plan()
    sim = serve(wl, winston_lutz(wl))

    def change(ds, identifier):
        ds.StudyInstanceUID = ds.SeriesInstanceUID = ""
        return ds

    answers_altered(change)
    with pytest.raises(QueryError):
        fetch_images("aria", PATIENT, "WL")
    for query in sim.operations("C-FIND"):
        valued = {keyword for keyword, value in query.identifier.items() if value}
        assert valued - {"QueryRetrieveLevel"}


def test_answers_to_a_wildcard_that_name_no_patient_are_not_taken_for_ours(serve):
    patient = "QA_MACHINE_NUMBER_1"
    wl, other = plan(patient=patient), plan(patient=patient + "2")
    serve(
        wl,
        other,
        winston_lutz(other),
        exact_patient_limit=16,
        unreturned_keys=frozenset({"PatientID"}),
    )
    with pytest.raises(AriaError):
        fetch_images("aria", patient, "WL")


# --- the session ------------------------------------------------------------------------------


class Utils:
    """QATrack+'s UTILS, as far as it matters: META comes from the browser."""

    def __init__(self, work_completed) -> None:
        self.meta = {"work_completed": work_completed}


def aware(moment: dt.datetime) -> dt.datetime:
    from django.utils import timezone

    return timezone.make_aware(moment)


def test_an_old_list_brings_the_images_of_its_session(serve):
    wl = plan()
    today, last_month = winston_lutz(wl), winston_lutz(wl, NOON - 30 * DAY)
    serve(wl, last_month, today)
    old = Utils(aware(NOON - 30 * DAY + HOUR))
    assert uids(fetch_images("aria", PATIENT, "WL", utils=old)) == uids(last_month)


def test_a_session_ends_with_its_minute(serve):
    """QATrack+ posts whole minutes; the last image was taken in that minute."""
    wl = plan()
    images = winston_lutz(wl, NOON)
    serve(wl, images)
    last = max(str(image.AcquisitionTime) for image in images)
    end = dt.datetime.combine(NOON.date(), dt.time(int(last[:2]), int(last[2:4])))
    assert uids(fetch_images("aria", PATIENT, "WL", utils=Utils(aware(end)))) == uids(images)


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_session_under_way_brings_the_newest(serve, nothing):
    wl = plan()
    today = winston_lutz(wl)
    serve(wl, today, winston_lutz(wl, NOON - DAY))
    assert uids(fetch_images("aria", PATIENT, "WL", utils=Utils(nothing))) == uids(today)


@pytest.mark.parametrize("lie", ["<b>now</b>", ["2026-11-22"], "x" * 10_000_000, 5, {"a": 1}])
def test_an_end_of_the_session_that_is_none_is_an_error(serve, lie):
    sim = serve(plan())
    with pytest.raises(AriaError, match="not a date and time"):
        fetch_images("aria", PATIENT, "WL", utils=Utils(lie))
    assert sim.log == []


# --- repeats ----------------------------------------------------------------------------------


def test_the_same_asked_again_needs_no_network(serve):
    wl = plan()
    sim = serve(wl, winston_lutz(wl, NOON - DAY))
    first = fetch_images("aria", PATIENT, "WL")
    sim.log.clear()
    again = fetch_images("aria", PATIENT, "WL")
    assert sim.log == []
    assert (uids(again), again.status, again.summary) == (uids(first), first.status, first.summary)


def test_a_new_irradiation_is_seen_at_once_with_max_age_0(serve):
    wl = plan()
    sim = serve(wl, winston_lutz(wl, NOON - HOUR))
    fetch_images("aria", PATIENT, "WL")
    new = winston_lutz(wl, NOON)
    sim.add(new)
    assert uids(fetch_images("aria", PATIENT, "WL", max_age=0)) == uids(new)


def test_another_request_is_not_answered_with_the_last_one(serve):
    wl = plan()
    today, yesterday = winston_lutz(wl), winston_lutz(wl, NOON - DAY)
    serve(wl, today, yesterday)
    fetch_images("aria", PATIENT, "WL")
    day = (NOON - DAY).date()
    assert uids(fetch_images("aria", PATIENT, "WL", date=day)) == uids(yesterday)


def test_a_failure_is_repeated_for_some_seconds(serve, monkeypatch):
    """Three composites of one list do not wait three times."""
    monkeypatch.setattr(answer_cache, "FAILURE_AGE", 3600)
    wl = plan()
    sim = serve(wl, winston_lutz(wl), abort_after=0)
    with pytest.raises(IncompleteRetrievalError) as first:
        fetch_images("aria", PATIENT, "WL")
    sim.log.clear()
    with pytest.raises(IncompleteRetrievalError) as again:
        fetch_images("aria", PATIENT, "WL")
    assert sim.log == []
    assert str(again.value) == str(first.value)


def test_a_patient_who_is_no_longer_allowed_is_not_answered_from_the_cache(serve, node):
    wl = plan()
    serve(wl, winston_lutz(wl))
    fetch_images("aria", PATIENT, "WL")
    node.allowed_patients = ""
    node.save()
    with pytest.raises(AriaError, match="not among the patients"):
        fetch_images("aria", PATIENT, "WL")


def test_an_answer_whose_files_are_gone_is_fetched_anew(serve):
    from pathlib import Path

    wl = plan()
    images = winston_lutz(wl)
    serve(wl, images)
    for file in fetch_images("aria", PATIENT, "WL"):
        Path(file).unlink()
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(images)


def test_an_image_that_one_list_of_a_series_leaves_out_is_fetched_too(serve, answers_altered):
    """ARIA answers with a part of the list now and then, with Success."""
    wl = plan()
    images = winston_lutz(wl)
    serve(wl, images)
    left_out = []

    def change(ds, identifier):
        if not left_out and ds.SOPInstanceUID == images[3].SOPInstanceUID:
            left_out.append(ds)
            return None
        return ds

    answers_altered(change)
    fetched = fetch_images("aria", PATIENT, "WL", series=str(images[0].SeriesInstanceUID))
    assert left_out
    assert uids(fetched) == uids(images)
