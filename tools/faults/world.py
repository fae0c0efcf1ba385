"""What the simulated ARIA holds: three images that are meant, among others that look like them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qatrack_aria.simulator import phantom
from tests.helpers.aria import plan, winston_lutz
from tools.faults.scenarios import DAY, LABEL, YESTERDAY


def make_world(folder: Path) -> dict[str, bytes]:
    """Save the phantom's files; those that are meant, by SOP Instance UID, as they are there."""
    wl, other = plan(LABEL), plan("PF")
    meant = winston_lutz(wl, YESTERDAY, count=3)
    beside = [
        *phantom.kv(wl, YESTERDAY, like=meant[0], full_size=False),
        *winston_lutz(wl, YESTERDAY - DAY, count=1),
        *winston_lutz(other, YESTERDAY, count=1),
    ]
    for ds in (wl, other, *beside):
        phantom.save(ds, folder)
    return {str(ds.SOPInstanceUID): data_set(phantom.save(ds, folder)) for ds in meant}


def data_set(file: Any) -> bytes:
    """Return a file without preamble and file meta information, which arrival writes anew."""
    data = Path(file).read_bytes()
    group_length = int.from_bytes(data[140:144], "little")
    return data[144 + group_length :]
