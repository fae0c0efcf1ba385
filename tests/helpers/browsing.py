"""Somebody in the admin, in front of a node with a simulated ARIA behind it."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any, Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils.html import escape

from qatrack_aria.models import Retrieval
from qatrack_aria.simulator import phantom
from tests.helpers.aria import DAY, NOON, PATIENT, plan, winston_lutz

#: Noon of a day that is over, whenever the tests run.
YESTERDAY = NOON - DAY


def browse_address(node: Any) -> str:
    return f"/admin/qatrack_aria/arianode/{node.pk}/browse/"


def images_address(row: Any) -> str:
    return f"/admin/qatrack_aria/retrieval/{row.pk}/images/"


@pytest.fixture
def world(serve: Callable[..., Any]) -> SimpleNamespace:
    """A QA patient with four plans; of WL eight MV images and a kV image on each of two days."""
    wl = plan("WL")
    days = []
    for ago in (1, 8):
        mv = winston_lutz(wl, NOON - ago * DAY)
        days.append(
            [*mv, *phantom.kv(wl, NOON - ago * DAY + 10 * MINUTE, full_size=False, like=mv[0])]
        )
    pf = plan("PF")
    daily = [plan("DAILY", course=course) for course in ("C1", "C2")]
    dose = phantom.portal_dose(wl, YESTERDAY + dt.timedelta(hours=1), full_size=False)
    pickets = phantom.picket_fence(daily[1], YESTERDAY, full_size=False)
    aria = serve(wl, *days, pf, *daily, dose, pickets)
    return SimpleNamespace(aria=aria, wl=wl, pf=pf, daily=daily, days=days, dose=dose)


MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    """Log in somebody who may view some models and nothing else."""

    def log_in(*models: str) -> Client:
        user = User.objects.create_user(f"jane{len(models)}", is_staff=True)
        for model in models:
            user.user_permissions.add(Permission.objects.get(codename=f"view_{model}"))
        client = Client()
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def viewer(staff: Any) -> Client:
    """Somebody who may view nodes and retrievals."""
    return staff("arianode", "retrieval")


@pytest.fixture
def page(viewer: Client, node: Any) -> Callable[..., str]:
    """A page of the browser, by what is in its address."""

    def get(**asked: Any) -> str:
        answer = viewer.get(browse_address(node), asked)
        assert answer.status_code == 200
        return answer.content.decode()

    return get


@pytest.fixture
def fetched(world: Any, node: Any) -> Retrieval:
    """The row of a retrieval of WL's newest eight images."""
    from qatrack_aria.retrieval.service import fetch

    fetch(node.name, PATIENT, "WL", "portal")
    return Retrieval.objects.get()


def shown(text: str) -> str:
    """A text as it stands in a page."""
    return str(escape(text))
