"""Copies of filed instances: what they are like, however the disk makes them."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any, Callable

import pytest

from qatrack_aria.storage import copying
from qatrack_aria.storage.copying import copy

CONTENT = bytes(range(256)) * 20


@pytest.fixture
def filed(tmp_path: Path) -> Path:
    """A filed instance of last week."""
    path = tmp_path / "1.2.3.dcm"
    path.write_bytes(CONTENT)
    os.utime(path, (1_764_000_000.75, 1_764_000_000.75))
    return path


def shares(most: int, fails_after: int = 10**9) -> Callable[..., int]:
    """A kernel that copies so many bytes at a time, and fails after so many in all."""

    def within(source: int, target: int, count: int, at: int, to: int) -> int:
        assert at == to
        assert count == len(CONTENT) - at
        if at >= fails_after:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return os.pwrite(target, os.pread(source, min(count, most), at), to)

    return within


@pytest.mark.parametrize(
    "within_the_kernel",
    [
        pytest.param(None, id="unknown"),
        pytest.param(shares(10**9), id="at once"),
        pytest.param(shares(1000), id="piece by piece"),
        pytest.param(shares(1000, fails_after=2000), id="breaks off"),
        pytest.param(lambda *args: 0, id="copies nothing"),
    ],
)
def test_a_copy_has_the_content_and_the_digest_of_the_file(
    filed: Path, monkeypatch: pytest.MonkeyPatch, within_the_kernel: Any
) -> None:
    monkeypatch.setattr(os, "copy_file_range", within_the_kernel, raising=False)
    target = filed.with_name("copy.dcm")

    digest = copy(filed, target)

    assert target.read_bytes() == CONTENT
    assert digest == hashlib.sha256(CONTENT).hexdigest()


def test_a_copy_within_the_kernel_is_not_written_again(
    filed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shares the blocks of the file, and takes no room of its own."""
    asked = []

    def within(source: int, target: int, count: int, at: int, to: int) -> int:
        asked.append(count)
        return os.pwrite(target, b"#" * count, to)

    monkeypatch.setattr(os, "copy_file_range", within, raising=False)
    target = filed.with_name("copy.dcm")

    digest = copy(filed, target)

    assert asked == [len(CONTENT)]
    assert target.read_bytes() == b"#" * len(CONTENT)
    assert digest == hashlib.sha256(target.read_bytes()).hexdigest()  # of what was copied


def test_a_copy_that_we_write_is_not_read_again(
    filed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its digest is known from writing it."""
    monkeypatch.setattr(os, "copy_file_range", None, raising=False)
    monkeypatch.delattr(copying, "digest_of")

    assert copy(filed, filed.with_name("copy.dcm")) == hashlib.sha256(CONTENT).hexdigest()


def test_a_copy_has_the_date_of_the_file_to_the_second(filed: Path) -> None:
    target = filed.with_name("copy.dcm")

    copy(filed, target)

    assert os.stat(target).st_mtime == 1_764_000_000


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_copy_is_read_only(filed: Path) -> None:
    target = filed.with_name("copy.dcm")

    copy(filed, target)

    assert os.stat(target).st_mode & 0o777 == 0o400


def test_a_file_that_is_there_already_is_not_overwritten(filed: Path) -> None:
    target = filed.with_name("copy.dcm")
    target.write_bytes(b"of another set")

    with pytest.raises(FileExistsError):
        copy(filed, target)

    assert target.read_bytes() == b"of another set"


def test_an_empty_file_is_copied(tmp_path: Path) -> None:
    empty, target = tmp_path / "empty", tmp_path / "copy"
    empty.touch()

    assert copy(empty, target) == hashlib.sha256(b"").hexdigest()
    assert target.read_bytes() == b""
