"""Procedures for composite tests, ready to paste: the one source of all that shows them.

Test packs, ``docs/composite-tests.md`` and the admin's page of a node are made of it. The texts lie
in the folders beside this file, one a file, and in :mod:`.catalogue` where one line is all.
"""

from __future__ import annotations

from qatrack_aria.testpacks.catalogue import FIRST, PACKS
from qatrack_aria.testpacks.model import VERSIONS, Pack, Test

__all__ = ["FIRST", "PACKS", "VERSIONS", "Pack", "Test"]
