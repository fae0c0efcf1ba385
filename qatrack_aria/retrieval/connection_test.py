"""Test the connection to a node step by step; each step says what it found or what to change.

The steps are those of a retrieval, in its order, from the settings to an image that arrives. The
first step that fails ends the test, since the following ones cannot work.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from typing import Any, Callable, Iterator

from qatrack_aria.conf import conf
from qatrack_aria.dicom import tls
from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.inbox import Inbox
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.dicom.resolve import connection_failure, resolve, unreachable_error
from qatrack_aria.dicom.storage_scp import StorageScp
from qatrack_aria.dicom.transports import transport_of
from qatrack_aria.errors import (
    AriaError,
    AssociationRejectedError,
    ImagesNotFoundError,
    TlsFileError,
)
from qatrack_aria.models import AriaNode
from qatrack_aria.retrieval.lock import hold_destination
from qatrack_aria.retrieval.probing import Probe
from qatrack_aria.retrieval.request import Request
from qatrack_aria.retrieval.task import Task
from qatrack_aria.retrieval.workflow import SearchResult, Workflow
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.filesystem import disk_error, partial_file
from qatrack_aria.text import plural

WHO = "a connection test"


@dataclasses.dataclass(frozen=True)
class TestStep:
    """One step of the test.

    Attributes
    ----------
    name : str
        What is tested.
    passed : bool
        Whether it works.
    seconds : float
        Its duration.
    message : str
        The result; or what failed, what that means and what to change.
    failure : AriaError or None
        The error of a step that failed.
    """

    name: str
    passed: bool
    seconds: float
    message: str
    failure: AriaError | None = None

    @property
    def milliseconds(self) -> int:
        """Its duration, rounded for display."""
        return round(self.seconds * 1000)


class ConnectionTest:
    """The connection test of one node.

    Parameters
    ----------
    node : AriaNode
        The node; it need not be saved.
    patient_id, plan : str, optional
        With both, the plan and its images are searched, and one image is retrieved.
    seconds : float, optional
        Time allowed in total; default: the node's for commands.
    probing : bool
        Put further questions to the node, about the series of that image.

    Attributes
    ----------
    probed : list of (str, str)
        These questions, and the answers.
    """

    def __init__(
        self,
        node: AriaNode,
        patient_id: Any = None,
        plan: Any = None,
        seconds: float | None = None,
        probing: bool = False,
    ) -> None:
        self.probed: list[tuple[str, str]] = []
        self._probing = probing
        self._node = node
        self._patient_id = patient_id
        self._plan = plan
        self._deadline = Deadline(node.command_deadline if seconds is None else seconds)
        self._stack = contextlib.ExitStack()

    def run(self) -> Iterator[TestStep]:
        """Run the steps and yield their results, up to the first that fails."""
        with self._stack:
            for name, step in self._steps():
                began = time.monotonic()
                try:
                    message, failure = step(), None
                except AriaError as error:
                    message = error.detail if isinstance(error, TlsFileError) else str(error)
                    failure = error
                yield TestStep(name, failure is None, time.monotonic() - began, message, failure)
                if failure is not None:
                    return

    def _steps(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "settings", self._settings
        yield "name", self._name
        yield "connection", self._connection
        if self._peer.tls is not None:
            yield "TLS", self._encryption
        yield "association", self._association
        yield "C-ECHO", self._echo
        yield "services", self._services
        yield "destination", self._hold_destination
        if transport_of(self._peer).uses_port:
            yield "local port", self._port
        if self._patient_id is not None and self._plan is not None:
            yield "plan and images", self._find
            yield "image retrieval", self._retrieve
            if self._probing:
                yield "questions", self._probe

    # --- before any association -----------------------------------------------------------------

    def _settings(self) -> str:
        self._peer: Peer = self._node.peer()
        node = self._node
        self._archive = Archive(conf.ARCHIVE, node.character_set, node.name, node.source)
        self._request: Request | None = None
        if self._patient_id is not None and self._plan is not None:
            self._request = Request.parse(self._patient_id, self._plan)
            self._node.require_allowed(self._request.patient_id)
        _try_to_write(self._archive)
        return f"{self._peer}, called as {self._peer.local_ae_title}; archive {self._archive.root}"

    def _name(self) -> str:
        self._addresses = resolve(self._peer, self._peer.connect_timeout)
        return f"{self._peer.remote_host} is {', '.join(self._addresses)}"

    def _connection(self) -> str:
        reasons = []
        for address in self._addresses:
            reason = connection_failure(address, self._peer.remote_port, self._peer.connect_timeout)
            if not reason:
                return f"port {self._peer.remote_port} answers at {address}"
            reasons.append(f"{address}: {reason}")
        raise unreachable_error(self._peer, reasons)

    def _encryption(self) -> str:
        peer = self._peer
        assert peer.tls is not None
        for address in self._addresses:
            problem = tls.probe(
                address, peer.remote_port, peer.tls, peer.remote_host, peer.connect_timeout
            )
            if problem is not None:
                raise problem.error(peer)
        return "handshake completed"

    # --- the association ------------------------------------------------------------------------

    def _association(self) -> str:
        session = Session(self._peer, self._deadline, verification=True)
        self._session = self._stack.enter_context(session)
        count = len(session.association.accepted_contexts)
        return f"accepted, with {count} presentation contexts"

    def _echo(self) -> str:
        status = self._session.echo()
        if status is None:
            return "not offered by the node, and not required"
        if status != 0:
            raise AssociationRejectedError(
                f"C-ECHO: {self._peer} answers with status 0x{status:04X}: ask its administrator."
            )
        return "answered"

    def _services(self) -> str:
        services = ("C-FIND", self._peer.retrieve_method)
        for service in services:
            self._session.context(service)
        self._session.close()
        return f"{' and '.join(services)} in the {self._peer.query_model.title()} Root model"

    # --- this machine ---------------------------------------------------------------------------

    def _hold_destination(self) -> str:
        held = hold_destination(self._archive, self._peer, self._deadline, WHO)
        self._stack.enter_context(held)
        return "no other retrieval is under way"

    def _port(self) -> str:
        with StorageScp(self._peer, Inbox(_reject)):
            where = self._peer.local_host or "all addresses"
            return f"listening on {where}, port {self._peer.local_port}"

    # --- images ---------------------------------------------------------------------------------

    def _find(self) -> str:
        assert self._request is not None
        task = Task(self._request, self._peer, self._archive, self._deadline, clock_ahead=0)
        self._workflow = self._stack.enter_context(Workflow(task))
        found: SearchResult = self._workflow.find(retrieve=False)
        self._images, self._found_plan = found.images, found.plan
        newest = self._newest()
        day = f", the newest of {newest.acquired:%Y-%m-%d %H:%M}" if newest.acquired else ""
        return f"plan {found.plan}; {plural(len(found.images), 'image')}{day}"

    def _retrieve(self) -> str:
        if not self._images:
            raise ImagesNotFoundError("Images: none match, so none can be retrieved.")
        self._workflow.retrieve_again([self._newest()])
        size = sum(self._workflow.inbox.arrived.values())
        return f"{size / 1e6:.1f} MB received by {self._peer.retrieve_method}"

    def _probe(self) -> str:
        newest = self._newest()
        series = [image for image in self._images if image.series_key == newest.series_key]
        self._workflow.retrieve_again(series[:2])  # whether the node takes a list of UIDs
        self.probed = list(Probe(self._workflow.session, series, self._found_plan).answers())
        return f"{len(self.probed)} answered"

    def _newest(self) -> ImageRef:
        return max(self._images, key=lambda image: (str(image.acquired or ""), image.sop_uid))


def _try_to_write(archive: Archive) -> None:
    try:
        with partial_file(archive.incoming) as partial:
            partial.write_bytes(b"?")
    except OSError as error:
        raise disk_error("write", archive.incoming, error) from error


def _reject(incoming: Any) -> None:
    """Reject every instance: none was requested."""
