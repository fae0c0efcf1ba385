"""Character sets of what is asked and answered (Specific Character Set, PS3.3 C.12.1.1.2).

A letter that a set does not have would be sent as ``?``, which is a wildcard, and would find the
plans of others. So it is an error before anything is sent.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: Value representations that are written in the character set (PS3.5 6.1.2.3).
TEXTS = ("LO", "LT", "PN", "SH", "ST", "UC", "UT")

#: Value representations whose values are strings that no conversion alters.
STRINGS = frozenset(("AE", "CS", "DA", "LO", "SH", "TM", "UI"))

#: What fills a value up to an even length (PS3.5 6.2).
PADDING = " \0"
#: What begins another set within a text (ISO 2022).
ESCAPE = "\x1b"
#: Terms for plain ASCII.
DEFAULT = ("", "ISO_IR 6", "ISO 2022 IR 6")

#: Defined terms, and what they are called; the first is DICOM's own way of today.
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
    """Whether all of a text can be written in a character set.

    Parameters
    ----------
    text : str
        What is to be sent.
    character_set : str
        Specific Character Set; several are separated by a backslash.
    """
    encodings = _encodings(character_set)
    return all(any(_holds(letter, encoding) for encoding in encodings) for letter in text)


def decode_texts(ds: Dataset, character_set: str) -> None:
    """Make a data set from outside one that can be gone through, with texts that can be read.

    Values that cannot be converted are left out. Where the data set does not say what its texts
    are written in, they are by the standard plain ASCII; what is not, pydicom has read byte by
    byte, and is read again. Bytes that the character set does not allow are left so. What needs
    none of that stays as it was read (:func:`plain_text`): converting it is most of the work of
    a long list of answers.

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
        except Exception:  # pydicom raises of every kind on garbage
            del ds[tag]
    if not ds.get("SpecificCharacterSet"):
        for tag in others:
            if tag in ds:
                _assume(ds[tag], character_set)


def plain_text(ds: Dataset, tag: Any) -> str | None:
    """The text of an element that is the same in every character set, as it was read.

    Parameters
    ----------
    ds : Dataset
        An answer, or the header of a file.
    tag : BaseTag
        Of a top-level element.

    Returns
    -------
    str or None
        All values with the backslashes between them; ``None`` where there is none, or where
        pydicom has to convert it.
    """
    try:
        element = ds.get_item(tag)
    except Exception:  # pydicom converts what is empty, and raises of every kind
        return None
    value = getattr(element, "value", None)
    if not isinstance(value, bytes) or not value.isascii():
        return None
    text = value.decode("ascii").rstrip(PADDING)
    kind = getattr(element, "VR", None) or _usual_kind(tag)
    return text if text and text.isprintable() and kind in STRINGS else None


def _usual_kind(tag: Any) -> str:
    """The value representation of an attribute; those of implicit VR do not tell it."""
    from pydicom.datadict import dictionary_VR

    try:
        return dictionary_VR(tag)
    except KeyError:  # a private one
        return ""


def _assume(element: Any, character_set: str) -> None:
    text = element.value
    if element.VR in TEXTS and isinstance(text, str) and not _plain(text):
        element.value = _reread(text, character_set)


def _plain(text: str) -> bool:
    return text.isascii() and ESCAPE not in text


def _encodings(character_set: str) -> list[str]:
    from pydicom import charset

    terms = character_set.split("\\")
    encodings = charset.convert_encodings(terms)
    # pydicom writes the default repertoire in ISO 8859-1, of which it has only the first half.
    return ["ascii" if term in DEFAULT else e for term, e in zip(terms, encodings)]


def _holds(letter: str, encoding: str) -> bool:
    try:
        return bool(letter.encode(encoding))
    except (UnicodeError, LookupError):
        return False


def _reread(text: str, character_set: str) -> str:
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
