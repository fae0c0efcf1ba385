"""A TCP middleman between our app and a DICOM server, on both legs of a retrieval.

Leg "query" is the association that our app opens to the server; leg "store" are those that the
server opens to our receiver. What passes is cut into PDUs and counted: each PDU, and each new
connection, is a *boundary*. At one of them a fault (:mod:`tools.faults.faults`) may be armed.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import Any, Callable, Iterator, NamedTuple

from tests.helpers import pdus

HOST = "127.0.0.1"
CONNECT = "connect"
QUERY, STORE = "query", "store"
#: Small enough that an image of 64 × 64 pixels comes in several data PDUs.
PIECE = 4096


class Boundary(NamedTuple):
    """One place of a conversation where something can go wrong.

    `number` counts within the leg, `line` the connections of the leg; `to_us` tells who receives.
    """

    leg: str
    number: int
    line: int
    to_us: bool
    kind: str
    status: int | None = None

    def __str__(self) -> str:
        return f"{self.leg}/{self.number}/{self.kind}"


class Line:
    """One connection: our app's half of it and the server's."""

    def __init__(self, leg: str, number: int, caller: Any, called_port: int) -> None:
        self.leg = leg
        self.number = number
        self.is_silent = False
        self.message = ""  # the DIMSE message that is under way, for the names of its data PDUs
        self._called_port = called_port
        self._halves = {leg == STORE: caller}  # by whether it is the server's
        self._writing = threading.Lock()

    def connect(self) -> None:
        """Connect to the one who is called."""
        called = socket.create_connection((HOST, self._called_port), timeout=5)
        called.settimeout(None)
        called.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._halves[self.leg == QUERY] = called

    def half(self, servers: bool) -> Any:
        """The socket to the server, or that to our app."""
        return self._halves[servers]

    def read(self, to_us: bool) -> Iterator[bytes]:
        """The PDUs that go in one direction."""
        return pdus.read(self.half(servers=to_us))

    def rest_of_message(self, data: bytes, to_us: bool) -> bytes:
        """What follows a PDU and belongs to the same DIMSE message."""
        rest = []
        while not pdus.ends_message(data):
            data = next(self.read(to_us))
            rest.append(data)
        return b"".join(rest)

    def write(self, data: bytes, to_us: bool) -> None:
        with contextlib.suppress(OSError, KeyError), self._writing:
            self.half(servers=not to_us).sendall(data)

    def fall_silent(self) -> None:
        """Stay connected and pass nothing on any more."""
        self.is_silent = True

    def hang_up(self) -> None:
        """Say nothing more to our app, in TCP's good manners, and leave the server alone."""
        self.is_silent = True
        with contextlib.suppress(OSError, KeyError):
            self.half(servers=False).shutdown(socket.SHUT_WR)
        self._close(servers=True)

    def reset(self) -> None:
        """Drop the connection as a machine does that has forgotten about it."""
        self.is_silent = True
        with contextlib.suppress(OSError, KeyError):
            linger = struct.pack("ii", 1, 0)
            self.half(servers=False).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close()

    def close(self) -> None:
        for servers in (True, False):
            self._close(servers)

    def _close(self, servers: bool) -> None:
        with contextlib.suppress(OSError, KeyError):
            half = self.half(servers)
            # The thread that reads it has to notice, and a reset must not become a farewell.
            half.shutdown(socket.SHUT_RD)
            half.close()


#: What to do with a PDU (of a connection that is being opened: nothing) at the boundary of a fault.
Fault = Callable[["Middleman", Line, bytes, bool], None]


