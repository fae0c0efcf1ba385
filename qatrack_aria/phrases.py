"""The words of what records keep as codes: reasons, remarks, steps, and ends of transfers.

A :class:`Phrase` is text that remembers its code and its details. Messages and log lines use it as
text. A record keeps its code and details, and a page makes the text anew, in its own language.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping

from qatrack_aria.text import printable


def gettext_noop(text: str) -> str:
    """Mark text that is translated when it is shown; Django's ``makemessages`` looks for it."""
    return text


_ = gettext_noop

#: Text by code; what stands in braces are the details.
TEMPLATES = {
    # Why an image does not match.
    "other_patient": _("of another patient"),
    "other_series": _("of another series"),
    "other_plan": _("of another plan or of none"),
    "undated": _("without a date of acquisition"),
    "after_session": _("acquired after the session"),
    "other_day": _("of another day"),
    "other_machine": _("of machine {machine}"),
    "unnamed_machine": _("of an unnamed machine"),
    "kv": _("kV"),
    "mv": _("MV"),
    "other_type": _("{image_type}"),
    "not_newest_day": _("not of the newest day"),
    "not_newest_series": _("not of the newest series"),
    "more_reasons": _("for more reasons"),
    # The steps of a retrieval.
    "lock": _("waiting for other retrievals"),
    "associate": _("opening the association"),
    "plan": _("finding the plan"),
    "images": _("finding the images"),
    "check": _("reading the archive"),
    "move": _("moving"),
    "lay_out": _("laying out the folder"),
    "release": _("releasing the association"),
    "prune": _("removing old sets"),
    # Remarks on a retrieval.
    "shared": _("Another retrieval fetched the same images while this one waited."),
    # Why a query did not end well.
    "status": _("status {status}"),
    "limit": _("cut off at the server's limit (status 0xB001)"),
    "unreadable": _("{number} of them unreadable"),
    "unanswered": _("never answered to the end"),
    "endless": _("and no end of them"),
    # How a C-MOVE or C-GET ended without a final response.
    "silent": _("silent for {seconds} s"),
    "out_of_time": _("out of time ({seconds} s in total)"),
    "local_failure": _("this machine failed"),
    "broken_off": _("the association broke off"),
    "interrupted": _("interrupted"),
    # Why our port rejected an instance or a connection.
    "unrequested": _("an instance that was not requested"),
    "not_taken": _("the disk did not take it"),
    "unchecked": _("an instance that cannot be checked"),
    "no_class": _("an instance without a SOP class or a transfer syntax"),
    "damaged": _("an image that arrived damaged: {error}"),
    "other_instance": _("an instance whose own SOP Instance UID is not the announced one"),
    "instance_of_other_patient": _("an instance of another patient"),
    "connection": _("a connection from {address}, which {why}"),
    "call_while_busy": _("a call while {number} others are active"),
    "call": _(
        "a call from '{calling}' to '{called}' (expected: '{expected_calling}' to "
        "'{expected_called}')"
    ),
}


class Phrase(str):
    """Text made of a code and details.

    Attributes
    ----------
    code : str
        One of :data:`TEMPLATES`.
    details : mapping of str to (str or number)
        What its text holds besides.
    """

    code: str
    details: Mapping[str, Any]

    @property
    def as_json(self) -> dict[str, Any]:
        """The code and the details, for a record."""
        return {"code": self.code, **self.details}


def phrase(code: str, **details: Any) -> Phrase:
    """Make a phrase; details that are text are made one printable line."""
    safe = {k: printable(v, 300) if isinstance(v, str) else v for k, v in details.items()}
    made = Phrase(TEMPLATES[code].format(**safe))
    made.code, made.details = code, safe
    return made


def read_phrase(kept: Any, translate: Callable[[str], str] = str) -> str:
    """Return the text of what a record kept of a phrase; harmless whatever it is.

    Parameters
    ----------
    kept : Any
        What :attr:`Phrase.as_json` gave, or just a code.
    translate : callable
        Takes a template and returns it in another language.
    """
    details = kept if isinstance(kept, dict) else {"code": kept}
    code = details.get("code")
    if not isinstance(code, str):
        return ""
    try:
        text = translate(TEMPLATES[code]).format(
            **{k: v for k, v in details.items() if k != "code"}
        )
    except (KeyError, IndexError, ValueError, AttributeError):
        text = code  # of another version, or edited by hand
    return printable(text, 300)
