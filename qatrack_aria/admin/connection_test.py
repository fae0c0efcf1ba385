"""Test the connection to a node, step by step, on a page."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from qatrack_aria.admin.context import node_or_404, page

TEMPLATE = "admin/qatrack_aria/arianode/check.html"


def test_connection(admin: ModelAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """Show a form for an optional patient and plan; with POST, run the test and show its steps.

    Parameters
    ----------
    admin : ModelAdmin
        The admin of the nodes.
    request : HttpRequest
        Only a POST sends anything; other sites cannot forge it.
    object_id : str
        The node, as addresses of the admin name it.

    Raises
    ------
    Http404
        The node does not exist.
    PermissionDenied
        The user may not change nodes.
    """
    node = node_or_404(admin, request, object_id)
    if not admin.has_change_permission(request, node):
        raise PermissionDenied
    patient, plan = (request.POST.get(field, "").strip() for field in ("patient", "plan"))
    half = bool(patient) != bool(plan)
    steps = _run(node, patient, plan) if request.method == "POST" and not half else []
    works = all(step.passed for step in steps)
    context = {"patient": patient, "plan": plan, "half": half, "steps": steps, "works": works}
    return page(admin, request, TEMPLATE, _("Test the connection of %s") % node, node, **context)


def _run(node: Any, patient: str, plan: str) -> list[Any]:
    # Imported here, so that QATrack+ starts without loading pynetdicom.
    from qatrack_aria.retrieval.connection_test import ConnectionTest

    # The web server ends long requests, so the deadline is that of composite tests.
    return list(ConnectionTest(node, patient or None, plan or None, node.deadline).run())
