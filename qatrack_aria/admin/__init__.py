"""The pages of the admin; Django imports this package to register them."""

from __future__ import annotations

from qatrack_aria.admin import nodes, retrievals

__all__ = ["nodes", "retrievals"]
