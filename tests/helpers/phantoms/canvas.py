"""Draw flat phantoms in mm at the isocentre, and write them as DICOM RT Images."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import cos, pi, radians, sin
from pathlib import Path
from typing import Any, Callable

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian, generate_uid
from scipy.ndimage import gaussian_filter

RT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.481.1"
EDGES, BARS = 5, 8  # samples per pixel and axis

Inside = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Imager:
    """Describe a flat panel: pixel spacing in mm at the panel, distance, size, kV or MV."""

    rows: int
    columns: int
    spacing: float
    sid: float
    kvp: str = "6000"
    unit: str = "MU"
    model: str = "AS1200"

    @property
    def pixel(self) -> float:
        """Return the width of a pixel at the isocentre in mm."""
        return self.spacing * 1000 / self.sid


AS1200 = Imager(1280, 1280, 0.336, 1500)
AS1000 = Imager(768, 1024, 0.392, 1500, model="AS1000")
KV = Imager(1400, 1400, 0.194, 1500, "75", "MINUTE", "KV panel")  # part of 1536 x 2048


class Canvas:
    """Hold an image in which shapes are painted with exact coverage at their edges.

    Coordinates in mm at the isocentre from the image's centre: x to the right, y downwards.
    """

    def __init__(self, imager: Imager, level: float) -> None:
        self.imager = imager
        self.values = np.full((imager.rows, imager.columns), float(level))

    def paint(
        self, inside: Inside, box: tuple[float, float, float, float], value: Any, sub: int = EDGES
    ) -> None:
        """Blend a value (or a function of x and y) into the pixels that a shape covers.

        `box` is (left, right, top, bottom) in mm and must contain the shape.
        """
        pixel, (rows, columns) = self.imager.pixel, self.values.shape
        left, right = (int(edge / pixel + columns / 2 + add) for edge, add in zip(box[:2], (-2, 2)))
        top, bottom = (int(edge / pixel + rows / 2 + add) for edge, add in zip(box[2:], (-2, 2)))
        left, top = max(left, 0), max(top, 0)
        right, bottom = min(right, columns), min(bottom, rows)
        steps = (np.arange(sub) + 0.5) / sub
        xs = ((np.arange(left, right)[:, None] + steps).ravel() - columns / 2) * pixel
        ys = ((np.arange(top, bottom)[:, None] + steps).ravel() - rows / 2) * pixel
        x, y = xs[None, :], ys[:, None]
        part = self.values[top:bottom, left:right]
        old = np.repeat(np.repeat(part, sub, axis=0), sub, axis=1)
        new = np.where(inside(x, y), value(x, y) if callable(value) else value, old)
        self.values[top:bottom, left:right] = new.reshape(
            bottom - top, sub, right - left, sub
        ).mean(axis=(1, 3))

    def disk(self, x: float, y: float, radius: float, value: Any) -> None:
        """Paint a disk."""
        box = (x - radius, x + radius, y - radius, y + radius)
        self.paint(lambda px, py: (px - x) ** 2 + (py - y) ** 2 <= radius**2, box, value)

    def rectangle(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        value: Any,
        angle: float = 0,
        corner: float = 0,
        sub: int = EDGES,
    ) -> None:
        """Paint a rectangle (with rounded corners), turned clockwise on the screen by `angle`."""
        c, s = abs(cos(radians(angle))), abs(sin(radians(angle)))
        half_x, half_y = (width * c + height * s) / 2, (width * s + height * c) / 2
        box = (x - half_x, x + half_x, y - half_y, y + half_y)
        along, across = self.axes(x, y, angle)

        def inside(px: Any, py: Any) -> Any:
            u = np.abs(along(px, py)) - width / 2 + corner
            v = np.abs(across(px, py)) - height / 2 + corner
            outside = np.hypot(np.maximum(u, 0), np.maximum(v, 0))
            return (np.maximum(u, v) <= corner) & (outside <= max(corner, 1e-9))

        self.paint(inside, box, value, sub)

    def bars(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        frequency: float,
        levels: tuple[float, float],
        angle: float = 0,
        along: bool = True,
    ) -> None:
        """Paint a bar pattern; it changes along the rectangle's width, or else along its height."""
        axis = self.axes(x, y, angle)[0 if along else 1]

        sample = self.imager.pixel / BARS * (abs(cos(radians(angle))) + abs(sin(radians(angle))))

        def level(px: Any, py: Any) -> Any:
            phase = np.arcsin(np.sin(2 * pi * frequency * axis(px, py)))
            edge = phase / (2 * pi * frequency)  # signed distance from the nearest edge of a bar
            return levels[0] + (levels[1] - levels[0]) * np.clip(edge / sample + 0.5, 0, 1)

        self.rectangle(x, y, width, height, level, angle, sub=BARS)

    @staticmethod
    def axes(x: float, y: float, angle: float) -> tuple[Inside, Inside]:
        """Return the coordinates along and across a direction."""
        c, s = cos(radians(angle)), sin(radians(angle))
        return (
            lambda px, py: (px - x) * c + (py - y) * s,
            lambda px, py: -(px - x) * s + (py - y) * c,
        )

    def finish(self, blur: float = 0, noise: float = 0, seed: int = 1) -> Any:
        """Return 16 bit pixels after a Gaussian blur (sigma in mm) and noise (pixel values)."""
        values = gaussian_filter(self.values, blur / self.imager.pixel) if blur else self.values
        values = values + np.random.RandomState(seed).normal(0, noise, values.shape)
        return np.clip(np.rint(values), 0, 65535).astype("<u2")


