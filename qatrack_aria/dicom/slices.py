"""Where a CT slice lies in space, and of which scan it is (PS3.3 C.7.6.2 and C.8.2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence, Tuple

from pydicom.dataset import Dataset

from qatrack_aria.dicom.plain_answers import PlainAnswer
from qatrack_aria.dicom.values import decimal, decimals, number, text

#: Keywords that are read at the top level of a header.
KEYWORDS = (
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
    "SliceThickness",
    "AcquisitionNumber",
    "ProtocolName",
)

Vector = Tuple[float, float, float]


@dataclass(frozen=True)
class Slice:
    """One slice of a CT series; ``None`` or empty where its header does not say.

    Attributes
    ----------
    position : tuple of float, optional
        Image Position (Patient): centre of the first pixel, in mm.
    normal : tuple of float, optional
        Unit vector at right angles to the slice, by Image Orientation (Patient).
    spacing : tuple of float, optional
        Distances of rows and of columns, in mm.
    shape : tuple of int
        Numbers of rows and columns.
    thickness : float or None
        Slice Thickness, in mm.
    scan : int or None
        Acquisition Number.
    protocol : str
        Protocol Name.
    """

    position: Vector | None = None
    normal: Vector | None = None
    spacing: tuple[float, ...] | None = None
    shape: tuple[int, ...] = ()
    thickness: float | None = None
    scan: int | None = None
    protocol: str = ""

    @classmethod
    def from_json(cls, note: Mapping[str, Any]) -> Slice:
        """Rebuild from the fields in JSON's types."""
        values: dict[str, Any] = dict(note)
        lists = {name: tuple(one) for name, one in values.items() if isinstance(one, list)}
        return cls(**{**values, **lists})

    @property
    def height(self) -> float | None:
        """Distance from the origin along the normal, in mm."""
        if self.position is None or self.normal is None:
            return None
        return sum(p * n for p, n in zip(self.position, self.normal))


def read_slice(ds: Dataset | PlainAnswer) -> Slice:
    """Read a slice from the header of its file."""
    position = decimals(ds, "ImagePositionPatient")
    spacing = decimals(ds, "PixelSpacing")
    shape = decimal(ds, "Rows"), decimal(ds, "Columns")
    return Slice(
        position=(position[0], position[1], position[2]) if len(position) == 3 else None,
        normal=_normal(decimals(ds, "ImageOrientationPatient")),
        spacing=tuple(spacing) if len(spacing) == 2 else None,
        shape=tuple(int(one) for one in shape if one is not None),
        thickness=decimal(ds, "SliceThickness"),
        scan=number(ds, "AcquisitionNumber"),
        protocol=text(ds, "ProtocolName") or "",
    )


def _normal(cosines: Sequence[float]) -> Vector | None:
    if len(cosines) != 6:
        return None
    (a, b, c), (d, e, f) = cosines[:3], cosines[3:]
    return b * f - c * e, c * d - a * f, a * e - b * d
