"""How long fuzzing goes on.

In the ordinary suite each target is tried with a few dozen inputs, always the same. With
``QATRACK_ARIA_FUZZ=5000`` in the environment it is that many, new ones each time. How many were
really tried is printed at the end of the run.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

from tests import ROOT

NUMBER = int(os.environ.get("QATRACK_ARIA_FUZZ", "0"))
set_hypothesis_home_dir(ROOT / "build" / "hypothesis")

#: Inputs really tried in this process, by target.
tried: Counter[str] = Counter()


def fuzz(few: int) -> Any:
    """Settings of hypothesis: `few` inputs in the ordinary suite, as many as asked else."""
    return settings(
        max_examples=NUMBER or few,
        derandomize=not NUMBER,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.function_scoped_fixture,
            HealthCheck.filter_too_much,
        ],
    )


@pytest.fixture(autouse=True)
def inputs_are_counted(count: Callable[[str, int], None]) -> Iterator[None]:
    before = Counter(tried)
    yield
    for target, number in (tried - before).items():
        count(f"inputs of a fuzzer: {target}", number)


def pytest_collection_modifyitems(items: Any) -> None:
    if NUMBER:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.timeout(60 + NUMBER))
