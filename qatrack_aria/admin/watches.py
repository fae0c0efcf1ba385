"""Manage watches in the admin, and show what became of the sessions that they have seen."""

from __future__ import annotations

import copy
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import TextField
from django.forms.models import construct_instance
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from qatrack_aria.admin.context import page_path
from qatrack_aria.admin.morning import morning
from qatrack_aria.models import Watch, WatchedSession
from qatrack_aria.qatrack import collections


def _keys(name: str, choices: Any) -> forms.TypedChoiceField:
    """Return the field for one that holds the key of one of QATrack+'s rows."""
    field: Any = Watch._meta.get_field(name)
    return forms.TypedChoiceField(
        label=capfirst(field.verbose_name),
        help_text=field.help_text,
        coerce=int,
        empty_value=None,
        required=False,
        choices=lambda: [("", "---------"), *choices()],
    )


class WatchForm(forms.ModelForm):
    """Checks a watch where it is typed, against the node and against QATrack+."""

    collection = _keys("collection", collections.choices)
    status = _keys("status", collections.statuses)

    class Meta:
        model = Watch
        fields = "__all__"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "user" in self.fields:
            users = get_user_model()._default_manager.filter(is_active=True)
            self.fields["user"].queryset = users.order_by("username")

    def clean(self) -> Any:
        """Check the fields against each other, the node and QATrack+."""
        cleaned = super().clean()
        if not self.errors:
            # Imported here, so that QATrack+ starts without loading pynetdicom.
            from qatrack_aria.automation.checking import problems

            watch = construct_instance(self, copy.copy(self.instance))
            for field, why in problems(watch).items():
                self.add_error(field if field in self.fields else None, why)
        return cleaned


@admin.register(Watch)
class WatchAdmin(admin.ModelAdmin):
    """The admin of the watches."""

    form = WatchForm
    list_display = ("name", "node", "patient_id", "plan", "test_list", "is_active", "last_look")
    list_filter = ("is_active", "node")
    list_select_related = ("node", "state")
    search_fields = ("name", "patient_id", "plan")
    save_as = True
    fieldsets = (
        (None, {"fields": ("name", "is_active")}),
        (_lazy("Images"), {"fields": ("node", "patient_id", "plan", "image_type", "count")}),
        (
            _lazy("Options of the request"),
            {"fields": ("machine", "course", "select", "kv"), "classes": ("collapse",)},
        ),
        (_lazy("When to look"), {"fields": ("minutes", ("begins", "ends"), "since")}),
        (
            _lazy("What to perform"),
            {"fields": ("collection", "day", "user", "in_progress", "mail_to")},
        ),
        (
            _lazy("How to perform it"),
            {"fields": ("patient_test", "plan_test", "status"), "classes": ("collapse",)},
        ),
    )

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Return the form field; make text areas as high as the lists entered in them."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(db_field, TextField):
            field.widget.attrs["rows"] = 3
        return field

    def test_list(self, watch: Watch) -> str:
        """Return the test list that it performs."""
        found = collections.UnitCollection.find(watch.collection)
        return str(found) if found is not None else "–"

    test_list.short_description = _lazy("test list")  # type: ignore[attr-defined]

    def last_look(self, watch: Watch) -> Any:
        """Return when it last looked, or how that failed."""
        state = getattr(watch, "state", None)
        if state is None:
            return _("not yet")
        return state.message or state.looked

    last_look.short_description = _lazy("last look")  # type: ignore[attr-defined]


@admin.register(WatchedSession)
class WatchedSessionAdmin(admin.ModelAdmin):
    """The morning page, in the place of a list, and the details of a session, read-only."""

    readonly_fields = (
        "watch",
        "first",
        "last",
        "images",
        "what_became_of_it",
        "message",
        "attempts",
        "found",
        "tried",
        "retry",
        "performed",
        "retrieval",
    )
    fields = readonly_fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any | None = None) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        """Put the morning page in the place of the list."""
        return [page_path(self, "", morning, "changelist"), *super().get_urls()]

    def what_became_of_it(self, row: WatchedSession) -> str:
        """Return the state."""
        return row.state_label

    what_became_of_it.short_description = _lazy("state")  # type: ignore[attr-defined]
