"""The benchmark itself works; how fast anything is, no test asserts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.bench.__main__ import measure, write
from tests.bench.bars import bars
from tests.bench.trials import GROUPS
from tests.bench.world import SMALL
from tests.peers.server import PeerMissing


def test_a_small_run_measures_all_and_writes_a_table_and_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        groups = measure(SMALL, 1, list(GROUPS))
    except PeerMissing as missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))

    write(groups, SMALL, tmp_path)

    assert {bar.number[0] for bar in bars(groups, SMALL)} == set("1234567")
    assert (tmp_path / "bench.md").read_text(encoding="utf-8") in capsys.readouterr().out
    assert (tmp_path / "history.png").stat().st_size > 0
