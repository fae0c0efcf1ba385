"""What is measured, group by group: each function measures one group side by side."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict

import pydicom

from tools.benchmark import contenders
from tools.benchmark.contenders import scratch
from tools.benchmark.measure import Measure, Samples, side_by_side
from tools.benchmark.site import GET, INDEX, MOVE, Site
from tools.benchmark.world import FULL_PATIENT, LABEL, RECEIVED_PATIENT, patient_of, patient_with
from tools.helper import ROOT, Helper

#: Samples by the name of what was measured.
Rows = Dict[str, Samples]

OURS_MOVE, OURS_GET = "our fetch by C-MOVE", "our fetch by C-GET"
FIND_AND_MOVE = "findscu, movescu --port"
GETSCU, GETSCU_AT_ONCE = "getscu", "getscu, TCP_NODELAY=1"
COPY, COPY_FLUSHED = "copy over a loopback socket", "copy, each file flushed to the disk"

INDEX_NOTHING, INDEX_ALL = "index server: nothing to move", "index server: whole fetch"
ORTHANC_NOTHING, ORTHANC_ALL = "Orthanc: nothing to move", "Orthanc: whole fetch"
FINDSCU, FINDSCU_AT_ONCE = "Orthanc: findscu", "Orthanc: findscu, TCP_NODELAY=1"
PLAIN = "Orthanc: one C-FIND per series"
CURVES = (
    *(INDEX_NOTHING, INDEX_ALL, ORTHANC_NOTHING, ORTHANC_ALL),
    *(FINDSCU, FINDSCU_AT_ONCE, PLAIN),
)
#: Runs, at most, of what takes a minute.
FEW_RUNS = 2

OUR_RECEIVER, OUR_RECEIVER_AT_ONCE = "our receiver", "our receiver, TCP_NODELAY=1 at the sender"
STORESCP, STORESCP_AT_ONCE = "storescp", "storescp, TCP_NODELAY=1 at the sender"
STORESCP_ALL_AT_ONCE = "storescp, TCP_NODELAY=1 at both"

REPEATED, PAST = "repeated within max_age", "past max_age, nothing new"

BARE, IMPORTED = "python -c pass", "python -c 'import qatrack_aria'"


def of(series: int, curve: str) -> str:
    """Name one point of a curve over the history."""
    return f"{curve}, {series} series"


def of_peak(method: str, images: int, kind: str) -> str:
    """Name a peak of memory."""
    return f"{method}: {images} images {kind}"


def transfer(site: Site, runs: int) -> Rows:
    """One series of full-size images, all of it moved: ours, DCMTK's, and a bare copy."""
    study, series = _series_of(site.full_set[0])
    images = len(site.full_set)

    def get(no_delay: bool) -> Measure:
        return lambda: site.dcmtk.get(study, series, images, no_delay=no_delay)

    def copy(flushed: bool) -> Measure:
        return lambda: contenders.loopback_copy(site.full_set, site.folder, flushed=flushed)

    rows = side_by_side(
        {
            OURS_MOVE: lambda: _anew(site, MOVE, FULL_PATIENT),
            OURS_GET: lambda: _anew(site, GET, FULL_PATIENT),
            GETSCU_AT_ONCE: get(True),
            GETSCU: get(False),
            FIND_AND_MOVE: lambda: site.dcmtk.find_and_move(FULL_PATIENT, LABEL, images),
            COPY: copy(False),
            COPY_FLUSHED: copy(True),
        },
        runs,
    )
    for name, node in ((OURS_MOVE, MOVE), (OURS_GET, GET)):
        with scratch(site.folder) as archive, scratch(site.folder) as identifiers:
            rows[name].note = _counted(site.exchanges(node, FULL_PATIENT, archive, identifiers))
    return rows


def history(site: Site, runs: int) -> Rows:
    """Measure the same fetch below longer and longer histories."""
    with scratch(site.folder) as folder, Helper("benchmark.plain") as plain:
        things: dict[str, Measure] = {}
        notes: dict[str, str] = {}
        for node, lengths, nothing, everything in (
            (INDEX, site.sizes.history, INDEX_NOTHING, INDEX_ALL),
            (MOVE, site.sizes.stored, ORTHANC_NOTHING, ORTHANC_ALL),
        ):
            for series in lengths:
                patient = patient_of(series)
                archive = folder / f"{node}-{series}"
                asked = folder / f"{node}-{series}-asked"
                first = _counted(site.exchanges(node, patient, archive, asked))
                again = _counted(site.exchanges(node, patient, archive, asked))
                notes[of(series, everything)], notes[of(series, nothing)] = first, again
                things[of(series, nothing)] = _nothing_to_move(site, node, patient, archive)
                things[of(series, everything)] = _whole_fetch(site, node, patient)
                if node == MOVE:
                    things[of(series, FINDSCU)] = _findscu(site, asked, no_delay=False)
                    things[of(series, FINDSCU_AT_ONCE)] = _findscu(site, asked, no_delay=True)
                    things[of(series, PLAIN)] = _plain(site, plain, patient, notes, series)
        slow = {of(series, PLAIN): FEW_RUNS for series in site.sizes.stored if series > 10}
        rows = side_by_side(things, runs, most=slow)
    for name, note in notes.items():
        rows[name].note = note
    return {
        of(series, curve): rows[of(series, curve)]
        for curve in CURVES
        for series in site.sizes.history
        if of(series, curve) in rows
    }


