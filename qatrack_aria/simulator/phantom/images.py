"""RT Images of the QA tests of a linac."""

from __future__ import annotations

import math
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from .acquisition import Picture, acquire
from .drawing import Ball, Field
from .machines import IMAGERS, KV, PORTAL_DOSIMETRY

# Gantry, collimator and couch in degrees (IEC 61217) of the eight images of a Winston-Lutz test.
WINSTON_LUTZ_AXES = (
    (0, 0, 0),
    (90, 0, 0),
    (180, 0, 0),
    (270, 0, 0),
    (0, 90, 0),
    (0, 270, 0),
    (0, 0, 90),
    (0, 0, 270),
)


def winston_lutz(
    plan: Dataset,
    acquired: datetime,
    full_size: bool | None = None,
    *,
    machine_type: str = "truebeam",
    machine: str | None = None,
    series_per_image: bool = False,
    count: int = 8,
    bb_offset: tuple[float, float, float] = (0.4, 0.3, -0.5),
    exported: datetime | None = None,
) -> list[Dataset]:
    """Make the images of a Winston-Lutz test: a 20 mm field and a 5 mm ball.

    Parameters
    ----------
    plan : pydicom.dataset.Dataset
        The irradiated plan.
    acquired : datetime.datetime
        Time of the first image; the others follow every 35 s.
    full_size : bool, optional
        Whether to fill the imager's full matrix, or only its central 64 x 64 mm in as many pixels;
        by default full if pylinac is installed.
    machine_type : str
        ``"truebeam"``, ``"clinac"`` (aS1000) or ``"ias3"`` (aS500).
    machine : str, optional
        (3002,0020) Radiation Machine Name; by default the plan's machine.
    series_per_image : bool
        Whether each image is in a series of its own.
    count : int
        The number of images; the angles repeat after eight.
    bb_offset : tuple of float
        Position of the ball in mm from the isocentre: left (facing the gantry), up, and in.
    exported : datetime.datetime, optional
        (0008,0012) Instance Creation Date and Time; by default a day after `acquired`.

    Returns
    -------
    list of pydicom.dataset.Dataset
        The images, oldest first.
    """
    pictures = []
    for index in range(count):
        axes = WINSTON_LUTZ_AXES[index % len(WINSTON_LUTZ_AXES)]
        x, y = _in_beams_eye_view(bb_offset, gantry=axes[0], couch=axes[2])
        pictures.append(Picture((Field(0, 0, 20, 20),), (Ball(x, y, 5),), axes))
    images = acquire(plan, acquired, IMAGERS[machine_type], pictures, full_size, machine, exported)
    if series_per_image:
        for number, image in enumerate(images, start=1):
            image.SeriesInstanceUID = generate_uid()
            image.SeriesNumber = number
    return images


def picket_fence(
    plan: Dataset,
    acquired: datetime,
    full_size: bool | None = None,
    *,
    machine_type: str = "truebeam",
    machine: str | None = None,
    exported: datetime | None = None,
) -> list[Dataset]:
    """Make the image of a picket fence: ten pickets, 3 mm wide and 15 mm apart; see `winston_lutz`.

    In the fourth picket the leaf pairs from 10 to 20 mm are displaced by 0.3 mm.
    """
    straight = [Field(15 * number - 67.5, 0, 3, 180) for number in range(10) if number != 3]
    fourth = [Field(-22.5, -40, 3, 100), Field(-22.2, 15, 3, 10), Field(-22.5, 55, 3, 70)]
    pictures = [Picture((*straight, *fourth))]
    return acquire(plan, acquired, IMAGERS[machine_type], pictures, full_size, machine, exported)


def portal_dose(
    plan: Dataset,
    acquired: datetime,
    full_size: bool | None = None,
    *,
    machine: str | None = None,
    count: int = 2,
    exported: datetime | None = None,
) -> list[Dataset]:
    """Make portal dose images (…\\PORTAL\\ACQUIRED_DOSE) in CU; see `winston_lutz`."""
    pictures = [
        Picture((Field(0, 0, 100, 100), Field(10, -15, 40, 20, level=0.2)), axes=(90 * index, 0, 0))
        for index in range(count)
    ]
    images = acquire(plan, acquired, PORTAL_DOSIMETRY, pictures, full_size, machine, exported)
    for image in images:
        image.ImageType = ["ORIGINAL", "PRIMARY", "PORTAL", "ACQUIRED_DOSE"]
        image.RescaleSlope = "0.00002"
        image.RescaleType = "CU"
    return images


def kv(
    plan: Dataset,
    acquired: datetime,
    full_size: bool | None = None,
    *,
    like: Dataset | None = None,
    machine: str | None = None,
    count: int = 1,
    exported: datetime | None = None,
) -> list[Dataset]:
    """Make kV images, which differ from MV images in their Primary Dosimeter Unit: MINUTE.

    They are in the study and series of the image `like`, if there is one; see `winston_lutz`.
    """
    picture = Picture((Field(0, 0, 150, 120),), (Ball(0, 0, 5),), peak=30_000)
    images = acquire(plan, acquired, KV, [picture] * count, full_size, machine, exported)
    for image in images:
        image.PrimaryDosimeterUnit = "MINUTE"
        image.RTImageLabel = "KV" + image.RTImageLabel[2:]
        image.ExposureSequence[0].KVP = "100"
        del image.ReferencedBeamNumber
        if like is not None:
            for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber"):
                setattr(image, keyword, getattr(like, keyword))
    return images


def _in_beams_eye_view(
    offset: tuple[float, float, float], *, gantry: int, couch: int
) -> tuple[float, float]:
    """Project a point of the couch to mm at the isocentre, to the right and to the gantry."""
    left, up, inwards = offset
    turn, tilt = math.radians(couch), math.radians(gantry)
    x = -left * math.cos(turn) - inwards * math.sin(turn)
    y = -left * math.sin(turn) + inwards * math.cos(turn)
    return x * math.cos(tilt) - up * math.sin(tilt), y
