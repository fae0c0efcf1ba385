"""The named failures.

Every failure is an :class:`AriaError`. Its message is one line that says which step failed, what
was requested, what came back and what to do: QATrack+ shows a user only the message of the last
exception. Its ``outcome`` gives the code in a record and the exit code of a command.
"""

from __future__ import annotations

import enum
from typing import Iterable

from qatrack_aria.phrases import gettext_noop as _


class Outcome(enum.Enum):
    """The outcome of a retrieval.

    Attributes
    ----------
    value : str
        The code in records and in the output of ``--json``.
    label : str
        The text on pages, translated when it is shown.
    exit_code : int
        The exit code of the commands; Python itself uses 1 for unexpected errors.
    may_succeed_later : bool
        Whether the same call may succeed later without any change.
    """

    RUNNING = "running", _("running, or killed"), 1
    DONE = "done", _("done"), 0
    LISTED = "listed", _("listed only"), 0
    USAGE = "usage", _("wrong usage"), 2
    NOT_FOUND = "not_found", _("nothing found"), 3, True
    INCOMPLETE = "incomplete", _("incomplete"), 4, True
    AMBIGUOUS = "ambiguous", _("ambiguous"), 5
    REFUSED = "refused", _("refused"), 6
    UNREACHABLE = "unreachable", _("node unreachable"), 7, True
    BUSY = "busy", _("busy"), 8, True
    LOCAL = "local", _("a problem on this machine"), 9
    FAILED = "failed", _("failed"), 1

    label: str
    exit_code: int
    may_succeed_later: bool

    def __new__(
        cls, code: str, label: str, exit_code: int, may_succeed_later: bool = False
    ) -> Outcome:
        """Make a member whose value is its code."""
        member = object.__new__(cls)
        member._value_ = code
        member.label = label
        member.exit_code = exit_code
        member.may_succeed_later = may_succeed_later
        return member

    @classmethod
    def of(cls, code: str) -> Outcome:
        """Return the outcome with that code; raises ``KeyError`` if there is none."""
        return {outcome.value: outcome for outcome in cls}[code]


class AriaError(Exception):
    """Any failure of this app, with a message for physicists."""

    outcome = Outcome.FAILED


# --- before anything is sent ------------------------------------------------------------------


class RequestError(AriaError):
    """The request is not valid; nothing was sent."""

    outcome = Outcome.USAGE


class WaitingError(RequestError):
    """The patient or the plan is not filled in yet, which is no mistake."""


class UnknownNodeError(RequestError):
    """There is no node with that name."""


class InactiveNodeError(RequestError):
    """The node is switched off in the admin."""


class PatientNotAllowedError(RequestError):
    """The node does not list this patient ID among its allowed ones."""

    outcome = Outcome.REFUSED


class ConfigurationError(AriaError):
    """A setting of this app cannot work."""

    outcome = Outcome.LOCAL


class TlsFileError(ConfigurationError):
    """A TLS file of the node cannot be used.

    Its message is for any user of QATrack+, and names no path.

    Attributes
    ----------
    detail : str
        The same with the path, for administrators.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail or message


# --- on this machine --------------------------------------------------------------------------


class ArchiveError(AriaError):
    """A file cannot be written to disk, or read from it."""

    outcome = Outcome.LOCAL


class ReceiverError(AriaError):
    """Our own storage SCP cannot listen."""

    outcome = Outcome.LOCAL


class BusyError(AriaError):
    """Another retrieval uses the destination for longer than we may wait."""

    outcome = Outcome.BUSY


# --- the node's answers -----------------------------------------------------------------------


class NodeUnreachableError(AriaError):
    """No answer: the name does not resolve, nothing listens, or the association broke off."""

    outcome = Outcome.UNREACHABLE


class AssociationRejectedError(AriaError):
    """The node answers but rejects the association, or does not offer a needed service."""

    outcome = Outcome.REFUSED


class NodeBusyError(AssociationRejectedError):
    """The node accepts no more associations for now."""

    outcome = Outcome.BUSY


class TlsError(AssociationRejectedError):
    """One side does not accept the other's certificate, or the port does not speak TLS."""


class QueryError(AriaError):
    """A C-FIND failed in every form that was tried."""

    outcome = Outcome.REFUSED


# --- what was found ---------------------------------------------------------------------------


class NothingFoundError(AriaError):
    """The node answered, and has nothing that matches (or not yet)."""

    outcome = Outcome.NOT_FOUND


class PlanNotFoundError(NothingFoundError):
    """The patient has no such RT Plan."""


class ImagesNotFoundError(NothingFoundError):
    """The plan exists, but none of its images matches the request."""


class SearchUnfinishedError(AriaError):
    """There was not enough time to look through all images; the next search goes on from there."""

    outcome = Outcome.INCOMPLETE


class AmbiguousError(AriaError):
    """More than one plan or set of images matches, and choosing would be guessing."""

    outcome = Outcome.AMBIGUOUS


class AmbiguousPlanError(AmbiguousError):
    """Several RT Plans of the patient have the label."""


class AmbiguousImagesError(AmbiguousError):
    """The newest images may be one set in several series."""


class IncompleteRetrievalError(AriaError):
    """Not all images that were found have arrived; there is no partial set.

    Attributes
    ----------
    missing : tuple of str
        SOP Instance UIDs of those that have not.
    """

    outcome = Outcome.INCOMPLETE

    def __init__(self, message: str, missing: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.missing = tuple(missing)


class TooFewImagesError(IncompleteRetrievalError):
    """There are fewer images than ``count`` requires."""


class SessionUnderWayError(IncompleteRetrievalError):
    """More images of the session may follow."""


# --- analyses ---------------------------------------------------------------------------------


class AnalysisError(AriaError):
    """pylinac found nothing in the images, or they are not what the analysis needs."""


# --- performing test lists --------------------------------------------------------------------


class NotPerformedError(AriaError):
    """A test list was not performed unattended; nothing was saved in QATrack+."""

    outcome = Outcome.REFUSED
