"""The texts of the codes in records: reasons, remarks, steps, and ends of transfers.

A :class:`Phrase` is text with its code and details. Messages and log lines use the text. A record
keeps the code and the details, from which a page makes the text in its own language.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping

from qatrack_aria.text import printable


def gettext_noop(text: str) -> str:
    """Mark text for Django's ``makemessages``; it is translated when it is shown."""
    return text


_ = gettext_noop

#: Text by code, with the details in braces.
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
    "kv_or_mv": _("with signs of both kV and MV"),
    "other_beam": _("of beam {beam}"),
    "no_beam": _("of an unknown beam"),
    "other_energy": _("of {energy}"),
    "no_energy": _("of an unknown energy"),
    "other_description": _("of series description {description}"),
    "other_frame": _("of another frame of reference than the plan"),
    "other_protocol": _("of protocol {text}"),
    "other_label": _("labelled {text}"),
    "localizer": _("localizers"),
    "untimed": _("without a time of acquisition"),
    "other_type": _("{image_type}"),
    "not_newest_day": _("not of the newest day"),
    "not_newest_series": _("not of the newest series"),
    "not_newest_session": _("not of the newest session"),
    "more_reasons": _("for other reasons"),
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
    "repaired": _(
        "{number} images were damaged in the archive: they were removed, to be fetched again. Have "
        "its disk checked."
    ),
    # Why the answers to a query are not complete.
    "status": _("status {status}"),
    "limit": _("cut off at the server's limit (status 0xB001)"),
    "unreadable": _("{number} of them unreadable"),
    "cancelled": _("more than we wanted, so we cancelled it"),
    "unanswered": _("not answered completely"),
    "endless": _("and more"),
    # How a C-MOVE or C-GET ended without a final response.
    "silent": _("silent for {seconds} s"),
    "out_of_time": _("out of time ({seconds} s in total)"),
    "local_failure": _("this machine failed"),
    "broken_off": _("the association broke off"),
    "interrupted": _("interrupted"),
    # Why our port rejected an instance or a connection.
    "unrequested": _("an instance that was not requested"),
    "not_taken": _("the disk did not accept it"),
    "unchecked": _("an instance that cannot be checked"),
    "no_class": _("an instance without a SOP class or a transfer syntax"),
    "damaged": _("an image that arrived damaged: {error}"),
    "other_instance": _("an instance whose SOP Instance UID is not that of its C-STORE request"),
    "instance_of_other_patient": _("an instance of another patient"),
    "other_class": _("an instance of the class '{found}' instead of '{expected}'"),
    "other_modality": _("an instance of modality '{found}' instead of '{expected}'"),
    "other_content": _("an image that came before with other content"),
    "several_values": _("an instance with {number} values of {attribute}, where one belongs"),
    "connection": _("a connection from {address}, which {why}"),
    "call_while_busy": _("an association request while {number} associations are active"),
    "call": _(
        "an association request from '{calling}' to '{called}' (expected: '{expected_calling}' to "
        "'{expected_called}')"
    ),
}


class Phrase(str):
    """A text with its code and details.

    Attributes
    ----------
    code : str
        One of :data:`TEMPLATES`.
    details : mapping of str to (str or number)
        The values in its text.
    """

    code: str
    details: Mapping[str, Any]

    @property
    def as_json(self) -> dict[str, Any]:
        """The code and details, for a record."""
        return {"code": self.code, **self.details}


def phrase(code: str, **details: Any) -> Phrase:
    """Make a phrase; each detail that is text becomes one printable line."""
    safe = {k: printable(v, 300) if isinstance(v, str) else v for k, v in details.items()}
    result = Phrase(TEMPLATES[code].format(**safe))
    result.code, result.details = code, safe
    return result


def read_phrase(kept: Any, translate: Callable[[str], str] = str) -> str:
    """Return the text of a phrase in a record, printable whatever the record contains.

    Parameters
    ----------
    kept : Any
        The value of :attr:`Phrase.as_json`, or just a code.
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
