"""The app, under the label by which QATrack+'s own is found."""

from __future__ import annotations

from django.apps import AppConfig


class AttachmentsConfig(AppConfig):
    name = "tests.helpers.standin_apps.attachments"
    label = "attachments"
    default_auto_field = "django.db.models.AutoField"
