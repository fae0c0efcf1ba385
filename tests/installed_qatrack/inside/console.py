"""Runs inside QATrack+: takes calls of the functions in ``clinic.py``, and answers; JSON lines."""

from __future__ import annotations

import json
import os
import sys
import traceback

# What anybody prints goes to the log: the answers have a pipe of their own.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import django  # noqa: E402

django.setup()

import clinic  # noqa: E402

for line in sys.stdin:
    name, arguments = json.loads(line)
    try:
        answer = {"value": getattr(clinic, name)(**arguments)}
    except Exception:
        answer = {"error": traceback.format_exc()}
    print(json.dumps(answer, default=str), file=answers, flush=True)
