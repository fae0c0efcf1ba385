from __future__ import annotations

import datetime as dt
from typing import Any, Callable

import pytest
from django.utils import timezone

from qatrack_aria.models import Watch
from tests.helpers.aria import NOON, PATIENT

#: Before all that is irradiated in these tests.
LONG_AGO = timezone.make_aware(NOON - dt.timedelta(days=365))


@pytest.fixture
def watch(node: Any) -> Watch:
    """A watch that has the images of WL ready."""
    return Watch.objects.create(name="WL", node=node, patient_id=PATIENT, plan="WL", since=LONG_AGO)


@pytest.fixture
def look(watch: Watch) -> Callable[..., list[str]]:
    """Have it look; what it said."""
    from qatrack_aria.automation.look import Look

    def run(**options: Any) -> list[str]:
        said: list[str] = []
        Look(Watch.objects.get(pk=watch.pk), said.append, **options).run()
        return said

    return run
