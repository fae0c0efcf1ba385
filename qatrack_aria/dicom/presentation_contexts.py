"""The presentation contexts that we offer: SOP classes and transfer syntaxes."""

from __future__ import annotations

from pynetdicom import build_context
from pynetdicom.presentation import PresentationContext

from qatrack_aria.dicom import pynetdicom_patches
from qatrack_aria.dicom.peer import PATIENT_ROOT, STUDY_ROOT
from qatrack_aria.dicom.uids import (
    CT_IMAGE_STORAGE,
    PLAN_CLASSES,
    RT_IMAGE_STORAGE,
    SPATIAL_REGISTRATION_STORAGE,
    VARIAN_PLAN_CLASSES,
)

#: SOP Class UID of C-FIND for each query model of a node (PS3.4 C.6).
FIND_MODELS = {
    STUDY_ROOT: "1.2.840.10008.5.1.4.1.2.2.1",
    PATIENT_ROOT: "1.2.840.10008.5.1.4.1.2.1.1",
}

#: What we accept, all in the uncompressed transfer syntaxes, which every peer must support.
STORAGE_CLASSES = (
    RT_IMAGE_STORAGE,
    *PLAN_CLASSES,
    CT_IMAGE_STORAGE,
    SPATIAL_REGISTRATION_STORAGE,
)
TRANSFER_SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")

for _number, _uid in enumerate(VARIAN_PLAN_CLASSES):
    pynetdicom_patches.register_private_storage(_uid, f"VarianRTPlanStorage{_number}")


def storage_contexts() -> list[PresentationContext]:
    """Return the presentation contexts of all storage classes that we accept."""
    return [build_context(uid, list(TRANSFER_SYNTAXES)) for uid in STORAGE_CLASSES]
