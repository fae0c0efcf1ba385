"""RT Plans of QA patients."""

from __future__ import annotations

from datetime import datetime
from typing import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import RTPlanStorage, generate_uid

from .files import as_file, data_set, date

HALCYON_PLAN = "1.2.246.352.70.1.70"
"""The private SOP class of a Halcyon's plans in ARIA."""

OPERATOR = "FAKE_STAFF_LOGIN"
"""The Operators' Name in every phantom: in a log or a summary it shows a leak of staff's names."""

BEAMS = ("G0", "G90", "G180", "G270", "C90", "C270", "T90", "T270")


def plan(
    patient_id: str,
    label: str,
    *,
    course: str = "C1",
    created: datetime = datetime(2025, 1, 15, 9, 30),
    machine: str = "TB1",
    sop_class: str = RTPlanStorage,
    specific_character_set: str = "ISO_IR 192",
    beams: Sequence[str] = BEAMS,
    energies: Sequence[str] = ("6X",),
) -> Dataset:
    """Make an RT Plan.

    Parameters
    ----------
    patient_id : str
        (0010,0020) Patient ID.
    label : str
        (300A,0002) RT Plan Label.
    course : str
        The Eclipse course, which ARIA returns as (0020,0010) Study ID.
    created : datetime.datetime
        Date and time of the plan and of its study.
    machine : str
        (300A,00B2) Treatment Machine Name of every beam.
    sop_class : str
        (0008,0016) SOP Class UID: RT Plan Storage, or `HALCYON_PLAN`.
    specific_character_set : str
        (0008,0005) Specific Character Set.
    beams : sequence of str
        (300A,00C2) Beam Names; the beams are numbered from 1.
    energies : sequence of str
        Energy of each beam in turn, such as ``"6X"`` or ``"6X-FFF"``.

    Returns
    -------
    pydicom.dataset.Dataset
        The plan, in a study and a series of its own.
    """
    ds = Dataset()
    ds.SpecificCharacterSet = specific_character_set
    day, time = date(created), created.strftime("%H%M%S")
    ds.InstanceCreationDate, ds.InstanceCreationTime = day, time
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = generate_uid()
    ds.StudyDate, ds.StudyTime = day, time
    ds.AccessionNumber = ""
    ds.Modality = "RTPLAN"
    ds.Manufacturer = "Varian Medical Systems"
    ds.ReferringPhysicianName = ""
    ds.OperatorsName = OPERATOR
    ds.ManufacturerModelName = "ARIA RadOnc"
    ds.PatientName = "PHANTOM^QA"
    ds.PatientID = patient_id
    ds.PatientBirthDate = ""
    ds.PatientSex = "O"
    ds.StudyInstanceUID = generate_uid()
    ds.SeriesInstanceUID = generate_uid()
    ds.StudyID = course
    ds.SeriesNumber = 1
    ds.InstanceNumber = 1
    ds.FrameOfReferenceUID = generate_uid()
    ds.RTPlanLabel = label
    ds.RTPlanDate, ds.RTPlanTime = day, time
    ds.RTPlanGeometry = "TREATMENT_DEVICE"
    ds.FractionGroupSequence = [
        data_set(
            FractionGroupNumber=1,
            ReferencedBeamSequence=[
                data_set(ReferencedBeamNumber=number, BeamMeterset="10")
                for number in range(1, len(beams) + 1)
            ],
        )
    ]
    ds.BeamSequence = [
        _beam(number, name, machine, energies[(number - 1) % len(energies)])
        for number, name in enumerate(beams, start=1)
    ]
    ds.ApprovalStatus = "APPROVED"
    return as_file(ds)


def _beam(number: int, name: str, machine: str, energy: str) -> Dataset:
    nominal, _, mode = energy.partition("X")
    return data_set(
        TreatmentMachineName=machine,
        PrimaryDosimeterUnit="MU",
        BeamNumber=number,
        BeamName=name,
        BeamType="STATIC",
        RadiationType="PHOTON",
        TreatmentDeliveryType="TREATMENT",
        PrimaryFluenceModeSequence=[
            data_set(FluenceMode="NON_STANDARD" if mode else "STANDARD", FluenceModeID=mode[1:])
        ],
        ControlPointSequence=[
            data_set(ControlPointIndex=0, NominalBeamEnergy=nominal, DoseRateSet="600")
        ],
    )
