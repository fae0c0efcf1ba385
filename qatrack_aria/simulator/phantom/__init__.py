"""A phantom: makes the RT Plans and RT Images that the QA of a linac creates in ARIA.

The headers imitate three generations of Varian imagers, with their noisy, late, empty and absent
values.
"""

from __future__ import annotations

from .ct import ct_series, registration
from .files import save
from .history import qa_history
from .images import kv, picket_fence, portal_dose, winston_lutz
from .plans import HALCYON_PLAN, OPERATOR, plan

__all__ = [
    "HALCYON_PLAN",
    "OPERATOR",
    "ct_series",
    "kv",
    "picket_fence",
    "plan",
    "portal_dose",
    "qa_history",
    "registration",
    "save",
    "winston_lutz",
]
