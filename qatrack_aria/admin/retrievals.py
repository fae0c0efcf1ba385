"""Show the retrievals in the admin, read-only."""

from __future__ import annotations

from typing import Any, Mapping

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from qatrack_aria.admin.context import page_path
from qatrack_aria.admin.csv_export import as_csv
from qatrack_aria.admin.images import images, picture
from qatrack_aria.admin.node_statistics import node_statistics
from qatrack_aria.admin.retrieval_detail import details, when
from qatrack_aria.errors import Outcome
from qatrack_aria.models import AriaNode, Retrieval


class _CodeFilter(admin.SimpleListFilter):
    """A filter by code that shows labels."""

    labels: Mapping[str, str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(code, _(label)) for code, label in self.labels.items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(**{self.parameter_name: self.value()}) if self.value() else queryset


class StatusFilter(_CodeFilter):
    """The filter by outcome."""

    title = _lazy("status")
    parameter_name = "status"
    labels = {outcome.value: outcome.label for outcome in Outcome}


class SourceFilter(_CodeFilter):
    """The filter by source."""

    title = _lazy("source")
    parameter_name = "source"
    labels = Retrieval.SOURCES


@admin.register(Retrieval)
class RetrievalAdmin(admin.ModelAdmin):
    """The read-only admin of the retrievals."""

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
    list_filter = (StatusFilter, "node_name", SourceFilter, "unit", "user")
    search_fields = ("patient_id", "plan", "message", "user")
    date_hierarchy = "started"
    list_per_page = 50
    # Counting all rows for "(of N)" beside a filtered list takes a second query.
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any | None = None) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        """Add the export of the list, and the images of a retrieval."""
        address = "<int:pk>/images/"
        return [
            page_path(self, "export/", export, "export"),
            page_path(self, address, images, "images"),
            page_path(self, f"{address}<int:place>.png", picture, "picture", cacheable=True),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Show the list below the statistics of the nodes."""
        query = f"?{request.GET.urlencode()}" if request.GET else ""
        context = {"nodes": node_statistics(), "export_query": query, **(extra_context or {})}
        return super().changelist_view(request, context)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kw: Any) -> Any:
        """Show the details of a retrieval instead of a form."""
        row = context["original"]
        nodes: Any = self.admin_site._registry.get(AriaNode)
        context.update(
            title=_("Retrieval of %s") % when(row),
            subtitle=None,
            details=details(row),
            shows_node=row.node_id and nodes and nodes.has_view_permission(request),
        )
        return super().render_change_form(request, context, *args, **kw)

    def outcome(self, row: Retrieval) -> str:
        """Return the status with a colour, and how many calls it is of."""
        label = row.status_label
        if row.times > 1:
            label = _("%(status)s, %(number)d times") % {"status": label, "number": row.times}
        return format_html('<span class="aria-status aria-status-{}">{}</span>', row.status, label)

    outcome.admin_order_field = "status"  # type: ignore[attr-defined]
    outcome.short_description = _lazy("status")  # type: ignore[attr-defined]

    def when(self, row: Retrieval) -> str:
        """Return the start to the second."""
        return _unbroken(when(row))

    when.admin_order_field = "started"  # type: ignore[attr-defined]

    def images(self, row: Retrieval) -> str:
        """Return how many images match, and how many of them were moved."""
        return _unbroken(
            _("%(found)d, %(moved)d moved") % {"found": row.found, "moved": row.moved}
            if row.found
            else "–"
        )

    images.admin_order_field = "found"  # type: ignore[attr-defined]

    def in_short(self, row: Retrieval) -> str:
        """Return the beginning of the message."""
        return Truncator(row.message).chars(70)

    in_short.short_description = _lazy("message")  # type: ignore[attr-defined]

    def time_taken(self, row: Retrieval) -> str:
        """Return the duration in seconds."""
        return _unbroken("–" if row.seconds is None else f"{row.seconds:.1f} s")

    time_taken.admin_order_field = "seconds"  # type: ignore[attr-defined]
    time_taken.short_description = _lazy("time")  # type: ignore[attr-defined]


def export(admin: RetrievalAdmin, request: HttpRequest) -> Any:
    """Send all pages of the list as filtered and searched."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    try:
        return as_csv(admin.get_changelist_instance(request).get_queryset(request))
    except IncorrectLookupParameters as error:
        raise Http404("The list cannot be filtered like that.") from error


def _unbroken(text: str) -> str:
    """Return text that a narrow column does not wrap."""
    return format_html('<span style="white-space: nowrap">{}</span>', text)
