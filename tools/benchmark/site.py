"""The site of a benchmark: its servers, filled, and our app beside them; each a process."""

from __future__ import annotations

import contextlib
import io
import itertools
import urllib.request
import zipfile
from pathlib import Path
from typing import Any, Iterable, Iterator

import pydicom
from pydicom.dataset import Dataset

from qatrack_aria.simulator import phantom
from tests.helpers.peers.orthanc import Orthanc
from tests.helpers.peers.server import HOST, find_program, free_port
from tools.benchmark import contenders, world
from tools.benchmark.aria import OUR_AE_TITLE
from tools.benchmark.world import Sizes
from tools.helper import Helper

#: Our nodes.
MOVE, GET, INDEX, ALONE = "orthanc-move", "orthanc-get", "aria", "orthanc-alone"
#: Instances that Orthanc is given at a time.
LOAD = 500


class Site:
    """Everything that runs while the benchmark does; a context manager.

    Attributes
    ----------
    sizes : Sizes
        How much of everything there is.
    folder : Path
        For whatever has to lie on the disk meanwhile.
    orthanc : Orthanc
        Holds the patients of :attr:`Sizes.stored`, the full-size set, and those of memory.
    aria : Helper
        The index server, :mod:`tools.benchmark.aria`, at :attr:`aria_port`; holds the patients of
        :attr:`Sizes.history`.
    dcmtk : contenders.Dcmtk
        DCMTK's clients of Orthanc.
    ours : Helper
        Our app, warmed up: :mod:`tools.benchmark.ours`.
    full_set : list of Path
        The images of the full-size set as files.
    received : Path
        A folder of those that are sent to receivers.
    """

    def __init__(self, sizes: Sizes, folder: Path) -> None:
        self.sizes = sizes
        self.folder = folder
        self.received = folder / "received"
        self.full_set: list[Path] = []
        self._our_port, self.aria_port = free_port(), 0
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Site:
        with self._stack:
            move_port = free_port()
            find_program("findscu", "dcmtk")
            self.orthanc = self._stack.enter_context(
                Orthanc(
                    modalities={
                        OUR_AE_TITLE: (HOST, self._our_port),
                        contenders.MOVESCU: (HOST, move_port),
                    }
                )
            )
            self._fill()
            self.aria = self._stack.enter_context(Helper("benchmark.aria", self._our_port))
            self.aria_port = self.aria("port")
            for series in self.sizes.history:
                self.aria("add_history", series, self.sizes.per_series)
            self.dcmtk = contenders.Dcmtk(
                self.orthanc.port, self.orthanc.ae_title, move_port, self.folder
            )
            self.ours = self._stack.enter_context(self.our_process())
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def our_process(self) -> Helper:
        """Another process of our app, fresh, that knows the same nodes."""
        # On the disk, as a site's is.
        database = f"sqlite:///{self.folder}/{free_port()}.sqlite3"
        environment = {"QATRACK_ARIA_TEST_DATABASE_URL": database}
        ours = Helper("benchmark.ours", DJANGO_SETTINGS_MODULE="tests.settings", **environment)
        here = (self.orthanc.ae_title, self.orthanc.port)
        self._add_node(ours, MOVE, "C-MOVE", *here)
        self._add_node(ours, GET, "C-GET", *here)
        self._add_node(ours, INDEX, "C-MOVE", "VMSDBD", self.aria_port)
        return ours

    @contextlib.contextmanager
    def with_one_series(self) -> Iterator[str]:
        """Another Orthanc, which holds the full-size set and nothing else; our node for it."""
        with Orthanc(modalities={OUR_AE_TITLE: (HOST, self._our_port)}) as orthanc:
            orthanc.store(self._full_set())
            self._add_node(self.ours, ALONE, "C-MOVE", orthanc.ae_title, orthanc.port)
            yield ALONE

    def _add_node(self, ours: Helper, name: str, method: str, ae_title: str, port: int) -> None:
        ours(
            "add_node",
            name=name,
            retrieve_method=method,
            local_port=self._our_port,
            remote_ae_title=ae_title,
            remote_port=port,
        )

    def fetch(self, node: str, patient: str, archive: Path | None = None, **options: Any) -> Any:
        """Have our app fetch, into a fresh archive if none is given; see :class:`ours.Ours`."""
        if archive is not None:
            return self.ours("fetch", str(archive), node, patient, options)
        with contenders.scratch(self.folder) as fresh:
            return self.fetch(node, patient, fresh, **options)

    def exchanges(self, node: str, patient: str, archive: Path, identifiers: Path) -> Any:
        """Return what a fetch exchanges with the node; its C-FIND identifiers are files."""
        identifiers.mkdir(exist_ok=True)
        return self.ours("watch", str(identifiers), str(archive), node, patient, {"max_age": 0})

    def _fill(self) -> None:
        sizes = self.sizes
        for series in sizes.stored:
            self._load(world.history(series, sizes.per_series))
        for images in {sizes.many, sizes.few}:
            patient = world.patient_with(images)
            self._load(world.one_series(patient, images, full_size=False))
        full_set = self._full_set()
        self._load(full_set)
        self.full_set = _save(full_set[1:], self.folder / "full")
        sent = world.one_series(
            world.RECEIVED_PATIENT, sizes.received, full_size=sizes.is_full_size
        )
        next(sent)  # the plan
        _save(sent, self.received)

    def _full_set(self) -> list[Dataset]:
        sizes = self.sizes
        return list(world.one_series(world.FULL_PATIENT, sizes.full, full_size=sizes.is_full_size))

    def _load(self, datasets: Iterable[Dataset]) -> None:
        """Give Orthanc instances over HTTP: a C-STORE of each takes it 50 ms, most of it a wait."""
        for some in _portions(datasets, LOAD):
            archive = io.BytesIO()
            with zipfile.ZipFile(archive, "w") as pack:
                for number, dataset in enumerate(some):
                    file = io.BytesIO()
                    pydicom.dcmwrite(file, dataset)
                    pack.writestr(f"{number}.dcm", file.getvalue())
            url = f"http://{HOST}:{self.orthanc.http_port}/instances"
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            opener.open(url, archive.getvalue(), timeout=300).close()


def _save(datasets: Iterable[Dataset], folder: Path) -> list[Path]:
    folder.mkdir()
    return [phantom.save(dataset, folder) for dataset in datasets]


def _portions(datasets: Iterable[Dataset], size: int) -> Iterator[list[Dataset]]:
    rest = iter(datasets)
    return iter(lambda: list(itertools.islice(rest, size)), [])
