"""The same fetch from real servers: Orthanc (relational) and DCMTK's dcmqrscp (hierarchical)."""

from __future__ import annotations

import pytest

from qatrack_aria import fetch_images, fetch_series
from qatrack_aria.errors import (
    AmbiguousPlanError,
    ImagesNotFoundError,
    IncompleteRetrievalError,
    PlanNotFoundError,
)
from qatrack_aria.models import AriaNode
from qatrack_aria.simulator import phantom
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz

MODELS = ["STUDY", "PATIENT"]
METHODS = ["C-MOVE", "C-GET"]


@pytest.fixture(params=["orthanc", "dcmqrscp"])
def peer(request, node):
    """A real server that knows us as a destination, and the node that points to it."""
    server = request.getfixturevalue(request.param)
    server.set_peer(node.local_ae_title, node.local_host, node.local_port)
    node.remote_port, node.remote_ae_title = server.port, server.ae_title
    node.save()
    return server


def use(node: AriaNode, model: str, method: str) -> None:
    node.query_model, node.retrieve_method = model, method
    node.save()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("model", MODELS)
def test_the_newest_set_of_the_plan_arrives(peer, node, model, method):
    wl, other = plan(), plan("PF")
    mine = winston_lutz(wl)
    kv = phantom.kv(wl, NOON, like=mine[0])
    yesterday = winston_lutz(wl, NOON - DAY)
    dose = phantom.portal_dose(wl, NOON)
    peer.store([wl, other, *mine, *kv, *yesterday, *winston_lutz(other), *dose])
    use(node, model, method)
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(mine)


@pytest.mark.parametrize("method", METHODS)
def test_the_second_time_nothing_is_moved(peer, node, method):
    wl = plan()
    peer.store([wl, *winston_lutz(wl)])
    use(node, "STUDY", method)
    assert fetch_images("aria", PATIENT, "WL").moved == 8
    assert fetch_images("aria", PATIENT, "WL", max_age=0).moved == 0


def test_images_of_old_imagers_without_acquisition_date_arrive(peer):
    wl = plan()
    mine = winston_lutz(wl, machine_type="ias3")
    peer.store([wl, *mine, *winston_lutz(wl, NOON - DAY)])
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(mine)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("model", MODELS)
def test_the_newest_ct_scan_arrives(peer, node, model, method):
    newest = phantom.ct_series(PATIENT, NOON)
    peer.store([*newest, *phantom.ct_series(PATIENT, NOON - DAY), plan()])
    use(node, model, method)
    assert uids(fetch_series("aria", PATIENT)) == uids(newest)
    assert fetch_series("aria", PATIENT, max_age=0).moved == 0


def test_a_cone_beam_ct_that_is_registered_to_the_plan(peer):
    wl, planning = plan(), phantom.ct_series(PATIENT, NOON - DAY)
    cone_beam = phantom.ct_series(PATIENT, NOON - DAY / 24)
    for ds in planning:
        ds.FrameOfReferenceUID = wl.FrameOfReferenceUID
    related = phantom.registration(wl.FrameOfReferenceUID, cone_beam[0])
    peer.store([wl, *planning, *cone_beam, *phantom.ct_series(PATIENT, NOON), related])
    assert uids(fetch_series("aria", PATIENT, plan="WL")) == uids(planning)
    found = fetch_series("aria", PATIENT, plan="WL", registered=True)
    assert uids(found) == uids(cone_beam)


def test_a_beam_of_the_plan(peer):
    wl = plan(beams=("Open", "PF"))
    mine = winston_lutz(wl, count=2)
    peer.store([wl, *mine])
    assert uids(fetch_images("aria", PATIENT, "WL", beam="PF")) == uids(mine[1:])


def test_a_label_on_two_plans_is_ambiguous_until_the_course_is_said(peer):
    first, second = plan(course="C1"), plan(course="C2")
    mine = winston_lutz(first)
    peer.store([first, second, *mine, *winston_lutz(second, NOON + DAY / 24)])
    with pytest.raises(AmbiguousPlanError):
        fetch_images("aria", PATIENT, "WL")
    assert uids(fetch_images("aria", PATIENT, "WL", course="C1")) == uids(mine)


def test_a_plan_that_is_not_there_is_named(peer):
    peer.store([plan("PF")])
    with pytest.raises(PlanNotFoundError, match="'PF'"):
        fetch_images("aria", PATIENT, "WL")


def test_a_patient_without_images_is_distinguished_from_one_without_plan(peer):
    peer.store([plan()])
    with pytest.raises(ImagesNotFoundError):
        fetch_images("aria", PATIENT, "WL")


def test_a_destination_that_the_server_knows_under_another_port_is_an_error(peer, node):
    wl = plan()
    peer.store([wl, *winston_lutz(wl)])
    peer.set_peer(node.local_ae_title, node.local_host, node.local_port + 1)
    with pytest.raises(IncompleteRetrievalError, match="No set is handed over"):
        fetch_images("aria", PATIENT, "WL")


def test_a_halcyon_plan_is_found_and_its_images_arrive(orthanc, node):
    """dcmqrscp takes no private SOP class, so Orthanc alone can show this."""
    orthanc.set_peer(node.local_ae_title, node.local_host, node.local_port)
    node.remote_port, node.remote_ae_title = orthanc.port, orthanc.ae_title
    node.save()
    wl = plan(sop_class="1.2.246.352.70.1.70")
    mine = winston_lutz(wl)
    orthanc.store([wl, *mine])
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(mine)
