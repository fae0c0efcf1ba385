"""What was measured, as Markdown."""

from __future__ import annotations

import datetime as dt
import math
import os
import platform
from importlib.metadata import version
from typing import Mapping, Sequence

from tools.benchmark.bars import Bar
from tools.benchmark.contenders import dcmtk
from tools.benchmark.measure import Samples
from tools.benchmark.trials import GROUPS, Rows
from tools.benchmark.world import Sizes


def markdown(groups: Mapping[str, Rows], bars: Sequence[Bar], sizes: Sizes) -> str:
    """All of it: the machine, the table, and the bars."""
    return "\n".join([*_machine(sizes), "", *_table(groups), "", *_bars(bars), ""])


def _machine(sizes: Sizes) -> list[str]:
    versions = (
        f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in ("Django", "pydicom", "pynetdicom"))
        + f", DCMTK {dcmtk('findscu', '--version').split()[2]}"
    )
    full = "1280 × 1280 (3.3 MB)" if sizes.is_full_size else "64 × 64"
    return [
        "# The app beside others, on one machine, in one run",
        "",
        f"{dt.date.today().isoformat()}, {platform.system()} with {os.cpu_count()} cores, "
        f"loopback, {_load()}. {versions}.",
        "",
        f"A history is a plan with one series of {sizes.per_series} images of 64 × 64 a day, the "
        f"newest of yesterday. The set that is moved is one series of {sizes.full} images of "
        f"{full}. The process of our app is warm, and its database is SQLite on the disk; a "
        "program of DCMTK is timed as a whole process.",
    ]


def _load() -> str:
    """How busy the machine is: others' work is in all figures."""
    return f"load {os.getloadavg()[0]:.1f} in the last minute" if hasattr(os, "getloadavg") else ""


def _table(groups: Mapping[str, Rows]) -> list[str]:
    lines = ["| what | median | from – to | runs | |", "|---|---:|---:|---:|---|"]
    for name, rows in groups.items():
        title = str(GROUPS[name].__doc__).splitlines()[0].rstrip(".")
        lines.append(f"| **{title}** | | | | |")
        lines += [_row(samples) for samples in rows.values()]
    return lines


def _row(samples: Samples) -> str:
    low, high = min(samples.values), max(samples.values)
    return (
        f"| {samples.name} | {_number(samples.median)} {samples.unit} "
        f"| {_number(low)} – {_number(high)} | {len(samples.values)} | {samples.note} |"
    )


def _bars(bars: Sequence[Bar]) -> list[str]:
    lines = ["| bar | | measured | limit | |", "|---|---|---:|---:|---|"]
    for bar in bars:
        limit = f"{'at most' if bar.at_most else 'at least'} {bar.limit:g} {bar.unit}"
        met = "met" if bar.is_met else "**missed**"
        measured = f"{_number(bar.value)} {bar.unit}"
        lines.append(f"| {bar.number} | {bar.text} | {measured} | {limit} | {met} |")
    return lines


def _number(value: float) -> str:
    """Three digits, for more is noise."""
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:.{min(max(digits, 0), 3)}f}"
