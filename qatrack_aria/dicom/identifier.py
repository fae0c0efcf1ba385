"""The identifier and the pending statuses of C-FIND, C-MOVE and C-GET."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from pydicom.dataset import Dataset

from qatrack_aria.dicom.character_sets import can_encode

#: More responses follow (PS3.4 C.4); FF01: an optional key is not supported.
PENDING = (0xFF00, 0xFF01)


def identifier(
    level: str, keys: Mapping[str, Any], returned: Iterable[str] = (), character_set: str = ""
) -> Dataset:
    """Make the identifier of a request.

    Parameters
    ----------
    level : str
        Query/Retrieve Level.
    keys : mapping of str to str
        Keywords and the values to match.
    returned : iterable of str
        Keywords of the attributes to return.
    character_set : str
        Specific Character Set of the values; sent only if a value is not plain ASCII.

    Raises
    ------
    ValueError
        A value cannot be encoded in it: the letter would be sent as a wildcard.
    """
    plain = all(str(value).isascii() for value in keys.values())
    if not plain and not all(can_encode(str(v), character_set) for v in keys.values()):
        raise ValueError(f"the keys cannot be written in {character_set}")
    ds = Dataset()
    ds.QueryRetrieveLevel = level
    for keyword in returned:
        setattr(ds, keyword, [] if keyword.endswith("Sequence") else "")
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    if not plain:
        ds.SpecificCharacterSet = character_set.split("\\")
    return ds
