"""Prepare the context that all of our pages share."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import Http404, HttpRequest


def node_or_404(admin: ModelAdmin, request: HttpRequest, object_id: str) -> Any:
    """Return the node that an address of the admin names; raises ``Http404``."""
    node = admin.get_object(request, object_id)
    if node is None:
        raise Http404(f"There is no node {object_id}.")
    return node


def page_context(
    admin: ModelAdmin, request: HttpRequest, title: str, original: Any
) -> dict[str, Any]:
    """Return what every template of the admin needs; `original` is the object of the page."""
    return {
        **admin.admin_site.each_context(request),
        "title": title,
        "opts": admin.model._meta,
        "original": original,
    }
