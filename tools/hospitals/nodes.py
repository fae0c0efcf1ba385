"""The servers that hold a random hospital: simulated ones in random moods, and real ones."""

from __future__ import annotations

import contextlib
import dataclasses
import random
from typing import Any, Callable, Iterator, Sequence

from pydicom.dataset import Dataset

from qatrack_aria.simulator import Behaviour, Simulator
from tests.helpers.peers.dcmtk import Dcmqrscp
from tests.helpers.peers.orthanc import Orthanc
from tools.hospitals.changes import ANOTHER_PLAN, CORRECTED, DATES, RESTORED

SIMULATOR, ORTHANC, DCMQRSCP = "simulator", "orthanc", "dcmqrscp"
PEERS = (SIMULATOR, ORTHANC, DCMQRSCP)

QUERY_KEYS = (
    "AcquisitionDate",
    "ContentDate",
    "Modality",
    "RTPlanLabel",
    "ImageType",
    "ReferencedRTPlanSequence",
)
RETURN_KEYS = (
    "RTPlanLabel",
    "StudyID",
    "ImageType",
    "AcquisitionDate",
    "AcquisitionTime",
    "ContentDate",
    "ContentTime",
    "ReferencedRTPlanSequence",
    "PrimaryDosimeterUnit",
    "RadiationMachineName",
    "StationName",
    "ExposureSequence",
    "NumberOfSeriesRelatedInstances",
    "NumberOfStudyRelatedInstances",
)
#: C-FINDs of a retrieval of which one may be short.
SHORT_FROM = 14


class Node:
    """A server with a hospital in it.

    ``lies`` is whether its answers may contradict its files: then an error is as good as a set.
    """

    lies = False

    def __init__(self, server: Any) -> None:
        self.server = server
        self.ae_title: str = server.ae_title
        self.settings: dict[str, Any] = {}

    @property
    def port(self) -> int:
        return self.server.port

    def fill(self, datasets: Sequence[Dataset], chance: random.Random) -> None:
        """Hold a hospital and no other."""
        self.server.clear()
        self.server.store(datasets)
        self.settings = _ways(chance)

    def change(self, datasets: Sequence[Dataset], what: str) -> bool:
        """Hold a hospital as it was changed; False where that cannot be."""
        return False

    def begin(self, chance: random.Random) -> str:
        """Get ready for a request; return the mood in one line."""
        return ", ".join(self.settings.values())


class SimulatedNode(Node):
    """A simulated ARIA in random moods: one for each hospital, and one for each request."""

    def fill(self, datasets: Sequence[Dataset], chance: random.Random) -> None:
        self.settings = _ways(chance)
        self._behaviour = _behaviour(chance)
        self.lies = chance.random() < 0.05
        self.server.replace(datasets)

    def change(self, datasets: Sequence[Dataset], what: str) -> bool:
        behaviour = self._behaviour
        shown_by = {ANOTHER_PLAN: {"ReferencedRTPlanSequence"}, CORRECTED: set(DATES)}
        shown_by[RESTORED] = shown_by[ANOTHER_PLAN] | shown_by[CORRECTED]
        # Where a key empties an answer, it is asked for without most of the others.
        silent = behaviour.unreturned_keys & shown_by.get(what, set())
        if silent or (what in shown_by and behaviour.empty_return_keys):
            return False  # perhaps no answer shows it for an image that was received before
        self.server.replace(datasets)
        return True

    def begin(self, chance: random.Random) -> str:
        switches: dict[str, Any] = {}
        if chance.random() < 0.5:
            switches["short_from"] = chance.randrange(1, SHORT_FROM)
            switches["short_answer"] = chance.choice(("first", "last", "random"))
            switches["short_level"] = chance.choice((None, None, "IMAGE", "SERIES"))
            switches["short_seed"] = chance.randrange(1000)
        named = dict(switches)
        if self.lies:
            named["on_answer"] = "lies"
            switches["on_answer"] = _lie
        elif chance.random() < 0.2:
            named["on_answer"] = "shuffled"
            switches["on_answer"] = _shuffled(chance.randrange(1000))
        self.server.behaviour = dataclasses.replace(self._behaviour, **switches)
        said = [f"{name}={value!r}" for name, value in named.items()]
        return ", ".join([*self.settings.values(), *_differences(self._behaviour), *said])


