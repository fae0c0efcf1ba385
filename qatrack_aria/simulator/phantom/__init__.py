"""A phantom: makes the RT Plans and RT Images that the QA of a linac leaves in ARIA.

The headers imitate three generations of Varian imagers: what is noisy, late, empty or absent there
is so here.
"""

from __future__ import annotations

from .files import save
from .history import qa_history
from .images import kv, picket_fence, portal_dose, winston_lutz
from .plans import HALCYON_PLAN, OPERATOR, plan

__all__ = [
    "HALCYON_PLAN",
    "OPERATOR",
    "kv",
    "picket_fence",
    "plan",
    "portal_dose",
    "qa_history",
    "save",
    "winston_lutz",
]
