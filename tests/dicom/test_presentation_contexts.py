"""Which classes and transfer syntaxes are taken, and which one of several is chosen."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.uid import UID
from pynetdicom import build_context
from pynetdicom.presentation import negotiate_as_acceptor

from qatrack_aria.dicom.presentation_contexts import (
    COMPRESSED,
    STORAGE_CLASSES,
    UNCOMPRESSED,
    refused_proposals,
    requested_storage_contexts,
    storage_contexts,
)
from qatrack_aria.dicom.uids import RT_IMAGE_STORAGE

EXPLICIT, IMPLICIT = UNCOMPRESSED
JPEG_LOSSLESS, JPEG_BASELINE = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.50"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
VIDEO = "1.2.840.10008.1.2.4.102"  # MPEG-4
MR = "1.2.840.10008.5.1.4.1.1.4"
VERIFICATION = "1.2.840.10008.1.1"


def numbered(*contexts: Any) -> list[Any]:
    for number, context in enumerate(contexts):
        context.context_id = 2 * number + 1
    return list(contexts)


def negotiated(*proposed: Any) -> list[Any]:
    """What our port answers to what a node proposes."""
    return negotiate_as_acceptor(numbered(*proposed), storage_contexts())[0]


def refused(*proposed: Any) -> list[str]:
    answers = [context for context in negotiated(*proposed) if context.result != 0]
    return refused_proposals(numbered(*proposed), answers)


@pytest.mark.parametrize(
    "name",
    [
        "RT Image Storage",
        "RT Plan Storage",
        "RT Ion Plan Storage",
        "CT Image Storage",
        "Spatial Registration Storage",
        "Enhanced RT Image Storage",
        "Enhanced Continuous RT Image Storage",
        "Computed Radiography Image Storage",
        "Digital X-Ray Image Storage - For Presentation",
    ],
)
def test_the_classes_of_machine_qa_are_taken(name: str) -> None:
    assert name in [UID(uid).name for uid in STORAGE_CLASSES]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, *COMPRESSED])
@pytest.mark.parametrize("sop_class", STORAGE_CLASSES)
def test_a_class_is_taken_in_every_transfer_syntax(sop_class: str, syntax: str) -> None:
    (context,) = negotiated(build_context(sop_class, syntax))
    assert (context.result, context.transfer_syntax) == (0, [syntax])


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([JPEG_BASELINE, JPEG_2000, IMPLICIT], IMPLICIT),
        ([IMPLICIT, EXPLICIT], EXPLICIT),
        ([JPEG_BASELINE, JPEG_2000], JPEG_2000),
        ([JPEG_BASELINE, JPEG_LOSSLESS], JPEG_LOSSLESS),
    ],
)
def test_of_several_transfer_syntaxes_one_without_loss_is_chosen(
    offered: list[str], chosen: str
) -> None:
    """A node would compress an image only because we have chosen that."""
    (context,) = negotiated(build_context(RT_IMAGE_STORAGE, offered))
    assert context.transfer_syntax == [chosen]


def test_an_association_holds_all_that_a_c_get_requests() -> None:
    """128 at most (PS3.8), with two for the query and the retrieval and one for C-ECHO."""
    assert len(requested_storage_contexts()) <= 125


def test_each_compressed_transfer_syntax_of_a_c_get_can_be_accepted_beside_the_others() -> None:
    of_images = [c for c in requested_storage_contexts() if c.abstract_syntax == RT_IMAGE_STORAGE]
    alone = [c.transfer_syntax[0] for c in of_images if len(c.transfer_syntax) == 1]
    assert sorted(alone) == sorted(COMPRESSED)


# --- what is refused, in words ----------------------------------------------------------------


def test_a_class_that_is_not_taken_is_named() -> None:
    assert refused(build_context(MR, EXPLICIT)) == ["MR Image Storage"]


def test_a_transfer_syntax_that_is_not_taken_is_named_with_its_class() -> None:
    (name,) = refused(build_context(RT_IMAGE_STORAGE, VIDEO))
    assert name.startswith("RT Image Storage in MPEG-4")


def test_a_private_class_is_named_by_its_uid() -> None:
    assert refused(build_context("1.2.246.352.70.1.99", EXPLICIT)) == ["1.2.246.352.70.1.99"]


def test_what_is_taken_and_c_echo_are_not_named() -> None:
    both = build_context(RT_IMAGE_STORAGE, EXPLICIT), build_context(VERIFICATION, EXPLICIT)
    assert refused(*both) == []
