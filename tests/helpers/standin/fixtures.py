"""A test list of QATrack+ on somebody's screen, beside the node and the simulated ARIA."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, Callable

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import override_settings

from qatrack_aria import errors
from qatrack_aria.errors import AriaError
from qatrack_aria.models import Retrieval
from qatrack_aria.storage.filesystem import now_on_disk
from tests.helpers.standin.browser import Page
from tests.helpers.standin.calculation import QAList

HEAD = "from qatrack_aria import fetch_images, fetch_status, images_from\n"
FETCH = 'fetch_images("aria", patientid, rtplanname, "portal", utils=UTILS)'

#: Three composites of one list that ask for the same images.
THREE = {
    "images_status": HEAD + "result = " + FETCH.replace("fetch_images", "fetch_status"),
    "images_summary": HEAD + f"result = {FETCH}.summary",
    "images_count": HEAD + f"images_count = len({FETCH})",
}


@pytest.fixture
def user(db: None) -> Any:
    return get_user_model().objects.create(username="physicist")


@pytest.fixture
def unit() -> Any:
    return SimpleNamespace(pk=7, name="TB1", number=1)


@pytest.fixture
def page(user: Any, unit: Any) -> Callable[..., Page]:
    """Open a test list with fields for patient and plan; keywords are what META says."""

    def open_page(procedures: Any, *more_inputs: str, **meta: Any) -> Page:
        if isinstance(procedures, str):
            procedures = {"composite": HEAD + procedures}
        qa_list = QAList("Monthly", ("patientid", "rtplanname", *more_inputs), dict(procedures))
        return Page(qa_list, user, unit, **meta).open()

    return open_page


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The clock by which answers grow old: ``clock.now += 60`` lets a minute pass."""
    began = time.time()
    clock = SimpleNamespace(now=began)
    monkeypatch.setattr(
        "qatrack_aria.retrieval.answer_cache.now_on_disk",
        lambda folder: now_on_disk(folder) + clock.now - began,
    )
    return clock


#: Characters of a message that a browser can bring about: a tooltip is read by people. The longest
#: quotes a patient and a plan of 64 characters twice each.
MESSAGE = 750
#: Characters of a row of which that is the message, beside its timeline.
ROW = 2000
#: Characters of the timeline, with four queries and one transfer.
TIMELINE = 3000


def assert_named_and_short(opened: Page) -> None:
    """The composite has failed by one of our errors, in few words, and left little behind."""
    assert opened.replies[-1].status == 200
    assert opened.screen["composite"] is None
    last_line = opened.tooltips["composite"].splitlines()[-1]
    name, _, message = last_line.partition(": ")
    kind = getattr(errors, name.replace("qatrack_aria.errors.", ""), None)
    assert kind is not None, f"no failure of ours: {last_line}"
    assert issubclass(kind, AriaError)
    assert message.strip()
    assert len(message) <= MESSAGE
    assert_small_rows()


def assert_small_rows() -> None:
    """No row in the database holds more than a person would type."""
    for row in Retrieval.objects.values():
        assert len(row.pop("timeline")) <= TIMELINE
        assert sum(len(str(value)) for value in row.values()) <= ROW


# --- attachments ------------------------------------------------------------------------------

STANDIN_APPS = [
    "tests.helpers.standin_apps.qa.apps.QAConfig",
    "tests.helpers.standin_apps.attachments.apps.AttachmentsConfig",
]


@pytest.fixture(scope="session")
def attachment_tables(django_db_setup: None, django_db_blocker: Any) -> None:
    """The tables of the stand-in app, made outside of any test's transaction."""
    with django_db_blocker.unblock():
        with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, *STANDIN_APPS]):
            there = connection.introspection.table_names()  # folders have fixtures of their own
            with connection.schema_editor() as editor:
                for label in ("qa", "attachments"):
                    for model in apps.get_app_config(label).get_models():
                        if model._meta.db_table not in there:
                            editor.create_model(model)


@pytest.fixture
def attachments(
    attachment_tables: None, db: None, settings: Any, tmp_path: Any
) -> Callable[[], list[Any]]:
    """QATrack+'s table of attachments; calling it gives what is in it, the oldest first."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, *STANDIN_APPS]
    settings.MEDIA_ROOT, settings.MEDIA_URL = str(tmp_path / "media"), "/media/"
    return lambda: list(apps.get_model("attachments", "Attachment").objects.order_by("pk"))
