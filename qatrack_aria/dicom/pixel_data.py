"""Check that pixel data are what the header describes."""

from __future__ import annotations

import os
import struct
from typing import Any, BinaryIO, Collection

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from qatrack_aria.dicom.unreadable import UnreadableError

UNDEFINED_LENGTH = 0xFFFFFFFF
PIXEL_DATA = b"\xe0\x7f\x10\x00"
ITEM = b"\xfe\xff\x00\xe0"
SEQUENCE_DELIMITATION = b"\xfe\xff\xdd\xe0"
MISSING = "it has no pixel data"


def require_pixels(file: BinaryIO, ds: Dataset) -> int:
    """Check the pixel data of an image, and return where they end.

    Parameters
    ----------
    file : BinaryIO
        The image (PS3.10), at the tag of its pixel data.
    ds : Dataset
        Its header.

    Raises
    ------
    UnreadableError
        They are absent or not complete, or the header describes others.
    """
    frames = _number(ds, "NumberOfFrames", default=1)
    wanted = _described_bytes(ds, frames)
    start = file.tell()
    head = file.read(12)
    if head[:4] != PIXEL_DATA:
        raise UnreadableError(MISSING)
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax.is_implicit_VR:
        value_at, (length,) = start + 8, struct.unpack("<L", head[4:8])
    elif len(head) == 12:
        value_at, (length,) = start + 12, struct.unpack("<L", head[8:12])
    else:
        raise UnreadableError("it ends inside the pixel data")
    if syntax.is_compressed:
        return _require_fragments(file, value_at, length, frames)
    return _require_length(file, value_at, length, wanted)


def _described_bytes(ds: Dataset, frames: int) -> int:
    """Return the number of bytes that the header describes, without compression."""
    rows, columns = _number(ds, "Rows"), _number(ds, "Columns")
    # An RT Image has 8 or 16 bits (PS3.3 C.8.8.2); 32 are read by everything that reads those.
    bits = _number(ds, "BitsAllocated", among=(8, 16, 32))
    samples = _number(ds, "SamplesPerPixel", default=1, among=(1, 3))
    return rows * columns * samples * frames * bits // 8


def _number(
    ds: Dataset, keyword: str, default: int | None = None, among: Collection[int] = ()
) -> int:
    """Return a positive number of the header."""
    value: Any = None
    try:
        value = ds[keyword].value if keyword in ds else None
        if value in (None, "") and default is not None:
            return default
        number = int(value)
        if number == value and (number in among if among else number > 0):
            return number
    except Exception:  # malformed values make pydicom raise errors of any type
        pass
    found = "absent" if value is None else _shown(value)
    belongs = " or ".join(map(str, among)) if among else "one positive number"
    raise UnreadableError(
        f"its header describes no pixel data: {keyword} is {found}, where {belongs} belongs"
    )


def _shown(value: Any) -> str:
    """Return a number or several; what is none is not quoted, since it may be a name."""
    many = value if isinstance(value, (list, MultiValue)) else [value]
    numbers = [str(one) for one in many if isinstance(one, (int, float))]
    if len(numbers) < len(many):
        return "no number"
    return numbers[0] if len(numbers) == 1 else f"[{', '.join(numbers)}]"


def _require_length(file: BinaryIO, value_at: int, length: int, wanted: int) -> int:
    available = file.seek(0, os.SEEK_END) - value_at
    # A value of an odd length is padded by one byte (PS3.5 section 7.1).
    if available < length or length not in (wanted, wanted + wanted % 2):
        raise UnreadableError(
            f"it has {max(0, min(available, length))} bytes of pixel data where {wanted} belong"
        )
    return value_at + length


def _require_fragments(file: BinaryIO, value_at: int, length: int, frames: int) -> int:
    """Check encapsulated pixel data (PS3.5 A.4): an offset table, then a fragment or more."""
    if length != UNDEFINED_LENGTH:
        raise UnreadableError("its compressed pixel data are not encapsulated")
    end = file.seek(0, os.SEEK_END)
    file.seek(value_at)
    sizes = []
    while True:
        tag, size = file.read(4), file.read(4)
        if tag == SEQUENCE_DELIMITATION and len(size) == 4:
            break
        (bytes_of_item,) = struct.unpack("<L", size) if len(size) == 4 else (end,)
        if tag != ITEM or file.tell() + bytes_of_item > end:
            raise UnreadableError("it ends inside its compressed pixel data")
        sizes.append(bytes_of_item)
        file.seek(bytes_of_item, os.SEEK_CUR)
    fragments = [size for size in sizes[1:] if size]
    if len(fragments) < frames:
        raise UnreadableError(
            f"it has {len(fragments)} fragments of compressed pixel data for {frames} frames"
        )
    return file.tell()
