"""However the server answers: the right set, or an error that says why."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from pydicom.uid import generate_uid

from qatrack_aria import fetch_images
from qatrack_aria.errors import AmbiguousImagesError, IncompleteRetrievalError, QueryError
from qatrack_aria.simulator import phantom
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz
from tests.helpers.waiting import PATIENCE

#: What a server may do with queries and moves, and still have everything.
HARMLESS = {
    "plain": {},
    "hierarchical": {"relational": False},
    "ignores the label": {"ignored_keys": frozenset({"RTPlanLabel"})},
    "ignores the modality": {"ignored_keys": frozenset({"Modality"})},
    "ignores dates": {"ignored_keys": frozenset({"ContentDate", "AcquisitionDate"})},
    "ignores all but the patient": {
        "ignored_keys": frozenset({"RTPlanLabel", "Modality", "ContentDate", "AcquisitionDate"})
    },
    "ignores the series": {"ignored_keys": frozenset({"SeriesInstanceUID"})},
    "refuses the label": {"refused_keys": frozenset({"RTPlanLabel"})},
    "refuses dates": {"refused_keys": frozenset({"ContentDate", "AcquisitionDate"})},
    "refuses the modality": {"refused_keys": frozenset({"Modality"})},
    "refuses the images of a series": {"refused_keys": frozenset({"SeriesInstanceUID"})},
    "nothing where the label is asked": {"empty_keys": frozenset({"RTPlanLabel"})},
    "nothing where dates are asked": {"empty_keys": frozenset({"ContentDate", "AcquisitionDate"})},
    "nothing where the modality is asked": {"empty_keys": frozenset({"Modality"})},
    "nothing where the machine is returned": {
        "empty_return_keys": frozenset({"RadiationMachineName"})
    },
    "nothing where the unit is returned": {
        "empty_return_keys": frozenset({"PrimaryDosimeterUnit"})
    },
    "nothing where the label is returned": {"empty_return_keys": frozenset({"RTPlanLabel"})},
    "hierarchical, nothing where the label is returned": {
        "relational": False,
        "empty_return_keys": frozenset({"RTPlanLabel"}),
    },
    "hierarchical, nothing where the machine is returned": {
        "relational": False,
        "empty_return_keys": frozenset({"RadiationMachineName"}),
    },
    "nothing where the plan reference is returned": {
        "empty_return_keys": frozenset({"ReferencedRTPlanSequence"})
    },
    "does not return labels": {"unreturned_keys": frozenset({"RTPlanLabel"})},
    "does not return dates": {
        "unreturned_keys": frozenset(
            {"AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"}
        )
    },
    "does not return the plan": {"unreturned_keys": frozenset({"ReferencedRTPlanSequence"})},
    "does not return the type": {"unreturned_keys": frozenset({"ImageType"})},
    "does not return the unit": {"unreturned_keys": frozenset({"PrimaryDosimeterUnit"})},
    "returns only UIDs": {
        "relational": False,
        "unreturned_keys": frozenset(
            {
                "RTPlanLabel",
                "StudyID",
                "AcquisitionDate",
                "AcquisitionTime",
                "ContentDate",
                "ContentTime",
                "ReferencedRTPlanSequence",
                "ImageType",
                "PrimaryDosimeterUnit",
                "RadiationMachineName",
                "PatientID",
            }
        ),
    },
    "refuses lists of UIDs": {"uid_lists": False},
    "answers Success to a list of UIDs and sends nothing": {"uid_list_success": True},
    "sends no pending responses": {"pending_responses": False},
    "sends every image twice": {"duplicates": True},
    "sends the images after its final response": {"after_final": True},
}


@pytest.mark.parametrize("method", ["C-MOVE", "C-GET"])
@pytest.mark.parametrize("behaviour", HARMLESS.values(), ids=HARMLESS)
def test_the_right_set_arrives_from_a_server_that(serve, node, behaviour, method):
    if behaviour.get("after_final") and method == "C-GET":
        pytest.skip("in a C-GET the images come before the final response by its definition")
    wl, other = plan(), plan("PF")
    mine = winston_lutz(wl)
    beside = phantom.kv(wl, NOON, like=mine[0])
    serve(
        wl, other, mine, beside, winston_lutz(wl, NOON - 3 * DAY), winston_lutz(other), **behaviour
    )
    node.retrieve_method = method
    if behaviour.get("after_final"):
        node.grace = PATIENCE
    node.save()
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(mine)


@pytest.mark.parametrize("method", ["C-MOVE", "C-GET"])
@pytest.mark.parametrize("relational", [True, False])
def test_patient_root_works_as_study_root_does(serve, node, method, relational):
    wl = plan()
    mine = winston_lutz(wl)
    serve(wl, mine, winston_lutz(wl, NOON - DAY), relational=relational)
    node.query_model, node.retrieve_method = "PATIENT", method
    node.save()
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(mine)


# --- what went wrong is never handed over -----------------------------------------------------


def test_an_image_that_the_server_cannot_send_fails_the_whole(serve):
    wl = plan()
    images = winston_lutz(wl)
    serve(wl, images, unmovable=frozenset({str(images[3].SOPInstanceUID)}))
    with pytest.raises(IncompleteRetrievalError, match=r"1 of 8 images did not arrive"):
        fetch_images("aria", PATIENT, "WL")


def test_an_image_that_the_server_only_says_it_sent_fails_the_whole(serve):
    wl = plan()
    images = winston_lutz(wl)
    serve(wl, images, silent_losses=frozenset({str(images[3].SOPInstanceUID)}))
    with pytest.raises(IncompleteRetrievalError, match=r"1 of 8 images did not arrive.*Success"):
        fetch_images("aria", PATIENT, "WL")


def test_what_arrived_before_a_failure_is_not_asked_for_again(serve):
    wl = plan()
    images = winston_lutz(wl)
    lost = str(images[3].SOPInstanceUID)
    sim = serve(wl, images, unmovable=frozenset({lost}))
    with pytest.raises(IncompleteRetrievalError):
        fetch_images("aria", PATIENT, "WL")
    sim.behaviour = dataclasses.replace(sim.behaviour, unmovable=frozenset())
    sim.log.clear()
    result = fetch_images("aria", PATIENT, "WL", max_age=0)
    assert uids(result) == uids(images)
    assert [move.identifier["SOPInstanceUID"] for move in sim.operations("C-MOVE")] == [lost]
    assert (result.moved, result.already_here) == (1, 7)


def test_images_that_are_here_are_not_moved_again(serve):
    wl = plan()
    sim = serve(wl, winston_lutz(wl))
    first = fetch_images("aria", PATIENT, "WL")
    sim.log.clear()
    again = fetch_images("aria", PATIENT, "WL", max_age=0)
    assert sim.operations("C-MOVE") == []
    assert uids(again) == uids(first)
    assert (again.moved, again.already_here) == (0, 8)


def test_a_set_of_which_nothing_is_here_is_asked_for_as_one_series(serve):
    wl = plan()
    sim = serve(wl, winston_lutz(wl))
    fetch_images("aria", PATIENT, "WL")
    (move,) = sim.operations("C-MOVE")
    assert move.level == "SERIES"


def test_a_series_with_something_unwanted_is_asked_for_image_by_image_in_one_move(serve):
    wl = plan()
    images = winston_lutz(wl)
    other = plan("PF")
    unwanted = winston_lutz(other, NOON + dt.timedelta(minutes=20), count=1)
    unwanted[0].SeriesInstanceUID = images[0].SeriesInstanceUID
    unwanted[0].StudyInstanceUID = images[0].StudyInstanceUID
    sim = serve(wl, other, images, unwanted)
    fetch_images("aria", PATIENT, "WL")
    (move,) = sim.operations("C-MOVE")
    assert move.level == "IMAGE"


def test_a_strangers_file_that_comes_along_is_turned_away(serve):
    wl = plan()
    mine = winston_lutz(wl)
    stranger = winston_lutz(plan(patient="QA_OTHER"), count=1)
    serve(wl, mine, extra=tuple(stranger))
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(mine)


def _of_another_patient(ds):
    ds.PatientID = "SOMEBODY"
    return ds


def _under_another_uid(ds):
    ds.SOPInstanceUID = generate_uid()
    return ds


def _cut_short(ds):
    ds.PixelData = ds.PixelData[: len(ds.PixelData) // 4 * 2]
    return ds


@pytest.mark.parametrize("altered", [_of_another_patient, _under_another_uid, _cut_short])
def test_a_file_that_is_not_what_was_announced_is_no_part_of_a_set(serve, altered):
    wl = plan()
    serve(wl, winston_lutz(wl), on_send=altered)
    with pytest.raises(IncompleteRetrievalError, match="No set is handed over"):
        fetch_images("aria", PATIENT, "WL")


def test_the_header_of_the_file_has_the_last_word_on_the_plan(serve):
    """The answers say that two more images are of this plan; their files say otherwise."""
    wl, other = plan(), plan("PF")
    mine = winston_lutz(wl)
    liars = {str(image.SOPInstanceUID) for image in mine[:2]}

    def correct(ds):
        if ds.SOPInstanceUID in liars:
            ds.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID = other.SOPInstanceUID
        return ds

    serve(wl, other, mine, on_send=correct)
    with pytest.raises(AmbiguousImagesError, match=r"plan .* in the answer, .* in the file; 2 in"):
        fetch_images("aria", PATIENT, "WL")
    assert uids(fetch_images("aria", PATIENT, "WL", count=6)) == uids(mine[2:])


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_an_answer_whose_uid_is_a_path_is_an_error_and_no_file(serve, tmp_path):
    wl = plan()
    images = winston_lutz(wl)
    images[2].SOPInstanceUID = "../../../evil"
    serve(wl, images)
    with pytest.raises(QueryError, match="evil"):
        fetch_images("aria", PATIENT, "WL")
    assert not list(tmp_path.rglob("*evil*"))


def test_a_list_cut_at_the_servers_limit_is_no_list(serve):
    wl = plan()
    serve(wl, winston_lutz(wl), answer_limit=5)
    with pytest.raises(QueryError, match="limit"):
        fetch_images("aria", PATIENT, "WL")


def test_a_server_that_breaks_off_again_and_again_is_asked_for_the_rest(serve):
    wl = plan()
    images = winston_lutz(wl)
    serve(wl, images, abort_after=3)
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(images)


def test_a_server_that_breaks_off_before_the_first_image_delivers_no_set(serve):
    wl = plan()
    serve(wl, winston_lutz(wl), abort_after=0)
    with pytest.raises(IncompleteRetrievalError, match="broke off"):
        fetch_images("aria", PATIENT, "WL")
