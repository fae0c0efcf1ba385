"""An RT Plan, by its file: its approval, and its beams (PS3.3 A.20).

Varian's private plan classes (Halcyon) are read alike; where they have no beams, none are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from pydicom.dataset import Dataset

from qatrack_aria.dicom.acquisition import is_fff
from qatrack_aria.dicom.values import decimal, items, number, text


@dataclass(frozen=True)
class Beam:
    """One beam of an RT Plan; ``None`` or empty where the plan does not say.

    Attributes
    ----------
    number : int
        Beam Number, by which images refer to it.
    name : str
        Beam Name.
    energy : float or None
        Nominal energy in MV (of electrons in MeV).
    fff : bool or None
        Whether the fluence is flattening filter free.
    radiation : str
        Radiation Type, such as ``"PHOTON"``.
    kind : str
        Treatment Delivery Type, such as ``"TREATMENT"`` or ``"SETUP"``.
    machine : str
        Treatment Machine Name.
    mu : float or None
        Planned monitor units.
    gantry, collimator, couch : float or None
        Angles at the first control point, in degrees (IEC 61217).
    dose_rate : float or None
        Dose rate at the first control point, in MU/min.
    """

    number: int
    name: str
    energy: float | None = None
    fff: bool | None = None
    radiation: str = ""
    kind: str = ""
    machine: str = ""
    mu: float | None = None
    gantry: float | None = None
    collimator: float | None = None
    couch: float | None = None
    dose_rate: float | None = None

    def __str__(self) -> str:
        return f"{self.name or 'without a name'} (number {self.number})"


@dataclass(frozen=True)
class RtPlan:
    """What the file of an RT Plan says.

    Attributes
    ----------
    sop_uid : str
        SOP Instance UID.
    approval : str
        Approval Status, such as ``"APPROVED"``; empty if it is absent.
    beams : tuple of Beam
        The beams in the plan's order.
    frame : str
        Frame of Reference UID, which is that of its planning CT; empty if it is absent.
    """

    sop_uid: str
    approval: str
    beams: tuple[Beam, ...]
    frame: str = ""

    def beam(self, beam_number: int | None) -> Beam | None:
        """Return the beam with that number; ``None`` if there is none."""
        return next((beam for beam in self.beams if beam.number == beam_number), None)


def rt_plan(ds: Dataset) -> RtPlan:
    """Read a plan from its file."""
    meterset = {
        number(item, "ReferencedBeamNumber"): decimal(item, "BeamMeterset")
        for group in items(ds, "FractionGroupSequence")
        for item in items(group, "ReferencedBeamSequence")
    }
    beams = (_beam(item, meterset) for item in items(ds, "BeamSequence"))
    return RtPlan(
        sop_uid=text(ds, "SOPInstanceUID") or "",
        approval=text(ds, "ApprovalStatus") or "",
        beams=tuple(beam for beam in beams if beam is not None),
        frame=text(ds, "FrameOfReferenceUID") or "",
    )


def _beam(item: Dataset, meterset: Mapping[int | None, float | None]) -> Beam | None:
    beam_number = number(item, "BeamNumber")
    if beam_number is None:
        return None  # no image can refer to it
    points = items(item, "ControlPointSequence")
    first: Any = points[0] if points else Dataset()
    return Beam(
        number=beam_number,
        name=text(item, "BeamName") or "",
        energy=decimal(first, "NominalBeamEnergy"),
        fff=is_fff(items(item, "PrimaryFluenceModeSequence")),
        radiation=text(item, "RadiationType") or "",
        kind=text(item, "TreatmentDeliveryType") or "",
        machine=text(item, "TreatmentMachineName") or "",
        mu=meterset.get(beam_number),
        gantry=decimal(first, "GantryAngle"),
        collimator=decimal(first, "BeamLimitingDeviceAngle"),
        couch=decimal(first, "PatientSupportAngle"),
        dose_rate=decimal(first, "DoseRateSet"),
    )
