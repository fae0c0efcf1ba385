"""Register the pages of the admin; Django imports this package."""

from __future__ import annotations

from qatrack_aria.admin import nodes, retrievals, watches

__all__ = ["nodes", "retrievals", "watches"]
