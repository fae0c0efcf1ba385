"""A process is killed while it files an image: the archive holds it whole, or not at all."""

from __future__ import annotations

import shutil
import sys
from itertools import count
from pathlib import Path
from typing import Callable, Iterator

import pytest
from pydicom.dataset import Dataset

from qatrack_aria.dicom.inbox import ReceivedInstance
from qatrack_aria.storage.archive import Archive
from tests.helpers import datasets
from tests.helpers.datasets import PATIENT
from tests.storage.killing import killed_at_byte, killed_before_change

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork"),
    # Threads that other tests have left are none of the child's.
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def image() -> Dataset:
    return datasets.image()


def file_it(root: Path, incoming: ReceivedInstance) -> None:
    datasets.file_in(Archive(root), incoming, PATIENT)


def is_whole(root: Path, incoming: ReceivedInstance) -> bool:
    """Whether the archive holds just this file, in full; an error if there is anything else."""
    found = list((root / "instances").rglob("*.dcm"))
    for path in found:
        assert path.read_bytes().endswith(incoming.data), f"{path} is not whole"
    return bool(found)


def every_change(root: Path, work: Callable[[], None]) -> Iterator[int]:
    """Kill the work before its first, second, … change of the archive, until it gets through."""
    for number in count(1):
        if not killed_before_change(number, root, work):
            break
        yield number


def test_killed_before_any_change_it_leaves_the_image_whole_or_not_at_all(
    root: Path, image: Dataset
) -> None:
    incoming = datasets.incoming(image)
    there = []
    for _ in every_change(root, lambda: file_it(root, incoming)):
        there.append(is_whole(root, incoming))
        shutil.rmtree(root, ignore_errors=True)

    assert len(there) >= 10  # five folders, the file, its mode, its folder, its name, …
    assert there == sorted(there)  # from one point on it is there


def test_killed_before_any_change_the_next_run_files_it(root: Path, image: Dataset) -> None:
    incoming = datasets.incoming(image)
    for number in every_change(root, lambda: file_it(root, incoming)):
        file_it(root, incoming)
        assert is_whole(root, incoming), f"killed before change {number}"
        shutil.rmtree(root)


@pytest.mark.slow
@pytest.mark.parametrize("explicit", [False, True], ids=["implicit VR", "explicit VR"])
def test_killed_at_any_byte_it_leaves_nothing_in_the_archive(
    root: Path, image: Dataset, explicit: bool
) -> None:
    incoming = datasets.incoming(image, explicit=explicit)
    file_it(root, incoming)
    (whole,) = (root / "instances").rglob("*.dcm")
    size = whole.stat().st_size
    header = size - 2 * 64 * 64 - 12
    whole.unlink()

    for byte in {*range(0, header, 97), *range(header - 8, header + 24), size - 2, size - 1}:
        assert killed_at_byte(byte, lambda: file_it(root, incoming))
        assert not is_whole(root, incoming)
    assert not killed_at_byte(size, lambda: file_it(root, incoming))
    assert is_whole(root, incoming)


def test_killed_while_it_files_again_what_is_here_it_leaves_that_whole(
    root: Path, image: Dataset
) -> None:
    incoming = datasets.incoming(image)
    file_it(root, incoming)

    for _ in every_change(root, lambda: file_it(root, incoming)):
        assert is_whole(root, incoming)
