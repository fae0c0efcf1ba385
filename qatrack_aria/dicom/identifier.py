"""What C-FIND, C-MOVE and C-GET have in common: the identifier, and the statuses on the way."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from pydicom.dataset import Dataset

#: More responses follow (PS3.4 C.4); FF01: an optional key is not supported.
PENDING = (0xFF00, 0xFF01)


def identifier(level: str, keys: Mapping[str, Any], returned: Iterable[str] = ()) -> Dataset:
    """The identifier of a request.

    Parameters
    ----------
    level : str
        Query/Retrieve Level.
    keys : mapping of str to str
        Keywords and the values to match.
    returned : iterable of str
        Keywords whose values are to be told.
    """
    ds = Dataset()
    ds.QueryRetrieveLevel = level
    for keyword in returned:
        setattr(ds, keyword, [] if keyword.endswith("Sequence") else "")
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    if not all(ord(c) < 128 for value in keys.values() for c in str(value)):
        ds.SpecificCharacterSet = "ISO_IR 192"
    return ds
