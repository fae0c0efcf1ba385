"""The tables and queries of the app on PostgreSQL: the model tests once more, over there."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests import ROOT
from tests.helpers.peers.postgres import Postgres


@pytest.mark.timeout(300)
def test_models_and_migrations_work_on_postgresql(postgres: Postgres) -> None:
    tests = ["tests/test_models.py", "tests/test_migrations.py"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        env={**os.environ, "QATRACK_ARIA_TEST_DATABASE_URL": postgres.url},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout
    assert re.search(r"\b[1-9]\d* passed", run.stdout), run.stdout