def write(
    path: Path,
    pixels: Any,
    imager: Imager,
    patient: str = "QA_PLANAR",
    acquired: datetime = datetime(2026, 11, 2, 7, 30),
    beam: int = 1,
    sign: int = 1,
    machine: str = "TrueBeam1",
) -> None:
    """Write pixels as an RT Image of a Varian accelerator."""
    ds = _header(imager, patient, acquired, beam, machine)
    ds.PixelIntensityRelationship = "LIN"
    ds.PixelIntensityRelationshipSign = sign
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.add_new("PixelData", "OW", pixels.astype("<u2").tobytes())
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        ds.SOPClassUID,
        ds.SOPInstanceUID,
    )
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    file = FileDataset(str(path), ds, file_meta=meta, preamble=b"\0" * 128)
    file.is_little_endian, file.is_implicit_VR = True, True
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save_as(str(path), write_like_original=False)


def _header(imager: Imager, patient: str, acquired: datetime, beam: int, machine: str) -> Dataset:
    ds = Dataset()
    ds.ImageType = ["ORIGINAL", "PRIMARY", "PORTAL"]
    ds.SOPClassUID, ds.SOPInstanceUID = RT_IMAGE_STORAGE, generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.PatientID = ds.PatientName = patient
    for kind in ("Acquisition", "Content", "Series", "Study"):
        setattr(ds, f"{kind}Date", acquired.strftime("%Y%m%d"))
        setattr(ds, f"{kind}Time", acquired.strftime("%H%M%S"))
    exported = acquired + timedelta(days=1)
    ds.InstanceCreationDate = exported.strftime("%Y%m%d")
    ds.InstanceCreationTime = exported.strftime("%H%M%S")
    ds.Modality, ds.ConversionType, ds.SeriesNumber, ds.InstanceNumber = "RTIMAGE", "DI", 1, beam
    ds.Manufacturer, ds.ManufacturerModelName = "Varian Medical Systems", imager.model
    ds.RTImageLabel = f"{'MV' if imager.unit == 'MU' else 'KV'}_{beam}_1a"
    ds.RTImagePlane, ds.ReportedValuesOrigin = "NORMAL", "ACTUAL"
    ds.RadiationMachineName = ds.StationName = machine
    ds.RadiationMachineSAD, ds.RTImageSID = "1000", f"{imager.sid:g}"
    ds.XRayImageReceptorTranslation = ["0", "0", f"{1000 - imager.sid:g}"]
    ds.GantryAngle, ds.BeamLimitingDeviceAngle, ds.PatientSupportAngle = "359.9867", "0.02", "0"
    ds.PrimaryDosimeterUnit = imager.unit
    if imager.unit == "MU":
        ds.ReferencedBeamNumber = beam
    exposure = Dataset()
    exposure.KVP, exposure.MetersetExposure = imager.kvp, "10.0133"
    ds.ExposureSequence = [exposure]
    ds.ImagePlanePixelSpacing = [f"{imager.spacing:g}"] * 2
    corner = (imager.columns - 1) / 2 * imager.spacing, (imager.rows - 1) / 2 * imager.spacing
    ds.RTImagePosition = [f"{-corner[0]:.4f}", f"{corner[1]:.4f}"]
    return ds
