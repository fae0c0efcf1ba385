"""A node in the database, and a simulated ARIA behind it."""

from __future__ import annotations

import datetime as dt
import io
import threading
from contextlib import ExitStack
from typing import Any, Callable, Iterator

import pydicom
import pytest
from django.core.management import call_command

from qatrack_aria.dicom import retrieve
from qatrack_aria.models import AriaNode
from qatrack_aria.simulator import Behaviour, Simulator, phantom
from tests.helpers.peers.server import free_port
from tests.helpers.waiting import until

PATIENT = "QA_TB1"
NOON = dt.datetime.combine(dt.date.today(), dt.time(12))
DAY = dt.timedelta(days=1)


def uids(images: Any) -> list[str]:
    """The SOP Instance UIDs of what was handed over, or of data sets; in no order."""
    found = [
        pydicom.dcmread(i, stop_before_pixels=True) if isinstance(i, str) else i for i in images
    ]
    return sorted(str(ds.SOPInstanceUID) for ds in found)


def command(*arguments: str) -> tuple[int, str, str]:
    """Run a command of ``manage.py``; its exit code, standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(*arguments, stdout=out, stderr=err)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def winston_lutz(plan: Any, acquired: dt.datetime = NOON, **options: Any) -> list[Any]:
    """Small Winston-Lutz images of a plan."""
    return phantom.winston_lutz(plan, acquired, full_size=False, **options)


def plan(label: str = "WL", patient: str = PATIENT, **options: Any) -> Any:
    """A plan of the QA patient, made a month ago."""
    return phantom.plan(patient, label, created=NOON - 30 * DAY, **options)


@pytest.fixture
def node(db: None, settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> AriaNode:
    """The node "aria", with an archive of its own and patience for a test."""
    monkeypatch.setattr(retrieve, "PAUSES", tuple(pause / 100 for pause in retrieve.PAUSES))
    settings.QATRACK_ARIA_ARCHIVE = str(tmp_path / "archive")
    return AriaNode.objects.create(
        name="aria",
        remote_ae_title="VMSDBD",
        remote_host="127.0.0.1",
        remote_port=free_port(),
        local_ae_title="QATRACK",
        local_host="127.0.0.1",
        local_port=free_port(),
        allowed_patients="QA_*",
        grace=0.2,
        stable_answers=0,  # what is asked must not depend on the time of day
    )


@pytest.fixture
def serve(node: AriaNode) -> Iterator[Callable[..., Simulator]]:
    """Start a simulated ARIA that holds some data sets and has some behaviour."""
    with ExitStack() as stack:

        def start(*datasets: Any, **behaviour: Any) -> Simulator:
            simulator = stack.enter_context(
                Simulator(
                    [one for many in datasets for one in _each(many)],
                    peers={"QATRACK": (node.local_host, node.local_port)},
                    behaviour=Behaviour(**behaviour),
                )
            )
            node.remote_port = simulator.port
            node.save()
            return simulator

        yield start


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Whatever happens, no thread of ours outlives a retrieval."""
    before = set(threading.enumerate())
    yield
    until(lambda: set(threading.enumerate()) <= before)  # some are ending by themselves
    assert set(threading.enumerate()) <= before


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
