"""What was learned of images is read back as it was learned, or not at all."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import pytest

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.retrieval.image_notes import from_note, to_note
from qatrack_aria.retrieval.knowledge import UNUSED, remove_unused
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.notes import read_note, write_note

NOON = dt.datetime(2026, 11, 22, 12, 30, 15, 250000)
IMAGES = [
    ImageRef("QA_TB1", "1.2", "1.2.3", "1.2.3.4"),
    ImageRef(
        "QA_Ü",
        "1.2",
        "1.2.3",
        "1.2.3.5",
        modality="RTIMAGE",
        image_type=("ORIGINAL", "PRIMARY", "PORTAL"),
        plan_uids=frozenset(("1.9", "1.8")),
        acquired=NOON,
        machines=frozenset(("TB1",)),
        dose_unit="MU",
    ),
    ImageRef("QA_TB1", "1.2", "1.2.4", "1.2.3.6", plan_uids=frozenset(), acquired_on=NOON.date()),
    ImageRef("QA_TB1", "1.2", "1.2.4", "1.2.3.7", image_type=(), machines=frozenset()),
]


def test_images_are_read_back_as_they_were() -> None:
    assert from_note(json.loads(json.dumps(to_note(IMAGES)))) == IMAGES


def test_a_note_is_small() -> None:
    many = [
        ImageRef(**{**IMAGES[1].__dict__, "sop_uid": f"1.2.246.352.64.{10**20 + number}"})
        for number in range(1000)
    ]
    assert len(json.dumps(to_note(many))) < 150 * len(many)


@pytest.mark.parametrize("value", [{"images": [1, None, "ü"]}, [], {}])
def test_a_note_is_read_back(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "known" / "node" / "note.json"
    write_note(path, value)
    assert read_note(path) == value


def test_a_note_that_was_touched_is_none(tmp_path: Path) -> None:
    path = tmp_path / "known" / "node" / "note.json"
    write_note(path, {"count": 1})
    written = path.read_bytes()
    for at in range(0, len(written), 7):
        path.write_bytes(written[:at] + bytes([written[at] ^ 1]) + written[at + 1 :])
        assert read_note(path) is None
        path.write_bytes(written[:at])
        assert read_note(path) is None
    assert read_note(tmp_path / "none") is None


def test_what_nobody_has_written_for_a_month_is_removed(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive", node="aria")
    remove_unused(archive)
    old, new = archive.known / "old.json", archive.known / "new.json"
    for path in (old, new):
        write_note(path, {})
    long_ago = dt.datetime.now().timestamp() - UNUSED - 60
    os.utime(old, (long_ago, long_ago))
    remove_unused(archive)
    assert [path.name for path in archive.known.iterdir()] == ["new.json"]
