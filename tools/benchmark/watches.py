"""Watches of a network of hospitals, in one busy hour, and a person who opens lists meanwhile."""

from __future__ import annotations

import contextlib
import threading
from typing import Any, Iterator

from tests.helpers.peers.server import free_port
from tools.benchmark.contenders import require, scratch
from tools.benchmark.measure import Samples
from tools.benchmark.site import Site
from tools.benchmark.world import DAY, YESTERDAY
from tools.helper import Helper

NODES = ("counting-1", "counting-2", "other-1", "other-2")
DAYS, PER_SERIES = 30, 8
#: New sessions in each round.
NEW = 5
ROUND, FINDS, MEMORY = "all watches look once", "C-FINDs of a round", "memory of the service"
WAIT, WAIT_WORST = "a person waits for images, half of the time", "a person waits, 95 of 100 times"


def watches(site: Site, runs: int) -> dict[str, Samples]:
    """Have watches on four nodes look again and again, while a person opens lists."""
    sizes = site.sizes
    rows = {name: Samples(name, unit) for name, unit in _UNITS.items()}
    patients = {
        node: [f"QA_{node}_{number}" for number in range(sizes.watches // len(NODES))]
        for node in NODES
    }
    everybody = [(node, patient) for node, some in patients.items() for patient in some]
    with _network(site, patients) as (arias, service, person, archive):
        service("look")  # of what was there before
        waits: list[float] = []
        with _person(person, archive, everybody, waits):
            for number in range(sizes.rounds):
                for node, patient in everybody[number * NEW : (number + 1) * NEW]:
                    arias[node]("irradiate", patient, PER_SERIES)
                done = service("look")
                require(done["failed"], 0)
                rows[ROUND].values.append(done["seconds"])
                rows[FINDS].values.append(done["finds"])
                rows[MEMORY].values.append(done["memory"] / 2**20)
        new = min(sizes.rounds * NEW, len(everybody))
        require(done["ready"], len(everybody) * 2 + new)
    ordered = sorted(waits)
    rows[WAIT].values.append(1000 * ordered[len(ordered) // 2])
    rows[WAIT_WORST].values.append(1000 * ordered[int(0.95 * len(ordered))])
    rows[ROUND].note = f"{len(everybody)} watches, {len(NODES)} nodes, {NEW} new sessions each time"
    rows[FINDS].note = f"{max(rows[FINDS].values) / 5:.0f} a minute, if all look every 5 minutes"
    rows[WAIT].note = f"{len(waits)} fetches past max_age, images here"
    return rows


_UNITS = {ROUND: "s", FINDS: "", MEMORY: "MB", WAIT: "ms", WAIT_WORST: "ms"}


@contextlib.contextmanager
def _network(site: Site, patients: dict[str, list[str]]) -> Iterator[tuple[Any, Any, Any, str]]:
    """Run four ARIAs, our service, and our app for a person; with the service's archive."""
    with contextlib.ExitStack() as stack:
        archive = str(stack.enter_context(scratch(site.folder)))
        database = f"sqlite:///{site.folder}/{free_port()}.sqlite3"
        environment = {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "QATRACK_ARIA_TEST_DATABASE_URL": database,
        }
        service = stack.enter_context(Helper("benchmark.watching", **environment))
        service("keep", archive)
        arias: dict[str, Helper] = {}
        for node, some in patients.items():
            port = free_port()
            aria = arias[node] = stack.enter_context(Helper("benchmark.aria", port))
            if node.startswith("counting"):
                aria("count")
            for patient in some:
                aria("add_watched", patient, DAYS, PER_SERIES)
            service("add_node", name=node, local_port=port, remote_port=aria("port"))
            since = f"{YESTERDAY - 2.5 * DAY:%Y-%m-%dT%H:%M}+00:00"
            service("add_watches", node, some, since)
        person = stack.enter_context(Helper("benchmark.ours", **environment))
        yield arias, service, person, archive


@contextlib.contextmanager
def _person(
    person: Helper, archive: str, everybody: list[tuple[str, str]], waits: list[float]
) -> Iterator[None]:
    """Have somebody open one list after the other while the block runs."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            for node, patient in everybody[:: max(1, len(everybody) // 40)]:
                if stop.wait(0.2):
                    return
                came = person("fetch", archive, node, patient, {"max_age": 0})
                waits.append(came["seconds"])

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
