"""The benchmark itself works; how fast anything is, no test asserts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.helpers.peers.server import PeerMissing
from tools.benchmark.__main__ import measure, write
from tools.benchmark.bars import bars
from tools.benchmark.trials import GROUPS
from tools.benchmark.world import SMALL


def test_a_small_run_measures_all_and_writes_a_table_and_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        groups = measure(SMALL, 1, list(GROUPS))
    except PeerMissing as missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))

    write(groups, SMALL, tmp_path)

    assert {bar.number[0] for bar in bars(groups, SMALL)} == set("123456789")
    assert (tmp_path / "bench.md").read_text(encoding="utf-8") in capsys.readouterr().out
    assert (tmp_path / "history.png").stat().st_size > 0
