"""Choosing among the images of a set: what is wanted, or an error that lists what there is."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import pickle
from pathlib import Path
from typing import Any

import pydicom
import pytest

from qatrack_aria.dicom.attributes import ImageRef, image_ref, plan_ref
from qatrack_aria.dicom.rt_plan import RtPlan, rt_plan
from qatrack_aria.errors import (
    AmbiguousImagesError,
    AmbiguousPlanError,
    ArchiveError,
    ImagesNotFoundError,
    IncompleteRetrievalError,
    RequestError,
    TooFewImagesError,
    WaitingError,
)
from qatrack_aria.retrieval.imageset import ImageSet
from qatrack_aria.simulator import phantom
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.set_folder import lay_out
from tests.helpers import datasets
from tests.helpers.aria import uids
from tests.helpers.datasets import PATIENT, TAKEN

BEAMS = ("Open", "PF G90", "PF G180", "PF G270")
ENERGIES = ("6X", "6X", "6X-FFF", "10X")


class Clinic:
    """Four images of a plan of four beams, filed, and the set of them."""

    def __init__(self, folder: Path, beams: Any = BEAMS, **changes: Any) -> None:
        self.archive = Archive(folder / "archive")
        self.plan = datasets.plan(beams=beams, energies=ENERGIES)
        self.datasets = phantom.winston_lutz(self.plan, TAKEN, False, count=4)
        for image in self.datasets:
            datasets.file_in(self.archive, datasets.incoming(image), PATIENT)
        refs = [image_ref(image, from_file=True) for image in self.datasets]
        self.refs = [_changed(ref, **changes) for ref in refs]
        self.reads = 0

    @property
    def images(self) -> ImageSet:
        request = {"patient_id": PATIENT, "plan": "WL"}
        laid_out = lay_out(self.archive, self.refs)
        images = ImageSet(laid_out, node="aria", request=request, plan=plan_ref(self.plan))
        return images.with_plan(self.read_plan)

    def read_plan(self) -> RtPlan:
        self.reads += 1
        return rt_plan(self.plan)


def _changed(ref: ImageRef, **changes: Any) -> ImageRef:
    acquisition = dataclasses.replace(ref.acquisition, **changes)  # type: ignore[type-var]
    return dataclasses.replace(ref, acquisition=acquisition)


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path)


@pytest.fixture
def images(clinic: Clinic) -> ImageSet:
    return clinic.images


def numbers(images: ImageSet) -> list[int | None]:
    return [image.beam_number for image in images]


# --- what an image knows ----------------------------------------------------------------------


def test_an_image_is_a_path_that_knows_its_angles(images: ImageSet) -> None:
    _, image, *_ = images
    assert os.path.isfile(image)
    assert Path(image).name == os.path.basename(image)
    assert pydicom.dcmread(image).SOPInstanceUID == image.sop_uid
    assert (image.gantry, image.gantry_raw) == (90.0, 90.0219)
    assert (image.couch, image.couch_raw) == (0.0, 359.9759)
    assert (image.collimator, image.collimator_raw) == (0.0, 0.0087)
    assert (image.energy, image.mu, image.sid, image.machine) == (6, 10.0133, 1500, "TB1")
    assert image.image_type == ("ORIGINAL", "PRIMARY", "PORTAL")
    assert image.acquired == TAKEN + dt.timedelta(seconds=35)


def test_an_image_can_be_written_as_json_and_sent_to_another_process(images: ImageSet) -> None:
    image = next(iter(images))
    assert json.loads(json.dumps(image)) == str(image)
    assert pickle.loads(pickle.dumps(image)) == str(image)


def test_the_plan_is_read_once_and_only_where_its_beams_are_asked_for(clinic: Clinic) -> None:
    images = clinic.images
    assert [image.gantry for image in images] == [0, 90, 180, 270]
    assert [image.energy for image in images][:2] == [6, 6]
    assert clinic.reads == 0
    assert [image.beam_name for image in images] == list(BEAMS)
    assert [beam.name for beam in images.plan.beams] == list(BEAMS)
    assert images.plan.approval == "APPROVED"
    assert [image.beam_type for image in images] == list(ENERGIES)
    assert clinic.reads == 1


def test_without_the_plans_file_what_needs_it_is_an_error(clinic: Clinic) -> None:
    images = clinic.images.with_plan(lambda: None)
    assert images.where(gantry=90).files
    for ask in (lambda: images.plan.beams, lambda: images.where(beam="Open"), images.by_beam):
        with pytest.raises(IncompleteRetrievalError, match="beams are unknown: fetch the images"):
            ask()


# --- choosing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"gantry": 0}, [1]),
        ({"gantry": 360}, [1]),
        ({"gantry": "180"}, [3]),
        ({"gantry": 90, "collimator": 0, "couch": 0}, [2]),
        ({"gantry": 100, "tolerance": 11}, [2]),
        ({"beam": "PF G90"}, [2]),
        ({"beam": 3}, [3]),
        ({"beam": ["Open", "PF G270"]}, [1, 4]),
        ({"energy": 6}, [1, 2, 3]),
        ({"energy": "6X"}, [1, 2]),
        ({"energy": "6 fff"}, [3]),
        ({"energy": "10 MV"}, [4]),
        ({"energy": 6, "gantry": 90}, [2]),
        ({"machine": "tb1"}, [1, 2, 3, 4]),
    ],
)
def test_the_images_that_are_as_wanted(
    images: ImageSet, wanted: dict[str, Any], expected: list[int]
) -> None:
    assert numbers(images.where(**wanted)) == expected


def test_none_is_an_error_that_lists_what_there_is(images: ImageSet) -> None:
    with pytest.raises(ImagesNotFoundError, match=r"of the 4 has gantry 45: there is gantry 0"):
        images.where(gantry=45)
    with pytest.raises(RequestError, match=r"no beam 'Opn'; its beams are Open \(number 1\), PF"):
        images.where(beam="Opn")
    with pytest.raises(ImagesNotFoundError, match=r"energy 15: there is energy 6X \(2\), 6X-FFF"):
        images.where(energy=15)


def test_one_is_an_image_and_several_are_an_error(images: ImageSet) -> None:
    assert images.one(beam="Open").gantry == 0
    with pytest.raises(AmbiguousImagesError, match=r"3 of the 4 have energy 6, where one is expec"):
        images.one(energy=6)
    with pytest.raises(AmbiguousImagesError, match="there are 4, where one is expected"):
        images.one()


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"gantry": "x"},
        {"gantry": None},
        {"beam": []},
        {"energy": "x"},
        {"energy": None},
        {"a": 1},
    ],
)
def test_what_is_nothing_to_choose_by_is_refused(images: ImageSet, wanted: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        images.where(**wanted)


def test_a_beam_that_is_not_filled_in_yet_waits(images: ImageSet) -> None:
    with pytest.raises(WaitingError, match="Waiting for the beam"):
        images.where(beam=" ")


def test_an_image_of_which_it_is_unknown_is_an_error(tmp_path: Path) -> None:
    images = Clinic(tmp_path, gantry=None, beam_number=None).images
    with pytest.raises(AmbiguousImagesError, match="the gantry is unknown"):
        images.where(gantry=0)
    with pytest.raises(AmbiguousImagesError, match="the gantry angle is unknown"):
        images.by_gantry()
    with pytest.raises(AmbiguousImagesError, match=r"beam number none.* the beam is unknown"):
        images.where(beam="Open")


def test_two_beams_of_a_name_are_named_by_their_numbers(tmp_path: Path) -> None:
    images = Clinic(tmp_path, beams=("Open", "PF", "Open", "PF2")).images
    for ask in (lambda: images.where(beam="Open"), images.by_beam):
        with pytest.raises(AmbiguousPlanError, match=r"2 beams with the name 'Open', .* 1 and 3"):
            ask()
    assert numbers(images.where(beam=3)) == [3]


def test_images_by_beam_are_in_the_plans_order(clinic: Clinic) -> None:
    beams = clinic.plan.BeamSequence
    clinic.plan.BeamSequence = [beams[2], beams[0], beams[3], beams[1]]
    images = clinic.images
    assert list(images.by_beam()) == ["PF G180", "Open", "PF G270", "PF G90"]
    assert numbers(images.in_plan_order()) == [3, 1, 4, 2]
    assert numbers(images) == [1, 2, 3, 4]


def test_images_by_energy(images: ImageSet) -> None:
    assert {e: numbers(i) for e, i in images.by_energy().items()} == {
        "10X": [4],
        "6X": [1, 2],
        "6X-FFF": [3],
    }


@pytest.mark.parametrize(
    ("angles", "tolerance", "expected"),
    [
        ((359.9867, 0.0219, 90.1, 179.9), 1, {0.0: [1, 2], 90.1: [3], 179.9: [4]}),
        ((0, 0.4, 1.2, 2.9), 1, {0.5: [1, 2, 3], 2.9: [4]}),
        ((10, 10, 10, 10), 0, {10.0: [1, 2, 3, 4]}),
        ((0, 120, 240, 359), 1, {120.0: [2], 240.0: [3], 359.5: [1, 4]}),
    ],
)
def test_images_by_gantry_angle(
    clinic: Clinic, angles: Any, tolerance: float, expected: dict[float, list[int]]
) -> None:
    clinic.refs = [_changed(ref, gantry=a) for ref, a in zip(clinic.refs, angles)]
    found = clinic.images.by_gantry(tolerance)
    assert {angle: numbers(images) for angle, images in found.items()} == expected


def test_the_newest_images(clinic: Clinic) -> None:
    assert numbers(clinic.images.newest(2)) == [3, 4]
    assert numbers(clinic.images.newest()) == [4]
    with pytest.raises(TooFewImagesError, match="5 images wanted, and there are 4"):
        clinic.images.newest(5)
    for number in (0, True, "2"):
        with pytest.raises(RequestError):
            clinic.images.newest(number)  # type: ignore[arg-type]
    clinic.refs = [dataclasses.replace(ref, acquired=TAKEN) for ref in clinic.refs]
    with pytest.raises(AmbiguousImagesError, match="or the same one"):
        clinic.images.newest(2)


# --- a subset ---------------------------------------------------------------------------------


def test_a_subset_has_a_folder_with_just_its_images(images: ImageSet) -> None:
    part = images.where(energy="6X")
    assert Path(part.path) != Path(images.path)
    assert uids([str(file) for file in sorted(Path(part.path).iterdir())]) == uids(list(part))
    assert images.where(energy="6X").path == part.path  # the same each time
    assert len(list(Path(images.path).iterdir())) == 4


def test_a_subset_has_the_methods_of_a_set(images: ImageSet, tmp_path: Path) -> None:
    part = images.where(energy="6X").where(gantry=90)
    assert len(part.summary["images"]) == 1
    assert part.status.startswith("1 image of plan")
    assert part.copy_to(tmp_path / "copies")
    assert part.plan.beams == images.plan.beams


def test_a_folder_of_a_subset_that_was_changed_is_made_anew(images: ImageSet) -> None:
    folder = Path(images.where(energy="6X").path)
    first = sorted(folder.iterdir())[0]
    first.chmod(0o600)
    first.write_bytes(b"changed")
    again = images.where(energy="6X")
    assert uids([str(file) for file in Path(again.path).iterdir()]) == uids(list(again))


def test_a_subset_of_changed_images_has_no_folder(images: ImageSet) -> None:
    Path(images.files[0]).chmod(0o600)
    Path(images.files[0]).write_bytes(b"changed")
    with pytest.raises(ArchiveError, match="was changed after it was handed over"):
        _ = images.where(gantry=0).path
    assert images.where(gantry=90).path
