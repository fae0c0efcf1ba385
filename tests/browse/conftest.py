from __future__ import annotations

from tests.helpers.browsing import fetched, page, staff, viewer, world

__all__ = ["fetched", "page", "staff", "viewer", "world"]
