"""A disk that hangs, as a network drive does: the deadline still ends every wait."""

from __future__ import annotations

import os
import socketserver
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from qatrack_aria import fetch_images, images_from
from qatrack_aria.conf import conf
from qatrack_aria.dicom.inbox import Inbox
from qatrack_aria.dicom.retrieve_operation import RetrieveOperation
from qatrack_aria.errors import ArchiveError, AriaError, ReceiverError
from qatrack_aria.retrieval import answer_cache, service
from qatrack_aria.storage import archive as archive_module
from qatrack_aria.storage import copying
from tests.helpers.aria import PATIENT, uids
from tests.storage.world import World

DEADLINE = 2.0
#: Until gunicorn kills the worker there are five seconds, with the default of 25 for a node.
LATE = 1.0


@pytest.fixture
def hang() -> Iterator[Callable[..., Any]]:
    """Have a step of the disk hang until the end of the test."""
    awake = threading.Event()

    def hanging(step: Callable[..., Any]) -> Callable[..., Any]:
        def hang(*args: Any, **options: Any) -> Any:
            assert awake.wait(60)
            return step(*args, **options)

        return hang

    yield hanging
    awake.set()


def fetched_again() -> Any:
    return fetch_images("aria", PATIENT, "WL", max_age=0)


def failure_in_time(**options: Any) -> AriaError:
    began = time.monotonic()
    with pytest.raises(AriaError) as caught:
        fetch_images("aria", PATIENT, "WL", deadline=DEADLINE, **options)
    assert time.monotonic() - began < DEADLINE + LATE
    return caught.value


@pytest.mark.parametrize("method", ["C-MOVE", "C-GET"])
@pytest.mark.parametrize(
    ("place", "step"),
    [(os, "fsync"), (archive_module, "_write"), (archive_module, "read_checked")],
    ids=["when it flushes", "when it is written to", "when it is read"],
)
def test_a_disk_that_hangs_when_an_image_arrives(
    world: World,
    node: Any,
    hang: Any,
    monkeypatch: pytest.MonkeyPatch,
    place: Any,
    step: str,
    method: str,
) -> None:
    node.retrieve_method = method
    node.save()
    with monkeypatch.context() as hanging:
        hanging.setattr(place, step, hang(getattr(place, step)))

        failure_in_time()


def test_a_disk_that_hangs_when_it_flushes_is_named(
    world: World, hang: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", hang(os.fsync))

    failure = failure_in_time()

    assert isinstance(failure, ArchiveError)
    assert "the disk of" in str(failure)


@pytest.mark.parametrize(
    ("place", "step"),
    [
        (Path, "mkdir"),
        (archive_module, "read_checked"),
        (copying, "copy"),
        (answer_cache, "folder_state"),
        (service, "prune"),
    ],
    ids=[
        "at the beginning",
        "when the archive is read",
        "when the set is laid out",
        "when the answer is kept",
        "when old sets are removed",
    ],
)
@pytest.mark.parametrize("reopened", [False, True], ids=["fetched", "reopened"])
def test_a_disk_that_hangs_at_any_other_time(
    world: World,
    node: Any,
    hang: Any,
    monkeypatch: pytest.MonkeyPatch,
    place: Any,
    step: str,
    reopened: bool,
) -> None:
    """What is complete by then is handed over all the same."""
    summary = fetch_images("aria", PATIENT, "WL").summary
    node.deadline = DEADLINE
    node.save()
    archive_module._read_proved.cache_clear()
    with monkeypatch.context() as hanging:
        hanging.setattr(place, step, hang(getattr(place, step)))
        began = time.monotonic()
        failure, images = "", world.images
        try:
            images = images_from(summary) if reopened else fetched_again()
        except AriaError as error:
            failure = str(error)
    assert time.monotonic() - began < DEADLINE + LATE
    assert not failure or "has not answered within 2 s" in failure
    assert uids(images) == uids(world.images)


@pytest.fixture
def starve(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], None]:
    """Have no threads start that would run a function of ours."""
    start = threading.Thread.start

    def without(function: Callable[..., Any]) -> None:
        def refuse(thread: threading.Thread) -> None:
            if getattr(getattr(thread, "_target", None), "__func__", None) is function:
                raise RuntimeError("can't start new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", refuse)

    return without


@pytest.mark.parametrize(
    ("function", "failure"),
    [
        (Inbox._file, ArchiveError),
        (RetrieveOperation._read_responses, ReceiverError),
        (socketserver.BaseServer.serve_forever, ReceiverError),
    ],
    ids=["to file an image", "to read the responses", "to listen"],
)
def test_a_thread_that_cannot_start_is_an_error_at_once(
    world: World,
    starve: Any,
    monkeypatch: pytest.MonkeyPatch,
    function: Callable[..., Any],
    failure: type[AriaError],
) -> None:
    """And not only when all of the time is used up; what has arrived by then is kept."""
    starve(function)
    began = time.monotonic()
    with pytest.raises(failure, match=r"cannot start another thread .*can't start new"):
        fetch_images("aria", PATIENT, "WL", deadline=60)
    assert time.monotonic() - began < 20
    assert list(conf.ARCHIVE.glob("incoming/*")) == []

    monkeypatch.undo()
    images = fetch_images("aria", PATIENT, "WL", max_age=0)
    assert (images.already_here > 0) is (failure is ArchiveError)
    assert uids(images) == uids(world.images)
