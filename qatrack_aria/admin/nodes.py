"""Manage nodes in the admin."""

from __future__ import annotations

from typing import Any, Sequence

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import TextField
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from qatrack_aria.admin.abilities import abilities, forget_learned
from qatrack_aria.admin.browse import browse
from qatrack_aria.admin.connection_test import test_connection
from qatrack_aria.admin.context import page_path
from qatrack_aria.admin.permissions import may_browse
from qatrack_aria.checks import everyone_allowed
from qatrack_aria.models import AriaNode
from qatrack_aria.testpacks.admin_sections import download, sections


def _section(title: Any, *fields: str, classes: Sequence[str] = ()) -> tuple[Any, dict[str, Any]]:
    return title, {"fields": fields, "classes": classes}


@admin.register(AriaNode)
class AriaNodeAdmin(admin.ModelAdmin):
    """The admin of the nodes."""

    list_display = (
        "name",
        "remote_ae_title",
        "remote_host",
        "remote_port",
        "retrieve_method",
        "is_active",
        "is_default",
    )
    list_filter = ("is_active", "retrieve_method")
    search_fields = ("name", "remote_ae_title", "remote_host", "notes")
    fieldsets = (
        _section(None, "name", "is_active", "is_default"),
        _section(
            _("Service (ARIA)"), "remote_ae_title", "remote_host", "remote_port", "extra_hosts"
        ),
        _section(_("This machine"), "local_ae_title", "local_host", "local_port"),
        _section(
            _("Retrieval"),
            "allowed_patients",
            "retrieve_method",
            "query_model",
            "character_set",
            "stable_answers",
        ),
        _section(
            _("Encryption"),
            "use_tls",
            "tls_ca_file",
            "tls_certificate_file",
            "tls_key_file",
            "tls_check_host",
            classes=["collapse"],
        ),
        _section(
            _("Time limits"),
            "deadline",
            "command_deadline",
            "connect_timeout",
            "response_timeout",
            "quiet_timeout",
            "grace",
            "clock_ahead",
            classes=["collapse"],
        ),
        _section(_("Notes"), "notes"),
    )

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Return the form field; make text areas as high as the lists entered in them."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(db_field, TextField):
            field.widget.attrs["rows"] = 3
        return field

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kw: Any) -> Any:
        """Show composite tests that call the node, once it is saved."""
        node = context.get("original")
        if node is not None:
            # A form with errors has changed the object: read the saved name.
            saved = AriaNode.objects.filter(pk=node.pk).values_list("name", flat=True).first()
            context["composite_tests"] = sections(saved or node.name)
            context["abilities"] = abilities(node)
            context["may_browse"] = may_browse(self, request, node)
        return super().render_change_form(request, context, *args, **kw)

    def save_model(self, request: HttpRequest, obj: AriaNode, *args: Any) -> None:
        """Save the node; warn if it allows every patient."""
        super().save_model(request, obj, *args)
        if obj.allows_everyone:
            self.message_user(request, " ".join(everyone_allowed(obj)), messages.WARNING)

    def get_urls(self) -> list[Any]:
        """Add the pages to browse a node and to test its connection, and its test packs."""
        return [
            page_path(self, "<path:object_id>/browse/", browse, "browse"),
            page_path(self, "<path:object_id>/check/", test_connection, "check"),
            page_path(self, "<path:object_id>/forget/", forget_learned, "forget"),
            page_path(self, "<path:object_id>/testpacks/<str:file>", send_testpack, "testpack"),
            *super().get_urls(),
        ]


def send_testpack(
    admin: AriaNodeAdmin, request: HttpRequest, object_id: str, file: str
) -> HttpResponse:
    """Send a test pack whose tests use a node."""
    node = admin.get_object(request, object_id)
    if not admin.has_view_permission(request, node):
        raise PermissionDenied
    text = download(file, node.name) if node is not None else None
    if text is None:
        raise Http404(f"There is no test pack {file} of node {object_id}.")
    response = HttpResponse(text, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{file}"'
    return response
