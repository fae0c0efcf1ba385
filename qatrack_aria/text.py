"""Text for messages: any value as one short, printable line, counts, reasons of errors.

All layers use this module; it imports none of them.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

#: The longest value of most attributes, in characters (LO and UI, PS3.5 table 6.2-1).
MAX_LENGTH = 64


def printable(text: str, longest: int = MAX_LENGTH) -> str:
    """Return text from outside as one short line that can be shown and logged.

    A changed value never matches a request, which contains neither a backslash nor more characters
    than a DICOM value may have.

    Parameters
    ----------
    text : str
        The received text.
    longest : int
        Characters to keep; an ellipsis replaces the others.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: longest + 1])
    return text if len(text) <= longest else text[:longest] + "…"


def same_text(one: str, other: str) -> bool:
    """Return whether two texts are the same letters, however they are composed in Unicode."""
    return one == other or composed(one) == composed(other)


def composed(text: str) -> str:
    """Return a text with its letters composed as in Unicode's form NFC."""
    return unicodedata.normalize("NFC", text)


def may_have_lost_letters(damaged: str, whole: str) -> bool:
    """Return whether a text may be another one of which not all letters beyond ASCII came through.

    A server that has no such letter writes another one or several, a question mark, or none.
    """
    parts = re.split("[^\x00-\x7f]+", unicodedata.normalize("NFC", whole))
    begin = 0
    for part in parts:
        found = damaged.find(part, begin)
        if found < 0:
            return False
        begin = found + len(part)
    return len(parts) > 1 and damaged.startswith(parts[0]) and damaged.endswith(parts[-1])


def same_name(one: str, other: str) -> bool:
    """Return whether two names are the same but for capital letters."""
    return same_text(one.casefold(), other.casefold())


def short_repr(value: Any) -> str:
    """Return ``repr(value)`` of any value, shortened to one line."""
    text = safe_repr(value)
    return text if len(text) <= 70 else text[:60] + "…" + text[-1]


def safe_repr(value: Any) -> str:
    """Return ``repr(value)``, or its type if that fails: lists too deep, numbers too long."""
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__}>"


def storable(text: str) -> str:
    """Return text that every database accepts.

    PostgreSQL refuses NUL, and no encoding has single surrogates.
    """
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def plural(number: int, noun: str) -> str:
    """Return a count with its noun, such as "1 image" or "8 images"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def error_reason(error: BaseException) -> str:
    """Return the system's text for an error, such as "No space left on device"."""
    return str(getattr(error, "strerror", None) or error)
