"""A program: many processes of many threads that fetch from one node, all at once.

``python -m tests.integration.crowd ORDER``, with an :class:`Order` as JSON. Each answer is a line
of JSON on the standard output: what was asked, and the SOP Instance UIDs that came, or the error.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import threading
import traceback
from typing import Any

from tests.helpers.waiting import until

#: The threads of this process, where the system lists them.
TASKS = "/proc/self/task"


@dataclasses.dataclass
class Order:
    """What the crowd has to do.

    Attributes
    ----------
    archive : str
        The folder that all of them share.
    node : dict
        The fields of the node "aria", which is made here.
    processes, threads : int
        How many processes, and how many threads in each.
    asks : dict of str to dict
        The arguments of ``fetch_images``, by a name.
    """

    archive: str
    node: dict[str, Any]
    processes: int
    threads: int
    asks: dict[str, dict[str, Any]]


def main(order: Order) -> None:
    """Set up a site, and let the crowd loose on it."""
    import django

    django.setup()
    make_site(order.archive, order.node)
    gun, starter = os.pipe()
    children = [fork(order, number, gun, starter) for number in range(order.processes)]
    os.close(starter)  # the starting gun: all that wait to read from it go on
    for child in children:
        os.waitpid(child, 0)
    say(rows=count_rows())


def make_site(archive: str, node: dict[str, Any]) -> None:
    """The tables, the node and the settings, as every process has them."""
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connections

    import qatrack_aria.composite  # noqa: F401 - once, not in each fork
    from qatrack_aria.models import AriaNode

    settings.QATRACK_ARIA_ARCHIVE = archive
    call_command("migrate", "qatrack_aria", verbosity=0)
    AriaNode.objects.create(**node)
    connections.close_all()  # a connection must not be shared with children


def fork(order: Order, number: int, gun: int, starter: int) -> int:
    """Start one process of the crowd; its process ID."""
    # A thread that was joined takes a moment to leave the system, and Python warns of it.
    until(lambda: not os.path.isdir(TASKS) or len(os.listdir(TASKS)) == 1, 1.0)
    child = os.fork()
    if child:
        return child
    try:
        os.close(starter)
        os.read(gun, 1)
        crowd_of_threads(order, number)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def crowd_of_threads(order: Order, number: int) -> None:
    """All threads of one process; each asks for one of the sets."""
    names = list(order.asks)
    first = number * order.threads
    threads = [
        threading.Thread(target=ask_for, args=(order, names[at % len(names)]))
        for at in range(first, first + order.threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def ask_for(order: Order, name: str) -> None:
    """Ask for a set, and say what came."""
    from django.db import connection

    try:
        say(ask=name, uids=fetch_uids(order.asks[name]))
    except Exception as error:
        say(ask=name, error=f"{type(error).__name__}: {error}")
    connection.close()


def fetch_uids(arguments: dict[str, Any]) -> list[str]:
    """The SOP Instance UIDs of a set, read from the files that were handed over."""
    import pydicom

    from qatrack_aria import fetch_images

    images = fetch_images("aria", **arguments)
    return sorted(str(pydicom.dcmread(file).SOPInstanceUID) for file in images)


def count_rows() -> dict[str, int]:
    """How many rows there are of each status, and how many repetitions they count."""
    from qatrack_aria.models import Retrieval

    rows = list(Retrieval.objects.all())
    counts = {"repeats": sum(row.repeats for row in rows)}
    for row in rows:
        counts[row.status] = counts.get(row.status, 0) + 1
    return counts


def say(**line: Any) -> None:
    """Write a line at once: short enough for the system not to mix it with another's."""
    os.write(1, (json.dumps({"pid": os.getpid(), **line}) + "\n").encode())


if __name__ == "__main__":
    main(Order(**json.loads(sys.argv[1])))
