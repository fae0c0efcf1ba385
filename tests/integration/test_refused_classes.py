"""Images of other classes and transfer syntaxes: taken as they are, or named in the error."""

from __future__ import annotations

from typing import Any

import pydicom
import pytest
from pydicom.encaps import encapsulate

from qatrack_aria import fetch_images, fetch_series
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.presentation_contexts import COMPRESSED
from qatrack_aria.errors import IncompleteRetrievalError, NodeUnreachableError
from qatrack_aria.simulator import phantom
from tests.helpers.aria import NOON, PATIENT, plan, uids, winston_lutz

MR = "1.2.840.10008.5.1.4.1.1.4"
RT_ION_PLAN = "1.2.840.10008.5.1.4.1.1.481.8"
MPEG_4 = "1.2.840.10008.1.2.4.102"


def in_class(ds: Any, sop_class: str) -> Any:
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = sop_class
    return ds


def in_syntax(ds: Any, transfer_syntax: str, content: bytes = b"compressed") -> Any:
    """The image with pixel data that only claim to be compressed: nobody here looks at them."""
    ds.file_meta.TransferSyntaxUID = transfer_syntax
    ds.PixelData = encapsulate([content])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    if int(pydicom.__version__.split(".")[0]) < 3:  # later ones look at the transfer syntax
        ds.is_implicit_VR = False
    return ds


@pytest.fixture(params=["C-MOVE", "C-GET"])
def method(node: Any, request: Any) -> str:
    node.retrieve_method = request.param
    node.save()
    return str(request.param)


@pytest.mark.parametrize("syntax", COMPRESSED)
def test_compressed_images_are_stored_as_they_are(serve: Any, method: str, syntax: str) -> None:
    wl = plan()
    images = [in_syntax(ds, syntax) for ds in winston_lutz(wl, count=2)]
    serve(wl, images)
    fetched = fetch_images("aria", PATIENT, "WL")
    assert uids(fetched) == uids(images)
    for file in fetched:
        ds = pydicom.dcmread(file)
        assert ds.file_meta.TransferSyntaxUID == syntax
        assert b"compressed" in ds.PixelData


def test_compressed_slices_of_a_ct_are_stored_as_they_are(serve: Any, method: str) -> None:
    slices = [in_syntax(ds, COMPRESSED[0]) for ds in phantom.ct_series(PATIENT, NOON, slices=3)]
    serve(slices)
    fetched = fetch_series("aria", PATIENT)
    assert uids(fetched) == uids(slices)
    assert pydicom.dcmread(fetched[0]).file_meta.TransferSyntaxUID == COMPRESSED[0]


def test_images_of_a_session_may_be_compressed_in_different_ways(serve: Any, method: str) -> None:
    wl = plan()
    images = winston_lutz(wl, count=len(COMPRESSED) + 1)
    for ds, syntax in zip(images, COMPRESSED):
        in_syntax(ds, syntax)
    serve(wl, images)
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(images)


def test_images_of_a_class_that_our_port_does_not_take_are_not_promised(serve: Any) -> None:
    wl = plan()
    serve(wl, [in_class(ds, MR) for ds in winston_lutz(wl, count=2)])
    with pytest.raises(IncompleteRetrievalError) as raised:
        fetch_images("aria", PATIENT, "WL")
    assert "proposed MR Image Storage, which our port does not accept" in str(raised.value)
    assert "asking again does not help" in str(raised.value)
    assert "what has arrived is kept" not in str(raised.value)


def test_one_image_of_another_class_among_others_is_named_too(serve: Any) -> None:
    wl = plan()
    images = winston_lutz(wl, count=3)
    serve(wl, images[:2], in_class(images[2], MR))
    with pytest.raises(IncompleteRetrievalError, match=r"1 of 3.*proposed MR Image Storage"):
        fetch_images("aria", PATIENT, "WL")


def test_a_transfer_syntax_that_our_port_does_not_take_is_named(serve: Any) -> None:
    wl = plan()
    serve(wl, [in_syntax(ds, MPEG_4) for ds in winston_lutz(wl, count=1)])
    with pytest.raises(IncompleteRetrievalError, match="proposed RT Image Storage in MPEG-4"):
        fetch_images("aria", PATIENT, "WL")


def test_a_node_that_proposes_all_it_knows_does_not_explain_a_missing_image(serve: Any) -> None:
    """Some send everything over associations with a hundred classes."""
    wl = plan()
    images = winston_lutz(wl, count=2)
    others = winston_lutz(plan("other", "OTHER"), count=10)
    extra = tuple(in_class(ds, f"{MR}.{number}") for number, ds in enumerate(others, start=1))
    serve(wl, images, extra=extra, unmovable=frozenset(uids(images)[:1]))
    with pytest.raises(IncompleteRetrievalError, match="what has arrived is kept") as raised:
        fetch_images("aria", PATIENT, "WL")
    assert "does not accept" not in str(raised.value)


def test_a_plan_for_ions_is_a_plan_whose_label_its_file_tells(serve: Any) -> None:
    ion = plan(sop_class=RT_ION_PLAN)
    images = winston_lutz(ion)
    serve(ion, images, unreturned_keys=frozenset({"RTPlanLabel"}))
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(images)


@pytest.mark.parametrize("status", [0x0122, 0xA900, 0xC001])
def test_a_status_for_a_class_is_no_reason_to_ask_for_ever(serve: Any, status: int) -> None:
    wl = plan()
    images = winston_lutz(wl, count=1)
    serve(wl, images, unmovable=frozenset(uids(images)), final_status=status)
    says = f"0x{status:04X}.*SOP class or compression"
    with pytest.raises(IncompleteRetrievalError, match=says):
        fetch_images("aria", PATIENT, "WL")


# --- by C-GET ---------------------------------------------------------------------------------


def test_a_node_that_does_not_send_rt_images_by_c_get_is_named(serve: Any, node: Any) -> None:
    """It is listed, and the C-GET fails: the classes were refused when we associated."""
    node.retrieve_method = "C-GET"
    node.save()
    wl = plan()
    serve(wl, [in_class(ds, MR) for ds in winston_lutz(wl, count=1)])
    with pytest.raises(IncompleteRetrievalError, match="does not offer RT Image Storage by C-GET"):
        fetch_images("aria", PATIENT, "WL")


# --- too long a history -----------------------------------------------------------------------


def test_the_message_of_the_deadline_names_date(
    serve: Any, node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One day is a fraction of ten years."""
    sim = serve(plan())
    elapsed = Deadline.elapsed
    late = property(lambda d: elapsed.fget(d) + (3600 if sim.operations("C-FIND") else 0))
    monkeypatch.setattr(Deadline, "elapsed", late)
    with pytest.raises(NodeUnreachableError, match="date="):
        fetch_images("aria", PATIENT, "WL")
