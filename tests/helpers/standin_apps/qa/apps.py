"""The app, under the label by which QATrack+'s own is found."""

from __future__ import annotations

from django.apps import AppConfig


class QAConfig(AppConfig):
    name = "tests.helpers.standin_apps.qa"
    label = "qa"
    default_auto_field = "django.db.models.AutoField"
