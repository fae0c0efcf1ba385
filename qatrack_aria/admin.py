"""The pages of the admin: nodes to configure, retrievals to read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import TextField
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.text import Truncator

from qatrack_aria.models import AriaNode, Retrieval


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
            {"fields": ("allowed_patients", "retrieve_method", "query_model")},
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


@admin.register(Retrieval)
class RetrievalAdmin(admin.ModelAdmin):
    """The record of what was fetched; nobody edits it."""

    list_display = (
        "when",
        "status",
        "patient_id",
        "plan",
        "images",
        "in_short",
        "time_taken",
        "node_name",
        "user",
    )
    list_filter = ("status", "node_name", "source", "user")
    search_fields = ("patient_id", "plan", "message", "user")
    date_hierarchy = "started"
    list_per_page = 50
    # Counting all rows for "(of N)" beside a filtered list is a second query for nothing.
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("started", "status", "message")}),
        (
            "Asked",
            {
                "fields": (
                    "node_name",
                    "patient_id",
                    "plan",
                    "everything_asked",
                    "source",
                    "user",
                    "unit",
                    "test_list",
                    "repeats",
                )
            },
        ),
        (
            "What came of it",
            {
                "fields": (
                    "found",
                    "already_here",
                    "moved",
                    "refused",
                    "megabytes",
                    "time_taken",
                    "folder",
                )
            },
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Rows are made by retrievals only."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any | None = None) -> bool:
        """A record is not edited."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any | None = None) -> bool:
        """Nor removed."""
        return False

    def when(self, row: Retrieval) -> str:
        """To the second: several of one minute are told apart."""
        return _unbroken(timezone.localtime(row.started).strftime("%Y-%m-%d %H:%M:%S"))

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

    def megabytes(self, row: Retrieval) -> str:
        """Size of what was received."""
        return f"{row.bytes / 1e6:.1f} MB"

    megabytes.short_description = "received"  # type: ignore[attr-defined]

    def everything_asked(self, row: Retrieval) -> str:
        """The whole request, readable."""
        return format_html_join(mark_safe("<br>"), "{}: {}", row.asked.items()) or "–"

    everything_asked.short_description = "request"  # type: ignore[attr-defined]


def _unbroken(text: str) -> str:
    """Text that a narrow column does not break."""
    return format_html('<span style="white-space: nowrap">{}</span>', text)
