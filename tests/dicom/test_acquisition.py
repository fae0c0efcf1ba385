"""How an image was acquired, by its header, and the beams of a plan, by its file."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset

from qatrack_aria.dicom.acquisition import Acquisition, Jaws, acquisition
from qatrack_aria.dicom.rt_plan import Beam, rt_plan
from qatrack_aria.simulator import phantom
from qatrack_aria.simulator.phantom.files import data_set
from tests.helpers import datasets


def header(**values: Any) -> Dataset:
    return data_set(**values)


def exposure(**values: Any) -> Dataset:
    return header(ExposureSequence=[data_set(**values)])


def jaw(kind: str, *positions: str) -> Dataset:
    return data_set(RTBeamLimitingDeviceType=kind, LeafJawPositions=list(positions))


def test_an_image_of_a_truebeam_says_how_it_was_acquired() -> None:
    image = phantom.winston_lutz(datasets.plan(), datasets.TAKEN, False, count=2)[1]
    image.ExposureSequence[0].BeamLimitingDeviceSequence = [
        jaw("ASYMX", "-50", "40"),
        jaw("Y", "-30", "30"),
        jaw("MLCX", *["0"] * 120),
    ]

    found = acquisition(image)

    assert found == Acquisition(
        gantry=90.0219,
        collimator=0.0087,
        couch=359.9759,
        energy=6.0,
        mu=10.0133,
        jaws=Jaws(-50, 40, -30, 30),
        sid=1500.0,
        beam_number=2,
        label="MV_2_1a",
    )


def test_what_a_header_lacks_is_unknown() -> None:
    assert acquisition(Dataset()) == Acquisition()


@pytest.mark.parametrize(
    ("ds", "energy", "kvp"),
    [
        (exposure(KVP="6000"), 6, None),
        (exposure(KVP="2500"), 2.5, None),
        (header(KVP="15000"), 15, None),
        (exposure(KVP="6"), 6, None),  # as some imagers write it
        (exposure(KVP="75"), None, 75),
        (exposure(KVP="700"), None, None),
        (exposure(KVP=""), None, None),
        (header(RTImageDescription=" 18MV, 240MU/min"), 18, None),  # IAS2 without KVP
        (header(RTImageDescription="6 MV and 10 MV"), None, None),
        (header(ExposureSequence=[data_set(KVP="6000"), data_set(KVP="10000")]), None, None),
    ],
)
def test_the_energy_of_an_image(ds: Dataset, energy: float | None, kvp: float | None) -> None:
    assert (acquisition(ds).energy, acquisition(ds).kvp) == (energy, kvp)


@pytest.mark.parametrize(
    ("ds", "fff"),
    [
        (header(PrimaryFluenceModeSequence=[data_set(FluenceMode="STANDARD")]), False),
        (header(PrimaryFluenceModeSequence=[data_set(FluenceMode="NON_STANDARD")]), True),
        (exposure(PrimaryFluenceModeSequence=[data_set(FluenceMode="NON_STANDARD")]), True),
        (header(RTImageDescription="6X-FFF"), True),
        (header(RTImageDescription="6X"), None),
    ],
)
def test_the_fluence_mode_of_an_image(ds: Dataset, fff: bool | None) -> None:
    assert acquisition(ds).fff is fff


def test_the_dose_rate_where_a_description_has_it() -> None:
    assert acquisition(header(RTImageDescription=" 18MV, 240MU/min")).dose_rate == 240


def test_the_monitor_units_of_several_exposures_add_up_and_their_jaws_must_agree() -> None:
    exposures = [data_set(MetersetExposure="1.5"), data_set(MetersetExposure="2")]
    exposures[0].BeamLimitingDeviceSequence = [jaw("X", "-1", "1"), jaw("Y", "-1", "1")]
    exposures[1].BeamLimitingDeviceSequence = [jaw("X", "-2", "2"), jaw("Y", "-1", "1")]
    found = acquisition(header(ExposureSequence=exposures))
    assert (found.mu, found.jaws) == (3.5, None)


@pytest.mark.parametrize("value", ["nan", "inf", "x"])
def test_an_angle_that_is_no_number_is_unknown(value: str) -> None:
    ds = Dataset()
    ds.add_new(0x300A011E, "LO", value)
    assert acquisition(ds).gantry is None


def test_a_plan_says_its_approval_and_its_beams_in_order() -> None:
    plan = datasets.plan(beams=("Open", "PF G90"), energies=("6X", "10X-FFF"))

    found = rt_plan(plan)

    assert found.approval == "APPROVED"
    assert found.beams == (
        Beam(1, "Open", 6, False, "PHOTON", "TREATMENT", "TB1", 10, dose_rate=600),
        Beam(2, "PF G90", 10, True, "PHOTON", "TREATMENT", "TB1", 10, dose_rate=600),
    )
    assert found.beam(2) == found.beams[1]
    assert found.beam(3) is None


def test_a_plan_without_beams_or_with_one_without_a_number_has_no_beam() -> None:
    plan = datasets.plan(beams=("Open",))
    del plan.BeamSequence[0].BeamNumber
    assert rt_plan(plan).beams == ()
    del plan.BeamSequence
    assert rt_plan(plan).beams == ()
