"""Composite tests that were written for pynetdicom_wrapper go on working."""

from __future__ import annotations

import re

import pytest

from qatrack_aria.compat import AEConfig, PynetdicomWrapper
from qatrack_aria.errors import AmbiguousPlanError, PlanNotFoundError, RequestError, WaitingError
from qatrack_aria.simulator import phantom
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz

PORTAL = "ORIGINAL\\PRIMARY\\PORTAL"


@pytest.fixture
def wl(serve, node):
    """A plan, its images of today, and a kV image among them; the node is the default."""
    node.is_default = True
    node.save()
    wl = plan()
    images = winston_lutz(wl)
    kv = phantom.kv(wl, NOON, like=images[0])
    serve(wl, images, kv, winston_lutz(wl, NOON - DAY))
    return wl, images, kv


@pytest.fixture
def folder(tmp_path):
    """Where a test wants its images; the archive lies beside it."""
    return tmp_path / "out"


def test_the_newest_series_lies_in_the_folder_under_its_uids(wl, folder):
    when = PynetdicomWrapper(PATIENT, "WL").get_series(folder, PORTAL)
    names = sorted(path.stem for path in (folder).iterdir())
    assert names == uids(wl[1])
    assert re.fullmatch(r"\d{14}\.\d{6}", when)
    assert when.startswith(NOON.strftime("%Y%m%d"))


def test_the_images_of_a_date(wl, folder):
    when = PynetdicomWrapper(PATIENT, "WL").get_series(folder, PORTAL, (NOON - DAY).date())
    assert when.startswith((NOON - DAY).strftime("%Y%m%d"))


def test_kv_images_too(wl, folder):
    PynetdicomWrapper(PATIENT, "WL").get_series(folder, PORTAL, ignore_kV=False)
    assert sorted(path.stem for path in folder.iterdir()) == uids(wl[1] + wl[2])


def test_the_first_versions_name_for_it(wl, folder):
    PynetdicomWrapper(PATIENT, "WL").get_latest_series(folder, PORTAL)
    assert sorted(path.stem for path in folder.iterdir()) == uids(wl[1])


def test_patient_and_plan_can_be_given_later(wl, folder):
    wrapper = PynetdicomWrapper()
    assert wrapper.get_plan_uids(PATIENT, "WL") == (wl[0].SOPInstanceUID, wl[0].StudyInstanceUID)
    assert (wrapper.plan_uid, wrapper.study_uid) == wrapper.get_plan_uids(PATIENT, "WL")
    wrapper.get_series(folder, PORTAL)
    assert len(list(folder.iterdir())) == 8


def test_a_plan_that_is_not_there_is_an_error_as_before(wl):
    with pytest.raises(PlanNotFoundError):
        PynetdicomWrapper().get_plan_uids(PATIENT, "XX")


def test_two_plans_of_one_name_are_an_error_as_before(serve, node):
    node.is_default = True
    node.save()
    serve(plan(course="C1"), plan(course="C2"))
    with pytest.raises(AmbiguousPlanError):
        PynetdicomWrapper().get_plan_uids(PATIENT, "WL")


def test_without_a_patient_it_waits(node, folder):
    node.is_default = True
    node.save()
    with pytest.raises(WaitingError):
        PynetdicomWrapper("", "").get_series(folder, PORTAL)


def test_addresses_that_are_those_of_a_node_mean_that_node(wl, node, folder):
    node.is_default = False
    node.save()
    wrapper = PynetdicomWrapper(PATIENT, "WL")
    wrapper.local_conf = AEConfig(aet="QATRACK", ip="10.0.0.1", port=node.local_port)
    wrapper.remote_conf = AEConfig(aet="VMSDBD", ip="127.0.0.1", port=node.remote_port)
    wrapper.get_series(folder, PORTAL)
    assert len(list(folder.iterdir())) == 8


def test_addresses_that_no_node_has_are_an_error(wl, folder):
    wrapper = PynetdicomWrapper(PATIENT, "WL")
    wrapper.remote_aet = "ELSEWHERE"
    with pytest.raises(RequestError, match=r"'ELSEWHERE'.*no ARIA node"):
        wrapper.get_series(folder, PORTAL)


def test_the_same_images_may_lie_there_already(wl, folder):
    for _ in range(2):
        PynetdicomWrapper(PATIENT, "WL").get_series(folder, PORTAL)
    assert len(list(folder.iterdir())) == 8


def test_images_of_another_day_may_not(wl, folder):
    wrapper = PynetdicomWrapper(PATIENT, "WL")
    wrapper.get_series(folder, PORTAL, (NOON - DAY).date())
    with pytest.raises(RequestError, match="8 other files"):
        wrapper.get_series(folder, PORTAL)


def test_what_a_killed_process_has_left_in_the_folder_is_removed(wl, folder):
    PynetdicomWrapper(PATIENT, "WL").get_series(folder, PORTAL)
    files = sorted(folder.iterdir())
    (folder / f"{files[0].name}.part").write_bytes(b"half an image")
    PynetdicomWrapper(PATIENT, "WL").get_series(folder, PORTAL)
    assert sorted(folder.iterdir()) == files
