from __future__ import annotations

from pathlib import Path

import pytest

#: The folder of the repository.
ROOT = Path(__file__).resolve().parent.parent

pytest.register_assert_rewrite("tests.helpers")
