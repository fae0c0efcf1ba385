"""The presentation contexts that we offer: SOP classes and transfer syntaxes.

A compressed image is stored as it is. Where a peer offers several transfer syntaxes for a class, we
choose an uncompressed one, else one without loss.
"""

from __future__ import annotations

from typing import Iterable, Mapping

from pydicom.uid import UID
from pynetdicom import build_context
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import Verification

from qatrack_aria.dicom import pynetdicom_patches
from qatrack_aria.dicom.peer import PATIENT_ROOT, STUDY_ROOT
from qatrack_aria.dicom.uids import (
    CT_IMAGE_STORAGE,
    ENHANCED_RT_IMAGE_CLASSES,
    PLAN_CLASSES,
    RADIOGRAPH_CLASSES,
    RT_IMAGE_STORAGE,
    SPATIAL_REGISTRATION_STORAGE,
)

#: SOP Class UID of C-FIND for each query model of a node (PS3.4 C.6).
FIND_MODELS = {
    STUDY_ROOT: "1.2.840.10008.5.1.4.1.2.2.1",
    PATIENT_ROOT: "1.2.840.10008.5.1.4.1.2.1.1",
}

#: What we accept.
STORAGE_CLASSES = (
    RT_IMAGE_STORAGE,
    *PLAN_CLASSES,
    CT_IMAGE_STORAGE,
    SPATIAL_REGISTRATION_STORAGE,
    *ENHANCED_RT_IMAGE_CLASSES,
    *RADIOGRAPH_CLASSES,
)
#: The uncompressed transfer syntaxes, which every peer must support.
UNCOMPRESSED = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
#: The compressed ones, those without loss first (PS3.5 annex A.4).
COMPRESSED = tuple(
    uid
    for uid in (
        "1.2.840.10008.1.2.5",  # RLE
        "1.2.840.10008.1.2.4.70",  # JPEG lossless
        "1.2.840.10008.1.2.4.57",
        "1.2.840.10008.1.2.4.80",  # JPEG-LS
        "1.2.840.10008.1.2.4.90",  # JPEG 2000
        "1.2.840.10008.1.2.4.201",  # High-Throughput JPEG 2000
        "1.2.840.10008.1.2.4.202",
        "1.2.840.10008.1.2.4.81",  # with loss: JPEG-LS, JPEG 2000, JPEG
        "1.2.840.10008.1.2.4.91",
        "1.2.840.10008.1.2.4.203",
        "1.2.840.10008.1.2.4.51",
        "1.2.840.10008.1.2.4.50",
    )
    if UID(uid).name != uid  # an older pydicom cannot read those that it does not name
)
#: Classes whose instances may be compressed and are asked for by C-GET.
COMPRESSED_CLASSES = (
    RT_IMAGE_STORAGE,
    *ENHANCED_RT_IMAGE_CLASSES,
    RADIOGRAPH_CLASSES[0],
    CT_IMAGE_STORAGE,
)

for _number, _uid in enumerate(STORAGE_CLASSES):
    pynetdicom_patches.register_storage(_uid, f"QATrackAriaStorage{_number}")


def storage_contexts() -> list[PresentationContext]:
    """Return the presentation contexts that our port accepts."""
    return [build_context(uid, [*UNCOMPRESSED, *COMPRESSED]) for uid in STORAGE_CLASSES]


def requested_storage_contexts() -> list[PresentationContext]:
    """Return the presentation contexts of storage that we request for a C-GET.

    A peer chooses one transfer syntax of each context. So each compressed one has a context of its
    own; there may be 128 in all.
    """
    compressed = [build_context(uid, syntax) for uid in COMPRESSED_CLASSES for syntax in COMPRESSED]
    return [build_context(uid, list(UNCOMPRESSED)) for uid in STORAGE_CLASSES] + compressed


def refused_proposals(
    requested: Iterable[PresentationContext], refused: Iterable[PresentationContext]
) -> list[str]:
    """Return what a peer proposed to send and our port does not accept, in words.

    Parameters
    ----------
    requested, refused : iterable of PresentationContext
        What it has requested, and what was refused of it.
    """
    proposed: Mapping[object, PresentationContext] = {cx.context_id: cx for cx in requested}
    found = []
    for context in refused:
        name = uid_name(context.abstract_syntax)
        if context.abstract_syntax in STORAGE_CLASSES:
            syntaxes = proposed.get(context.context_id, context).transfer_syntax
            found.append(f"{name} in {', '.join(uid_name(uid) for uid in syntaxes[:2])}")
        elif context.abstract_syntax != Verification:
            found.append(name)
    return found


def uid_name(uid: object) -> str:
    """Return the name of a class or a transfer syntax, with its UID if it is private."""
    name = UID(str(uid)).name
    return str(name) if name else str(uid)
