"""Character sets of queries and answers (Specific Character Set, PS3.3 C.12.1.1.2).

A letter outside the character set would be sent as ``?``, a wildcard that finds other patients'
plans. In some sets the bytes of a letter hold that of ``?``, ``*`` or the backslash, and a server
that does not know the set takes them for these. Both are errors before anything is sent.
"""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: Value representations that the character set applies to (PS3.5 6.1.2.3).
TEXTS = ("LO", "LT", "PN", "SH", "ST", "UC", "UT")

#: Value representations whose values are strings that no conversion changes.
STRINGS = frozenset(("AE", "CS", "DA", "IS", "LO", "SH", "TM", "UI"))

#: Padding of a value to an even length (PS3.5 6.2).
PADDING = " \0"
#: Begins another character set within a text (ISO 2022).
ESCAPE = "\x1b"
#: The wildcards, and the separator of values (PS3.4 C.2.2.2.4 and PS3.5 6.2).
SPECIAL = (b"?", b"*", b"\\")
#: Defined terms for plain ASCII.
DEFAULT = ("", "ISO_IR 6", "ISO 2022 IR 6")

#: Defined terms and their labels; the first is the most general.
CHOICES = (
    ("ISO_IR 192", "Unicode (ISO_IR 192)"),
    ("ISO_IR 100", "Western Europe (ISO_IR 100)"),
    ("ISO_IR 101", "Central Europe (ISO_IR 101)"),
    ("ISO_IR 109", "Southern Europe (ISO_IR 109)"),
    ("ISO_IR 110", "Northern Europe (ISO_IR 110)"),
    ("ISO_IR 144", "Cyrillic (ISO_IR 144)"),
    ("ISO_IR 126", "Greek (ISO_IR 126)"),
    ("ISO_IR 127", "Arabic (ISO_IR 127)"),
    ("ISO_IR 138", "Hebrew (ISO_IR 138)"),
    ("ISO_IR 148", "Turkish (ISO_IR 148)"),
    ("ISO_IR 166", "Thai (ISO_IR 166)"),
    ("ISO_IR 13", "Japanese, half-width katakana (ISO_IR 13)"),
    ("\\ISO 2022 IR 87", "Japanese, kanji (ISO 2022 IR 87)"),
    ("\\ISO 2022 IR 149", "Korean (ISO 2022 IR 149)"),
    ("GB18030", "Chinese (GB18030)"),
)


def can_encode(text: str, character_set: str) -> bool:
    """Return whether a text can be sent in a character set, and is understood as it is meant.

    Parameters
    ----------
    text : str
        The text to send.
    character_set : str
        Specific Character Set; several are separated by a backslash.
    """
    encodings = _encodings(character_set)
    if not all(any(_encodes(letter, encoding) for encoding in encodings) for letter in text):
        return False
    raw = _as_sent(text, character_set)
    return raw is not None and all(
        raw.count(special) == text.count(special.decode("ascii")) for special in SPECIAL
    )


def decode_texts(ds: Dataset, character_set: str) -> None:
    """Decode the texts of a received data set, and remove values that cannot be converted.

    A data set without a Specific Character Set should be plain ASCII. Where it is not, pydicom has
    decoded it byte by byte; it is decoded again with the character set given here, unless its bytes
    are not valid in that. Plain values are not converted (:func:`plain_text`): that would be most
    of the work for a long list of answers.

    Parameters
    ----------
    ds : Dataset
        An answer, or the header of a file; changed in place.
    character_set : str
        The Specific Character Set to assume.
    """
    others = [tag for tag in list(ds.keys()) if plain_text(ds, tag) is None]
    for tag in others:
        try:
            ds[tag]
        except Exception:  # malformed data make pydicom raise errors of any type
            del ds[tag]
    if not ds.get("SpecificCharacterSet"):
        for tag in others:
            if tag in ds:
                _decode_as(ds[tag], character_set)


def plain_text(ds: Dataset, tag: Any) -> str | None:
    """Return the value of an element if it is the same in every character set, as it was read.

    Parameters
    ----------
    ds : Dataset
        An answer, or the header of a file.
    tag : BaseTag
        The tag of a top-level element.

    Returns
    -------
    str or None
        All values, separated by backslashes; ``None`` if there is none, or if pydicom has to
        convert it.
    """
    try:
        element = ds.get_item(tag)
    except Exception:  # pydicom converts an empty value, with errors of any type
        return None
    value = getattr(element, "value", None)
    if not isinstance(value, bytes) or not value.isascii():
        return None
    text = value.decode("ascii").rstrip(PADDING)
    vr = getattr(element, "VR", None) or dictionary_vr(tag)
    return text if text and text.isprintable() and vr in STRINGS else None


@functools.lru_cache(maxsize=1024)
def dictionary_vr(tag: int) -> str:
    """Return the value representation of an attribute by the dictionary, for implicit VR."""
    from pydicom.datadict import dictionary_VR

    try:
        return dictionary_VR(tag)
    except KeyError:  # a private one
        return ""


def _decode_as(element: Any, character_set: str) -> None:
    text = element.value
    if element.VR in TEXTS and isinstance(text, str) and not _plain(text):
        element.value = _decode_again(text, character_set)


def _plain(text: str) -> bool:
    return text.isascii() and ESCAPE not in text


def _encodings(character_set: str) -> list[str]:
    from pydicom import charset

    terms = character_set.split("\\")
    encodings = charset.convert_encodings(terms)
    # pydicom encodes the default repertoire in ISO 8859-1, only half of which belongs to it.
    return ["ascii" if term in DEFAULT else e for term, e in zip(terms, encodings)]


def _encodes(letter: str, encoding: str) -> bool:
    try:
        return bool(letter.encode(encoding))
    except (UnicodeError, LookupError):
        return False


def _as_sent(text: str, character_set: str) -> bytes | None:
    """Return the bytes that pydicom writes; ``None`` if they are not read as the same text."""
    from pydicom import charset

    encodings = charset.convert_encodings(character_set.split("\\"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            raw = charset.encode_string(text, encodings)
            read = charset.decode_string(raw, encodings, set())
        except (UnicodeError, LookupError, ValueError):
            return None
    return raw if read == text else None


def _decode_again(text: str, character_set: str) -> str:
    from pydicom import charset

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        encodings = charset.convert_encodings(character_set.split("\\"))
        try:
            raw = text.encode(charset.default_encoding)
            read = charset.decode_string(raw, encodings, set())
            return read if charset.encode_string(read, encodings) == raw else text
        except (UnicodeError, LookupError, ValueError):
            return text
