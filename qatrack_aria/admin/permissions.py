"""Decide which users may see patients' images."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest

from qatrack_aria.models import Retrieval


def may_browse(admin: Any, request: HttpRequest, node: Any = None) -> bool:
    """Return whether a user may browse a node and fetch from it.

    That takes the permissions to view nodes and retrievals, which show the same patients. Fetching
    takes no other: every user of QATrack+ can fetch by a composite test.

    Parameters
    ----------
    admin : ModelAdmin
        The admin of the nodes.
    """
    retrievals = ModelAdmin(Retrieval, admin.admin_site)
    return retrievals.has_view_permission(request) and admin.has_view_permission(request, node)
