"""Make the RT Images of a random hospital: small, and with the headers of real imagers."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any, Callable

from pydicom.dataset import Dataset
from pydicom.uid import RTImageStorage

from qatrack_aria.simulator.phantom.acquisition import OF_THE_STUDY, reference, set_matrix
from qatrack_aria.simulator.phantom.files import as_file, data_set, date, time

SIDE = 8  # pixels
PORTAL = ["ORIGINAL", "PRIMARY", "PORTAL"]

#: What an imager does to the header of an image: it takes the data set, the moment, and chance.
Habit = Callable[[Dataset, dt.datetime, random.Random], None]


def uid(chance: random.Random) -> str:
    """Return a UID; mostly one of a company's, now and then one made from a random number."""
    root = "2.25" if chance.random() < 0.1 else "1.2.246.352.64"
    return f"{root}.{chance.randrange(10**15, 10**24)}"


def image(plan: Dataset, taken: dt.datetime, number: int, chance: random.Random) -> Dataset:
    """Make an MV portal image of a plan, with the header of a TrueBeam of our days.

    Parameters
    ----------
    plan : pydicom.dataset.Dataset
        The plan that was irradiated.
    taken : datetime.datetime
        The moment of acquisition.
    number : int
        The number of the image in its session, from 1.
    chance : random.Random
        The source of UIDs and pixels.
    """
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ImageType = list(PORTAL)
    ds.SOPClassUID = RTImageStorage
    ds.SOPInstanceUID = uid(chance)
    for keyword in OF_THE_STUDY:
        setattr(ds, keyword, plan[keyword].value)
    ds.AcquisitionDate = ds.ContentDate = date(taken)
    ds.AcquisitionTime = ds.ContentTime = time(taken)
    ds.AccessionNumber = ""
    ds.Modality = "RTIMAGE"
    ds.ReferringPhysicianName = ""
    ds.SeriesNumber = 1
    ds.InstanceNumber = number
    ds.RTImageLabel = f"MV_{number}_1a"
    ds.RTImagePlane = "NORMAL"
    ds.PrimaryDosimeterUnit = "MU"
    ds.ExposureSequence = [_exposure("6000")]
    ds.ReferencedRTPlanSequence = [reference(plan)]
    set_matrix(ds, SIDE, SIDE, bytes(chance.choices(range(256), k=2 * SIDE * SIDE)))
    return as_file(ds)


def _exposure(voltage: str) -> Dataset:
    return data_set(KVP=voltage, MetersetExposure="10")


# --- when -------------------------------------------------------------------------------------


def as_is(ds: Dataset, taken: dt.datetime, chance: random.Random) -> None:
    """Leave the header of a TrueBeam of our days."""


def saved_later(ds: Dataset, taken: dt.datetime, chance: random.Random) -> None:
    """Write the time of saving as Acquisition Time, as TrueBeam 2.5 does: out of order."""
    saved = taken + dt.timedelta(seconds=chance.uniform(20, 200))
    ds.AcquisitionDate, ds.AcquisitionTime = date(saved), time(saved)


def _content_only(ds: Dataset, taken: dt.datetime, chance: random.Random) -> None:
    del ds.AcquisitionDate, ds.AcquisitionTime


def _acquisition_only(ds: Dataset, taken: dt.datetime, chance: random.Random) -> None:
    del ds.ContentDate, ds.ContentTime


def _acr_nema(ds: Dataset, taken: dt.datetime, chance: random.Random) -> None:
    for kind in ("Acquisition", "Content"):
        setattr(ds, f"{kind}Date", taken.strftime("%Y.%m.%d"))
        setattr(ds, f"{kind}Time", taken.strftime("%H:%M:%S"))


def _timed(write: Callable[[dt.datetime], str]) -> Habit:
    """Return the habit of writing the time so."""

    def habit(ds: Dataset, taken: dt.datetime, chance: random.Random) -> None:
        ds.AcquisitionTime = ds.ContentTime = write(taken)

    return habit


def _no_date(ds: Dataset, taken: dt.datetime, chance: random.Random) -> None:
    ds.AcquisitionDate = ds.AcquisitionTime = ds.ContentDate = ds.ContentTime = ""


#: How an imager dates its images, and how often that is met.
DATING: dict[Habit, float] = {
    as_is: 50,
    _content_only: 12,
    _acquisition_only: 12,
    saved_later: 10,
    _acr_nema: 4,
    _timed(lambda taken: taken.strftime("%H:%M:%S")): 4,
    _timed(lambda taken: f"{time(taken)}0"): 4,  # seven digits of a second
}
#: What happens to single images.
UNDATED: dict[Habit, float] = {
    _timed(lambda taken: "240000"): 1,  # the end of the day
    _timed(lambda taken: ""): 3,
    _no_date: 2,
}


# --- with what --------------------------------------------------------------------------------


def _no_unit(ds: Dataset, taken: dt.datetime, chance: random.Random) -> None:
    ds.PrimaryDosimeterUnit = ""
    if chance.random() < 0.5:
        del ds.PrimaryDosimeterUnit


def _no_unit_in_mv(ds: Dataset, taken: dt.datetime, chance: random.Random) -> None:
    _no_unit(ds, taken, chance)
    ds.ExposureSequence = [_exposure(chance.choice(["6", "18"]))]


def _nothing(ds: Dataset, taken: dt.datetime, chance: random.Random) -> None:
    _no_unit(ds, taken, chance)
    del ds.ExposureSequence


def _ias2(ds: Dataset, taken: dt.datetime, chance: random.Random) -> None:
    ds.PrimaryDosimeterUnit = "MINUTE"
    ds.ExposureSequence = [_exposure("")]
    ds.RTImageDescription = " 18MV, 240MU/min"


def _mosaiq_kv(ds: Dataset, taken: dt.datetime, chance: random.Random) -> None:
    ds.RTImageLabel = "KV"
    ds.ExposureSequence = [_exposure("75")]


def kilovolt(ds: Dataset, taken: dt.datetime, chance: random.Random) -> None:
    """Make a kV image of it."""
    ds.PrimaryDosimeterUnit = chance.choice(["MINUTE", "MINUTE", "minute", ""])
    ds.RTImageLabel = "KV_1_1a"
    ds.ExposureSequence = [_exposure(chance.choice(["75", "120"]))]


#: How an imager says what beam it was.
BEAMS: dict[Habit, float] = {as_is: 60, _no_unit: 8, _no_unit_in_mv: 5, _nothing: 8}
#: Images that contradict themselves.
CONTRADICTORY: dict[Habit, float] = {_ias2: 2, _mosaiq_kv: 1}


def _padded_type(ds: Dataset, taken: dt.datetime, chance: random.Random) -> None:
    ds.ImageType = [*PORTAL, ""]


def _lower_type(ds: Dataset, taken: dt.datetime, chance: random.Random) -> None:
    ds.ImageType = ["ORIGINAL", "PRIMARY", "Portal"]


TYPES: dict[Habit, float] = {as_is: 90, _padded_type: 4, _lower_type: 3}
#: Image types that are asked for rarely or never.
OTHER_TYPES = (
    ["ORIGINAL", "PRIMARY", "PORTAL", "ACQUIRED_DOSE"],
    ["ORIGINAL", "PRIMARY", "PORTAL", "PREDICTED_DOSE"],
    ["DERIVED", "SECONDARY", "DRR"],
    ["DERIVED", "SECONDARY", "PORTAL"],
)


def pick(habits: dict[Any, float], chance: random.Random) -> Any:
    """Choose one by how often it is met."""
    return chance.choices(list(habits), weights=list(habits.values()))[0]
