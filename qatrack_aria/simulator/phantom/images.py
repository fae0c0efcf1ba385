"""RT Images of a QA plan, with the headers that each generation of linac writes."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Sequence

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import RTImageStorage, generate_uid

from .drawing import PEAK, Ball, Field, draw
from .files import as_file
from .machines import IMAGERS, KV, PORTAL_DOSIMETRY, SMALL, Imager
from .plans import OPERATOR

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

# An encoder never reads a round number; added in turn, so that a gantry at 0 reads 359.9867.
ENCODER_NOISE = (-0.0133, 0.0219, 0.0087, -0.0241, 0.0032)

SECONDS_BETWEEN_IMAGES = 35


@dataclass(frozen=True)
class _Picture:
    """What one image shows, and where the machine stood."""

    fields: tuple[Field, ...]
    balls: tuple[Ball, ...] = ()
    axes: tuple[int, int, int] = (0, 0, 0)
    peak: int = PEAK


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
    """Take the images of a Winston-Lutz test: a 20 mm field and a 5 mm ball.

    Parameters
    ----------
    plan : pydicom.dataset.Dataset
        The plan that is irradiated.
    acquired : datetime.datetime
        When the first image was taken; the next ones follow every 35 s.
    full_size : bool, optional
        The imager's full matrix, or only its central 64 x 64 mm in as many pixels; by default
        full where pylinac is installed.
    machine_type : str
        ``"truebeam"``, ``"clinac"`` (aS1000) or ``"ias3"`` (aS500).
    machine : str, optional
        (3002,0020) Radiation Machine Name; by default the plan's machine.
    series_per_image : bool
        Each image in a series of its own, instead of one series for all.
    count : int
        The number of images; after eight the angles begin again.
    bb_offset : tuple of float
        Where the ball lies, in mm from the isocentre: to the left (facing the gantry), up, and in.
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
        pictures.append(_Picture((Field(0, 0, 20, 20),), (Ball(x, y, 5),), axes))
    images = _images(plan, acquired, IMAGERS[machine_type], pictures, full_size, machine, exported)
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
    """Take the image of a picket fence: ten pickets, 3 mm wide and 15 mm apart; see `winston_lutz`.

    In the fourth picket the leaf pairs from 10 to 20 mm stand 0.3 mm aside.
    """
    straight = [Field(15 * number - 67.5, 0, 3, 180) for number in range(10) if number != 3]
    fourth = [Field(-22.5, -40, 3, 100), Field(-22.2, 15, 3, 10), Field(-22.5, 55, 3, 70)]
    pictures = [_Picture((*straight, *fourth))]
    return _images(plan, acquired, IMAGERS[machine_type], pictures, full_size, machine, exported)


def portal_dose(
    plan: Dataset,
    acquired: datetime,
    full_size: bool | None = None,
    *,
    machine: str | None = None,
    count: int = 2,
    exported: datetime | None = None,
) -> list[Dataset]:
    """Take portal dose images (…\\PORTAL\\ACQUIRED_DOSE) in CU; see `winston_lutz`."""
    pictures = [
        _Picture(
            (Field(0, 0, 100, 100), Field(10, -15, 40, 20, level=0.2)), axes=(90 * index, 0, 0)
        )
        for index in range(count)
    ]
    images = _images(plan, acquired, PORTAL_DOSIMETRY, pictures, full_size, machine, exported)
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
    """Take kV images, which differ from MV images in their Primary Dosimeter Unit: MINUTE.

    They join the study and series of the image `like`, if one is given; see `winston_lutz`.
    """
    picture = _Picture((Field(0, 0, 150, 120),), (Ball(0, 0, 5),), peak=30_000)
    images = _images(plan, acquired, KV, [picture] * count, full_size, machine, exported)
    for image in images:
        image.PrimaryDosimeterUnit = "MINUTE"
        image.RTImageLabel = "KV" + image.RTImageLabel[2:]
        image.ExposureSequence[0].KVP = "100"
        del image.ReferencedBeamNumber
        if like is not None:
            for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber"):
                setattr(image, keyword, getattr(like, keyword))
    return images


def _images(
    plan: Dataset,
    acquired: datetime,
    imager: Imager,
    pictures: Sequence[_Picture],
    full_size: bool | None,
    machine: str | None,
    exported: datetime | None,
) -> list[Dataset]:
    """Take the pictures one after another into one series."""
    if full_size is None:
        full_size = importlib.util.find_spec("pylinac") is not None
    machine = machine or plan.BeamSequence[0].TreatmentMachineName
    series = generate_uid()
    finished = acquired + timedelta(seconds=SECONDS_BETWEEN_IMAGES * len(pictures))
    images = []
    for index, picture in enumerate(pictures):
        taken = acquired + timedelta(seconds=SECONDS_BETWEEN_IMAGES * index)
        image = _header(plan, imager, machine, index + 1, taken)
        image.SeriesInstanceUID = series
        # A series is dated when the session is closed: later than any of its images.
        image.SeriesDate, image.SeriesTime = _date(finished), _time(finished)
        exported = exported or acquired + timedelta(days=1)
        image.InstanceCreationDate, image.InstanceCreationTime = _date(exported), _time(exported)
        _set_angles(image, picture.axes, index)
        _set_pixels(image, imager, picture, full_size)
        for keyword in imager.absent:
            del image[keyword]
        for keyword in imager.empty:
            setattr(image, keyword, None)
        images.append(as_file(image))
    return images


