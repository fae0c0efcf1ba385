"""The headers of each generation of linac, and the pixels."""

from __future__ import annotations

import struct
import warnings
from datetime import datetime

import pytest
from pydicom import dcmread
from pydicom.uid import UID

from qatrack_aria.simulator import phantom

from .conftest import MONDAY

NOW = datetime(2025, 11, 22, 9, 15)


@pytest.fixture(scope="module")
def world():
    return phantom.qa_history(NOW, full_size=False)


def test_a_truebeam_image_refers_to_its_plan_and_beam(wl_plan, monday):
    second = monday[1]
    assert second.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID == wl_plan.SOPInstanceUID
    assert second.ReferencedBeamNumber == 2
    assert wl_plan.BeamSequence[1].BeamName == "G90"


def test_a_truebeam_image_names_its_machine(monday):
    image = monday[0]
    assert (image.RadiationMachineName, image.StationName) == ("TB1", "TB1")
    assert image.DeviceSerialNumber
    assert image.PrimaryDosimeterUnit == "MU"


def test_the_dates_disagree_as_they_do_in_aria(monday):
    """Only acquisition and content say when the image was taken."""
    image = monday[0]
    assert image.AcquisitionDate == image.ContentDate == "20251103"
    assert image.StudyDate == "20250901"
    assert image.InstanceCreationDate == "20251104"
    assert image.SeriesTime > monday[-1].AcquisitionTime


def test_the_images_of_a_test_are_one_series_in_time_order(monday):
    assert len(monday) == 8
    assert len({image.SeriesInstanceUID for image in monday}) == 1
    times = [image.AcquisitionTime for image in monday]
    assert times == sorted(set(times))


def test_each_image_may_have_its_own_series(wl_plan):
    images = phantom.winston_lutz(wl_plan, MONDAY, False, series_per_image=True, count=3)
    assert len({image.SeriesInstanceUID for image in images}) == 3


def test_no_angle_is_a_round_number(monday):
    assert monday[0].GantryAngle == pytest.approx(359.9867)
    assert [round(float(image.GantryAngle)) % 360 for image in monday[:4]] == [0, 90, 180, 270]


def test_a_clinac_image_lacks_its_character_set_and_number(wl_plan):
    image = phantom.winston_lutz(wl_plan, MONDAY, False, machine_type="clinac")[0]
    assert "SpecificCharacterSet" not in image
    assert image.InstanceNumber is None


def test_an_ias3_image_has_a_content_date_only(wl_plan):
    image = phantom.winston_lutz(wl_plan, MONDAY, False, machine_type="ias3")[0]
    assert "AcquisitionDate" not in image
    assert "AcquisitionTime" not in image
    assert image.ContentDate == "20251103"
    assert not image.StudyDate
    assert not image.PatientName


@pytest.mark.parametrize(
    ("machine_type", "rows", "columns"),
    [("truebeam", 1280, 1280), ("clinac", 768, 1024), ("ias3", 384, 512)],
)
def test_a_full_image_has_the_matrix_of_its_imager(wl_plan, machine_type, rows, columns):
    image = phantom.winston_lutz(wl_plan, MONDAY, True, machine_type=machine_type, count=1)[0]
    assert (image.Rows, image.Columns) == (rows, columns)
    assert len(image.PixelData) == 2 * rows * columns


def test_a_small_image_shows_the_field_with_the_ball_in_it(wl_plan):
    image = phantom.winston_lutz(wl_plan, MONDAY, False, count=1, bb_offset=(0, 0, 0))[0]
    pixels = struct.unpack("<4096H", image.PixelData)
    corner, centre, beside = pixels[0], pixels[32 * 64 + 32], pixels[32 * 64 + 25]
    assert corner < centre < beside


def test_a_portal_dose_image_is_recognised_by_its_image_type(wl_plan):
    images = phantom.portal_dose(wl_plan, MONDAY, False)
    assert len(images) == 2
    assert list(images[0].ImageType) == ["ORIGINAL", "PRIMARY", "PORTAL", "ACQUIRED_DOSE"]
    assert images[0].RescaleType == "CU"


def test_a_kv_image_hides_in_the_series(wl_plan, monday):
    """Its ImageType is that of a portal image; only the dosimeter unit tells."""
    image = phantom.kv(wl_plan, MONDAY, False, like=monday[0])[0]
    assert image.SeriesInstanceUID == monday[0].SeriesInstanceUID
    assert image.ImageType == monday[0].ImageType
    assert image.PrimaryDosimeterUnit == "MINUTE"


def test_everything_carries_the_staff_login_that_must_not_leak(world):
    assert {str(dataset.OperatorsName) for dataset in world} == {phantom.OPERATOR}


def test_every_patient_is_visibly_a_phantom(world):
    assert {str(ds.PatientName or "") for ds in world} == {"PHANTOM^QA", ""}
    assert {ds.PatientID for ds in world} == {"QA_TB1", "QA_HAL", "QA_IX", "QA_OLD"}


def test_no_two_instances_share_a_uid(world):
    uids = [dataset.SOPInstanceUID for dataset in world]
    assert len(set(uids)) == len(uids)
    assert all(UID(uid).is_valid for uid in uids)


def test_the_history_ends_today(world):
    newest = max(ds.ContentDate + ds.ContentTime for ds in world if ds.Modality == "RTIMAGE")
    assert "20251122" < newest < "20251122091500"


def test_one_label_occurs_in_two_courses(world):
    daily = [ds for ds in world if ds.get("RTPlanLabel") == "DAILY"]
    assert sorted(plan.StudyID for plan in daily) == ["C1", "C2"]


def test_the_plan_of_the_halcyon_is_of_a_private_class(world):
    (plan,) = [ds for ds in world if ds.PatientID == "QA_HAL" and ds.Modality == "RTPLAN"]
    assert plan.SOPClassUID == phantom.HALCYON_PLAN
    assert UID(plan.SOPClassUID).is_private


def test_whatever_the_phantom_makes_can_be_saved_and_read(world, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for dataset in world:
            path = phantom.save(dataset, tmp_path)
            assert path == tmp_path / f"{dataset.SOPInstanceUID}.dcm"
            assert dcmread(path).to_json_dict() == dataset.to_json_dict()


@pytest.mark.slow
def test_pylinac_finds_the_ball_where_the_phantom_put_it(wl_plan, tmp_path):
    pylinac = pytest.importorskip("pylinac")
    if not hasattr(pylinac.WinstonLutz, "analyze"):
        pytest.skip("the pylinac of QATrack+ 3.1.1 analyses on loading")
    for image in phantom.winston_lutz(wl_plan, MONDAY, True):
        phantom.save(image, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wl = pylinac.WinstonLutz(str(tmp_path))
        wl.analyze(bb_size_mm=5)
    shift = wl.bb_shift_vector  # what would bring the ball, 0.4 left, 0.3 up and 0.5 out, home
    assert (shift.x, shift.y, shift.z) == pytest.approx((0.4, 0.5, -0.3), abs=0.02)


@pytest.mark.slow
def test_pylinac_finds_the_leaves_that_stand_aside(wl_plan, tmp_path):
    pylinac = pytest.importorskip("pylinac")
    path = phantom.save(phantom.picket_fence(wl_plan, MONDAY, True)[0], tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fence = pylinac.PicketFence(str(path))
        fence.analyze()
    assert fence.num_pickets == 10
    assert fence.max_error == pytest.approx(0.3, abs=0.05)
