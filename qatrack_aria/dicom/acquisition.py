"""How an RT Image was acquired, by its own header (PS3.3 C.8.8.2).

The angles of the RT Image module are those of IEC 61217, in degrees, as the encoders read them:
Varian's read 359.9867 for 0. Fluence mode and name of the beam are in the RT Plan
(:mod:`qatrack_aria.dicom.rt_plan`), and rarely in the image.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from pydicom.dataset import Dataset

from qatrack_aria.dicom.beam_quality import LEAST_MV, TUBE_VOLTAGES
from qatrack_aria.dicom.plain_answers import PlainAnswer
from qatrack_aria.dicom.values import decimal, decimals, items, number, text

#: " 18MV, 240MU/min", as IAS2 and IAS3 describe an image; they may write no KVP.
_DESCRIBED_ENERGY = re.compile(r"(?<![\w.])(\d{1,2}(?:\.\d)?) ?MV(?![A-Za-z])")
_DESCRIBED_RATE = re.compile(r"(?<![\w.])(\d{2,4}) ?MU/min", re.IGNORECASE)


class Jaws(NamedTuple):
    """Positions of the jaws, in mm at the isocentre (IEC 61217)."""

    x1: float
    x2: float
    y1: float
    y2: float


@dataclass(frozen=True)
class Acquisition:
    """How one RT Image was acquired; ``None`` where its header does not say.

    Attributes
    ----------
    gantry, collimator, couch : float or None
        Angles in degrees (IEC 61217), unrounded.
    energy : float or None
        Nominal energy in MV; ``None`` for a kV image.
    kvp : float or None
        Peak voltage in kV; ``None`` for an MV image.
    fff : bool or None
        Whether the beam was flattening filter free.
    mu : float or None
        Monitor units of all exposures.
    jaws : Jaws or None
        Positions of the jaws.
    sid : float or None
        Distance from the source to the image plane, in mm.
    dose_rate : float or None
        Dose rate in MU/min.
    beam_number : int or None
        Number of the beam in the RT Plan.
    label : str
        RT Image Label.
    """

    gantry: float | None = None
    collimator: float | None = None
    couch: float | None = None
    energy: float | None = None
    kvp: float | None = None
    fff: bool | None = None
    mu: float | None = None
    jaws: Jaws | None = None
    sid: float | None = None
    dose_rate: float | None = None
    beam_number: int | None = None
    label: str = ""

    @classmethod
    def from_json(cls, note: Mapping[str, Any]) -> Acquisition:
        """Rebuild from the fields in JSON's types."""
        jaws = note["jaws"]
        return cls(**{**note, "jaws": Jaws(*jaws) if jaws else None})


#: Keywords that are read at the top level of a header.
KEYWORDS = (
    "GantryAngle",
    "BeamLimitingDeviceAngle",
    "PatientSupportAngle",
    "ExposureSequence",
    "KVP",
    "PrimaryFluenceModeSequence",
    "RTImageDescription",
    "RTImageLabel",
    "RTImageSID",
    "ReferencedBeamNumber",
)


def acquisition(ds: Dataset | PlainAnswer) -> Acquisition:
    """Read how an image was acquired from the header of its file."""
    exposures = items(ds, "ExposureSequence")
    description = text(ds, "RTImageDescription") or ""
    voltage = _only(decimal(item, "KVP") for item in (*exposures, ds))
    kvp = voltage if voltage and TUBE_VOLTAGES[0] <= voltage <= TUBE_VOLTAGES[1] else None
    return Acquisition(
        gantry=decimal(ds, "GantryAngle"),
        collimator=decimal(ds, "BeamLimitingDeviceAngle"),
        couch=decimal(ds, "PatientSupportAngle"),
        energy=None if kvp else _energy(voltage, description),
        kvp=kvp,
        fff=_fff([ds, *exposures], description),
        mu=_sum(decimal(item, "MetersetExposure") for item in exposures),
        jaws=_jaws(exposures),
        sid=decimal(ds, "RTImageSID"),
        dose_rate=_described(_DESCRIBED_RATE, description),
        beam_number=number(ds, "ReferencedBeamNumber"),
        label=text(ds, "RTImageLabel") or "",
    )


def _energy(voltage: float | None, description: str) -> float | None:
    if not voltage:
        return _described(_DESCRIBED_ENERGY, description)
    if voltage >= LEAST_MV:
        return voltage / 1000
    return voltage if 0 < voltage < TUBE_VOLTAGES[0] else None  # some imagers write 6 for 6 MV


def is_fff(sequence: Sequence[Any]) -> bool | None:
    """Read a Primary Fluence Mode Sequence (PS3.3 C.8.8.14); ``None`` if it is absent."""
    modes = {text(item, "FluenceMode") for item in sequence} - {None}
    known = {"STANDARD": False, "NON_STANDARD": True}
    return known.get(str(modes.pop())) if len(modes) == 1 else None


def _fff(places: Sequence[Any], description: str) -> bool | None:
    found = _only(is_fff(items(place, "PrimaryFluenceModeSequence")) for place in places)
    return True if found is None and "FFF" in description.upper() else found


def _jaws(exposures: Sequence[Any]) -> Jaws | None:
    found = {_jaws_of(item) for item in exposures}
    return found.pop() if len(found) == 1 else None  # of several exposures, several fields


def _jaws_of(exposure: Any) -> Jaws | None:
    pairs: dict[str, list[float]] = {}
    for device in items(exposure, "BeamLimitingDeviceSequence"):
        kind = (text(device, "RTBeamLimitingDeviceType") or "").replace("ASYM", "")
        pairs[kind] = decimals(device, "LeafJawPositions")
    x, y = pairs.get("X", []), pairs.get("Y", [])
    return Jaws(*x, *y) if len(x) == len(y) == 2 else None


def _described(pattern: re.Pattern[str], description: str) -> float | None:
    found = set(pattern.findall(description))
    return float(found.pop()) if len(found) == 1 else None


def _only(values: Iterable[Any]) -> Any:
    """Return the value of all that have one; ``None`` if they differ."""
    found = {value for value in values if value is not None}
    return found.pop() if len(found) == 1 else None


def _sum(values: Iterable[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return sum(found) if found else None
