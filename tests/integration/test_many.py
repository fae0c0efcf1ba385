"""Many at once on one node: everybody gets the right images, and each image is moved once."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Callable

import psycopg2
import pytest
from pydicom.dataset import Dataset

from qatrack_aria.models import Retrieval
from qatrack_aria.retrieval.record import recorded
from qatrack_aria.simulator import Behaviour, Simulator
from tests import ROOT
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz
from tests.helpers.peers.postgres import Postgres
from tests.helpers.peers.server import free_port
from tests.helpers.waiting import until
from tests.integration.crowd import Order

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")

PATIENCE = 100.0  # s: a wait that ends long before, unless something is stuck
HOUR = dt.timedelta(hours=1)


@dataclasses.dataclass
class World:
    """What the node holds, what may be asked of it, and what the right answer is."""

    datasets: list[Dataset]
    asks: dict[str, dict[str, Any]]
    right: dict[str, list[str]]


@pytest.fixture(scope="module")
def world() -> World:
    """Two plans of one QA patient; the sets that are asked for overlap."""
    wl, pf = plan("WL"), plan("PF")
    last = NOON - DAY  # a session that is over at any time of the day
    morning = winston_lutz(wl, last - 2 * HOUR, count=4)
    noon = winston_lutz(wl, last, count=4)
    day_before = winston_lutz(wl, last - DAY, count=4)
    fence = winston_lutz(pf, last, count=4)
    sets: dict[str, tuple[dict[str, Any], list[Dataset]]] = {
        "series": ({"plan": "WL"}, noon),
        "day": ({"plan": "WL", "select": "day"}, morning + noon),
        "all": ({"plan": "WL", "select": "all"}, day_before + morning + noon),
        "day before": ({"plan": "WL", "date": f"{last - DAY:%Y-%m-%d}"}, day_before),
        "fence": ({"plan": "PF"}, fence),
    }
    # Most take what another was answered a moment ago, as composite tests do; some ask the node.
    ages = {"series": (60, 0), "all": (60, 0)}
    asks, right = {}, {}
    for name, (arguments, images) in sets.items():
        for max_age in ages.get(name, (60,)):
            ask = f"{name}, {max_age} s"
            asks[ask] = {"patient_id": PATIENT, "max_age": max_age, "deadline": PATIENCE}
            asks[ask].update(arguments)
            right[ask] = uids(images)
    return World([wl, pf, *morning, *noon, *day_before, *fence], asks, right)


class Crowd:
    """One run of the crowd, and what came of it.

    Attributes
    ----------
    answers : list of dict
        The outcome of each thread.
    rows : dict of str to int
        How many rows were left, by their status.
    moved : Counter
        How often we took each SOP Instance UID from the node.
    """

    def __init__(self, world: World, folder: Path, url: str, processes: int, threads: int) -> None:
        self.world = world
        self.archive = folder / "archive"
        self.port = free_port()
        self._url = url
        self._size = processes, threads
        self.answers: list[dict[str, Any]] = []
        self.rows: dict[str, int] = {}
        self.moved: Counter[str] = Counter()
        self.seconds = 0.0

    def run(self, on_send: Callable[[Dataset], Dataset] | None = None) -> Crowd:
        peers = {"QATRACK": ("127.0.0.1", self.port)}
        behaviour = Behaviour(on_send=on_send)
        with Simulator(self.world.datasets, peers=peers, behaviour=behaviour) as simulator:
            started = time.monotonic()
            output = self._run_program(self._order(simulator.port))
            self.seconds = time.monotonic() - started
            stores = simulator.operations("C-STORE")
        self.moved = Counter(s.identifier["SOPInstanceUID"] for s in stores if s.status == 0)
        lines = [json.loads(line) for line in output.splitlines()]
        self.rows = lines.pop()["rows"]
        self.answers = lines
        return self

    def _order(self, remote_port: int) -> Order:
        node = {
            "name": "aria",
            "remote_ae_title": "VMSDBD",
            "remote_host": "127.0.0.1",
            "remote_port": remote_port,
            "local_ae_title": "QATRACK",
            "local_host": "127.0.0.1",
            "local_port": self.port,
            "allowed_patients": "QA_*",
        }
        return Order(str(self.archive), node, *self._size, self.world.asks)

    def _run_program(self, order: Order) -> str:
        program = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.integration.crowd",
                json.dumps(dataclasses.asdict(order)),
            ],
            cwd=ROOT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "tests.settings",
                "QATRACK_ARIA_TEST_DATABASE_URL": self._url,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            output, complaints = program.communicate(timeout=PATIENCE)
        finally:
            with contextlib.suppress(ProcessLookupError):  # as it should be: all have ended
                os.killpg(program.pid, signal.SIGKILL)
        assert (program.returncode, complaints) == (0, "")
        return output

    @property
    def errors(self) -> list[str]:
        return [answer["error"] for answer in self.answers if "error" in answer]

    @property
    def wrong(self) -> list[dict[str, Any]]:
        right = self.world.right
        return [a for a in self.answers if "uids" in a and a["uids"] != right[a["ask"]]]

    @property
    def moved_again(self) -> list[str]:
        return [uid for uid, times in self.moved.items() if times > 1]

    @property
    def report(self) -> str:
        processes, threads = self._size
        return (
            f"{self._url.split(':')[0]}: {processes} processes x {threads} threads, "
            f"{len(self.answers)} answers, {len(self.wrong)} wrong, {len(self.errors)} errors, "
            f"{len(self.moved)} images moved, {len(self.moved_again)} of them more than once, "
            f"{self.seconds:.1f} s"
        )


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL"])
def database(request: Any, tmp_path_factory: Any) -> Callable[[], str]:
    """Makes empty databases; returns their URLs."""
    if request.param == "SQLite":
        # It takes one writer at a time, and Django lets the others wait for 5 s only: not long
        # enough for 64 on a machine that is busy with other tests too.
        return lambda: f"sqlite:///{tmp_path_factory.mktemp('many')}/db.sqlite3?timeout=60"
    postgres: Postgres = request.getfixturevalue("postgres")
    return lambda: new_database(postgres)


def new_database(postgres: Postgres) -> str:
    """The URL of a database beside the one that other tests use."""
    name = f"many_{secrets.token_hex(4)}"
    connection = psycopg2.connect(postgres.url)
    connection.autocommit = True
    connection.cursor().execute(f"CREATE DATABASE {name}")
    connection.close()
    return postgres.url.rsplit("/", 1)[0] + f"/{name}"


# --- all at once ------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[(16, 4), (1, 64)], ids=["16x4", "1x64"])
def crowd(request: Any, world: World, database: Callable[[], str], tmp_path_factory: Any) -> Crowd:
    """A crowd that is done."""
    processes, threads = request.param
    folder = tmp_path_factory.mktemp("many")
    return Crowd(world, folder, database(), processes, threads).run()


def test_everybody_is_answered(crowd: Crowd, print_at_end: Callable[[str], None]) -> None:
    print_at_end(crowd.report)
    assert crowd.errors == []
    assert len(crowd.answers) == 64


def test_everybody_gets_the_right_images(crowd: Crowd) -> None:
    assert crowd.wrong == []


def test_each_image_is_moved_once(crowd: Crowd, world: World) -> None:
    assert crowd.moved == Counter(uids(world.datasets[2:]))


def test_every_answer_is_on_record(crowd: Crowd) -> None:
    """Also with everybody writing at once: SQLite has one writer at a time."""
    assert set(crowd.rows) == {"done", "repeats"}
    assert crowd.rows["done"] + crowd.rows["repeats"] == len(crowd.answers)


@pytest.mark.django_db
def test_a_repetition_is_counted_also_before_the_first_attempt_has_ended() -> None:
    """The images are there for others a little before the row is finished."""
    asked = {"node_name": "aria", "patient_id": PATIENT, "plan": "WL", "user": ""}
    with recorded(**asked, source=Retrieval.COMPOSITE) as first:
        first.begin()
        assert first.row is not None
        with recorded(**asked, source=Retrieval.COMPOSITE) as second:
            second.repeat(first.row.pk)

    assert Retrieval.objects.get().repeats == 1


# --- one of them is killed --------------------------------------------------------------------


class Killer:
    """Kills, once, whoever holds the destination; the third image is on its way to it then."""

    def __init__(self, crowd: Crowd) -> None:
        self.victim = 0
        self._sent = 0
        self._crowd = crowd

    def __call__(self, image: Dataset) -> Dataset:
        archive = self._crowd.archive
        self._sent += 1
        if self._sent == 3:
            assert until(lambda: len(list(archive.glob("instances/*/*/*.dcm"))) == 2)
            note = json.loads((archive / "locks" / f"port-{self._crowd.port}.json").read_text())
            self.victim = note["pid"]
            os.kill(self.victim, signal.SIGKILL)
        return image


def test_a_holder_that_is_killed_in_the_midst_of_a_transfer_does_not_block_the_next(
    world: World, database: Callable[[], str], tmp_path: Path
) -> None:
    """What had arrived until then is not moved again; each set is asked for by at least two."""
    crowd = Crowd(world, tmp_path, database(), 16, 1)
    killer = Killer(crowd)

    crowd.run(on_send=killer)

    assert crowd.errors == []
    assert crowd.wrong == []
    assert len(crowd.answers) == 15
    assert killer.victim not in [answer["pid"] for answer in crowd.answers]
    assert crowd.moved == Counter(uids(world.datasets[2:]))
