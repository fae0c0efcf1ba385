"""Ask the app for images of random hospitals, and judge what comes.

Django must be set up, and its database migrated.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import random
import shutil
import time
import warnings
from pathlib import Path
from typing import Any, Iterator, NamedTuple

import pydicom
from django.conf import settings
from pydicom.dataset import Dataset

from qatrack_aria import fetch_images
from qatrack_aria.dicom import retrieve
from qatrack_aria.errors import AriaError
from qatrack_aria.models import AriaNode
from tests.helpers.peers.server import HOST
from tools.hospitals import changes, nodes, verdicts
from tools.hospitals.changes import change, damage, restore
from tools.hospitals.judge import Expected, Now, Request, expect
from tools.hospitals.questions import make_request
from tools.hospitals.verdicts import CRASH, Verdict
from tools.hospitals.world import World, make_world
from tools.node import make_node

REQUESTS_PER_WORLD = 6
DEADLINE = 20.0  # s
#: Seconds by which a call may outlast its deadline.
OVERTIME = 5.0
#: Requests that are put again, and hospitals that change between two requests: shares.
AGAIN, CHANGED = 0.2, 0.25
#: Of the changes: a spoilt file of what was learned, and a server restored from a backup.
DAMAGED, A_BACKUP = 0.2, 0.1


class Case(NamedTuple):
    """A request and what came of it.

    `command` does it again, with all requests to the same hospital before it. `held` are the
    instances of the hospital, `came` the UIDs of the images that came, or the message of an error.
    """

    request: Request
    mood: str
    expected: Expected
    verdict: Verdict
    command: str
    held: list[Dataset]
    came: Any

    def __str__(self) -> str:
        sets = " or ".join(sorted(f"{len(one)} images" for one in self.expected.sets))
        errors = " or ".join(sorted(self.expected.errors))
        due = " or ".join(text for text in (sets, errors) if text)
        return (
            f"{self.verdict.kind}: {self.verdict.reason}\n  request: {self.request}\n"
            f"  node: {self.mood}\n  due: {due}\n  {self.command}"
        )


def run(peer: str, seed: int, requests: int, folder: Path, world: int = 0) -> Iterator[Case]:
    """Yield what comes of random requests to the hospitals of one peer.

    Parameters
    ----------
    peer : str
        One of `tools.hospitals.nodes.PEERS`.
    seed : int
        The seed of all that is random.
    requests : int
        Their number.
    folder : pathlib.Path
        For the archives.
    world : int
        The number of the first hospital.
    """
    AriaNode.objects.filter(name="aria").delete()
    node = make_node(deadline=DEADLINE, grace=0.2)
    left = requests
    with nodes.running(peer, ("QATRACK", HOST, node.local_port)) as server, _in_haste():
        while left > 0:
            number = min(left, REQUESTS_PER_WORLD)
            command = f"python -m tools.hospitals --peer {peer} --seed {seed} --world {world}"
            hospital = _Hospital(server, node, f"{seed}/{world}", command)
            settings.QATRACK_ARIA_ARCHIVE = str(folder / f"{peer}-{world}")
            for at in range(number):
                yield hospital.ask(at + 1)
            shutil.rmtree(settings.QATRACK_ARIA_ARCHIVE, ignore_errors=True)
            left -= number
            world += 1


class _Hospital:
    """One hospital, and the requests to it one after another."""

    def __init__(self, server: nodes.Node, node: AriaNode, seed: str, command: str) -> None:
        self._server, self._seed, self._command = server, seed, command
        chance = random.Random(seed)
        self._world: World = make_world(
            chance, dt.datetime.now(), not isinstance(server.server, nodes.Dcmqrscp)
        )
        self._first = self._world._replace(
            datasets=list(self._world.datasets),
            sessions=[one._replace(images=list(one.images)) for one in self._world.sessions],
        )
        self._asked: list[Request] = []
        self._is_changed = False
        self._since = time.monotonic()
        server.fill(self._world.datasets, chance)
        for field, value in {**server.settings, "remote_port": server.port}.items():
            setattr(node, field, value)
        node.remote_ae_title = server.ae_title
        node.save()

    def ask(self, number: int) -> Case:
        """Make a request and judge what comes of it."""
        chance = random.Random(f"{self._seed}/{number}")
        mood = self._server.begin(chance)
        happened = self._change(chance) if number > 1 and chance.random() < CHANGED else ""
        if self._asked and (happened or chance.random() < AGAIN):
            request = chance.choice(self._asked)
        else:
            request = make_request(self._world, chance)
        if self._is_changed:
            request = request._replace(max_age=0)
        self._asked.append(request)
        before, watched = dt.datetime.now(), time.monotonic() - self._since
        answer, seconds = _fetch(request)
        now = Now(before, dt.datetime.now(), watched)
        expected = expect(self._world.datasets, request, now)
        verdict = self._judge(answer, expected)
        if seconds > DEADLINE + OVERTIME:
            verdict = Verdict(CRASH, f"{verdict.kind}, but long after the deadline")
        mood = f"{mood}; {happened} before" if happened else mood
        command = f"{self._command} --requests {number}"
        came = str(answer) if isinstance(answer, Exception) else list(map(_uid, answer))
        return Case(request, mood, expected, verdict, command, self._world.datasets, came)

    def _change(self, chance: random.Random) -> str:
        damaged = ""
        if chance.random() < DAMAGED:
            damaged = damage(Path(settings.QATRACK_ARIA_ARCHIVE) / "known", chance)
        return " and ".join(what for what in (damaged, self._change_images(chance)) if what)

    def _change_images(self, chance: random.Random) -> str:
        if chance.random() < A_BACKUP:
            world, what = restore(self._world, self._first), changes.RESTORED
        else:
            world, what = change(self._world, chance, dt.datetime.now())
        if not self._server.change(world.datasets, what):
            return ""
        self._world, self._is_changed, self._since = world, True, time.monotonic()
        return what

    def _judge(self, answer: Any, expected: Expected) -> Verdict:
        may_fail = self._server.lies
        if isinstance(answer, Exception):
            return verdicts.of_error(answer, expected, may_fail, isinstance(answer, AriaError))
        held = {str(ds.SOPInstanceUID): ds for ds in self._world.datasets}
        return verdicts.of_files(answer, expected, held)


def _fetch(request: Request) -> tuple[Any, float]:
    """Return the files or the exception, and the seconds that it took."""
    options = {
        name: value
        for name, value in request._asdict().items()
        if name not in ("patient", "plan") and value != request._field_defaults[name]
    }
    options["max_age"] = request.max_age
    began = time.monotonic()
    try:
        answer: Any = fetch_images("aria", request.patient, request.plan, **options).files
    except Exception as error:
        answer = error
    return answer, time.monotonic() - began


def _uid(file: str) -> str:
    return str(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID)


@contextlib.contextmanager
def _in_haste() -> Iterator[None]:
    """Shorten the pauses between attempts, and ignore what pydicom thinks of old headers."""
    pauses = retrieve.PAUSES
    retrieve.PAUSES = tuple(pause / 100 for pause in pauses)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            retrieve.PAUSES = pauses
