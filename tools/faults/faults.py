"""What a peer can do wrong at one boundary of a conversation, by name."""

from __future__ import annotations

import functools
from typing import Sequence

from tests.helpers import pdus
from tests.helpers.middleman import CONNECT, QUERY, STORE, Boundary, Fault, Line, Middleman
from tests.helpers.pdus import PENDING

GARBAGE = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<html></html>"
#: Wrong statuses of a final response, and of a pending one.
STATUSES = ((0xFF00, 0xA700, 0xB000), (0x0000, 0xA700, 0x7777))


def _abort(man: Middleman, line: Line, data: bytes, to_us: bool) -> None:
    line.write(pdus.abort(), to_us=True)
    line.hang_up()


def _release(man: Middleman, line: Line, data: bytes, to_us: bool) -> None:
    line.write(pdus.release(), to_us=True)
    line.fall_silent()


def _garbage(man: Middleman, line: Line, data: bytes, to_us: bool) -> None:
    line.write(GARBAGE, to_us=True)
    line.fall_silent()


def _truncated(man: Middleman, line: Line, data: bytes, to_us: bool) -> None:
    line.write(data[: len(data) // 2], to_us)
    line.hang_up()


def _stalled(man: Middleman, line: Line, data: bytes, to_us: bool) -> None:
    line.write(data[: len(data) // 2], to_us)
    line.fall_silent()


def _repeat_message(man: Middleman, line: Line, data: bytes, to_us: bool) -> None:
    line.write(2 * (data + line.rest_of_message(data, to_us)), to_us)


def _reorder_message(man: Middleman, line: Line, data: bytes, to_us: bool) -> None:
    first = data + line.rest_of_message(data, to_us)
    data = next(line.read(to_us))
    line.write(data + line.rest_of_message(data, to_us) + first, to_us)


def _status(man: Middleman, line: Line, data: bytes, to_us: bool, status: int) -> None:
    line.write(pdus.with_status(data, status), to_us)


def _rejected(man: Middleman, line: Line, data: bytes, to_us: bool) -> None:
    line.write(pdus.rejection(), to_us)
    line.hang_up()


def _late(man: Middleman, line: Line, data: bytes, to_us: bool) -> None:
    man.forge_success()
    line.write(data, to_us)


def _too_late(man: Middleman, line: Line, data: bytes, to_us: bool) -> None:
    man.forge_success()
    man.ended.wait(2 * man.grace)
    line.write(data, to_us)


FAULTS: dict[str, Fault] = {
    # The end of a conversation.
    "abort": _abort,
    "close": lambda man, line, data, to_us: line.hang_up(),
    "drop": lambda man, line, data, to_us: line.reset(),
    "silent": lambda man, line, data, to_us: line.fall_silent(),
    "release": _release,
    # What cannot be understood.
    "garbage": _garbage,
    "noise": lambda man, line, data, to_us: line.write(pdus.noise(data), to_us),
    "truncated": _truncated,
    "stalled": _stalled,
    # What can be understood, and is wrong.
    "lost": lambda man, line, data, to_us: line.rest_of_message(data, to_us),
    "repeat": lambda man, line, data, to_us: line.write(data + data, to_us),
    "repeat message": _repeat_message,
    "reorder": lambda man, line, data, to_us: line.write(next(line.read(to_us)) + data, to_us),
    "reorder message": _reorder_message,
    "rejected": _rejected,
    "no context": lambda man, line, data, to_us: line.write(pdus.without_contexts(data), to_us),
    # What comes too late.
    "late": _late,
    "too late": _too_late,
    **{
        f"status {code:04X}": functools.partial(_status, status=code)
        for codes in STATUSES
        for code in codes
    },
}


def faults_at(boundary: Boundary, later: Sequence[Boundary]) -> list[str]:
    """Return the faults that can occur at a boundary of a clean conversation.

    Parameters
    ----------
    boundary : Boundary
        The place.
    later : sequence of Boundary
        What followed it on the same connection.
    """
    if boundary.kind == CONNECT:
        said = ["abort", "close", "drop", "silent", "garbage"]
        return said if boundary.leg == QUERY else ["drop", "silent", *_delays(boundary)]
    if boundary.kind.endswith(" data") and not boundary.kind.startswith("C-STORE"):
        # The second half of a message, of which the first half has had all the rest.
        return ["noise", "truncated", "stalled"] if boundary.to_us else []
    names = ["abort", "drop", "silent"]
    if boundary.to_us:
        names += ["close", "release", "garbage", "noise", "truncated", "stalled"]
        if boundary.leg == STORE or not _is_command(boundary):
            names.append("repeat")
        if later and later[0].to_us:
            names.append("reorder")
    if boundary.kind == "A-ASSOCIATE-AC" and boundary.to_us:
        names += ["rejected", "no context"]
    if _is_command(boundary):
        names += ["lost", "repeat message"] if boundary.to_us else ["repeat message"]
        if _next_message_is_alike(later, boundary.to_us):
            names.append("reorder message")
    if boundary.status is not None:
        names += [f"status {code:04X}" for code in STATUSES[boundary.status in PENDING]]
    return names + _delays(boundary)


def _is_command(boundary: Boundary) -> bool:
    return boundary.kind.startswith("C-") and not boundary.kind.endswith(" data")


def _next_message_is_alike(later: Sequence[Boundary], to_us: bool) -> bool:
    """Whether the next message comes the same way, whatever we answer to this one: nothing."""
    following = [one for one in later if not one.kind.endswith(" data")][:1]
    return any(_is_command(one) and one.to_us == to_us for one in following)


def _delays(boundary: Boundary) -> list[str]:
    image = boundary.kind.startswith("C-STORE-RQ")
    return ["late", "too late"] if boundary.to_us and (boundary.leg == STORE or image) else []