def _header(plan: Dataset, imager: Imager, machine: str, number: int, taken: datetime) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = plan.SpecificCharacterSet
    ds.ImageType = ["ORIGINAL", "PRIMARY", "PORTAL"]
    ds.SOPClassUID = RTImageStorage
    ds.SOPInstanceUID = generate_uid()
    # The study is the plan's: weeks older than the image.
    for keyword in ("StudyDate", "StudyTime", "StudyInstanceUID", "StudyID", "FrameOfReferenceUID"):
        setattr(ds, keyword, getattr(plan, keyword))
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"):
        setattr(ds, keyword, getattr(plan, keyword))
    ds.AcquisitionDate, ds.AcquisitionTime = _date(taken), _time(taken)
    ds.ContentDate, ds.ContentTime = _date(taken), _time(taken)
    ds.AccessionNumber = ""
    ds.Modality = "RTIMAGE"
    ds.ConversionType = "DI"
    ds.Manufacturer = "Varian Medical Systems"
    ds.ReferringPhysicianName = ""
    ds.StationName = machine
    ds.OperatorsName = OPERATOR
    ds.ManufacturerModelName = imager.model
    if imager.serial_number:
        ds.DeviceSerialNumber = imager.serial_number
    ds.SeriesNumber = 1
    ds.InstanceNumber = number
    ds.RTImageLabel = f"MV_{number}_1a"  # the beam's name is only in the plan
    ds.RTImagePlane = "NORMAL"
    ds.ReportedValuesOrigin = "ACTUAL"
    ds.RadiationMachineName = machine
    ds.RadiationMachineSAD = "1000"
    ds.RTImageSID = f"{imager.sid:g}"
    ds.XRayImageReceptorTranslation = ["0", "0", f"{1000 - imager.sid:g}"]
    ds.PrimaryDosimeterUnit = "MU"
    ds.ReferencedBeamNumber = (number - 1) % len(plan.BeamSequence) + 1
    ds.FractionNumber = 1
    ds.ExposureSequence = Items([_exposure()])
    ds.ReferencedRTPlanSequence = Items([_reference(plan)])
    return ds


def _reference(plan: Dataset) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = plan.SOPClassUID
    reference.ReferencedSOPInstanceUID = plan.SOPInstanceUID
    return reference


def _exposure() -> Dataset:
    exposure = Dataset()
    exposure.KVP = "6000"
    exposure.MetersetExposure = "10.0133"
    return exposure


def _set_angles(image: Dataset, axes: tuple[int, int, int], index: int) -> None:
    keywords = ("GantryAngle", "BeamLimitingDeviceAngle", "PatientSupportAngle")
    for offset, (keyword, angle) in enumerate(zip(keywords, axes)):
        noise = ENCODER_NOISE[(index + offset) % len(ENCODER_NOISE)]
        setattr(image, keyword, f"{(angle + noise) % 360:.4f}")


def _set_pixels(image: Dataset, imager: Imager, picture: _Picture, full_size: bool) -> None:
    rows, columns, spacing = imager.rows, imager.columns, imager.spacing
    if not full_size:
        spacing = imager.sid / 1000
        rows = columns = SMALL
    at_isocentre = spacing * 1000 / imager.sid
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.Rows, image.Columns = rows, columns
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit = 15
    image.PixelRepresentation = 0
    image.PixelIntensityRelationship = "LIN"
    image.PixelIntensityRelationshipSign = 1
    image.RescaleIntercept = "0"
    image.RescaleSlope = "1"
    image.RescaleType = "US"
    image.ImagePlanePixelSpacing = [f"{spacing:g}", f"{spacing:g}"]
    corner = [f"{-(columns - 1) / 2 * spacing:.4f}", f"{(rows - 1) / 2 * spacing:.4f}"]
    image.RTImagePosition = corner
    pixels = draw(rows, columns, at_isocentre, picture.fields, picture.balls, picture.peak)
    image.add_new("PixelData", "OW", pixels)


def _in_beams_eye_view(
    offset: tuple[float, float, float], *, gantry: int, couch: int
) -> tuple[float, float]:
    """Project a point on the couch: mm at the isocentre, to the right and towards the gantry."""
    left, up, inwards = offset
    turn, tilt = math.radians(couch), math.radians(gantry)
    x = -left * math.cos(turn) - inwards * math.sin(turn)
    y = -left * math.sin(turn) + inwards * math.cos(turn)
    return x * math.cos(tilt) - up * math.sin(tilt), y


def _date(moment: datetime) -> str:
    return moment.strftime("%Y%m%d")


def _time(moment: datetime) -> str:
    return moment.strftime("%H%M%S.%f")
