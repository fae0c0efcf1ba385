"""What is measured, group by group: each function measures one group side by side."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Callable, Dict

import pydicom

from tools.benchmark import contenders
from tools.benchmark.contenders import require, scratch
from tools.benchmark.decoding import decoding
from tools.benchmark.measure import Measure, Samples, side_by_side
from tools.benchmark.past import past
from tools.benchmark.site import GET, INDEX, MOVE, Site
from tools.benchmark.watches import watches
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
    get = partial(site.dcmtk.get, study, series, images)
    copy = partial(contenders.loopback_copy, site.full_set, site.folder)
    rows = side_by_side(
        {
            OURS_MOVE: partial(_whole_fetch, site, MOVE, FULL_PATIENT),
            OURS_GET: partial(_whole_fetch, site, GET, FULL_PATIENT),
            GETSCU_AT_ONCE: partial(get, no_delay=True),
            GETSCU: partial(get, no_delay=False),
            FIND_AND_MOVE: partial(site.dcmtk.find_and_move, FULL_PATIENT, LABEL, images),
            COPY: partial(copy, flushed=False),
            COPY_FLUSHED: partial(copy, flushed=True),
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
                things[of(series, nothing)] = partial(
                    _nothing_to_move, site, node, patient, archive
                )
                things[of(series, everything)] = partial(_whole_fetch, site, node, patient)
                if node == MOVE:
                    find = partial(site.dcmtk.find, asked)
                    things[of(series, FINDSCU)] = partial(find, no_delay=False)
                    things[of(series, FINDSCU_AT_ONCE)] = partial(find, no_delay=True)
                    things[of(series, PLAIN)] = partial(_plain, site, plain, patient, notes, series)
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
            require(site.ours("close"), len(files))
        return megabytes / seconds

    def theirs(no_delay: bool, at_receiver: bool = False) -> float:
        with scratch(site.folder) as folder:
            with contenders.storescp(folder, no_delay=at_receiver) as port:
                seconds = contenders.send(site.received, port, "STORESCP", no_delay=no_delay)
            require(len(list(folder.iterdir())), len(files))
        return megabytes / seconds

    rows = side_by_side(
        {
            OUR_RECEIVER: partial(ours, False),
            STORESCP: partial(theirs, False),
            OUR_RECEIVER_AT_ONCE: partial(ours, True),
            STORESCP_AT_ONCE: partial(theirs, True),
            STORESCP_ALL_AT_ONCE: partial(theirs, True, at_receiver=True),
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

        def call(max_age: float) -> float:
            return 1000 * float(site.fetch(node, FULL_PATIENT, archive, max_age=max_age)["seconds"])

        things = {PAST: partial(call, 0), REPEATED: partial(call, 60)}
        return side_by_side(things, 4 * runs, "ms")


def memory(site: Site, runs: int) -> Rows:
    """How far the peak of memory grows in a fetch; each in a fresh process."""
    sizes = site.sizes
    things: dict[str, Measure] = {}
    for method in sizes.weighed:
        node = {"C-MOVE": MOVE, "C-GET": GET}[method]
        for images in (sizes.few, sizes.many):
            name = of_peak(method, images, "of 64 × 64")
            things[name] = partial(_peak, site, node, patient_with(images), images)
        name = of_peak(method, sizes.full, "of the full-size set")
        things[name] = partial(_peak, site, node, FULL_PATIENT, sizes.full)
    slow = {name: FEW_RUNS for name in things if f" {sizes.many} " in name}
    return side_by_side(things, runs, "MB", most=slow)


def importing(site: Site, runs: int) -> Rows:
    """Measure what the import adds to the start of Python."""

    def python(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
        return 1000 * (time.perf_counter() - start)

    things = {BARE: partial(python, "pass"), IMPORTED: partial(python, "import qatrack_aria")}
    return side_by_side(things, 4 * runs, "ms")


#: Every group by its name.
GROUPS: dict[str, Callable[[Site, int], Rows]] = {
    "transfer": transfer,
    "history": history,
    "past": past,
    "receiving": receiving,
    "again": again,
    "memory": memory,
    "import": importing,
    "decoding": decoding,
    "watches": watches,
}


def _whole_fetch(site: Site, node: str, patient: str) -> float:
    came = site.fetch(node, patient, max_age=0)
    require(came["moved"], came["images"])
    return came["seconds"]


def _nothing_to_move(site: Site, node: str, patient: str, archive: Path) -> float:
    came = site.fetch(node, patient, archive, max_age=0)
    require(came["moved"], 0)
    return came["seconds"]


def _plain(site: Site, plain: Helper, patient: str, notes: dict[str, str], series: int) -> float:
    done = plain("list_images", site.orthanc.port, site.orthanc.ae_title, patient)
    require(done["images"], series * site.sizes.per_series)
    notes[of(series, PLAIN)] = f"{done['queries']} C-FIND, {done['images']} answers"
    return done["seconds"]


def _peak(site: Site, node: str, patient: str, images: int) -> float:
    with scratch(site.folder) as archive, site.our_process() as fresh:
        came = fresh("fetch", str(archive), node, patient, {"max_age": 0})
    require(came["moved"], images)
    return came["peak"] / 2**20


def _series_of(file: Path) -> tuple[str, str]:
    image = pydicom.dcmread(file, stop_before_pixels=True)
    return str(image.StudyInstanceUID), str(image.SeriesInstanceUID)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)
