"""How long the threads of an association wait, and for what."""

from __future__ import annotations

import contextlib
import math
import queue
import select
import socket
import threading
import time
from typing import Any, Callable

from pynetdicom import evt
from pynetdicom.association import Association

#: Seconds to end an association: sending an A-ABORT takes about 0.1.
ABORT_TIMEOUT = 1.0

#: Seconds between two checks whether the connection that a response will use still exists.
CHECK_INTERVAL = 0.2

#: Seconds between two looks at the timers of an association, and at whether it is to end.
LONGEST_WAIT, IDLE_PAUSE = 0.02, 0.001

_QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)  # Linux


def end_waits_with_connection(association: Association) -> None:
    """End each wait for a message, or for a release, when the connection has ended.

    pynetdicom (2.0 to 3.0) reports that end once. A thread that it wakes may wait again before the
    association is marked as ended; and the reactor may consume the report before a thread that
    has just begun to wait for a release. Either would wait for its whole timeout.
    """
    dimse, dul = association.dimse, association.dul
    get_at_once, receive_pdu = type(dimse).get_msg, type(dul).receive_pdu

    def get_msg(block: bool = False) -> Any:
        if not block:
            return get_at_once(dimse)

        def get(seconds: float) -> Any:
            with contextlib.suppress(queue.Empty):
                return dimse.msg_queue.get(timeout=seconds)

        return _while_connected(association, get, dimse.dimse_timeout) or (None, None)

    def receive(wait: bool = False, timeout: float | None = None) -> Any:
        if not wait:
            return receive_pdu(dul)

        def get(seconds: float) -> Any:
            return receive_pdu(dul, True, seconds)

        return _while_connected(association, get, timeout)

    dimse.get_msg, dul.receive_pdu = get_msg, receive


def _while_connected(
    association: Association, take: Callable[[float], Any], timeout: float | None
) -> Any:
    """Return what `take` returns within `timeout`; None after that, or when the connection ends."""
    until = end_of(timeout)
    while True:
        left = until - time.monotonic()
        is_over = left <= 0 or not association.dul.is_alive()
        taken = take(0 if is_over else min(left, CHECK_INTERVAL))
        if taken is not None or is_over:
            return taken


def end_of(timeout: float | None) -> float:
    """Return the moment at which a wait ends, by the monotonic clock."""
    return math.inf if timeout is None else time.monotonic() + timeout


def abort(association: Association) -> None:
    """Abort, and wake the thread that waits for a response, as a broken connection would."""
    association.abort()
    if association.is_alive() and association is not threading.current_thread():
        association.join(ABORT_TIMEOUT)  # or its thread might undo the next two steps
    # A thread about to wait for a response would wait for the reactor, now gone, to pause.
    association._is_paused = True
    association.dimse.msg_queue.put((None, None))


def set_no_delay(event: evt.Event) -> None:
    """Send and acknowledge small messages at once; for :data:`NO_DELAY`.

    Nagle's algorithm on one side and delayed acknowledgements on the other cost 40 ms a message
    (measured). We disable both, the second for a peer that has not disabled the first. Linux
    enables the delay again whenever data are sent; other systems have no such option.
    """
    connection: Any = event.assoc.dul.socket
    if connection is None or connection.socket is None:
        return
    with contextlib.suppress(OSError):  # it has been closed meanwhile
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if _QUICK_ACK is not None:
            connection.socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)


def wait_for_data(event: evt.Event) -> None:
    """Have the thread of an association wait for its socket, and for us (EVT_CONN_OPEN).

    pynetdicom looks for data, and for messages to send, a thousand times a second: so each message
    takes one or two milliseconds more on both sides, and an association that waits 5 % of a core.
    """
    association: Any = event.assoc
    dul = association.dul
    check, send, kill_dul, kill = (
        dul._is_transport_event,
        dul.send_pdu,
        dul.kill_dul,
        association.kill,
    )
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)

    def wake() -> None:
        with contextlib.suppress(OSError):  # it is awake already, or has ended
            ours.send(b"?")

    def is_transport_event() -> bool:
        connection = socket_of(association)
        idle = dul.to_provider_queue.empty() and dul.event_queue.empty() and not dul._kill_thread
        pending = getattr(connection, "pending", None)  # of TLS
        if connection is None or not idle:
            time.sleep(IDLE_PAUSE if idle else 0)
        elif not (pending and pending()):
            with contextlib.suppress(OSError, ValueError):  # closed meanwhile: pynetdicom finds out
                readable, _, _ = select.select([connection, theirs], [], [], LONGEST_WAIT)
                if theirs in readable:
                    theirs.recv(4096)
        return bool(check())

    def send_pdu(primitive: Any) -> None:
        send(primitive)
        wake()

    def kill_and_wake() -> None:
        kill_dul()
        wake()

    def kill_and_close() -> None:
        try:
            kill()
        finally:
            ours.close()
            theirs.close()

    dul._is_transport_event, dul.send_pdu, dul.kill_dul = (
        is_transport_event,
        send_pdu,
        kill_and_wake,
    )
    association.kill = kill_and_close
    dul._run_loop_delay = 0


def end_in_time(event: evt.Event) -> None:
    """Make the association end, and close its socket, whatever the peer does (EVT_CONN_OPEN).

    To end an association, pynetdicom waits for the thread that reads PDUs. If the peer has fallen
    silent within a PDU, that thread reads for ever; if it has reset the connection, pynetdicom 3
    leaves the socket open.
    """
    association: Any = event.assoc
    connection = association.dul.socket.socket
    kill = association.kill

    def kill_in_time() -> None:
        timer = threading.Timer(ABORT_TIMEOUT, shut_down, [connection])
        timer.start()
        try:
            kill()
        finally:
            timer.cancel()
            timer.join()
            connection.close()

    association.kill = kill_in_time


def shut_down(connection: socket.socket) -> None:
    """Shut down a connection; a thread that reads from it finds its end."""
    with contextlib.suppress(OSError):  # it is closed already
        connection.shutdown(socket.SHUT_RDWR)


def socket_of(association: Any) -> Any:
    """Return the socket of an association; ``None`` once it is closed."""
    connection = association.dul.socket
    return None if connection is None else connection.socket


#: Handlers for every association, as requestor or acceptor.
NO_DELAY = (
    (evt.EVT_CONN_OPEN, set_no_delay),
    (evt.EVT_CONN_OPEN, wait_for_data),
    (evt.EVT_DATA_SENT, set_no_delay),
)
