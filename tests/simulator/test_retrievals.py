"""What a client gets by C-MOVE and C-GET."""

from __future__ import annotations

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import _config

from qatrack_aria.simulator import phantom

from .client import RT_PLAN, Receiver, get, move
from .conftest import MONDAY


@pytest.mark.parametrize(
    ("level", "model", "count"),
    [
        ("PATIENT", "PATIENT", 12),
        ("STUDY", "STUDY", 12),
        ("SERIES", "STUDY", 3),
        ("SERIES", "PATIENT", 3),
        ("IMAGE", "STUDY", 1),
        ("IMAGE", "PATIENT", 1),
    ],
)
def test_a_move_sends_all_that_its_level_means(sim, receiver, tuesday, level, model, count):
    unique = {
        "PATIENT": "PatientID",
        "STUDY": "StudyInstanceUID",
        "SERIES": "SeriesInstanceUID",
        "IMAGE": "SOPInstanceUID",
    }[level]
    responses = move(sim, level, model, **{unique: getattr(tuesday[0], unique)})
    assert responses[-1][0].Status == 0x0000
    assert len(receiver.datasets) == count


def test_a_move_counts_its_sub_operations(sim, tuesday):
    responses = move(sim, "SERIES", SeriesInstanceUID=tuesday[0].SeriesInstanceUID)
    remaining = [status.NumberOfRemainingSuboperations for status, _ in responses[:-1]]
    assert remaining == [2, 1, 0]
    assert responses[-1][0].NumberOfCompletedSuboperations == 3


def test_a_list_of_uids_moves_each_of_them(sim, receiver, monday):
    wanted = [monday[4].SOPInstanceUID, monday[0].SOPInstanceUID]
    move(sim, "IMAGE", SOPInstanceUID=wanted)
    assert sorted(receiver.uids) == sorted(wanted)


def test_no_other_key_narrows_a_move(sim, receiver, tuesday):
    move(
        sim,
        "SERIES",
        SeriesInstanceUID=tuesday[0].SeriesInstanceUID,
        PrimaryDosimeterUnit="MINUTE",
    )
    assert len(receiver.datasets) == 3


def test_the_upper_uids_have_to_fit(sim, receiver, monday, tuesday):
    responses = move(
        sim,
        "IMAGE",
        SeriesInstanceUID=monday[0].SeriesInstanceUID,
        SOPInstanceUID=tuesday[0].SOPInstanceUID,
    )
    assert responses[-1][0].Status == 0x0000
    assert receiver.datasets == []


def test_what_is_sent_is_what_is_held(sim, receiver, monday):
    move(sim, "IMAGE", SOPInstanceUID=monday[0].SOPInstanceUID)
    assert receiver.datasets[0] == monday[0]


def test_the_stored_transfer_syntax_is_kept(sim, receiver, monday):
    move(sim, "IMAGE", SOPInstanceUID=monday[0].SOPInstanceUID)
    assert receiver.syntaxes == [ImplicitVRLittleEndian]


def test_a_store_names_the_move_it_belongs_to(sim, receiver, monday):
    move(sim, "IMAGE", SOPInstanceUID=monday[0].SOPInstanceUID)
    assert receiver.originators == [("QATRACK", 1)]
    assert receiver.calling == ["VMSDBD"]


def test_an_unknown_destination_is_refused(sim, monday):
    responses = move(sim, "IMAGE", to="STRANGER", SOPInstanceUID=monday[0].SOPInstanceUID)
    assert [status.Status for status, _ in responses] == [0xA801]


def test_a_destination_may_be_made_known_while_running(sim, receiver, monday):
    sim.peers["LATER"] = ("127.0.0.1", receiver.port)
    responses = move(sim, "IMAGE", to="LATER", SOPInstanceUID=monday[0].SOPInstanceUID)
    assert responses[-1][0].Status == 0x0000


