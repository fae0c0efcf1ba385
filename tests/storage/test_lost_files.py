"""Files that were there are gone or damaged: removed under us, or left so by a power cut."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from qatrack_aria import fetch_images
from qatrack_aria.errors import ArchiveError
from qatrack_aria.retrieval.service import fetch
from qatrack_aria.storage import archive as archive_module
from qatrack_aria.storage.archive import Archive
from tests.helpers import datasets
from tests.helpers.aria import PATIENT, uids
from tests.storage.world import IMAGES, OUT_OF_RESOURCES, World, fetched

# --- removed ----------------------------------------------------------------------------------


def test_an_archive_that_is_removed_in_the_midst(world: World, archive: Path) -> None:
    world.at_image(3, lambda: shutil.rmtree(archive))

    with pytest.raises(
        ArchiveError, match=r"cannot write .*No such file.*: something has cleared that folder"
    ):
        fetched()
    assert world.taken_and_refused() == (2, OUT_OF_RESOURCES)
    assert not (archive / "instances").exists()

    assert fetched() == uids(world.images)
    assert world.whole(archive) == IMAGES


@pytest.mark.parametrize(
    ("place", "step", "fails"),
    [(archive_module, "read_checked", "make"), (os, "fsync", "write")],
    ids=["when it is looked at", "when the disk keeps it"],
)
def test_an_archive_that_is_removed_while_an_image_is_filed_does_not_come_back_in_part(
    archive: Path, monkeypatch: pytest.MonkeyPatch, place: Any, step: str, fails: str
) -> None:
    """Its folders would be open to all, and the next to use it would leave them so."""
    filing = Archive(archive)
    monkeypatch.setattr(place, step, lambda *args: shutil.rmtree(archive))
    cleared = "something has cleared that folder"

    with pytest.raises(ArchiveError, match=rf"cannot {fails} .*: {cleared}"):
        datasets.file_in(filing, datasets.incoming(datasets.image()), PATIENT)
    assert not archive.exists()


def test_an_archive_that_is_removed_when_all_has_arrived(world: World, archive: Path) -> None:
    def clear(arrived: int, wanted: int, size: int) -> None:
        if arrived == wanted:
            shutil.rmtree(archive)

    with pytest.raises(ArchiveError, match="files that had arrived are gone"):
        fetch("aria", PATIENT, "WL", progress=clear)

    assert fetched() == uids(world.images)


def test_an_archive_that_is_removed_under_a_set(world: World, archive: Path) -> None:
    images = fetch_images("aria", PATIENT, "WL")
    shutil.rmtree(archive)

    with pytest.raises(ArchiveError, match=r"cannot read .*: something has cleared that folder"):
        _ = images.summary
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(world.images)


# --- a power cut ------------------------------------------------------------------------------


def test_an_image_is_on_the_disk_before_it_has_its_name(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = datasets.image()
    incoming = datasets.incoming(image)
    flushed = []

    def look(descriptor: int) -> None:
        flushed.append((os.fstat(descriptor).st_size, there.exists()))

    monkeypatch.setattr(os, "fsync", look)
    filing = Archive(archive)
    there = filing.path(incoming.sop_uid)
    datasets.file_in(filing, incoming, PATIENT)

    assert flushed == [(there.stat().st_size, False)]


@pytest.mark.parametrize("length", [0, 140, 9000], ids=["nothing", "a preamble", "some pixels"])
def test_images_of_which_a_power_cut_has_left(world: World, archive: Path, length: int) -> None:
    """They are on the disk by then; but disks have been found to lie."""
    fetch_images("aria", PATIENT, "WL")
    for path in archive.glob("instances/*/*/*.dcm"):
        path.chmod(0o600)
        os.truncate(path, length)

    assert uids(fetch_images("aria", PATIENT, "WL", max_age=0)) == uids(world.images)
    assert world.whole(archive) == IMAGES


def test_copies_that_a_power_cut_has_emptied(world: World, archive: Path, disk: Any) -> None:
    disk(archive / "sets", "size=1m")
    images = fetch_images("aria", PATIENT, "WL")
    os.truncate(images.files[-1], 0)

    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(world.images)
