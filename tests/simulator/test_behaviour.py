"""Each switch, as a client meets it."""

from __future__ import annotations

import copy

import pytest
from pydicom.dataset import Dataset

from qatrack_aria.simulator import Behaviour, phantom

from .client import MODELS, associate, find, get, identifier, move
from .conftest import MONDAY


def test_a_hierarchical_server_refuses_a_query_without_the_uids_above(sim, behave, tuesday):
    behave(relational=False)
    image = tuesday[0]
    assert find(sim, "IMAGE", PatientID="QA_TB1") == ([], 0xC000)
    assert find(sim, "IMAGE", SeriesInstanceUID=image.SeriesInstanceUID) == ([], 0xC000)
    answers, _ = find(
        sim,
        "IMAGE",
        StudyInstanceUID=image.StudyInstanceUID,
        SeriesInstanceUID=image.SeriesInstanceUID,
    )
    assert len(answers) == 3


def test_for_a_hierarchical_patient_root_the_patient_id_is_an_upper_key(sim, behave):
    behave(relational=False)
    assert find(sim, "STUDY", "PATIENT", StudyID="") == ([], 0xC000)
    assert find(sim, "STUDY", "PATIENT", PatientID="QA_*") == ([], 0xC000)
    assert find(sim, "STUDY", "PATIENT", PatientID="QA_TB1")[1] == 0x0000


def test_a_hierarchical_server_refuses_a_move_without_the_uids_above(sim, behave, monday):
    behave(relational=False)
    responses = move(sim, "IMAGE", SOPInstanceUID=monday[0].SOPInstanceUID)
    assert [status.Status for status, _ in responses] == [0xC000]


def test_patient_root_may_not_be_offered(sim, behave):
    behave(patient_root=False)
    assert not associate(sim, f"{MODELS['PATIENT']}.1").is_established


def test_c_get_may_not_be_offered(sim, behave):
    behave(c_get=False)
    assert not associate(sim, f"{MODELS['STUDY']}.3").is_established


def test_a_list_of_uids_may_be_refused(sim, behave, monday):
    behave(uid_lists=False)
    responses = move(sim, "IMAGE", SOPInstanceUID=[i.SOPInstanceUID for i in monday[:2]])
    assert [status.Status for status, _ in responses] == [0xA900]


def test_a_list_of_uids_may_succeed_with_nothing_sent(sim, behave, monday, receiver):
    behave(uid_list_success=True)
    responses = move(sim, "IMAGE", SOPInstanceUID=[i.SOPInstanceUID for i in monday[:2]])
    assert responses[-1][0].Status == 0x0000
    assert receiver.datasets == []


def test_one_uid_is_no_list(sim, behave, monday, receiver):
    behave(uid_lists=False, uid_list_success=True)
    move(sim, "IMAGE", SOPInstanceUID=monday[0].SOPInstanceUID)
    assert len(receiver.datasets) == 1


@pytest.mark.parametrize(("switch", "date"), [(True, None), (False, "20251103")])
def test_series_date_comes_back_empty(sim, behave, monday, switch, date):
    behave(empty_series_date=switch)
    answers, _ = find(sim, "SERIES", SeriesInstanceUID=monday[0].SeriesInstanceUID, SeriesDate="")
    assert (answers[0].SeriesDate or None) == date


def test_an_empty_series_date_matches_nothing(sim):
    assert find(sim, "SERIES", PatientID="QA_TB1", SeriesDate="20250101-") == ([], 0x0000)


def test_an_ignored_key_does_not_narrow_but_is_returned(sim, behave):
    behave(ignored_keys=frozenset({"RTPlanLabel"}))
    answers, _ = find(sim, "IMAGE", Modality="RTPLAN", RTPlanLabel="NO SUCH PLAN")
    assert [answer.RTPlanLabel for answer in answers] == ["WL"]


def test_a_refused_key_is_refused_only_with_a_value(sim, behave):
    behave(refused_keys=frozenset({"ImageType"}))
    assert find(sim, "IMAGE", ImageType="PORTAL") == ([], 0xA900)
    assert find(sim, "IMAGE", ImageType="")[1] == 0x0000


def test_an_empty_key_finds_nothing_only_with_a_value(sim, behave):
    behave(empty_keys=frozenset({"ImageType"}))
    assert find(sim, "IMAGE", ImageType="PORTAL") == ([], 0x0000)
    assert len(find(sim, "IMAGE", ImageType="")[0]) == 12


