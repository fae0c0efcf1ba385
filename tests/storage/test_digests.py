"""The digests of a file: of all of it, and of its beginning, as they are recorded beside it."""

from __future__ import annotations

import hashlib
import stat
import sys
from pathlib import Path

import pytest

from qatrack_aria.storage import digests

BEGINNING = 256 * 1024  # of each file of an archive that exists
HEADER, PIXELS = b"h" * 1000, b"p" * (BEGINNING + 5000)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "1.2.3.dcm"
    path.write_bytes(HEADER + PIXELS)
    return path


@pytest.fixture
def reserved(image: Path) -> Path:
    """A partial file, with room for the record of the image."""
    partial = image.with_name("record.part")
    partial.touch()
    digests.reserve(partial, image)
    return partial


OF_IMAGE = digests.digests_of((HEADER, PIXELS), "VMSDBD at 10.0.0.1")


def test_a_file_and_its_parts_have_the_same_digests(image: Path) -> None:
    whole = HEADER + PIXELS

    assert OF_IMAGE.file == digests.digest_of(image) == sha256(whole)
    assert OF_IMAGE.beginning == digests.beginning_of(image) == sha256(whole[:BEGINNING])
    assert OF_IMAGE.source == sha256(b"VMSDBD at 10.0.0.1")


@pytest.mark.parametrize("length", [0, 10, BEGINNING, BEGINNING + 1])
def test_a_file_of_any_length_has_them(tmp_path: Path, length: int) -> None:
    data = b"x" * length
    path = tmp_path / "1.2.3.dcm"
    path.write_bytes(data)

    known = digests.digests_of((data[:5], data[5:]), "")

    assert (known.file, known.beginning) == (digests.digest_of(path), digests.beginning_of(path))


def test_a_record_is_read_as_it_was_written(image: Path, reserved: Path) -> None:
    digests.record(reserved, image, OF_IMAGE)

    assert digests.recorded(image) == OF_IMAGE
    assert not reserved.exists()


def test_a_record_can_be_checked_by_sha256sum(image: Path, reserved: Path) -> None:
    digests.record(reserved, image, OF_IMAGE)

    first, *others = digests.beside(image).read_text().splitlines()

    assert first == f"{sha256(image.read_bytes())}  1.2.3.dcm"
    assert all(line.startswith("# ") for line in others)


def test_the_room_that_is_taken_before_is_that_of_the_record(image: Path, reserved: Path) -> None:
    """A disk that fills up meanwhile has room for the record of each image that was accepted."""
    room = reserved.stat().st_size

    digests.record(reserved, image, OF_IMAGE)

    assert digests.beside(image).stat().st_size == room


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_a_record_is_read_only(image: Path, reserved: Path) -> None:
    digests.record(reserved, image, OF_IMAGE)

    assert stat.S_IMODE(digests.beside(image).stat().st_mode) == 0o400


def test_reserved_room_alone_is_no_record(image: Path, reserved: Path) -> None:
    reserved.rename(digests.beside(image))

    assert digests.recorded(image) is None


def test_a_file_without_a_record_has_none(image: Path) -> None:
    assert digests.recorded(image) is None


@pytest.mark.parametrize("left", [0, 64, 150, -1])
def test_a_part_of_a_record_is_none(image: Path, reserved: Path, left: int) -> None:
    digests.record(reserved, image, OF_IMAGE)
    record = digests.beside(image)
    part = record.read_bytes()[:left]
    record.chmod(0o600)
    record.write_bytes(part)

    assert digests.recorded(image) is None
