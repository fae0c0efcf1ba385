"""The slices of a CT scan of a phantom: a cylinder of water with an insert."""

from __future__ import annotations

from array import array
from datetime import datetime
from typing import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, generate_uid

from qatrack_aria.dicom.uids import SPATIAL_REGISTRATION_STORAGE

from .files import as_file, data_set, date, time

SIDE = 16  # rows and columns
AXIAL = ("1", "0", "0", "0", "1", "0")


def ct_series(
    patient_id: str,
    acquired: datetime,
    *,
    slices: int = 20,
    description: str = "CBCT",
    protocol: str = "Pelvis",
    machine: str = "TB1",
    spacing: float = 2.0,
    first: float = -20.0,
    scan: int = 1,
    orientation: Sequence[str] = AXIAL,
    like: Dataset | None = None,
) -> list[Dataset]:
    """Scan a phantom.

    Parameters
    ----------
    patient_id : str
        Patient ID.
    acquired : datetime.datetime
        Time of the scan, which all slices have.
    slices : int
        Their number.
    description, protocol, machine : str
        Series Description, Protocol Name and Station Name.
    spacing, first : float
        Distance of the slices and position of the first one, in mm.
    scan : int
        Acquisition Number.
    orientation : sequence of str
        Image Orientation (Patient).
    like : Dataset, optional
        A slice of the series that these belong to; by default they are a new one.

    Returns
    -------
    list of Dataset
        The slices.
    """
    study, series, frame = (generate_uid() for _ in range(3))
    found = []
    for index in range(slices):
        ds = _header(patient_id, acquired, description, protocol, machine)
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame
        if like is not None:
            for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
                setattr(ds, keyword, like[keyword].value)
        ds.AcquisitionNumber = scan
        ds.InstanceNumber = index + 1
        ds.ImagePositionPatient = ["-120", "-120", f"{first + index * spacing:.3f}"]
        ds.ImageOrientationPatient = list(orientation)
        ds.SliceThickness = f"{spacing:g}"
        _set_pixels(ds)
        found.append(as_file(ds))
    return found


def registration(frame: str, scan: Dataset) -> Dataset:
    """Relate the frame of reference of a scan to another, as after a match at the console.

    Parameters
    ----------
    frame : str
        Frame of Reference UID, such as that of a plan.
    scan : Dataset
        A slice of the scan.

    Returns
    -------
    Dataset
        A spatial registration (PS3.3 A.39) in a series of its own.
    """
    ds = Dataset()
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID"):
        setattr(ds, keyword, scan[keyword].value)
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = SPATIAL_REGISTRATION_STORAGE, generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = scan.StudyInstanceUID, generate_uid()
    ds.Modality = "REG"
    ds.ContentDate, ds.ContentTime = scan.ContentDate, scan.ContentTime
    ds.SeriesNumber = ds.InstanceNumber = 1
    ds.AccessionNumber = ""
    ds.FrameOfReferenceUID = frame
    frames = frame, scan.FrameOfReferenceUID
    ds.RegistrationSequence = [data_set(FrameOfReferenceUID=one) for one in frames]
    return as_file(ds)


def _header(
    patient_id: str, acquired: datetime, description: str, protocol: str, machine: str
) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = generate_uid()
    for kind in ("Study", "Acquisition", "Content"):
        setattr(ds, f"{kind}Date", date(acquired))
        setattr(ds, f"{kind}Time", time(acquired))
    ds.AccessionNumber = ""
    ds.Modality = "CT"
    ds.Manufacturer = "Varian Medical Systems"
    ds.ReferringPhysicianName = ""
    ds.StationName = machine
    ds.SeriesDescription = description
    ds.ProtocolName = protocol
    ds.PatientName = "PHANTOM^QA"
    ds.PatientID = patient_id
    ds.PatientBirthDate = ""
    ds.PatientSex = "O"
    ds.KVP = "125"
    ds.StudyID = "1"
    ds.SeriesNumber = 1
    ds.PatientPosition = "HFS"
    return ds


def _set_pixels(ds: Dataset) -> None:
    half = (SIDE - 1) / 2
    water = [
        1024 if (row - half) ** 2 + (column - half) ** 2 < half**2 else 24
        for row in range(SIDE)
        for column in range(SIDE)
    ]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows = ds.Columns = SIDE
    ds.PixelSpacing = ["16", "16"]
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit = 15
    ds.PixelRepresentation = 0
    ds.RescaleIntercept, ds.RescaleSlope = "-1024", "1"
    ds.add_new("PixelData", "OW", array("H", water).tobytes())
