"""The admin of the retrievals: a record to read, which nobody edits."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.urls import path
from django.utils.html import format_html
from django.utils.text import Truncator

from qatrack_aria.admin.csv_export import as_csv
from qatrack_aria.admin.images import images, picture
from qatrack_aria.admin.node_statistics import node_statistics
from qatrack_aria.admin.retrieval_detail import details, when
from qatrack_aria.models import AriaNode, Retrieval


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
        context = {"nodes": node_statistics(), "export_query": query, **(extra_context or {})}
        return super().changelist_view(request, context)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kw: Any) -> Any:
        """The page of one: no form, but its story."""
        row = context["original"]
        nodes: Any = self.admin_site._registry.get(AriaNode)
        context.update(
            title=f"Retrieval of {when(row)}",
            subtitle=None,
            story=details(row),
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
