"""Show on a node's page what it has turned out to be able to do, and let it be forgotten."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import reverse
from django.utils.translation import gettext as _

from qatrack_aria.admin.context import node_or_404
from qatrack_aria.dicom.abilities import TITLES
from qatrack_aria.errors import AriaError


def abilities(node: Any) -> list[dict[str, str]]:
    """Return the rows of the table: title, value, evidence and time."""
    # Imported here, so that QATrack+ starts without loading pynetdicom.
    from qatrack_aria.retrieval.node_abilities import abilities_of

    found = abilities_of(node)
    return [
        {"title": _(title), "value": _value(found[name]["value"]), **_seen(found[name])}
        for name, title in TITLES.items()
        if name in found
    ]


def _value(value: Any) -> str:
    return {True: _("yes"), False: _("no")}[value] if isinstance(value, bool) else str(value)


def _seen(finding: Any) -> dict[str, str]:
    return {"evidence": finding["evidence"], "at": finding["at"]}


def forget_learned(admin: ModelAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """Forget all that was learned of a node.

    Raises
    ------
    Http404
        The node does not exist.
    PermissionDenied
        The user may not change nodes.
    """
    from qatrack_aria.retrieval.node_abilities import forget

    node = node_or_404(admin, request, object_id)
    if not admin.has_change_permission(request, node):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    try:
        forget(node)
        admin.message_user(request, _("What was learned of %s is forgotten.") % node)
    except AriaError as error:
        admin.message_user(request, str(error), messages.ERROR)
    return HttpResponseRedirect(reverse("admin:qatrack_aria_arianode_change", args=[node.pk]))
