"""What a client learns by C-FIND, at every level of both models."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from qatrack_aria.simulator import phantom

from .client import find
from .conftest import MONDAY


def values(answers, keyword):
    return [str(answer.get(keyword, "")) for answer in answers]


@pytest.mark.parametrize("level", ["STUDY", "SERIES", "IMAGE"])
@pytest.mark.parametrize("model", ["STUDY", "PATIENT"])
def test_each_level_answers_once_for_each_of_its_kind(sim, wl_plan, monday, model, level):
    expected = {"STUDY": 1, "SERIES": 3, "IMAGE": 12}
    answers, status = find(sim, level, model, PatientID="QA_TB1")
    assert (len(answers), status) == (expected[level], 0x0000)


def test_patient_level_belongs_to_the_patient_root(sim):
    answers, status = find(sim, "PATIENT", "PATIENT", PatientID="", PatientName="")
    assert status == 0x0000
    assert values(answers, "PatientID") == ["QA_TB1"]
    assert values(answers, "PatientName") == ["PHANTOM^QA"]


def test_study_root_has_no_patient_level(sim):
    assert find(sim, "PATIENT", "STUDY", PatientID="QA_TB1") == ([], 0xA900)


def test_a_plan_is_found_by_label_and_its_course_is_the_study_id(sim, wl_plan):
    answers, _ = find(
        sim, "IMAGE", PatientID="QA_TB1", Modality="RTPLAN", RTPlanLabel="WL", StudyID=""
    )
    assert values(answers, "SOPInstanceUID") == [wl_plan.SOPInstanceUID]
    assert values(answers, "StudyID") == ["C1"]


def test_a_series_uid_alone_is_enough(sim, tuesday):
    answers, _ = find(sim, "IMAGE", SeriesInstanceUID=tuesday[0].SeriesInstanceUID)
    assert values(answers, "SOPInstanceUID") == [image.SOPInstanceUID for image in tuesday]


def test_a_list_of_uids_matches_each_of_them(sim, monday):
    wanted = [monday[5].SOPInstanceUID, monday[1].SOPInstanceUID]
    answers, _ = find(sim, "IMAGE", SOPInstanceUID=wanted)
    assert sorted(values(answers, "SOPInstanceUID")) == sorted(wanted)


@pytest.mark.parametrize(
    ("dates", "count"),
    [
        ("20251104", 3),
        ("20251104-", 3),
        ("-20251103", 8),
        ("20251103-20251104", 11),
        ("20251105-", 0),
    ],
)
@pytest.mark.parametrize("keyword", ["ContentDate", "AcquisitionDate"])
def test_dates_match_singly_and_in_ranges(sim, keyword, dates, count):
    answers, _ = find(sim, "IMAGE", PatientID="QA_TB1", Modality="RTIMAGE", **{keyword: dates})
    assert len(answers) == count


def test_a_date_that_only_images_have_narrows_series_too(sim, tuesday):
    answers, _ = find(sim, "SERIES", PatientID="QA_TB1", ContentDate="20251104-")
    assert values(answers, "SeriesInstanceUID") == [tuesday[0].SeriesInstanceUID]


@pytest.mark.parametrize(("times", "count"), [("0730", 2), ("073100-", 6), ("-0731", 4)])
def test_times_match_to_the_precision_they_are_given_in(sim, times, count):
    answers, _ = find(
        sim, "IMAGE", PatientID="QA_TB1", AcquisitionTime=times, ContentDate="20251103"
    )
    assert len(answers) == count


@pytest.mark.parametrize(
    ("pattern", "count"), [("QA_*", 1), ("QA_TB?", 1), ("qa_tb1", 0), ("QA_TB", 0), ("*[1]", 0)]
)
def test_wildcards_are_case_sensitive_and_nothing_else_is_special(sim, pattern, count):
    answers, _ = find(sim, "PATIENT", "PATIENT", PatientID=pattern)
    assert len(answers) == count


def test_image_type_is_matched_in_full(sim, wl_plan):
    """A portal image is no portal dose image, although its ImageType begins alike."""
    sim.add(phantom.portal_dose(wl_plan, MONDAY, False))
    answers, _ = find(sim, "IMAGE", PatientID="QA_TB1", ImageType=["ORIGINAL", "PRIMARY", "PORTAL"])
    assert len(answers) == 11


def test_a_number_matches_by_value(sim):
    answers, _ = find(sim, "IMAGE", Modality="RTIMAGE", ReferencedBeamNumber="01")
    assert len(answers) == 2


def test_the_plan_reference_is_returned_in_full(sim, wl_plan):
    answers, _ = find(sim, "IMAGE", Modality="RTIMAGE", ReferencedRTPlanSequence=[])
    items = [answer.ReferencedRTPlanSequence[0] for answer in answers]
    assert {item.ReferencedSOPInstanceUID for item in items} == {wl_plan.SOPInstanceUID}
    assert {item.ReferencedSOPClassUID for item in items} == {wl_plan.SOPClassUID}


def test_a_uid_within_the_plan_reference_is_matched(sim, wl_plan):
    other = phantom.plan("QA_TB1", "OTHER")
    sim.add([other, *phantom.winston_lutz(other, MONDAY, False, count=1)])
    item = Dataset()
    item.ReferencedSOPInstanceUID = other.SOPInstanceUID
    answers, _ = find(sim, "IMAGE", PatientID="QA_TB1", ReferencedRTPlanSequence=[item])
    assert len(answers) == 1


def test_a_return_key_that_an_instance_lacks_comes_back_empty(sim):
    answers, _ = find(sim, "IMAGE", Modality="RTPLAN", GantryAngle="", ReferencedRTPlanSequence=[])
    assert answers[0].GantryAngle is None
    assert len(answers[0].ReferencedRTPlanSequence) == 0


def test_a_label_in_another_script_travels(sim):
    sim.add([phantom.plan("QA_TB1", "Müllerkörper 日")])
    answers, _ = find(sim, "IMAGE", Modality="RTPLAN", RTPlanLabel="Müller*")
    assert values(answers, "RTPlanLabel") == ["Müllerkörper 日"]


def test_an_instance_that_is_added_is_found_at_once(sim, wl_plan):
    added = phantom.kv(wl_plan, MONDAY, False)
    sim.add(added)
    answers, _ = find(sim, "IMAGE", SOPInstanceUID=added[0].SOPInstanceUID, PrimaryDosimeterUnit="")
    assert values(answers, "PrimaryDosimeterUnit") == ["MINUTE"]


def test_an_instance_that_is_added_twice_is_there_once(sim, wl_plan):
    sim.add([wl_plan])
    answers, _ = find(sim, "IMAGE", Modality="RTPLAN")
    assert len(answers) == 1


def test_a_range_of_dates_does_not_look_at_the_history(sim, monkeypatch, wl_plan):
    """Years of images under a QA patient are not gone through for the images of one day."""
    from qatrack_aria.simulator import find as find_module

    looked_at = []
    real = find_module.matches

    def counting(held, key):
        looked_at.append(key.keyword)
        return real(held, key)

    monkeypatch.setattr(find_module, "matches", counting)
    find(sim, "IMAGE", PatientID="QA_TB1", Modality="RTIMAGE", ContentDate="20251104-")
    assert looked_at.count("ContentDate") == 3
