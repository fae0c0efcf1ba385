"""Provide procedures for composite tests, ready to paste.

Test packs, ``docs/composite-tests.md`` and the admin's page of a node are made from them. The
procedures are in the folder ``texts``, by macro name; those of one line in :mod:`.catalogue`.
"""

from __future__ import annotations

from qatrack_aria.testpacks.catalogue import FIRST, PACKS
from qatrack_aria.testpacks.model import VERSIONS, Pack, Test

__all__ = ["FIRST", "PACKS", "VERSIONS", "Pack", "Test"]
