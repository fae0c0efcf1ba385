"""The pages of the admin: nodes to configure, retrievals to read."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import TextField
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.text import Truncator

from qatrack_aria.models import AriaNode, Retrieval
from qatrack_aria.pages.browse import browse
from qatrack_aria.pages.check import check
from qatrack_aria.pages.export import as_csv
from qatrack_aria.pages.images import images, picture
from qatrack_aria.pages.permission import may_browse
from qatrack_aria.pages.story import story_of, when
from qatrack_aria.procedures.page import download, sections
from qatrack_aria.tally import tallies


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


@admin.register(Retrieval)
class RetrievalAdmin(admin.ModelAdmin):
    """The record of what was fetched; nobody edits it."""

    list_display = (
        "when",
        "outcome",
        "patient_id",
        "plan",
        "images",
        "in_short",
        "time_taken",
        "node_name",
        "user",
    )
    list_filter = ("status", "node_name", "source", "unit", "user")
    search_fields = ("patient_id", "plan", "message", "user")
    date_hierarchy = "started"
    list_per_page = 50
    # Counting all rows for "(of N)" beside a filtered list is a second query for nothing.
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Rows are made by retrievals only."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any | None = None) -> bool:
        """A record is not edited."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any | None = None) -> bool:
        """Nor removed."""
        return False

    def get_urls(self) -> list[Any]:
        """Beside the usual pages, the list for a spreadsheet, and the images of one retrieval."""
        view = self.admin_site.admin_view
        return [
            path("export/", view(self.export_view), name="qatrack_aria_retrieval_export"),
            path(
                "<int:pk>/images/",
                view(partial(images, self)),
                name="qatrack_aria_retrieval_images",
            ),
            path(
                "<int:pk>/images/<int:place>.png",
                view(partial(picture, self), cacheable=True),
                name="qatrack_aria_retrieval_picture",
            ),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The list, below a line for each node."""
        query = f"?{request.GET.urlencode()}" if request.GET else ""
        context = {"nodes": tallies(), "export_query": query, **(extra_context or {})}
        return super().changelist_view(request, context)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kw: Any) -> Any:
        """The page of one: no form, but its story."""
        row = context["original"]
        nodes: Any = self.admin_site._registry.get(AriaNode)
        context.update(
            title=f"Retrieval of {when(row)}",
            subtitle=None,
            story=story_of(row),
            sees_node=row.node_id and nodes and nodes.has_view_permission(request),
        )
        return super().render_change_form(request, context, *args, **kw)

    def export_view(self, request: HttpRequest) -> Any:
        """Send what the list shows, filtered and searched alike, all pages of it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            return as_csv(self.get_changelist_instance(request).get_queryset(request))
        except IncorrectLookupParameters as error:
            raise Http404("There is no such list.") from error

    def outcome(self, row: Retrieval) -> str:
        """The status, with a colour."""
        return format_html(
            '<span class="aria-status aria-status-{}">{}</span>',
            row.status,
            row.get_status_display(),
        )

    outcome.admin_order_field = "status"  # type: ignore[attr-defined]
    outcome.short_description = "status"  # type: ignore[attr-defined]

    def when(self, row: Retrieval) -> str:
        """To the second: several of one minute are told apart."""
        return _unbroken(when(row))

    when.admin_order_field = "started"  # type: ignore[attr-defined]

    def images(self, row: Retrieval) -> str:
        """How many were meant, and how many of them had to be moved."""
        return _unbroken(f"{row.found}, {row.moved} moved" if row.found else "–")

    images.admin_order_field = "found"  # type: ignore[attr-defined]

    def in_short(self, row: Retrieval) -> str:
        """The beginning of the message."""
        return Truncator(row.message).chars(70)

    in_short.short_description = "message"  # type: ignore[attr-defined]

    def time_taken(self, row: Retrieval) -> str:
        """Seconds, for people."""
        return _unbroken("–" if row.seconds is None else f"{row.seconds:.1f} s")

    time_taken.admin_order_field = "seconds"  # type: ignore[attr-defined]
    time_taken.short_description = "time"  # type: ignore[attr-defined]


def _unbroken(text: str) -> str:
    """Text that a narrow column does not break."""
    return format_html('<span style="white-space: nowrap">{}</span>', text)
