"""Show a table, a progress bar, or the DICOM messages on the command line."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from typing import Any, Callable, Iterator, Sequence

#: The loggers that are shown: ours, and that of pynetdicom.
LOGGERS = ("qatrack_aria", "pynetdicom")


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table with aligned columns.

    Parameters
    ----------
    header : sequence of str
        The names of the columns.
    rows : sequence of sequence of str
        The cells.
    """
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
        for row in (header, *rows)
    ]


@contextlib.contextmanager
def progress(wanted: bool) -> Iterator[Callable[[int, int, int], None] | None]:
    """Show a progress bar with images and MB/s, on a terminal only.

    Parameters
    ----------
    wanted : bool
        Whether to show it.
    """
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # no monitor thread: the bar is drawn when images arrive
    began = time.monotonic()
    with tqdm(unit=" images", mininterval=0, file=sys.stderr) as bar:

        def show(arrived: int, wanted: int, size: int) -> None:
            seconds = max(time.monotonic() - began, 0.001)
            bar.total = wanted
            bar.set_postfix_str(
                f"{size / 1e6:.1f} MB, {size / 1e6 / seconds:.1f} MB/s", refresh=False
            )
            bar.update(arrived - bar.n)

        yield show


@contextlib.contextmanager
def show_log(wanted: bool, stream: Any) -> Iterator[None]:
    """Show the log of the DICOM messages while the block runs.

    It holds only the identifiers of data sets, and no names of people.

    Parameters
    ----------
    wanted : bool
        Whether to show it.
    stream : file
        The output.
    """
    if not wanted:
        yield
        return
    from qatrack_aria.dicom import pynetdicom_patches  # noqa: F401 - it sets the level that is overridden here

    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s.%(msecs)03d %(message)s", "%H:%M:%S"))
    before = [(logger, logger.level) for logger in map(logging.getLogger, LOGGERS)]
    try:
        for logger, _ in before:
            logger.setLevel(logging.DEBUG)
            logger.addHandler(handler)
        yield
    finally:
        for logger, level in before:
            logger.setLevel(level)
            logger.removeHandler(handler)
