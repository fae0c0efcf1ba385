"""Walk from a shell.

    python -m tools.faults [--every NUMBER] [--part PART] [--verbose] [NAME ...]

Without a name all faults are tried; the name of one is what a bad result begins with, such as
"C-MOVE/store/5/C-STORE-RQ data/repeat" or "old/6/C-FIND IMAGE/short list/answer 1 of 7".
"""

from __future__ import annotations

import argparse
import sys

from tools.faults.results import ALL, ANSWERS, MESSAGES, Result
from tools.faults.summary import walk


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.faults")
    parser.add_argument("names", nargs="*", metavar="NAME", help="try only these")
    parser.add_argument("--every", type=int, default=1, help="try only each so many-th")
    parser.add_argument("--part", default=ALL, choices=(ALL, MESSAGES, ANSWERS))
    parser.add_argument("--verbose", action="store_true", help="tell what came of each")
    options = parser.parse_args()

    def tell(result: Result) -> None:
        if options.verbose or not result.is_good:
            print(result, flush=True)

    tally = walk(options.every, options.names, tell, options.part)
    print(tally)
    return 1 if tally.bad else 0


if __name__ == "__main__":
    sys.exit(main())
