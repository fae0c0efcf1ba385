"""The data sets of a phantom and their files, the same with pydicom 2.4 and 3."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian

_PYDICOM_2 = int(pydicom.__version__.split(".")[0]) < 3


def data_set(**values: Any) -> Dataset:
    """Return a data set with these attributes, such as an item of a sequence."""
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def date(moment: datetime) -> str:
    """Return the day of a moment as a value of DA."""
    return moment.strftime("%Y%m%d")


def time(moment: datetime) -> str:
    """Return the time of a moment as a value of TM."""
    return moment.strftime("%H%M%S.%f")


def as_file(dataset: Dataset) -> Dataset:
    """Give a data set its file meta information (PS3.10 7.1), for implicit VR little endian."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.file_meta = meta
    if _PYDICOM_2:  # pydicom 3 takes the encoding from the transfer syntax
        dataset.is_implicit_VR = True
        dataset.is_little_endian = True
    return dataset


def save(dataset: Dataset, folder: str | Path) -> Path:
    """Save a data set as a DICOM file named after its SOP Instance UID.

    Parameters
    ----------
    dataset : pydicom.dataset.Dataset
        A data set with file meta information.
    folder : str or pathlib.Path
        An existing folder.

    Returns
    -------
    pathlib.Path
        The file.
    """
    path = Path(folder) / f"{dataset.SOPInstanceUID}.dcm"
    options: dict[str, Any] = (
        {"write_like_original": False} if _PYDICOM_2 else {"enforce_file_format": True}
    )
    pydicom.dcmwrite(path, dataset, **options)
    return path
