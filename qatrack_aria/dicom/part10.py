"""Instances on disk (PS3.10): reading their headers, checking that they are whole."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import data_element_generator

from qatrack_aria.dicom.attributes import READ
from qatrack_aria.dicom.character_sets import decode_texts
from qatrack_aria.dicom.uids import RT_IMAGE_STORAGE
from qatrack_aria.dicom.values import text

UNDEFINED_LENGTH = 0xFFFFFFFF
PIXEL_DATA_TAG = 0x7FE00010
PIXEL_DATA = b"\xe0\x7f\x10\x00"
#: Sequences that describe a member of staff (PS3.3 section 10.1).
STAFF_SEQUENCES = {
    "ConsultingPhysicianIdentificationSequence",
    "OperatorIdentificationSequence",
    "PerformingPhysicianIdentificationSequence",
    "PhysiciansOfRecordIdentificationSequence",
    "PhysiciansReadingStudyIdentificationSequence",
    "ReferringPhysicianIdentificationSequence",
    "VerifyingObserverIdentificationCodeSequence",
}


class UnreadableError(Exception):
    """A file that is not a whole DICOM instance."""


def read_file(path: Path, character_set: str = "ISO_IR 192") -> Dataset:
    """Read the header of an instance, and check that its pixel data are complete.

    Parameters
    ----------
    path : Path
        A DICOM file (PS3.10).
    character_set : str
        Specific Character Set of a file that names none.

    Returns
    -------
    Dataset
        The attributes that :mod:`qatrack_aria.dicom.attributes` reads.

    Raises
    ------
    UnreadableError
        The file is not DICOM, or not complete; the message says why.
    OSError
        The disk did not return it.
    """
    with open(path, "rb") as file:
        try:
            ds = pydicom.dcmread(file, stop_before_pixels=True)
            _check_whole(file, ds)
        except UnreadableError:
            raise
        except Exception as error:  # malformed data make pydicom raise errors of any type
            if isinstance(error, OSError) and error.errno:
                raise  # an error of the disk; those of pydicom have no number
            # pydicom's message may quote the file, such as a patient's name.
            raise UnreadableError(
                f"it is not readable as DICOM ({type(error).__name__})"
            ) from error
    for tag in set(ds.keys()) - READ:
        del ds[tag]
    decode_texts(ds, character_set)
    return ds


def without_staff(content: bytes) -> bytes:
    """Return an instance, given as a file (PS3.10), without the names of staff.

    Consoles write the logins of their users into attributes such as Operators' Name. The pixel
    data are not changed.
    """
    ds = pydicom.dcmread(io.BytesIO(content))
    _remove_staff(ds)
    file = io.BytesIO()
    ds.save_as(file)
    return file.getvalue()


def _remove_staff(ds: Dataset) -> None:
    for tag in list(ds.keys()):
        try:
            element = ds[tag]
        except Exception:  # as above; it could not be written either
            del ds[tag]
            continue
        if element.keyword in STAFF_SEQUENCES:
            del ds[tag]
        elif element.VR == "PN" and element.keyword != "PatientName":
            element.value = ""
        elif element.VR == "SQ":
            for item in element.value:
                _remove_staff(item)


def _check_whole(file: BinaryIO, ds: Dataset) -> None:
    wanted = _pixel_bytes(ds)
    if wanted:
        _check_pixels(file, ds, wanted)
    elif _is_rt_image(ds):
        raise UnreadableError("it has no pixel data")
    else:
        _check_end(file, ds)


def _is_rt_image(ds: Dataset) -> bool:
    # The file meta information too: a file may end before the data set's SOP Class UID.
    classes = (text(ds, "SOPClassUID"), text(ds.file_meta, "MediaStorageSOPClassUID"))
    return RT_IMAGE_STORAGE in classes


def _check_end(file: BinaryIO, ds: Dataset) -> None:
    # pydicom accepts a last value that is cut short.
    if not len(ds):
        raise UnreadableError("it has no data set")
    last = ds.get_item(max(ds.keys()))
    if not isinstance(last, RawDataElement) or last.length == UNDEFINED_LENGTH:
        return
    if last.value_tell + last.length > file.seek(0, os.SEEK_END):
        raise UnreadableError("it ends inside an attribute")


def _pixel_bytes(ds: Dataset) -> int:
    """Return the number of bytes of pixel data by the header; 0 if it describes no pixels."""
    if "Rows" not in ds or "Columns" not in ds:
        return 0
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax.is_compressed:
        return 1
    frames = int(ds.get("NumberOfFrames") or 1)
    samples = int(ds.get("SamplesPerPixel") or 1)
    bits = int(ds.Rows) * int(ds.Columns) * samples * frames * int(ds.get("BitsAllocated") or 16)
    return (bits + 7) // 8


def _check_pixels(file: BinaryIO, ds: Dataset, wanted: int) -> None:
    # pydicom leaves the file at the tag of the pixel data.
    start = file.tell()
    head = file.read(12)
    if head[:4] != PIXEL_DATA:
        raise UnreadableError("it has no pixel data")
    if ds.file_meta.TransferSyntaxUID.is_implicit_VR:
        value_at, (length,) = start + 8, struct.unpack("<L", head[4:8])
    elif len(head) == 12:
        value_at, (length,) = start + 12, struct.unpack("<L", head[8:12])
    else:
        raise UnreadableError("it ends inside the pixel data")
    end = file.seek(0, os.SEEK_END)
    available = end - value_at
    if ds.file_meta.TransferSyntaxUID.is_compressed:
        length = wanted = 1  # of undefined length: only check that there is any
    if available < length or length < wanted:
        raise UnreadableError(
            f"it has {max(0, min(available, length))} bytes of pixel data where {wanted} belong"
        )
    if not ds.file_meta.TransferSyntaxUID.is_compressed:
        _check_rest(file, ds, value_at + length, end)


def _check_rest(file: BinaryIO, ds: Dataset, at: int, end: int) -> None:
    # If a fragment arrived twice, the pixels are shifted, and the last of them follow here.
    file.seek(at)
    last = PIXEL_DATA_TAG
    try:
        implicit = ds.file_meta.TransferSyntaxUID.is_implicit_VR
        for element in data_element_generator(file, implicit, True):
            if not isinstance(element, RawDataElement):
                return  # a sequence, whose end is not known here
            if element.tag <= last:
                break
            last, at = element.tag, element.value_tell + element.length
    except Exception as error:  # as above
        raise UnreadableError(
            f"what follows its pixel data is not readable ({type(error).__name__})"
        ) from error
    if at != end:
        raise UnreadableError("what follows its pixel data is no attribute")
