"""A stand-in for that part of QATrack+'s REST API which performs a test list.

It keeps the rules that matter to an unattended performance, each seen at QATrack+ 3.1.1 and 4.0
(the serializer TestListInstanceCreator): all composites are computed before anything is saved, as
the user, with the times of the work in META; an error of one of them refuses the whole list; the
session is created in one transaction, and its user key is unique.
"""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any, Callable

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, transaction
from django.utils import timezone

from qatrack_aria.errors import NotPerformedError
from qatrack_aria.qatrack import performing
from qatrack_aria.qatrack.collections import ListTest, UnitCollection
from tests.helpers.standin.calculation import Calculation, QAList

#: The key of the one list on a unit.
KEY = 17


@dataclasses.dataclass
class OnUnit:
    """A test list on a unit, in the place of :class:`UnitCollection`."""

    qa_list: QAList
    unit: Any
    is_cycle = False
    is_in_use = True
    days = 1

    def __post_init__(self) -> None:
        self.row = SimpleNamespace(pk=KEY, unit=self.unit)

    def __str__(self) -> str:
        return f"{self.unit.name}: {self.qa_list.name}"

    def day(self, wanted: int | None) -> int:
        return 0

    def test_list(self, day: int) -> QAList:
        return self.qa_list

    def tests(self, day: int) -> list[ListTest]:
        typed = [ListTest(slug, "string", "") for slug in self.qa_list.inputs]
        computed = self.qa_list.procedures.items()
        return [*typed, *(ListTest(slug, "scomposite", text) for slug, text in computed)]

    def is_visible_to(self, user: Any) -> bool:
        return True


def perform(work: Any, require: Callable[[], None]) -> Any:
    """POST /api/qa/testlistinstances/."""
    collection = work.collection
    times = {"work_started": work.started, "work_completed": work.completed}
    local = {key: timezone.localtime(moment) for key, moment in times.items()}
    data = {
        "tests": {**dict.fromkeys(collection.qa_list.procedures, ""), **work.values},
        "meta": {key: f"{moment:%Y-%m-%d %H:%M:%S}" for key, moment in local.items()},
    }
    calculation = Calculation(work.user, collection.unit, collection.qa_list, data)
    results = calculation.answer()["results"]
    for slug, result in results.items():
        if result["error"]:
            raise NotPerformedError(f"QATrack+: Error with {slug}: {result['error']}")
    require()
    sessions = apps.get_model("qa", "TestListInstance")
    try:
        with transaction.atomic():
            return sessions.objects.create(
                unit_test_collection_id=KEY,
                test_list_id=collection.qa_list.pk,
                in_progress=work.in_progress,
                user_key=work.key,
                created_by=work.user,
                **times,
            )
    except IntegrityError as error:
        raise NotPerformedError("QATrack+: that key exists already") from error


@pytest.fixture
def performed_list(
    attachments: Any, unit: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Have QATrack+ stand in, with one list on a unit; and a user who may perform it."""

    def make(**procedures: str) -> Any:
        on_unit = OnUnit(QAList("Monthly", ("patientid", "rtplanname"), procedures), unit)
        apps.get_model("qa", "UnitTestCollection").objects.create(pk=KEY, unit_id=unit.pk)
        monkeypatch.setattr(
            UnitCollection, "find", classmethod(lambda cls, key: on_unit if key == KEY else None)
        )
        monkeypatch.setattr(performing, "perform", perform)
        user = get_user_model().objects.create(username="watch")
        kind, _ = ContentType.objects.get_or_create(app_label="qa", model="testlistinstance")
        permission, _ = Permission.objects.get_or_create(
            codename="add_testlistinstance", content_type=kind
        )
        user.user_permissions.add(permission)
        return SimpleNamespace(collection=KEY, user=user, on_unit=on_unit)

    return make
