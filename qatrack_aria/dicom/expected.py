"""Check that an instance is the one that was requested."""

from __future__ import annotations

from typing import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import UID

from qatrack_aria.dicom.inbox import UnacceptableInstance
from qatrack_aria.dicom.uids import (
    CT,
    CT_CLASSES,
    IMAGE_CLASSES,
    PLAN_CLASSES,
    REG,
    REGISTRATION_CLASSES,
    RT_PLAN_STORAGE,
    RTIMAGE,
)
from qatrack_aria.dicom.values import text, texts
from qatrack_aria.phrases import phrase
from qatrack_aria.text import same_text

#: The classes of all that a retrieval requests.
CLASSES = (*IMAGE_CLASSES, *CT_CLASSES, *REGISTRATION_CLASSES, *PLAN_CLASSES)
#: Modality by SOP class (PS3.3 C.8.8.1 and C.8.8.2); Varian's classes are private.
MODALITIES = {
    **dict.fromkeys(IMAGE_CLASSES, RTIMAGE),
    **dict.fromkeys(CT_CLASSES, CT),
    **dict.fromkeys(REGISTRATION_CLASSES, REG),
    RT_PLAN_STORAGE: "RTPLAN",
}
#: Attributes that identify an instance, and have one value.
IDENTIFIERS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "PatientID",
    "Modality",
)


def require_expected(
    ds: Dataset, sop_uid: str, patient_id: str, classes: Sequence[str] = CLASSES
) -> None:
    """Check the identifiers of an instance, its class and its modality.

    Raises
    ------
    UnacceptableInstance
        It is another instance, or another patient's (neither is named, for privacy), of a class
        that was not requested, or its identifiers are ambiguous.
    """
    for keyword in IDENTIFIERS:
        several = [value for value in texts(ds, keyword) if value]
        if len(several) > 1:
            raise UnacceptableInstance(
                phrase("several_values", attribute=keyword, number=len(several))
            )
    if text(ds, "SOPInstanceUID") != sop_uid:
        raise UnacceptableInstance(phrase("other_instance"))
    if not same_text(text(ds, "PatientID") or "", patient_id):
        raise UnacceptableInstance(phrase("instance_of_other_patient"))
    _require_class(ds, classes)


def _require_class(ds: Dataset, classes: Sequence[str]) -> None:
    announced = text(ds.file_meta, "MediaStorageSOPClassUID") or ""
    sop_class = text(ds, "SOPClassUID") or announced
    for found, expected in ((sop_class, classes), (announced, [sop_class])):
        if found not in expected:
            raise UnacceptableInstance(
                phrase("other_class", found=_name(found), expected=_name(expected[0]))
            )
    modality, belongs = text(ds, "Modality"), MODALITIES.get(sop_class)
    if modality and belongs and modality != belongs:
        raise UnacceptableInstance(phrase("other_modality", found=modality, expected=belongs))


def _name(sop_class: str) -> str:
    return UID(sop_class).name or "no class"
