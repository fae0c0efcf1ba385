"""Instances on disk (PS3.10): reading their headers, checking that they are whole."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, BinaryIO, cast

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import data_element_generator
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from qatrack_aria.dicom.attributes import READ
from qatrack_aria.dicom.character_sets import decode_texts
from qatrack_aria.dicom.pixel_data import UNDEFINED_LENGTH, require_pixels
from qatrack_aria.dicom.rt_plan import RtPlan, rt_plan
from qatrack_aria.dicom.uids import RT_IMAGE_STORAGE
from qatrack_aria.dicom.unreadable import UnreadableError as UnreadableError
from qatrack_aria.dicom.values import items, text

PREAMBLE = b"\0" * 128 + b"DICM"
PIXEL_DATA_TAG = 0x7FE00010
#: What an instance is given at each export, and where it is filed.
NOT_CONTENT = (
    "InstanceCreationDate",
    "InstanceCreationTime",
    "StudyInstanceUID",
    "SeriesInstanceUID",
)
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


def read_file(path: Path, character_set: str = "ISO_IR 192") -> Dataset:
    """Read the header of an instance, and check that its pixel data are what it describes.

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


def read_plan(content: bytes, character_set: str = "ISO_IR 192") -> RtPlan:
    """Read an RT Plan, given as a file (PS3.10) that was checked when it was filed.

    Raises
    ------
    UnreadableError
        It is not readable after all.
    """
    try:
        ds = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
        if not ds.get("SpecificCharacterSet"):
            for beam in items(ds, "BeamSequence"):
                decode_texts(beam, character_set)
        decode_texts(ds, character_set)
        return rt_plan(ds)
    except Exception as error:  # malformed data make pydicom raise errors of any type
        raise UnreadableError(f"it is not readable as a plan ({type(error).__name__})") from error


def start_of_file(sop_class: str, sop_uid: str, transfer_syntax: str) -> bytes:
    """Return what stands before the data set of an instance in a file (PS3.10)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(sop_uid)
    meta.TransferSyntaxUID = UID(transfer_syntax)
    start = io.BytesIO()
    start.write(PREAMBLE)
    write_file_meta_info(cast(Any, start), meta, enforce_standard=True)
    return start.getvalue()


def same_content(one: bytes, other: bytes) -> bool:
    """Return whether two files (PS3.10) hold the same instance.

    The moment of creation does not count: ARIA writes that of the export. Nor do the series, since
    an image may be listed in two, and the file meta information.
    """
    try:
        found = [pydicom.dcmread(io.BytesIO(content)) for content in (one, other)]
        for ds in found:
            for keyword in NOT_CONTENT:
                if keyword in ds:
                    del ds[keyword]
        return Dataset(found[0]) == Dataset(found[1])
    except Exception:  # malformed data make pydicom raise errors of any type
        return False


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
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax.is_deflated or not syntax.is_little_endian:
        raise UnreadableError(f"its transfer syntax is {syntax.name}, which is not supported")
    if "Rows" in ds or "Columns" in ds or _is_rt_image(ds):
        # pydicom leaves the file at the tag of the pixel data.
        end = require_pixels(file, ds)
        _check_rest(file, ds, end, file.seek(0, os.SEEK_END))
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