def _ways(chance: random.Random) -> dict[str, Any]:
    """Choose how the app talks to the server."""
    return {
        "retrieve_method": chance.choice(("C-MOVE", "C-MOVE", "C-GET")),
        "query_model": chance.choice(("STUDY", "STUDY", "PATIENT")),
    }


def _behaviour(chance: random.Random) -> Behaviour:
    """Choose the mood of a server: half of them behave as ARIA is known to."""
    if chance.random() < 0.4:
        return Behaviour()
    some = lambda keys: frozenset(chance.sample(keys, chance.randrange(1, 4)))  # noqa: E731
    possible: list[tuple[float, str, Callable[[], Any]]] = [
        (0.25, "relational", lambda: False),
        (0.3, "unreturned_keys", lambda: some(RETURN_KEYS)),
        (0.15, "ignored_keys", lambda: some(QUERY_KEYS)),
        (0.08, "refused_keys", lambda: some(QUERY_KEYS)),
        (0.08, "empty_keys", lambda: some(QUERY_KEYS)),
        (0.05, "empty_return_keys", lambda: frozenset({chance.choice(RETURN_KEYS)})),
        (0.05, "answer_limit", lambda: chance.randrange(3, 30)),
        (0.1, "duplicates", lambda: True),
        (0.1, "after_final", lambda: True),
        (0.1, "uid_lists", lambda: False),
        (0.05, "uid_list_success", lambda: True),
        (0.1, "pending_responses", lambda: False),
        (0.1, "empty_series_date", lambda: False),
        (0.3, "counts", lambda: True),
        (0.1, "exact_label_limit", lambda: 12),
        (0.1, "exact_patient_limit", lambda: 16),
        (0.05, "find_failures", lambda: chance.randrange(1, 3)),
        (0.05, "busy_calls", lambda: 1),
    ]
    return Behaviour(**{name: make() for odds, name, make in possible if chance.random() < odds})


def _differences(behaviour: Behaviour) -> list[str]:
    """Return the switches that are not as by default."""
    plain = Behaviour()
    return [
        f"{field.name}={sorted(value) if isinstance(value, frozenset) else value!r}"
        for field in dataclasses.fields(behaviour)
        for value in [getattr(behaviour, field.name)]
        if value != getattr(plain, field.name)
    ]


def _shuffled(seed: int) -> Callable[..., list[Dataset]]:
    def shuffle(number: int, identifier: Dataset, answers: list[Dataset]) -> list[Dataset]:
        """Answer in any order, and one thing twice."""
        changed = answers + answers[:1]
        random.Random(seed + number).shuffle(changed)
        return changed

    return shuffle


def _lie(number: int, identifier: Dataset, answers: list[Dataset]) -> list[Dataset]:
    """Name only the first of several plans, and MINUTE where the file says MU, now and then."""
    for answer in answers:
        plans = answer.get("ReferencedRTPlanSequence")
        if plans:
            answer.ReferencedRTPlanSequence = list(plans)[:1]
        unit = str(answer.get("PrimaryDosimeterUnit") or "")
        if unit == "MU" and str(answer.SOPInstanceUID).endswith("7"):
            answer.PrimaryDosimeterUnit = "MINUTE"
    return answers


@contextlib.contextmanager
def running(peer: str, destination: tuple[str, str, int]) -> Iterator[Node]:
    """Run a server that knows us as a C-MOVE destination.

    Parameters
    ----------
    peer : str
        One of `PEERS`.
    destination : (str, str, int)
        Our AE title, host and port.
    """
    ae_title, *address = destination
    known = {ae_title: tuple(address)}
    if peer == SIMULATOR:
        with Simulator(peers=known) as simulator:
            yield SimulatedNode(simulator)
    else:
        server = Orthanc(modalities=known) if peer == ORTHANC else Dcmqrscp(peers=known)
        with server:
            yield Node(server)