def test_a_return_key_may_empty_the_answer(sim, behave):
    behave(empty_return_keys=frozenset({"GantryAngle"}))
    assert find(sim, "IMAGE", GantryAngle="") == ([], 0x0000)
    assert len(find(sim, "IMAGE", Modality="")[0]) == 12


def test_a_key_may_never_be_returned(sim, behave):
    behave(unreturned_keys=frozenset({"RTPlanLabel"}))
    answers, _ = find(sim, "IMAGE", Modality="RTPLAN", RTPlanLabel="WL")
    assert "RTPlanLabel" not in answers[0]


def test_a_long_label_is_not_found_by_exact_match(sim, behave):
    behave(exact_label_limit=12)
    sim.add([phantom.plan("QA_TB1", "Winston-Lutz 6X")])
    assert find(sim, "IMAGE", RTPlanLabel="Winston-Lutz 6X")[0] == []
    assert len(find(sim, "IMAGE", RTPlanLabel="Winston-Lutz*")[0]) == 1


def test_a_long_patient_id_is_found_by_wildcard_only(sim, behave):
    behave(exact_patient_limit=16)
    sim.add([phantom.plan("QA_TRUEBEAM_BUNKER_1", "WL")])
    assert find(sim, "STUDY", PatientID="QA_TRUEBEAM_BUNKER_1")[0] == []
    assert len(find(sim, "STUDY", PatientID="QA_TRUEBEAM_BUNKER_?")[0]) == 1


def test_an_answer_may_be_cut_off(sim, behave):
    behave(answer_limit=5)
    answers, status = find(sim, "IMAGE", PatientID="QA_TB1")
    assert (len(answers), status) == (5, 0xB001)


def test_an_answer_that_just_fits_is_complete(sim, behave):
    behave(answer_limit=12)
    answers, status = find(sim, "IMAGE", PatientID="QA_TB1")
    assert (len(answers), status) == (12, 0x0000)


def test_the_association_goes_on_after_an_answer_was_cut_off(sim, behave):
    behave(answer_limit=1)
    association = associate(sim, f"{MODELS['STUDY']}.1")
    query = identifier("IMAGE", PatientID="QA_TB1")
    statuses = [
        [status.Status for status, _ in association.send_c_find(query, f"{MODELS['STUDY']}.1")]
        for _ in range(2)
    ]
    association.release()
    assert statuses == [[0xFF00, 0xB001]] * 2


def test_the_first_finds_may_find_nothing(sim, behave):
    behave(find_failures=2)
    assert [len(find(sim, "IMAGE", Modality="RTPLAN")[0]) for _ in range(4)] == [0, 0, 1, 1]


@pytest.mark.parametrize("by", ["SOPInstanceUID", "SeriesInstanceUID"])
def test_some_instances_are_listed_but_cannot_be_moved(sim, behave, tuesday, by):
    behave(unmovable=frozenset({str(tuesday[0][by].value)}))
    responses = move(sim, "SERIES", SeriesInstanceUID=tuesday[0].SeriesInstanceUID)
    expected = {"SOPInstanceUID": (0xB000, 1), "SeriesInstanceUID": (0xA702, 3)}[by]
    status = responses[-1][0]
    assert (status.Status, status.NumberOfFailedSuboperations) == expected


def test_a_loss_may_be_silent(sim, behave, tuesday, receiver):
    behave(silent_losses=frozenset({str(tuesday[0].SOPInstanceUID)}))
    responses = move(sim, "SERIES", SeriesInstanceUID=tuesday[0].SeriesInstanceUID)
    status = responses[-1][0]
    assert (status.Status, status.NumberOfCompletedSuboperations) == (0x0000, 3)
    assert len(receiver.datasets) == 2


def test_progress_need_not_be_reported(sim, behave, tuesday):
    behave(pending_responses=False)
    responses = move(sim, "SERIES", SeriesInstanceUID=tuesday[0].SeriesInstanceUID)
    assert [status.Status for status, _ in responses] == [0x0000]


def test_an_instance_may_come_twice(sim, behave, tuesday, receiver):
    behave(duplicates=True)
    responses = move(sim, "SERIES", SeriesInstanceUID=tuesday[0].SeriesInstanceUID)
    assert len(receiver.datasets) == 6
    assert responses[-1][0].NumberOfCompletedSuboperations == 3


