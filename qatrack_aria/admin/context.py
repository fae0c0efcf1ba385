"""Prepare what all of our pages share: their addresses, their node, and their context."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Mapping
from urllib.parse import urlencode

from django.contrib.admin import ModelAdmin
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import path, reverse


def page_path(admin: ModelAdmin, route: str, view: Callable[..., Any], name: str, **kw: Any) -> Any:
    """Return the path of a page whose `view` takes the admin first, named as Django's own are."""
    opts = admin.model._meta
    wrapped = admin.admin_site.admin_view(partial(view, admin), **kw)
    return path(route, wrapped, name=f"{opts.app_label}_{opts.model_name}_{name}")


def node_or_404(admin: ModelAdmin, request: HttpRequest, object_id: str) -> Any:
    """Return the node that an address of the admin names; raises ``Http404``."""
    node = admin.get_object(request, object_id)
    if node is None:
        raise Http404(f"There is no node {object_id}.")
    return node


def page(
    admin: ModelAdmin, request: HttpRequest, template: str, title: str, original: Any, **more: Any
) -> TemplateResponse:
    """Return a page with what every template of the admin needs; `original` is its object."""
    shared = {"title": title, "opts": admin.model._meta, "original": original}
    context = {**admin.admin_site.each_context(request), **shared, **more}
    return TemplateResponse(request, template, context)


def browse_address(node: Any, where: dict[str, str]) -> str:
    """Return the address of the page that browses a node; `where` is its query."""
    address = reverse("admin:qatrack_aria_arianode_browse", args=[node.pk])
    return f"{address}?{urlencode(where)}"


def watch_address(node: Any, known: Mapping[str, Any]) -> str:
    """Return the address of the page that adds a watch; `known` are fields of a request."""
    fields = {"node": node.pk, "name": known.get("plan", ""), **known}
    return f"{reverse('admin:qatrack_aria_watch_add')}?{urlencode(fields)}"
