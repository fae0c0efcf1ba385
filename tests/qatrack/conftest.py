from __future__ import annotations

from tests.helpers.standin.fixtures import attachment_tables, attachments, clock, page, unit, user

__all__ = ["attachment_tables", "attachments", "clock", "page", "unit", "user"]
