"""Pixel data are what the header describes, or the image is refused with a reason."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Callable

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from qatrack_aria.dicom.part10 import UnreadableError, read_file
from tests.helpers import datasets

PIXELS = 64 * 64  # of 16 bits
PREAMBLE = b"\0" * 128 + b"DICM"


def save(path: Path, ds: Dataset, explicit: bool = True) -> Path:
    """A file as the archive writes it, whatever pydicom thinks of the values."""
    arrived = datasets.incoming(ds, explicit=explicit)
    meta = b"".join(
        tag + b"UI" + struct.pack("<H", len(uid) + len(uid) % 2) + uid + b"\0" * (len(uid) % 2)
        for tag, uid in [
            (b"\x02\0\x02\0", arrived.sop_class.encode()),
            (b"\x02\0\x10\0", arrived.transfer_syntax.encode()),
        ]
    )
    length = b"\x02\0\0\0UL\4\0" + struct.pack("<L", len(meta))
    path.write_bytes(PREAMBLE + length + meta + arrived.data)
    return path


# --- what is right ----------------------------------------------------------------------------


def eight_bits(ds: Dataset) -> None:
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit = 7
    ds.PixelData = bytes(PIXELS)


def odd_and_padded(ds: Dataset) -> None:
    ds.Rows, ds.Columns = 3, 3
    ds.BitsAllocated = 8
    ds.PixelData = bytes(10)


def several_frames(ds: Dataset) -> None:
    ds.NumberOfFrames = 2
    ds.PixelData = bytes(2 * 2 * PIXELS)


def an_empty_number_of_frames(ds: Dataset) -> None:
    ds.NumberOfFrames = None


def no_samples(ds: Dataset) -> None:
    del ds.SamplesPerPixel


def colours(ds: Dataset) -> None:
    ds.SamplesPerPixel = 3
    ds.PixelData = bytes(3 * 2 * PIXELS)


def long_pixels(ds: Dataset) -> None:
    ds.BitsAllocated = 32
    ds.PixelData = bytes(4 * PIXELS)


def bytes_of_pixels(ds: Dataset) -> None:
    ds["PixelData"].VR = "OB"


@pytest.mark.parametrize("explicit", [False, True], ids=["implicit VR", "explicit VR"])
@pytest.mark.parametrize(
    "form",
    [
        eight_bits,
        odd_and_padded,
        several_frames,
        an_empty_number_of_frames,
        no_samples,
        colours,
        long_pixels,
        bytes_of_pixels,
    ],
    ids=lambda form: form.__name__,
)
def test_images_of_every_form_that_imagers_write_are_read(
    tmp_path: Path, form: Callable[[Dataset], None], explicit: bool
) -> None:
    image = datasets.image()
    form(image)

    header = read_file(save(tmp_path / "image.dcm", image, explicit=explicit))

    assert header.SOPInstanceUID == image.SOPInstanceUID


# --- what is not ------------------------------------------------------------------------------


@pytest.mark.parametrize("explicit", [False, True], ids=["implicit VR", "explicit VR"])
@pytest.mark.parametrize(
    ("attribute", "value", "says"),
    [
        ("Rows", None, "Rows is absent, where one positive number belongs"),
        ("Rows", 0, "Rows is 0"),
        ("Rows", [64, 64], r"Rows is \[64, 64\]"),
        ("Columns", None, "Columns is absent"),
        ("BitsAllocated", None, "BitsAllocated is absent, where 8 or 16 or 32 belongs"),
        ("BitsAllocated", 1, "BitsAllocated is 1, where"),
        ("BitsAllocated", 12, "BitsAllocated is 12"),
        ("SamplesPerPixel", 2, "SamplesPerPixel is 2, where 1 or 3 belongs"),
        ("SamplesPerPixel", 0, "SamplesPerPixel is 0"),
        ("Rows", 63, "8192 bytes of pixel data where 8064 belong"),
        ("Rows", 65, "8192 bytes of pixel data where 8320 belong"),
        ("BitsAllocated", 8, "8192 bytes of pixel data where 4096 belong"),
        ("BitsAllocated", 32, "8192 bytes of pixel data where 16384 belong"),
        ("SamplesPerPixel", 3, "8192 bytes of pixel data where 24576 belong"),
        ("NumberOfFrames", 2, "8192 bytes of pixel data where 16384 belong"),
        ("NumberOfFrames", -1, "NumberOfFrames is '?-1"),
        ("NumberOfFrames", 0, "NumberOfFrames is '?0"),
        ("NumberOfFrames", [1, 1], "NumberOfFrames is .*1.*1"),
        ("PixelData", None, "no pixel data"),
        ("PixelData", b"", "0 bytes of pixel data where 8192 belong"),
        ("PixelData", bytes(2 * PIXELS - 2), "8190 bytes"),
        ("PixelData", bytes(2 * PIXELS + 2), "8194 bytes"),
        ("PixelData", bytes(4 * PIXELS), "16384 bytes"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_pixels_that_the_header_does_not_describe_are_refused_with_both(
    tmp_path: Path, attribute: str, value: Any, says: str, explicit: bool
) -> None:
    image = datasets.image(**{attribute: value})

    with pytest.raises(UnreadableError, match=says):
        read_file(save(tmp_path / "image.dcm", image, explicit))


@pytest.mark.parametrize("frames", ["many", "1.5", "0x1", "1e400"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_number_of_frames_that_is_none_is_refused(tmp_path: Path, frames: str) -> None:
    image = datasets.image(NumberOfFrames=7)
    path = save(tmp_path / "image.dcm", image)
    written = b"\x28\0\x08\0IS" + struct.pack("<H", 2) + b"7 "
    content = path.read_bytes()
    assert written in content
    value = frames.encode() + b" " * (len(frames) % 2)
    spoilt = b"\x28\0\x08\0IS" + struct.pack("<H", len(value)) + value
    path.write_bytes(content.replace(written, spoilt))

    with pytest.raises(UnreadableError, match=r"NumberOfFrames|not readable as DICOM"):
        read_file(path)


# --- compressed -------------------------------------------------------------------------------


def compressed(path: Path, frames: list[bytes], syntax: Any = JPEGLSLossless) -> Path:
    """Whether the fragments can be decoded is not our question."""
    image = datasets.image(NumberOfFrames=max(1, len(frames)))
    image.PixelData = encapsulate(frames) if frames else b"\xfe\xff\0\xe0\0\0\0\0"
    image["PixelData"].VR = "OB"
    image["PixelData"].is_undefined_length = True
    image.file_meta.TransferSyntaxUID = syntax
    image.preamble = b"\0" * 128
    if int(pydicom.__version__.split(".")[0]) < 3:
        image.is_implicit_VR, image.is_little_endian = False, True
    pydicom.dcmwrite(path, image)
    return path


@pytest.mark.parametrize("syntax", [JPEGLSLossless, RLELossless])
@pytest.mark.parametrize("frames", [[b"one frame"], [b"one frame", b"another"]])
def test_compressed_images_are_read(tmp_path: Path, frames: list[bytes], syntax: Any) -> None:
    assert read_file(compressed(tmp_path / "image.dcm", frames, syntax)).Modality == "RTIMAGE"


def test_a_compressed_image_without_any_pixels_is_refused(tmp_path: Path) -> None:
    path = compressed(tmp_path / "image.dcm", [])

    with pytest.raises(UnreadableError, match="0 fragments of compressed pixel data for 1 frames"):
        read_file(path)


@pytest.mark.parametrize("missing", [1, 4, 8, 9, 14])
def test_a_compressed_image_that_is_cut_short_is_refused(tmp_path: Path, missing: int) -> None:
    path = compressed(tmp_path / "image.dcm", [b"one frame."])
    path.write_bytes(path.read_bytes()[:-missing])

    with pytest.raises(UnreadableError, match="compressed pixel data"):
        read_file(path)


def test_a_compressed_image_with_plain_pixels_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "image.dcm", datasets.image())
    content = path.read_bytes()
    uid = str(ExplicitVRLittleEndian).encode() + b"\0"
    other = b"1.2.840.10008.1.2.5"  # RLE Lossless, of the same length
    assert content.count(uid) == 1
    path.write_bytes(content.replace(uid, other + b"\0" * (len(uid) - len(other))))

    with pytest.raises(UnreadableError, match="are not encapsulated"):
        read_file(path)


@pytest.mark.parametrize("syntax", [DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_a_transfer_syntax_that_is_not_supported_is_named(tmp_path: Path, syntax: Any) -> None:
    image = datasets.image()
    image.file_meta.TransferSyntaxUID = syntax
    image.preamble = b"\0" * 128
    if int(pydicom.__version__.split(".")[0]) < 3:
        image.is_implicit_VR = False
        image.is_little_endian = syntax != ExplicitVRBigEndian
    path = tmp_path / "image.dcm"
    pydicom.dcmwrite(path, image)

    with pytest.raises(UnreadableError, match=f"transfer syntax is {syntax.name}"):
        read_file(path)
