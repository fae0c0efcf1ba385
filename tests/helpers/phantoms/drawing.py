"""Draw portal images of phantoms with known errors, and write them as DICOM RT Images.

Everything is drawn in millimetres in the plane of the isocentre: x to the right, y up, which is
towards the gantry, as a beam's eye view shows it. Edges have a width, so that positions are exact
to far less than a pixel.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian, generate_uid
from scipy.special import erf

RT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.481.1"
START = dt.datetime(2026, 11, 23, 7, 30)


@dataclass(frozen=True)
class Panel:
    """An imager: its matrix, the size of its pixels (mm), and its distance from the source (mm)."""

    rows: int
    columns: int
    spacing: float
    sid: float = 1500.0

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y of all pixels."""
        scale = self.spacing * 1000 / self.sid
        x = (np.arange(self.columns) - (self.columns - 1) / 2) * scale
        y = -(np.arange(self.rows) - (self.rows - 1) / 2) * scale
        return np.meshgrid(x, y)


AS500 = Panel(384, 512, 0.784)
AS1000 = Panel(768, 1024, 0.392)
AS1200 = Panel(1280, 1280, 0.336)


def step(distance: np.ndarray, sigma: float = 1.5) -> np.ndarray:
    """Return 0 far below zero and 1 far above, with the shape of a penumbra."""
    return 0.5 * (1 + erf(distance / (sigma * np.sqrt(2))))


def between(values: np.ndarray, low: float, high: float, sigma: float = 1.5) -> np.ndarray:
    """Return 1 between two edges, and 0 outside."""
    return step(values - low, sigma) * step(high - values, sigma)


def to_pixels(dose: np.ndarray, seed: int, scale: float = 40000.0, noise: float = 30.0) -> Any:
    """Return pixel values of a dose, with a background and noise."""
    values = 300 + scale * dose + np.random.default_rng(seed).normal(0, noise, dose.shape)
    return np.clip(np.round(values), 0, 65535).astype("<u2")


def write(folder: Path, name: str, dose: np.ndarray, panel: Panel, **options: Any) -> Path:
    """Write one image.

    Parameters
    ----------
    options
        ``number`` (of the beam and the image), ``gantry``, ``collimator``, ``couch``, ``energy``
        (MV), ``beam``, ``patient``, ``scale``, ``noise``, ``inverted`` (dose lowers the value),
        ``translation`` (of the imager, mm).
    """
    number = options.get("number", 1)
    given = {key: options[key] for key in ("scale", "noise") if key in options}
    pixels = to_pixels(dose, number, **given)
    if options.get("inverted"):
        pixels = (65535 - pixels).astype("<u2")
    header = _header(panel, number, options)
    header.PixelData = pixels.tobytes()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.dcm"
    header.save_as(path, write_like_original=False)
    return path


def _header(panel: Panel, number: int, options: dict[str, Any]) -> Any:
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = RT_IMAGE_STORAGE
    image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    image.is_little_endian, image.is_implicit_VR = True, True
    image.SOPClassUID = RT_IMAGE_STORAGE
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID
    image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    image.ImageType = ["ORIGINAL", "PRIMARY", "PORTAL"]
    image.Modality = "RTIMAGE"
    image.PatientID = image.PatientName = options.get("patient", "QA_PHANTOM")
    _moment(image, START + dt.timedelta(minutes=number))
    _geometry(image, panel, options)
    image.RTImageLabel = options.get("beam", f"Field {number}")
    image.ReferencedBeamNumber = number
    image.InstanceNumber = number
    exposure = Dataset()
    exposure.KVP = f"{options.get('energy', 6) * 1000:g}"
    image.ExposureSequence = [exposure]
    return image


def _moment(image: Any, moment: dt.datetime) -> None:
    for kind in ("Study", "Acquisition", "Content", "InstanceCreation"):
        setattr(image, f"{kind}Date", moment.strftime("%Y%m%d"))
        setattr(image, f"{kind}Time", moment.strftime("%H%M%S"))


def _geometry(image: Any, panel: Panel, options: dict[str, Any]) -> None:
    image.Manufacturer = "Varian Medical Systems"
    image.RadiationMachineName = image.StationName = "TB1"
    image.PrimaryDosimeterUnit = "MU"
    image.RTImagePlane = "NORMAL"
    image.RadiationMachineSAD, image.RTImageSID = "1000", f"{panel.sid:g}"
    image.ImagePlanePixelSpacing = [panel.spacing, panel.spacing]
    half = [(panel.columns - 1) / 2 * panel.spacing, (panel.rows - 1) / 2 * panel.spacing]
    image.RTImagePosition = [round(-half[0], 4), round(half[1], 4)]
    if "translation" in options:
        image.XRayImageReceptorTranslation = [*options["translation"], 1000 - panel.sid]
    image.GantryAngle = f"{options.get('gantry', 0):g}"
    image.BeamLimitingDeviceAngle = f"{options.get('collimator', 0):g}"
    image.PatientSupportAngle = f"{options.get('couch', 0):g}"
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Rows, image.Columns = panel.rows, panel.columns
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation = 15, 0
