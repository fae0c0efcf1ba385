"""The disk refuses: nothing half-done is kept, the error says so, and the next fetch goes on."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest

from qatrack_aria.dicom.inbox import FILED_AT_ONCE
from qatrack_aria.errors import ArchiveError
from tests.helpers.aria import uids
from tests.storage.conftest import as_nobody, give_to_nobody
from tests.storage.world import IMAGES, OUT_OF_RESOURCES, World, assert_goes_on, fetched

# --- a full disk ------------------------------------------------------------------------------

FULL = r"Archive: cannot write \S+ \(No space left on device\): free some space on that disk\.$"


@pytest.mark.parametrize("method", ["C-MOVE", "C-GET"])
@pytest.mark.parametrize("options", ["size=32k", "nr_inodes=13"], ids=["bytes", "files"])
def test_a_disk_that_fills_up_in_the_midst(
    world: World, node: Any, archive: Path, disk: Any, options: str, method: str
) -> None:
    node.retrieve_method = method
    node.save()
    small = disk(archive.parent, options)

    with pytest.raises(ArchiveError, match=FULL.replace("write", "(write|make)")):
        fetched()
    here = world.whole(archive)
    assert 0 < here < IMAGES
    assert world.taken_and_refused() == (here, OUT_OF_RESOURCES)

    small.remount("size=1m,nr_inodes=1000")
    assert_goes_on(world, archive)


def test_a_disk_that_is_full_from_the_beginning(world: World, archive: Path, disk: Any) -> None:
    fetched()
    shutil.rmtree(archive)
    small = disk(archive.parent, "size=4k,nr_inodes=3")

    with pytest.raises(ArchiveError, match=r"Archive: cannot \w+ .*No space left .*: free some"):
        fetched()

    small.remount("size=1m,nr_inodes=1000")
    assert fetched() == uids(world.images)


def test_a_disk_with_no_room_for_the_copies_of_a_set(
    world: World, archive: Path, disk: Any
) -> None:
    """Another disk knows no hard links into the archive."""
    small = disk(archive / "sets", "size=32k")

    with pytest.raises(ArchiveError, match=r"cannot lay out the images in .* space .*: free some"):
        fetched()
    assert list((archive / "sets").iterdir()) == []

    small.remount("size=1m")
    assert_goes_on(world, archive)


def test_a_disk_that_fails_only_when_the_data_reach_it(
    world: World, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next image is on its way by then, and is the one that is answered with a failure."""

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(ArchiveError, match=r"cannot write .*error\): that disk is failing"):
            fetched()
    taken, status = world.taken_and_refused()
    assert (taken < FILED_AT_ONCE, status) == (True, OUT_OF_RESOURCES)
    assert world.whole(archive) == 0

    assert fetched() == uids(world.images)
    assert world.whole(archive) == IMAGES


# --- a limit for the size of a file -----------------------------------------------------------


@contextlib.contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize("size", [1000, 9000], ids=["in the header", "in the pixels"])
def test_a_limit_for_the_size_of_a_file(world: World, archive: Path, size: int) -> None:
    with pytest.raises(ArchiveError, match=r"cannot write .*File too large.*\(ulimit -f\)"):
        with no_file_beyond(size):
            fetched()
    assert world.taken_and_refused() == (0, OUT_OF_RESOURCES)
    assert world.whole(archive) == 0

    assert_goes_on(world, archive)


# --- not allowed ------------------------------------------------------------------------------


def test_an_archive_on_a_read_only_disk(world: World, archive: Path, disk: Any) -> None:
    drive = disk(archive.parent, "size=1m")
    drive.remount("ro")

    with pytest.raises(
        ArchiveError, match=r"cannot make .*Read-only file system\): choose another folder by QATR"
    ):
        fetched()
    assert world.simulator.log == []

    drive.remount("rw")
    assert_goes_on(world, archive)


def test_an_archive_that_has_become_read_only(world: World, archive: Path, disk: Any) -> None:
    drive = disk(archive.parent, "size=1m")
    fetched()
    drive.remount("ro")

    with pytest.raises(
        ArchiveError, match=r"cannot lock .*Read-only file system\): choose another folder by QATR"
    ):
        fetched()

    drive.remount("rw")
    assert_goes_on(world, archive)


def test_an_archive_that_belongs_to_who_tried_the_command_first(
    world: World, open_archive: Path
) -> None:
    fetched()

    with as_nobody(), pytest.raises(
        ArchiveError, match=rf"cannot make .*Permission denied.*\({open_archive} belongs to root\)"
    ):
        fetched()

    give_to_nobody(open_archive)
    with as_nobody():
        assert fetched() == uids(world.images)


def test_a_permission_that_is_withdrawn_in_the_midst(world: World, open_archive: Path) -> None:
    fetched()
    for path in open_archive.glob("instances/*"):
        shutil.rmtree(path)
    give_to_nobody(open_archive)
    world.simulator.log.clear()
    world.at_image(IMAGES + 3, lambda: (open_archive / "incoming").chmod(0o500))

    with as_nobody(), pytest.raises(ArchiveError, match=r"cannot write .*Permission denied\): let"):
        fetched()
    assert world.taken_and_refused() == (2, OUT_OF_RESOURCES)
    assert world.whole(open_archive) == 2

    (open_archive / "incoming").chmod(0o700)
    with as_nobody():
        assert_goes_on(world, open_archive)
