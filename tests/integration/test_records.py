"""What is left behind: a row for every attempt, and nothing half-written."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import DatabaseError

from qatrack_aria import fetch_images
from qatrack_aria.errors import AriaError, IncompleteRetrievalError
from qatrack_aria.models import Retrieval
from qatrack_aria.retrieval import running
from qatrack_aria.simulator import phantom
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz


def test_a_fetch_leaves_a_complete_row(serve, node):
    wl = plan()
    images = winston_lutz(wl)
    serve(wl, images)
    result = fetch_images("aria", PATIENT, "WL", count=8)
    row = Retrieval.objects.get()
    assert (row.node, row.node_name, row.patient_id, row.plan) == (node, "aria", PATIENT, "WL")
    assert (row.status, row.message, row.folder) == ("done", result.status, result.path)
    assert (row.found, row.already_here, row.moved, row.refused) == (8, 0, 8, 0)
    assert row.bytes > sum(len(image.PixelData) for image in images)
    assert row.seconds > 0
    assert json.loads(row.request)["count"] == 8


def test_the_row_of_a_second_fetch_counts_what_was_here(serve):
    wl = plan()
    serve(wl, winston_lutz(wl))
    for _ in range(2):
        fetch_images("aria", PATIENT, "WL", max_age=0)
    row = Retrieval.objects.first()
    assert (row.found, row.already_here, row.moved, row.bytes) == (8, 8, 0, 0)


def test_who_waits_while_another_fetches_the_same_counts_it_as_here(serve, monkeypatch):
    wl = plan()
    serve(wl, winston_lutz(wl, NOON - DAY))
    hold_destination = running.hold_destination

    def wait_for_another(*arguments, **named):
        monkeypatch.setattr(running, "hold_destination", hold_destination)
        fetch_images("aria", PATIENT, "WL")
        return hold_destination(*arguments, **named)

    monkeypatch.setattr(running, "hold_destination", wait_for_another)
    assert len(fetch_images("aria", PATIENT, "WL")) == 8
    who_waited, who_fetched = Retrieval.objects.order_by("pk")
    assert (who_waited.found, who_waited.already_here, who_waited.moved) == (8, 8, 0)
    assert '"code": "shared"' in who_waited.timeline
    assert (who_fetched.found, who_fetched.already_here, who_fetched.moved) == (8, 0, 8)


def test_the_row_of_a_failure_counts_what_arrived_and_what_was_turned_away(serve):
    wl = plan()
    images = winston_lutz(wl)
    stranger = winston_lutz(plan(patient="QA_OTHER"), count=1)
    lost = frozenset({str(images[0].SOPInstanceUID)})
    serve(wl, images, unmovable=lost, extra=tuple(stranger))
    with pytest.raises(IncompleteRetrievalError) as error:
        fetch_images("aria", PATIENT, "WL")
    row = Retrieval.objects.get()
    assert (row.status, row.message) == ("incomplete", str(error.value))
    assert (row.found, row.moved) == (8, 7)
    assert row.refused >= 1


def test_the_row_names_the_user_of_qatrack(serve):
    wl = plan()
    serve(wl, winston_lutz(wl))
    utils = SimpleNamespace(user=SimpleNamespace(username="physicist"))
    fetch_images("aria", PATIENT, "WL", utils=utils)
    assert Retrieval.objects.get().user == "physicist"


def test_a_utils_without_user_is_no_trouble(serve):
    wl = plan()
    serve(wl, winston_lutz(wl))
    fetch_images("aria", PATIENT, "WL", utils=object())
    assert Retrieval.objects.get().user == ""


def test_images_are_not_lost_when_the_row_cannot_be_written(serve, monkeypatch):
    wl = plan()
    images = winston_lutz(wl)
    serve(wl, images)

    def fail(self, *args, **kwargs):
        raise DatabaseError("the disk of the database is full")

    monkeypatch.setattr(Retrieval, "save", fail)
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(images)


def test_neither_patient_names_nor_staff_names_are_logged(serve, caplog):
    caplog.set_level("DEBUG")
    wl = plan()
    images = winston_lutz(wl)
    serve(wl, images)
    fetch_images("aria", PATIENT, "WL")
    assert phantom.OPERATOR not in caplog.text
    assert str(images[0].PatientName) not in caplog.text


@pytest.mark.parametrize("behaviour", [{"abort_after": 0}, {"abort_after": 3, "uid_lists": False}])
def test_no_half_written_file_is_left(serve, settings, behaviour):
    wl = plan()
    serve(wl, winston_lutz(wl), **behaviour)
    with contextlib.suppress(AriaError):
        fetch_images("aria", PATIENT, "WL")
    assert list((Path(settings.QATRACK_ARIA_ARCHIVE) / "incoming").iterdir()) == []


def test_the_folder_of_a_set_outlives_the_object_and_holds_nothing_else(serve):
    wl = plan()
    images = winston_lutz(wl)
    serve(wl, images, phantom.kv(wl, NOON, like=images[0]))
    path = fetch_images("aria", PATIENT, "WL").path
    assert uids(str(file) for file in Path(path).iterdir()) == uids(images)


def test_two_sets_of_the_same_images_have_folders_of_their_own(serve):
    wl = plan()
    serve(wl, winston_lutz(wl))
    first, second = (fetch_images("aria", PATIENT, "WL", max_age=0) for _ in range(2))
    assert first.path != second.path
    for file in first:
        Path(file).unlink()
    assert len(uids(second)) == 8


def test_the_files_are_whole_and_cannot_be_written(serve):
    import pydicom

    wl = plan()
    images = winston_lutz(wl)
    serve(wl, images)
    for file in fetch_images("aria", PATIENT, "WL"):
        received = pydicom.dcmread(file)
        (sent,) = [image for image in images if image.SOPInstanceUID == received.SOPInstanceUID]
        assert received.PixelData == sent.PixelData
        assert not Path(file).stat().st_mode & 0o222
