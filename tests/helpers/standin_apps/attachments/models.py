"""As much of QATrack+'s models as an attachment has to do with, under QATrack+'s names."""

from __future__ import annotations

import secrets
from pathlib import PurePath
from typing import Any

from django.conf import settings
from django.db import models


def upload_path(attachment: Any, name: str) -> str:
    # get_upload_path: each file gets a name of its own, in one folder until somebody owns it.
    path = PurePath(name)
    return f"uploads/tmp/{path.stem}_{secrets.token_hex(3)}{path.suffix}"


class Attachment(models.Model):
    """A file; it has no owner until the page that lists it is submitted."""

    attachment = models.FileField(upload_to=upload_path, max_length=255)
    label = models.CharField(max_length=255, blank=True)
    comment = models.TextField(blank=True)
    testlistinstance = models.ForeignKey(
        "qa.TestListInstance", null=True, blank=True, on_delete=models.CASCADE
    )
    testinstance = models.ForeignKey(
        "qa.TestInstance", null=True, blank=True, on_delete=models.CASCADE
    )
    created = models.DateTimeField(auto_now_add=True)
    # Without a constraint in the database: other tests empty the table of users by themselves.
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, db_constraint=False
    )

    OWNER_MODELS = ["testinstance", "testlistinstance"]

    class Meta:
        app_label = "attachments"

    @property
    def is_image(self) -> bool:
        return self.attachment.name.endswith((".png", ".jpg", ".gif"))
