"""The imagers of three generations of linac, and the attributes that each does not write."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Imager:
    """A linac's imager.

    Attributes
    ----------
    model : str
        (0008,1090) Manufacturer's Model Name.
    rows, columns : int
        The full matrix.
    spacing : float
        The size of a pixel in mm, on the imager.
    sid : float
        (3002,0026) RT Image SID in mm.
    serial_number : str or None
        (0018,1000) Device Serial Number, if the imager writes one.
    absent, empty : tuple of str
        Keywords that its images do not have, or have without a value.
    """

    model: str
    rows: int
    columns: int
    spacing: float
    sid: float = 1500.0
    serial_number: str | None = None
    absent: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()


IMAGERS = {
    "truebeam": Imager("On Board Imager", 1280, 1280, 0.336, serial_number="9001"),
    "clinac": Imager(
        "aS1000", 768, 1024, 0.392, absent=("SpecificCharacterSet",), empty=("InstanceNumber",)
    ),
    "ias3": Imager(
        "aS500",
        384,
        512,
        0.784,
        absent=("AcquisitionDate", "AcquisitionTime"),
        empty=("StudyDate", "PatientName"),
    ),
}

# Portal dosimetry crops the TrueBeam imager.
PORTAL_DOSIMETRY = Imager("On Board Imager", 1190, 1190, 0.336, serial_number="9001")

# The kV imager of the same machine.
KV = Imager("On Board Imager", 768, 1024, 0.388, serial_number="9001")

SMALL = 64
"""Rows and columns of a small image, which shows the central 64 mm in pixels of 1 mm."""
