"""Disks that refuse: small ones, read-only ones, and an account that may not write."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from tests.storage.world import World

NOBODY = 65534


@pytest.fixture
def archive(node: Any, settings: Any) -> Path:
    """The folder of the archive, which is not made yet."""
    return Path(settings.QATRACK_ARIA_ARCHIVE)


@pytest.fixture
def world(serve: Any) -> World:
    """A simulated ARIA with some images."""
    return World(serve)


class Disk:
    """A disk in memory, of its own size, mounted at a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mount(self, options: str) -> None:
        done = _run("mount", "-t", "tmpfs", "-o", options, "none", str(self.folder))
        if done.returncode:
            pytest.skip(f"only root can mount a disk: {done.stderr.splitlines()[0]}")

    def remount(self, options: str) -> None:
        _run("mount", "-o", f"remount,{options}", str(self.folder)).check_returncode()

    def unmount(self) -> None:
        _run("umount", "--lazy", str(self.folder)).check_returncode()


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def disk() -> Iterator[Callable[[Path, str], Disk]]:
    """Mount a disk with some options (``size=32k``) at a folder, for the time of a test."""
    if sys.platform != "linux":
        pytest.skip("only Linux has such disks")
    with contextlib.ExitStack() as stack:

        def mount(folder: Path, options: str) -> Disk:
            folder.mkdir(parents=True, exist_ok=True)
            mounted = Disk(folder)
            mounted.mount(options)
            stack.callback(mounted.unmount)
            return mounted

        yield mount


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Be an account without any rights; root may write wherever it likes."""
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_archive(node: Any, settings: Any) -> Iterator[Path]:
    """The archive in a place that everybody may enter, unlike pytest's own."""
    if sys.platform == "win32" or os.geteuid():
        pytest.skip("only root can be somebody else")
    folder = Path(tempfile.mkdtemp(prefix="qatrack-aria-open-"))
    folder.chmod(0o755)
    settings.QATRACK_ARIA_ARCHIVE = str(folder / "archive")
    yield folder / "archive"
    shutil.rmtree(folder)


def give_to_nobody(folder: Path) -> None:
    """Change the owner of a folder and of all that is in it."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
