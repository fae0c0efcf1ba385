"""The named failures.

Every failure is an :class:`AriaError`. Its message is one line that says which step failed, what
was asked, what came back and what to do: QATrack+ shows a user nothing but the last exception's
message. Its ``outcome`` is what a record and an exit code say of it.
"""

from __future__ import annotations

import enum
from typing import Iterable

from qatrack_aria.phrases import gettext_noop as _


class Outcome(enum.Enum):
    """What became of a retrieval.

    Attributes
    ----------
    value : str
        The code that records keep and ``--json`` prints.
    label : str
        For people; translated when it is shown.
    exit_code : int
        That of the commands; 1 is Python's own for anything unexpected.
    may_succeed_later : bool
        Whether the same call may succeed later without anybody changing anything.
    """

    RUNNING = "running", _("running, or killed"), 1
    DONE = "done", _("done"), 0
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
        """Return the outcome of that code; raises ``KeyError`` if there is none."""
        return {outcome.value: outcome for outcome in cls}[code]


class AriaError(Exception):
    """Any failure of this app; the message is meant to be read by a physicist."""

    outcome = Outcome.FAILED


# --- before anything is sent ------------------------------------------------------------------


class RequestError(AriaError):
    """The request makes no sense as it stands: nothing was sent."""

    outcome = Outcome.USAGE


class WaitingError(RequestError):
    """The patient or the plan is not filled in yet: nobody has done anything wrong."""


class UnknownNodeError(RequestError):
    """No node of that name is configured."""


class InactiveNodeError(RequestError):
    """The node is switched off in the admin."""


class PatientNotAllowedError(RequestError):
    """The node does not list this patient ID among those it may fetch."""

    outcome = Outcome.REFUSED


class ConfigurationError(AriaError):
    """A setting of this app cannot work."""

    outcome = Outcome.LOCAL


# --- on this machine --------------------------------------------------------------------------


class ArchiveError(AriaError):
    """The disk did not take, or did not give, a file."""

    outcome = Outcome.LOCAL


class ReceiverError(AriaError):
    """Our own storage SCP cannot listen."""

    outcome = Outcome.LOCAL


class BusyError(AriaError):
    """Another retrieval holds the destination for longer than we may wait."""

    outcome = Outcome.BUSY


# --- talking to the node ----------------------------------------------------------------------


class NodeUnreachableError(AriaError):
    """No answer: the name does not resolve, nothing listens, or the conversation broke off."""

    outcome = Outcome.UNREACHABLE


class AssociationRejectedError(AriaError):
    """The node is there and will not talk to us, or not in the way that is needed."""

    outcome = Outcome.REFUSED


class NodeBusyError(AssociationRejectedError):
    """The node has no room for another association for now."""

    outcome = Outcome.BUSY


class TlsError(AssociationRejectedError):
    """One side does not believe the other's certificate, or there is no TLS there."""


class QueryError(AriaError):
    """A C-FIND ended in a failure, in every form in which it could be asked."""

    outcome = Outcome.REFUSED


# --- what was found ---------------------------------------------------------------------------


class NothingFoundError(AriaError):
    """The node answered, and what was asked for is not there (or not yet)."""

    outcome = Outcome.NOT_FOUND


class PlanNotFoundError(NothingFoundError):
    """The patient has no such RT Plan."""


class ImagesNotFoundError(NothingFoundError):
    """The plan is there; no image of it is what was asked for."""


class AmbiguousError(AriaError):
    """More than one thing answers to the request, and choosing would be guessing."""

    outcome = Outcome.AMBIGUOUS


class AmbiguousPlanError(AmbiguousError):
    """Several RT Plans of the patient carry the label."""


class AmbiguousImagesError(AmbiguousError):
    """The newest images may be one set in several series."""


class IncompleteRetrievalError(AriaError):
    """Images that were found did not all arrive: nothing is handed over.

    Attributes
    ----------
    missing : tuple of str
        SOP Instance UIDs of those that did not.
    """

    outcome = Outcome.INCOMPLETE

    def __init__(self, message: str, missing: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.missing = tuple(missing)


class TooFewImagesError(IncompleteRetrievalError):
    """Fewer images are there than ``count`` asked for."""
