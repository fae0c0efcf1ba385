"""Ask random hospitals for images, from a shell.

    python -m tools.hospitals [--peer NAME] [--seed NUMBER] [--requests NUMBER] [--world NUMBER]

Each request whose outcome must not be is printed with the command that repeats it: it makes the
same hospital, and the same requests to it up to that one.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
import tempfile
from pathlib import Path

import django
from django.core.management import call_command

#: Seconds for a request after which the program is killed: it hangs.
HANGS = 120


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.hospitals")
    parser.add_argument("--peer", default="simulator", help="simulator, orthanc, dcmqrscp or all")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random")
    parser.add_argument("--requests", type=int, default=300, help="their number, for each peer")
    parser.add_argument("--world", type=int, default=0, help="the number of the first hospital")
    parser.add_argument("--explain", action="store_true", help="list the images of the last one")
    parser.add_argument("--verbose", action="store_true", help="show needless errors too")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    os.environ["QATRACK_ARIA_TEST_DATABASE_URL"] = "sqlite://:memory:"
    django.setup()
    call_command("migrate", verbosity=0)
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    # Their models need Django's settings.
    from tools.hospitals.explanation import table
    from tools.hospitals.nodes import PEERS
    from tools.hospitals.run import run
    from tools.hospitals.summary import Summary
    from tools.hospitals.verdicts import BAD, NEEDLESS

    summary = Summary()
    shown = (*BAD, NEEDLESS) if options.verbose else BAD
    with tempfile.TemporaryDirectory() as folder:
        for peer in PEERS if options.peer == "all" else [options.peer]:
            faulthandler.dump_traceback_later(HANGS, exit=True)
            cases = run(peer, options.seed, options.requests, Path(folder), options.world)
            for case in cases:
                faulthandler.dump_traceback_later(HANGS, exit=True)
                summary.add(case)
                if case.verdict.kind in shown:
                    print(case, flush=True)
            faulthandler.cancel_dump_traceback_later()
    if options.explain:
        print(table(case.held, case.request, case.came))
    print(summary.line)
    if summary.reasons:
        print(summary.reasons)
    return 1 if summary.bad else 0


if __name__ == "__main__":
    sys.exit(main())
