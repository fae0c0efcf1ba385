"""The data sets of RT Images, as an imager acquires them one after another."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import RTImageStorage, generate_uid

from .drawing import PEAK, Ball, Field, draw
from .files import as_file, data_set, date, time
from .machines import SMALL, Imager
from .plans import OPERATOR

# An encoder never reads a round number; added in turn, so that a gantry at 0 reads 359.9867.
ENCODER_NOISE = (-0.0133, 0.0219, 0.0087, -0.0241, 0.0032)

SECONDS_BETWEEN_IMAGES = 35
#: Attributes that an image shares with its plan.
OF_THE_STUDY = (
    *("StudyDate", "StudyTime", "StudyInstanceUID", "StudyID"),
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
)


@dataclass(frozen=True)
class Picture:
    """The content of one image, and the angles of gantry, collimator and couch."""

    fields: tuple[Field, ...]
    balls: tuple[Ball, ...] = ()
    axes: tuple[int, int, int] = (0, 0, 0)
    peak: int = PEAK


def acquire(
    plan: Dataset,
    acquired: datetime,
    imager: Imager,
    pictures: Sequence[Picture],
    full_size: bool | None,
    machine: str | None,
    exported: datetime | None,
) -> list[Dataset]:
    """Acquire the pictures one after another, as one series; see `winston_lutz`."""
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
        image.SeriesDate, image.SeriesTime = date(finished), time(finished)
        exported = exported or acquired + timedelta(days=1)
        image.InstanceCreationDate, image.InstanceCreationTime = date(exported), time(exported)
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
    # The study is that of the plan, weeks older than the image.
    for keyword in (*OF_THE_STUDY, "FrameOfReferenceUID"):
        setattr(ds, keyword, plan[keyword].value)
    ds.AcquisitionDate, ds.AcquisitionTime = date(taken), time(taken)
    ds.ContentDate, ds.ContentTime = date(taken), time(taken)
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
    ds.RTImageLabel = f"MV_{number}_1a"  # only the plan has the beam's name
    ds.RTImagePlane = "NORMAL"
    ds.ReportedValuesOrigin = "ACTUAL"
    ds.RadiationMachineName = machine
    ds.RadiationMachineSAD = "1000"
    ds.RTImageSID = f"{imager.sid:g}"
    ds.XRayImageReceptorTranslation = ["0", "0", f"{1000 - imager.sid:g}"]
    ds.PrimaryDosimeterUnit = "MU"
    beam = plan.BeamSequence[(number - 1) % len(plan.BeamSequence)]
    ds.ReferencedBeamNumber = beam.BeamNumber
    ds.FractionNumber = 1
    energy = beam.ControlPointSequence[0].NominalBeamEnergy
    ds.ExposureSequence = [data_set(KVP=f"{energy * 1000:g}", MetersetExposure="10.0133")]
    ds.ReferencedRTPlanSequence = [reference(plan)]
    return ds


def reference(plan: Dataset) -> Dataset:
    """Return the item of a sequence that names a plan."""
    return data_set(
        ReferencedSOPClassUID=plan.SOPClassUID, ReferencedSOPInstanceUID=plan.SOPInstanceUID
    )


def _set_angles(image: Dataset, axes: tuple[int, int, int], index: int) -> None:
    keywords = ("GantryAngle", "BeamLimitingDeviceAngle", "PatientSupportAngle")
    for offset, (keyword, angle) in enumerate(zip(keywords, axes)):
        noise = ENCODER_NOISE[(index + offset) % len(ENCODER_NOISE)]
        setattr(image, keyword, f"{(angle + noise) % 360:.4f}")


def _set_pixels(image: Dataset, imager: Imager, picture: Picture, full_size: bool) -> None:
    rows, columns, spacing = imager.rows, imager.columns, imager.spacing
    if not full_size:
        spacing = imager.sid / 1000
        rows = columns = SMALL
    at_isocentre = spacing * 1000 / imager.sid
    image.PixelIntensityRelationship = "LIN"
    image.PixelIntensityRelationshipSign = 1
    image.RescaleIntercept = "0"
    image.RescaleSlope = "1"
    image.RescaleType = "US"
    image.ImagePlanePixelSpacing = [f"{spacing:g}", f"{spacing:g}"]
    corner = [f"{-(columns - 1) / 2 * spacing:.4f}", f"{(rows - 1) / 2 * spacing:.4f}"]
    image.RTImagePosition = corner
    pixels = draw(rows, columns, at_isocentre, picture.fields, picture.balls, picture.peak)
    set_matrix(image, rows, columns, pixels)


def set_matrix(image: Dataset, rows: int, columns: int, pixels: bytes) -> None:
    """Give an image its pixels: unsigned 16 bit values, little endian."""
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.Rows, image.Columns = rows, columns
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit = 15
    image.PixelRepresentation = 0
    image.add_new("PixelData", "OW", pixels)
