"""What commands show to a person: tables, a progress bar, and the conversation with a node."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from typing import Any, Callable, Iterator, Sequence

#: Whose words the conversation is made of: ours, and those of the library below.
LOGGERS = ("qatrack_aria", "pynetdicom")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with their columns below each other.

    Parameters
    ----------
    header : sequence of str
        What the columns are called.
    rows : sequence of sequence of str
        Their cells.
    """
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
        for row in (header, *rows)
    ]


@contextlib.contextmanager
def progress(wanted: bool) -> Iterator[Callable[[int, int, int], None] | None]:
    """A progress bar with images and MB/s, on a terminal only.

    Parameters
    ----------
    wanted : bool
        Whether to show one at all.
    """
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # no thread to watch a bar that is only drawn when images come
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
def conversation(wanted: bool, stream: Any) -> Iterator[None]:
    """Tell what is said between us and the node while the block lasts.

    Of what is asked and sent no text is shown but identifiers: no name of a person.

    Parameters
    ----------
    wanted : bool
        Whether to tell it at all.
    stream : file
        Where it goes.
    """
    if not wanted:
        yield
        return
    from qatrack_aria.dicom import pynetdicom_patches  # noqa: F401 - it sets the level that is to be lifted

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
