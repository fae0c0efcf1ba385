"""Who may see what is a patient's."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_permission_codename
from django.http import HttpRequest

from qatrack_aria.models import Retrieval


def may_browse(admin: Any, request: HttpRequest, node: Any = None) -> bool:
    """Whether somebody may look through what a node holds, and fetch it.

    They may see the nodes, and the retrievals, which show the same of patients. No more is needed
    to fetch: whoever is logged in to QATrack+ can, by any composite test.

    Parameters
    ----------
    admin : ModelAdmin
        That of the nodes.
    """
    opts = Retrieval._meta
    sees = any(
        request.user.has_perm(f"{opts.app_label}.{get_permission_codename(action, opts)}")
        for action in ("view", "change")
    )
    return sees and admin.has_view_permission(request, node)
