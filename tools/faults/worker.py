"""One of the processes that walk: it tries its share of the faults and prints what came of each.

python -m tools.faults.worker {"number": 0, "of": 2, "every": 1, "names": [], "part": "all"}
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Iterator

import django
from django.core.management import call_command

from qatrack_aria.dicom import association, retrieve
from qatrack_aria.dicom.pynetdicom_patches import waiting


def main() -> None:
    django.setup()
    call_command("migrate", verbosity=0)
    waiting.ABORT_TIMEOUT = 0.2  # s: enough on the loopback
    retrieve.PAUSES = association.BUSY_PAUSES = (0.05, 0.1)
    order = json.loads(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        for line in _walk(Path(folder), **order):
            print(json.dumps(line), flush=True)


def _walk(
    folder: Path, number: int, of: int, every: int, names: list[str], part: str
) -> Iterator[object]:
    from tools.faults.walk import Walk  # its models need Django's settings

    with Walk(folder) as walk:
        trials = walk.trials(part)
        chosen = [trial for trial in trials if str(trial) in names] if names else trials[::every]
        yield len(chosen)
        for trial in chosen[number::of]:
            yield walk.try_out(trial)


if __name__ == "__main__":
    main()