def test_images_may_come_after_the_final_response(sim, behave, tuesday, receiver):
    behave(after_final=True)
    with receiver.changed:  # it cannot take an image before the move is over
        responses = move(sim, "SERIES", SeriesInstanceUID=tuesday[0].SeriesInstanceUID)
        assert receiver.datasets == []
    assert responses[-1][0].NumberOfCompletedSuboperations == 3
    assert receiver.wait_for(3)


def test_something_nobody_asked_for_may_come_along(sim, behave, wl_plan, tuesday, receiver):
    stray = phantom.kv(wl_plan, MONDAY, False)[0]
    behave(extra=(stray,))
    responses = move(sim, "IMAGE", SOPInstanceUID=tuesday[0].SOPInstanceUID)
    assert sorted(receiver.uids) == sorted([stray.SOPInstanceUID, tuesday[0].SOPInstanceUID])
    assert responses[-1][0].NumberOfCompletedSuboperations == 1


def test_an_instance_may_be_altered_on_its_way(sim, behave, tuesday, receiver):
    def mislabel(dataset: Dataset) -> Dataset:
        dataset.PatientID = "SOMEBODY_ELSE"
        return dataset

    behave(on_send=mislabel)
    move(sim, "IMAGE", SOPInstanceUID=tuesday[0].SOPInstanceUID)
    assert receiver.datasets[0].PatientID == "SOMEBODY_ELSE"
    assert tuesday[0].PatientID == "QA_TB1"


def test_stores_may_come_from_another_ae_title(sim, behave, tuesday, receiver):
    behave(store_ae_title="VMSSTORE")
    move(sim, "IMAGE", SOPInstanceUID=tuesday[0].SOPInstanceUID)
    assert receiver.calling == ["VMSSTORE"]


def test_a_move_may_be_aborted_half_way(sim, behave, monday, receiver):
    behave(abort_after=2)
    responses = move(sim, "SERIES", SeriesInstanceUID=monday[0].SeriesInstanceUID)
    assert [status.get("Status") for status, _ in responses] == [0xFF00, 0xFF00, None]
    assert len(receiver.datasets) == 2


def test_the_final_status_may_be_anything(sim, behave, tuesday, receiver):
    behave(final_status=0xA701)
    responses = move(sim, "IMAGE", SOPInstanceUID=tuesday[0].SOPInstanceUID)
    assert responses[-1][0].Status == 0xA701
    assert len(receiver.datasets) == 1


def test_the_switches_of_a_move_work_for_a_get(sim, behave, tuesday):
    behave(silent_losses=frozenset({str(tuesday[0].SOPInstanceUID)}), duplicates=True)
    responses, received = get(sim, "SERIES", SeriesInstanceUID=tuesday[0].SeriesInstanceUID)
    assert responses[-1][0].NumberOfCompletedSuboperations == 3
    assert len(received) == 4


def test_all_switches_are_off_by_default(sim):
    assert sim.behaviour == Behaviour()


def test_switches_can_be_typed():
    behaviour = Behaviour.from_options(
        [
            "relational=false",
            "duplicates",
            "answer_limit=5",
            "final_status=0xB000",
            "refused_keys=ImageType,StationName",
            "store_ae_title=OTHER",
        ]
    )
    assert behaviour == Behaviour(
        relational=False,
        duplicates=True,
        answer_limit=5,
        final_status=0xB000,
        refused_keys=frozenset({"ImageType", "StationName"}),
        store_ae_title="OTHER",
    )


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("nonsense", "unknown behaviour 'nonsense'"),
        ("on_send=x", "unknown behaviour 'on_send'"),
        ("answer_limit=many", "does not take the value 'many'"),
        ("duplicates=perhaps", "does not take the value 'perhaps'"),
        ("unmovable", "does not take the value ''"),
    ],
)
def test_a_mistyped_switch_is_named(option, message):
    with pytest.raises(ValueError, match=message):
        Behaviour.from_options([option])


def test_a_data_set_that_is_altered_is_a_copy(sim, behave, tuesday):
    before = copy.deepcopy(tuesday[0])

    def spoil(dataset: Dataset) -> Dataset:
        dataset.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID = "1.2.3"
        return dataset

    behave(on_send=spoil)
    move(sim, "IMAGE", SOPInstanceUID=tuesday[0].SOPInstanceUID)
    assert tuesday[0] == before