def test_a_destination_that_does_not_listen_fails_every_sub_operation(sim, receiver, tuesday):
    receiver.close()
    responses = move(sim, "SERIES", SeriesInstanceUID=tuesday[0].SeriesInstanceUID)
    status, failed = responses[-1]
    assert (status.Status, status.NumberOfFailedSuboperations) == (0xA702, 3)
    assert len(failed.FailedSOPInstanceUIDList) == 3


def test_a_refused_store_is_named_in_the_final_response(sim, monday, tuesday):
    refused = tuesday[1].SOPInstanceUID

    def full_disk(event):
        return 0xA700 if event.request.AffectedSOPInstanceUID == refused else 0x0000

    other = Receiver(answer=full_disk)
    sim.peers["QATRACK"] = ("127.0.0.1", other.port)
    try:
        responses = move(sim, "SERIES", SeriesInstanceUID=tuesday[0].SeriesInstanceUID)
    finally:
        other.close()
    status, failed = responses[-1]
    assert status.Status == 0xB000
    assert (status.NumberOfCompletedSuboperations, status.NumberOfFailedSuboperations) == (2, 1)
    assert failed.FailedSOPInstanceUIDList == refused


def test_a_class_that_the_receiver_does_not_offer_ends_as_in_aria(sim, monday):
    plans_only = Receiver(RT_PLAN)
    sim.peers["QATRACK"] = ("127.0.0.1", plans_only.port)
    try:
        responses = move(sim, "IMAGE", SOPInstanceUID=monday[0].SOPInstanceUID)
    finally:
        plans_only.close()
    assert responses[-1][0].Status == 0xC001


def test_the_private_class_of_a_halcyon_plan_is_offered(sim, monkeypatch):
    monkeypatch.setattr(_config, "UNRESTRICTED_STORAGE_SERVICE", True)
    plan = phantom.plan("QA_HAL", "WL", sop_class=phantom.HALCYON_PLAN)
    sim.add([plan])
    anything = Receiver()
    sim.peers["QATRACK"] = ("127.0.0.1", anything.port)
    try:
        responses = move(sim, "IMAGE", SOPInstanceUID=plan.SOPInstanceUID)
    finally:
        anything.close()
    assert responses[-1][0].Status == 0x0000
    assert [received.SOPClassUID for received in anything.datasets] == [phantom.HALCYON_PLAN]


def test_a_move_without_the_key_of_its_level_is_refused(sim, monday):
    responses = move(sim, "IMAGE", SeriesInstanceUID=monday[0].SeriesInstanceUID)
    assert [status.Status for status, _ in responses] == [0xA900]


def test_a_move_of_nothing_succeeds(sim):
    responses = move(sim, "IMAGE", SOPInstanceUID="1.2.3")
    assert responses[-1][0].Status == 0x0000
    assert responses[-1][0].NumberOfCompletedSuboperations == 0


@pytest.mark.parametrize("model", ["STUDY", "PATIENT"])
def test_a_get_sends_on_the_same_association(sim, tuesday, model):
    responses, received = get(sim, "SERIES", model, SeriesInstanceUID=tuesday[0].SeriesInstanceUID)
    assert responses[-1][0].Status == 0x0000
    assert [ds.SOPInstanceUID for ds in received] == [ds.SOPInstanceUID for ds in tuesday]


def test_a_get_of_what_the_client_did_not_offer_fails(sim, wl_plan):
    responses, received = get(sim, "IMAGE", SOPInstanceUID=wl_plan.SOPInstanceUID)
    assert responses[-1][0].Status == 0xC001
    assert received == []


def test_an_instance_in_another_transfer_syntax_is_sent_in_it(sim, wl_plan):
    image = phantom.kv(wl_plan, MONDAY, False)[0]
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if pydicom.__version__ < "3":
        image.is_implicit_VR = False
    sim.add([image])
    either = Receiver(syntaxes=[ImplicitVRLittleEndian, ExplicitVRLittleEndian])
    sim.peers["QATRACK"] = ("127.0.0.1", either.port)
    try:
        move(sim, "IMAGE", SOPInstanceUID=image.SOPInstanceUID)
    finally:
        either.close()
    assert either.syntaxes == [ExplicitVRLittleEndian]
