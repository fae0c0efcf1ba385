"""What our pages have in common: whom they are about, and what Django's templates show around."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import Http404, HttpRequest


def node_or_404(admin: ModelAdmin, request: HttpRequest, object_id: str) -> Any:
    """The node that the admin names so in its addresses; raises ``Http404``."""
    node = admin.get_object(request, object_id)
    if node is None:
        raise Http404(f"There is no node {object_id}.")
    return node


def page_context(
    admin: ModelAdmin, request: HttpRequest, title: str, original: Any
) -> dict[str, Any]:
    """What a template of the admin needs, whatever the page shows; `original` is what it is of."""
    return {
        **admin.admin_site.each_context(request),
        "title": title,
        "opts": admin.model._meta,
        "original": original,
    }
