"""Measure from a shell.

    python -m tools.benchmark [--small] [--runs NUMBER] [--only NAME] [--out FOLDER]

Orthanc and DCMTK have to be installed. However the figures come out, the exit status is 0.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.helpers.peers.server import PeerMissing
from tools.benchmark import plot
from tools.benchmark.bars import bars
from tools.benchmark.site import Site
from tools.benchmark.table import markdown
from tools.benchmark.trials import GROUPS, Rows
from tools.benchmark.world import FULL, SMALL, Sizes
from tools.helper import ROOT


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.benchmark")
    parser.add_argument("--small", action="store_true", help="tiny sizes, each measured once")
    parser.add_argument("--runs", type=int, default=5, help="how often (5)")
    parser.add_argument("--only", action="append", choices=list(GROUPS), help="only this group")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench", help="for the files")
    options = parser.parse_args()
    sizes, runs = (SMALL, 1) if options.small else (FULL, options.runs)
    names = options.only or list(GROUPS)
    if "history" not in names:
        sizes = sizes._replace(history=sizes.history[:1], stored=sizes.stored[:1])
    try:
        groups = measure(sizes, runs, names)
    except PeerMissing as missing:
        print(missing, file=sys.stderr)
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    write(groups, sizes, options.out)
    return 0


def measure(sizes: Sizes, runs: int, names: list[str]) -> dict[str, Rows]:
    """Every group of these names, on a site of its own."""
    tell("starting and filling the servers")
    groups = {}
    with tempfile.TemporaryDirectory(prefix="qatrack-aria-bench-") as folder:
        with Site(sizes, Path(folder)) as site:
            for name in names:
                tell(name)
                groups[name] = GROUPS[name](site, runs)
    return groups


def write(groups: dict[str, Rows], sizes: Sizes, out: Path) -> None:
    """Write the table, on the screen and to a file, and the plot."""
    table = markdown(groups, bars(groups, sizes), sizes)
    print(table)
    (out / "bench.md").write_text(table, encoding="utf-8")
    tell(f"written to {out / 'bench.md'}")
    if "history" in groups:
        picture = out / "history.png"
        drawn = plot.save(groups["history"], sizes.history, picture)
        tell(f"drawn in {picture}" if drawn else "no picture: Pillow is not installed")


def tell(line: str) -> None:
    """Say what goes on, beside what is printed."""
    print(f"... {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
