"""Attribute matching of instances against the keys of a query (PS3.4 C.2.2.2)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

# PS3.4 C.2.2.2.4: wildcards apply to text only, never to dates, numbers or UIDs.
WILDCARD_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
RANGE_VRS = frozenset({"DA", "TM", "DT"})
NUMBER_VRS = frozenset({"DS", "IS", "FD", "FL", "SL", "SS", "UL", "US"})


def texts(element: DataElement) -> list[str]:
    """Return the values of an element as text; none for an empty one."""
    value: Any = element.value
    if value is None or value == "":
        return []
    if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue":
        return [str(item).rstrip() for item in value]
    return [str(value).rstrip()]


def has_value(key: DataElement) -> bool:
    """Return whether a key narrows the query; an empty one only requests the attribute."""
    if key.VR == "SQ":
        return any(has_value(inner) for item in key.value for inner in item)
    return bool(texts(key))


def is_exact(key: DataElement) -> bool:
    """Return whether a key is matched character for character, without wildcards."""
    return not (key.VR in WILDCARD_VRS and any("*" in text or "?" in text for text in texts(key)))


def matches(held: DataElement | None, key: DataElement) -> bool:
    """Match one attribute of an instance against a key.

    A list in a UID key matches any of its UIDs. Any other list (ImageType) has to match in full,
    value by value; a single value matches any value of the attribute. A sequence key matches an
    item that matches all keys of the key's item, as ARIA does with ReferencedRTPlanSequence.

    Parameters
    ----------
    held : pydicom.dataelem.DataElement or None
        The attribute of the instance.
    key : pydicom.dataelem.DataElement
        The key of the identifier.

    Returns
    -------
    bool
        True also for a key without a value.
    """
    if not has_value(key):
        return True
    if held is None:
        return False
    if key.VR == "SQ":
        return any(matches_all(item, key.value[0]) for item in held.value)
    wanted, values = texts(key), texts(held)
    if key.VR == "UI" or len(wanted) == 1:
        return any(_matches(key.VR, value, one) for value in values for one in wanted)
    return len(wanted) == len(values) and all(
        _matches(key.VR, value, one) for value, one in zip(values, wanted)
    )


def matches_all(dataset: Dataset, keys: Dataset) -> bool:
    """Match an instance, or an item of a sequence, against all keys of an identifier."""
    return all(matches(dataset.get(key.tag), key) for key in keys)


def date_range(key: DataElement) -> tuple[str, str]:
    """Return the first and the last moment of a DA, TM or DT key; empty for an open end."""
    text = texts(key)[0]
    first, dash, last = text.partition("-")
    return (first, last) if dash else (text, text)


def matches_text(text: str, pattern: str) -> bool:
    """Match with the wildcards ``*`` and ``?``, case-sensitively."""
    return _pattern(pattern).fullmatch(text) is not None


@lru_cache(maxsize=256)
def _pattern(wildcards: str) -> re.Pattern[str]:
    translated = (
        {"*": ".*", "?": "."}.get(character, re.escape(character)) for character in wildcards
    )
    return re.compile("".join(translated), re.DOTALL)


def _matches(vr: str, value: str, wanted: str) -> bool:
    if vr in WILDCARD_VRS:
        return matches_text(value, wanted)
    if vr in RANGE_VRS:
        first, dash, last = wanted.partition("-")
        if not dash:
            return value.startswith(wanted)  # 1230 matches 123000, as both mean half past twelve
        # The last moment covers all of its day, minute or second.
        return first <= value and (not last or value[: len(last)] <= last)
    if vr in NUMBER_VRS:
        return float(value) == float(wanted)
    return value == wanted