class Middleman:
    """Passes on what comes, and does one wrong thing when it is asked to.

    Parameters
    ----------
    node_port : int
        Where our receiver listens while it does.

    Attributes
    ----------
    server_port : int
        Where the server listens; may change.
    ports : dict of str to int
        Our own: "query" is to be called instead of the server, "store" instead of the receiver.
    boundaries : list of Boundary
        What has passed since :meth:`arm`.
    """

    def __init__(self, node_port: int) -> None:
        self.node_port = node_port
        self.server_port = 0
        self.boundaries: list[Boundary] = []
        self.grace = 0.0
        self.ended = threading.Event()
        self._changed = threading.RLock()
        self._fault: tuple[str, int, Fault] | None = None
        self._lines: list[Line] = []
        self._threads: list[threading.Thread] = []
        self._retrieve: tuple[Line, pdus.Command] | None = None
        self._is_forged = False
        self._listeners = {leg: _listener() for leg in (QUERY, STORE)}
        self.ports = {leg: one.getsockname()[1] for leg, one in self._listeners.items()}
        for leg in self._listeners:
            threading.Thread(target=self._accept, args=(leg,), daemon=True).start()

    def arm(self, leg: str, number: int, fault: Fault | None, grace: float) -> None:
        """Start counting anew, and do `fault` at that boundary, once."""
        self.boundaries = []
        self.ended.clear()
        self.grace = grace
        self._fault = (leg, number, fault) if fault else None

    @property
    def is_done(self) -> bool:
        """Whether the fault was done."""
        return self._fault is None

    def hang_up(self) -> None:
        """Close all connections, and wait until nothing passes any more."""
        self.ended.set()
        with self._changed:
            lines, self._lines = self._lines, []
            threads, self._threads = self._threads, []
            self._retrieve, self._is_forged = None, False
        for line in lines:
            line.close()
        for thread in threads:
            thread.join(5)

    def forge_success(self) -> None:
        """Tell our app that its C-MOVE or C-GET is over, and keep the true responses from it."""
        if self._retrieve is None:
            return
        line, request = self._retrieve
        self._is_forged = True
        line.write(pdus.success(request), to_us=True)

    # --- passing on -----------------------------------------------------------------------------

    def _accept(self, leg: str) -> None:
        while True:
            caller, _ = self._listeners[leg].accept()
            caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            port = self.server_port if leg == QUERY else self.node_port
            with self._changed:
                number = sum(1 for line in self._lines if line.leg == leg) + 1
                line = Line(leg, number, caller, port)
                self._lines.append(line)
            self._start(self._open, line)

    def _start(self, target: Any, *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        with self._changed:
            self._threads.append(thread)
        thread.start()

    def _open(self, line: Line) -> None:
        fault = self._count(line, CONNECT, line.leg == STORE, None)
        if fault:
            fault(self, line, b"", line.leg == STORE)
        if line.is_silent:
            return
        try:
            line.connect()
        except OSError:  # nobody listens (any more)
            line.close()
            return
        for to_us in (True, False):
            self._start(self._pass_all, line, to_us)

    def _pass_all(self, line: Line, to_us: bool) -> None:
        with contextlib.suppress(StopIteration):  # closed in the midst of a message
            for data in line.read(to_us):
                self._pass(line, data, to_us)
        if not line.is_silent:
            line.close()

    def _pass(self, line: Line, data: bytes, to_us: bool) -> None:
        if pdus.kind(data) in (pdus.ASSOCIATE_RQ, pdus.ASSOCIATE_AC) and not to_us:
            data = pdus.with_pieces_of(data, PIECE)
        kind, status = self._describe(line, data)
        fault = self._count(line, kind, to_us, status)
        if line.is_silent:
            return
        if fault:
            fault(self, line, data, to_us)
        elif not self._is_withheld(line, data):
            line.write(data, to_us)

    def _count(self, line: Line, kind: str, to_us: bool, status: int | None) -> Fault | None:
        """Count a boundary; the fault if it is this one's turn."""
        with self._changed:
            number = sum(1 for one in self.boundaries if one.leg == line.leg) + 1
            self.boundaries.append(Boundary(line.leg, number, line.number, to_us, kind, status))
            if self._fault is None or self._fault[:2] != (line.leg, number):
                return None
            fault, self._fault = self._fault[2], None
            return fault

    def _describe(self, line: Line, data: bytes) -> tuple[str, int | None]:
        if not pdus.is_command(data):
            name = pdus.NAMES.get(pdus.kind(data), "?")
            return (f"{line.message} data" if name == "P-DATA-TF" else name), None
        command = pdus.command(data)
        if command.name in ("C-MOVE-RQ", "C-GET-RQ"):
            self._retrieve = line, command
        pending = " pending" if command.status in pdus.PENDING else ""
        line.message = command.name + pending
        return line.message, command.status

    def _is_withheld(self, line: Line, data: bytes) -> bool:
        """Whether a response comes after the one that was forged as the last."""
        if not self._is_forged or not pdus.is_command(data):
            return False
        command = pdus.command(data)
        if command.name not in ("C-MOVE-RSP", "C-GET-RSP"):
            return False
        line.rest_of_message(data, to_us=True)
        self._is_forged = command.status in pdus.PENDING
        return True


def _listener() -> socket.socket:
    listener = socket.socket()
    listener.bind((HOST, 0))
    listener.listen(20)
    return listener
