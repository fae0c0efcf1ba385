"""Where ``UTILS.write_file`` puts its files, and what becomes of them on submission."""

from __future__ import annotations

import datetime as dt
from typing import Any, Mapping, Sequence

from django.apps import apps
from django.core.files.base import ContentFile


def attach(user: Any, name: str, content: bytes) -> dict[str, Any]:
    """Save a new attachment without an owner, and return what the page learns of it."""
    model = apps.get_model("attachments", "Attachment")
    attachment = model(
        attachment=ContentFile(content, name), comment="Composite created file", created_by=user
    )
    attachment.save()
    # attachment_info
    return {
        "attachment_id": attachment.pk,
        "name": attachment.attachment.name,
        "size": str(attachment.attachment.size),
        "url": attachment.attachment.url,
        "is_image": attachment.is_image,
    }


def save(
    attached: Mapping[str, Sequence[Mapping[str, Any]]],
    started: dt.datetime,
    completed: dt.datetime,
    session: Any = None,
    unit: int = 7,
    test_list: int = 1,
    in_progress: bool = False,
) -> Any:
    """Submit a page, new or open for editing: its tests own the attachments that it names."""
    model = apps.get_model("attachments", "Attachment")
    if session is None:
        session = apps.get_model("qa", "TestListInstance").objects.create(
            unit_test_collection=apps.get_model("qa", "UnitTestCollection").objects.create(
                unit_id=unit
            ),
            test_list_id=test_list,
            work_started=started,
            work_completed=completed,
            in_progress=in_progress,
        )
    # update_attachments: an edited session loses all its attachments first.
    model.objects.filter(testinstance__test_list_instance=session).update(testinstance=None)
    for slug, given in attached.items():
        test, _ = session.testinstance_set.get_or_create(slug=slug)
        for one in given:
            # A page that names an attachment which is not there cannot be saved.
            attachment = model.objects.get(pk=one["attachment_id"])
            attachment.testinstance = test
            attachment.save()
    return session
