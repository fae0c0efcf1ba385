"""Folders outside the archive: a whole set or none, and what a killed process has left there."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Iterator

import pytest

from qatrack_aria.errors import ArchiveError, RequestError
from qatrack_aria.storage.output import others_in, require_empty, write_all

CONTENTS = [("1.dcm", b"one"), ("2.dcm", b"two")]
OURS = [
    "1.2.246.352.64.1.5.dcm.part",  # of version 0.1
    "1.2.246.352.64.1.5.dcm.0a1b2c3d.part",
    "20261120-083000_001.dcm.0a1b2c3d.part",
    "images.zip.0a1b2c3d.part",
]
OTHERS = ["note.txt", "image.dcm", "image.dcm.part", "download.part", ".part", "x.0a1b2c3.part"]


@pytest.mark.parametrize("name", OURS)
def test_what_a_killed_process_of_ours_has_left_is_removed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"half an image")
    (tmp_path / name).chmod(0o400)

    require_empty(tmp_path)
    files = write_all(tmp_path, CONTENTS)

    assert sorted(tmp_path.iterdir()) == files
    assert [file.read_bytes() for file in files] == [b"one", b"two"]


@pytest.mark.parametrize("name", OTHERS)
def test_anything_else_is_somebodys(tmp_path: Path, name: str) -> None:
    """Browsers give an unfinished download such an ending, too."""
    (tmp_path / name).write_bytes(b"")

    assert others_in(tmp_path) == [name]
    with pytest.raises(RequestError, match="is not empty"):
        require_empty(tmp_path)


def test_a_folder_with_such_a_name_is_somebodys(tmp_path: Path) -> None:
    (tmp_path / OURS[0]).mkdir()

    with pytest.raises(RequestError, match="is not empty"):
        require_empty(tmp_path)


def test_there_is_no_name_until_every_file_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed before leaves nothing that an analysis would take for a set."""
    seen: list[str] = []

    def contents() -> Iterator[tuple[str, bytes]]:
        for one in CONTENTS:
            yield one
            seen.extend(path.name for path in tmp_path.glob("*.dcm"))

    write_all(tmp_path, contents())

    assert seen == []


def test_files_that_cannot_be_named_leave_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def second_fails(source: Path, target: Path) -> None:
        if target.name == "2.dcm":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        replace(source, target)

    monkeypatch.setattr(os, "replace", second_fails)
    with pytest.raises(ArchiveError, match="Output: cannot write"):
        write_all(tmp_path, CONTENTS)

    assert list(tmp_path.iterdir()) == []


def test_an_image_that_turns_out_changed_leaves_none(tmp_path: Path) -> None:
    def contents() -> Iterator[tuple[str, bytes]]:
        yield CONTENTS[0]
        raise ArchiveError("was changed")

    with pytest.raises(ArchiveError, match="was changed"):
        write_all(tmp_path, contents())

    assert list(tmp_path.iterdir()) == []


def test_a_left_over_that_cannot_be_removed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, while another program has it open."""

    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Access is denied")

    (tmp_path / OURS[0]).write_bytes(b"half an image")
    monkeypatch.setattr(Path, "unlink", refuse)

    with pytest.raises(ArchiveError, match="Access is denied"):
        write_all(tmp_path, CONTENTS)