def receiving(site: Site, runs: int) -> Rows:
    """Full-size images from ``storescu``, to our receiver and to ``storescp``."""
    files = sorted(site.received.iterdir())
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    uids = [file.stem for file in files]

    def ours(no_delay: bool) -> float:
        with scratch(site.folder) as archive:
            order = {"archive": str(archive), "ae_title": contenders.STORESCU, "uids": uids}
            port = site.ours("listen", patient=RECEIVED_PATIENT, **order)
            seconds = contenders.send(site.received, port, "QATRACK", no_delay=no_delay)
            _require(site.ours("close"), len(files))
        return megabytes / seconds

    def theirs(no_delay: bool, at_receiver: bool = False) -> float:
        with scratch(site.folder) as folder:
            with contenders.storescp(folder, no_delay=at_receiver) as port:
                seconds = contenders.send(site.received, port, "STORESCP", no_delay=no_delay)
            _require(len(list(folder.iterdir())), len(files))
        return megabytes / seconds

    rows = side_by_side(
        {
            OUR_RECEIVER: lambda: ours(False),
            STORESCP: lambda: theirs(False),
            OUR_RECEIVER_AT_ONCE: lambda: ours(True),
            STORESCP_AT_ONCE: lambda: theirs(True),
            STORESCP_ALL_AT_ONCE: lambda: theirs(True, at_receiver=True),
        },
        runs,
        "MB/s",
    )
    for samples in rows.values():
        samples.note = f"{len(files)} images, {megabytes:.0f} MB"
    return rows


def again(site: Site, runs: int) -> Rows:
    """Measure the same request again: from disk, and from the node with all images here.

    Of an Orthanc with one series: the more it holds, the longer it takes to answer.
    """
    with scratch(site.folder) as archive, site.with_one_series() as node:
        site.fetch(node, FULL_PATIENT, archive, max_age=0)

        def call(max_age: float) -> Measure:
            def measure() -> float:
                came = site.fetch(node, FULL_PATIENT, archive, max_age=max_age)
                return 1000 * float(came["seconds"])

            return measure

        things = {PAST: call(0), REPEATED: call(60)}
        return side_by_side(things, 4 * runs, "ms")


def memory(site: Site, runs: int) -> Rows:
    """How far the peak of memory grows in a fetch; each in a fresh process."""
    sizes = site.sizes
    things: dict[str, Measure] = {}
    for method in sizes.weighed:
        node = {"C-MOVE": MOVE, "C-GET": GET}[method]
        for images in (sizes.few, sizes.many):
            name = of_peak(method, images, "of 64 × 64")
            things[name] = _peak(site, node, patient_with(images), images)
        name = of_peak(method, sizes.full, "of the full-size set")
        things[name] = _peak(site, node, FULL_PATIENT, sizes.full)
    slow = {name: FEW_RUNS for name in things if f" {sizes.many} " in name}
    return side_by_side(things, runs, "MB", most=slow)


def importing(site: Site, runs: int) -> Rows:
    """Measure what the import adds to the start of Python."""

    def python(code: str) -> Measure:
        def measure() -> float:
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
            return 1000 * (time.perf_counter() - start)

        return measure

    things = {BARE: python("pass"), IMPORTED: python("import qatrack_aria")}
    return side_by_side(things, 4 * runs, "ms")


#: Every group by its name.
GROUPS: dict[str, Callable[[Site, int], Rows]] = {
    "transfer": transfer,
    "history": history,
    "receiving": receiving,
    "again": again,
    "memory": memory,
    "import": importing,
}


def _anew(site: Site, node: str, patient: str) -> float:
    came = site.fetch(node, patient, max_age=0)
    _require(came["moved"], came["images"])
    return came["seconds"]


def _whole_fetch(site: Site, node: str, patient: str) -> Measure:
    return lambda: _anew(site, node, patient)


def _nothing_to_move(site: Site, node: str, patient: str, archive: Path) -> Measure:
    def measure() -> float:
        came = site.fetch(node, patient, archive, max_age=0)
        _require(came["moved"], 0)
        return came["seconds"]

    return measure


def _findscu(site: Site, identifiers: Path, *, no_delay: bool) -> Measure:
    return lambda: site.dcmtk.find(identifiers, no_delay=no_delay)


def _plain(site: Site, plain: Helper, patient: str, notes: dict[str, str], series: int) -> Measure:
    def measure() -> float:
        orthanc = site.orthanc
        done = plain("list_images", port=orthanc.port, ae_title=orthanc.ae_title, patient=patient)
        _require(done["images"], series * site.sizes.per_series)
        notes[of(series, PLAIN)] = f"{done['queries']} C-FIND, {done['images']} answers"
        return done["seconds"]

    return measure


def _peak(site: Site, node: str, patient: str, images: int) -> Measure:
    def measure() -> float:
        with scratch(site.folder) as archive, site.our_process() as fresh:
            order = {"archive": str(archive), "node": node, "patient": patient}
            came = fresh("fetch", options={"max_age": 0}, **order)
        _require(came["moved"], images)
        return came["peak"] / 2**20

    return measure


def _series_of(file: Path) -> tuple[str, str]:
    image = pydicom.dcmread(file, stop_before_pixels=True)
    return str(image.StudyInstanceUID), str(image.SeriesInstanceUID)


def _counted(counts: dict[str, int]) -> str:
    parts = [f"{count} {what}" for what, count in counts.items() if count]
    return ", ".join(parts)


def _require(count: Any, wanted: Any) -> None:
    """Refuse a result that is not complete: its figure would be wrong."""
    if count != wanted:
        raise AssertionError(f"{count} instances where {wanted} belong")
