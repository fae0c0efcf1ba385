"""The admin of the nodes."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import TextField
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path

from qatrack_aria.admin.browse import browse
from qatrack_aria.admin.connection_test import check
from qatrack_aria.admin.permissions import may_browse
from qatrack_aria.models import AriaNode
from qatrack_aria.testpacks.admin_sections import download, sections


@admin.register(AriaNode)
class AriaNodeAdmin(admin.ModelAdmin):
    """Where an administrator says whom to call, and for whom."""

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
        (None, {"fields": ("name", "is_active", "is_default")}),
        (
            "The service (ARIA)",
            {"fields": ("remote_ae_title", "remote_host", "remote_port", "extra_hosts")},
        ),
        ("This side", {"fields": ("local_ae_title", "local_host", "local_port")}),
        (
            "What may be fetched, and how",
            {
                "fields": (
                    "allowed_patients",
                    "retrieve_method",
                    "query_model",
                    "character_set",
                    "stable_answers",
                )
            },
        ),
        (
            "Encryption",
            {
                "fields": (
                    "use_tls",
                    "tls_ca_file",
                    "tls_certificate_file",
                    "tls_key_file",
                    "tls_check_host",
                ),
                "classes": ("collapse",),
            },
        ),
        (
            "Time limits",
            {
                "fields": (
                    "deadline",
                    "command_deadline",
                    "connect_timeout",
                    "response_timeout",
                    "quiet_timeout",
                    "grace",
                    "clock_ahead",
                ),
                "classes": ("collapse",),
            },
        ),
        ("For people", {"fields": ("notes",)}),
    )

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Boxes as high as the lists that are typed into them."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(db_field, TextField):
            field.widget.attrs["rows"] = 3
        return field

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kw: Any) -> Any:
        """Show composite tests that call the node, once it is saved."""
        node = context.get("original")
        if node is not None:
            # A form with errors has put what was typed into the object: ask for the saved name.
            saved = AriaNode.objects.filter(pk=node.pk).values_list("name", flat=True).first()
            context["composite_tests"] = sections(saved or node.name)
            context["may_browse"] = may_browse(self, request, node)
        return super().render_change_form(request, context, *args, **kw)

    def get_urls(self) -> list[Any]:
        """Beside the usual pages, those to browse and to check a node, and its test packs."""
        testpack = self.admin_site.admin_view(self.testpack_view)
        return [
            path(
                "<path:object_id>/browse/",
                self.admin_site.admin_view(partial(browse, self)),
                name="qatrack_aria_arianode_browse",
            ),
            path(
                "<path:object_id>/check/",
                self.admin_site.admin_view(partial(check, self)),
                name="qatrack_aria_arianode_check",
            ),
            path(
                "<path:object_id>/testpacks/<str:file>",
                testpack,
                name="qatrack_aria_arianode_testpack",
            ),
            *super().get_urls(),
        ]

    def testpack_view(self, request: HttpRequest, object_id: str, file: str) -> HttpResponse:
        """Send a test pack whose tests call this node."""
        node = self.get_object(request, object_id)
        if not self.has_view_permission(request, node):
            raise PermissionDenied
        text = download(file, node.name) if node is not None else None
        if text is None:
            raise Http404(f"There is no test pack {file} of node {object_id}.")
        response = HttpResponse(text, content_type="application/json")
        response["Content-Disposition"] = f'attachment; filename="{file}"'
        return response
