"""A program that fetches on demand, each time in a process of its own, and is killed on demand.

``python -m tests.storage.killed_program ARCHIVE NODE``, with the fields of the node as JSON. Each
line on the standard input is a number: the process is killed just before that change of the
archive; 0 for not at all. The answer is a line of JSON: the SOP Instance UIDs, or ``null``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.integration.crowd import fetch_uids, make_site
from tests.storage.killing import in_a_process, killed_before_change

ASK = {"patient_id": "QA_TB1", "plan": "WL"}


def main(archive: str, node: str) -> None:
    """Set up a site, and fetch for each line."""
    import django

    django.setup()
    make_site(archive, json.loads(node))
    for line in sys.stdin:
        if not int(line):
            in_a_process(fetch)
        elif killed_before_change(int(line), Path(archive), fetch):
            say(None)


def fetch() -> None:
    """Fetch, and say what came."""
    say(fetch_uids(ASK))


def say(what: list[str] | None) -> None:
    """Write a line at once."""
    os.write(1, (json.dumps(what) + "\n").encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
