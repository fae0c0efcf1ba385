"""Words for messages: any value as one short, printable line, numbers of things, reasons.

Used by all layers; imports nothing of them.
"""

from __future__ import annotations

from typing import Any

#: Characters of a value of most attributes that are read (LO and UI, PS3.5 table 6.2-1).
MAX_LENGTH = 64


def printable(text: str, longest: int = MAX_LENGTH) -> str:
    """Return text from outside as one short line that can be shown and logged.

    What is altered here is nothing that anybody can ask for: a request holds neither a backslash
    nor more characters than a value of DICOM may have.

    Parameters
    ----------
    text : str
        Whatever was received.
    longest : int
        Characters to keep; an ellipsis follows where there were more.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: longest + 1])
    return text if len(text) <= longest else text[:longest] + "…"


def short_repr(value: Any) -> str:
    """Return a value as Python writes it, in one short line, whatever it is."""
    text = safe_repr(value)
    return text if len(text) <= 70 else text[:60] + "…" + text[-1]


def safe_repr(value: Any) -> str:
    """Return ``repr(value)``, or its type where that fails: lists too deep, numbers too long."""
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__}>"


def storable(text: str) -> str:
    """Return text that every database takes.

    PostgreSQL refuses NUL, and no encoding has half a surrogate.
    """
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def plural(number: int, noun: str) -> str:
    """Return a number of things, such as "1 image" or "8 images"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def error_reason(error: BaseException) -> str:
    """Return what the system says of an error, such as "No space left on device"."""
    return str(getattr(error, "strerror", None) or error)
