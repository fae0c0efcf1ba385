"""Configure the app for Django."""

from __future__ import annotations

from django.apps import AppConfig


class QatrackAriaConfig(AppConfig):
    """The app ``qatrack_aria``."""

    name = "qatrack_aria"
    verbose_name = "ARIA images"
    # Named here because Django's default differs between 2.2 and 6, and the migrations must not.
    default_auto_field = "django.db.models.AutoField"

    def ready(self) -> None:
        """Register this app's checks."""
        from qatrack_aria import checks  # noqa: F401
