"""How long an answer is repeated, and to whom."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from qatrack_aria.dicom.attributes import image_ref, plan_ref
from qatrack_aria.errors import IncompleteRetrievalError, PlanNotFoundError
from qatrack_aria.retrieval import answer_cache
from qatrack_aria.retrieval.answer_cache import AnswerCache, remove_expired
from qatrack_aria.retrieval.imageset import ImageSet
from qatrack_aria.retrieval.request import MAX_AGE
from qatrack_aria.storage import filesystem
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.filesystem import entries_older_than
from qatrack_aria.storage.set_folder import lay_out
from tests.helpers import datasets
from tests.helpers.datasets import PATIENT

MINUTE = 60.0
HALF_AN_HOUR = 1800.0


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


@pytest.fixture
def images(archive: Archive) -> ImageSet:
    image = datasets.image()
    datasets.file_in(archive, datasets.incoming(image), PATIENT)
    laid_out = lay_out(archive, [image_ref(image, from_file=True)])
    return ImageSet(laid_out, node="aria", request={}, plan=plan_ref(datasets.plan()))


@pytest.fixture
def cache(archive: Archive, images: ImageSet) -> AnswerCache:
    cache = AnswerCache(archive, "a request")
    cache.put(images, 1)
    return cache


def the_only(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def date_back(path: Path, seconds: float) -> None:
    """As if it had been written so many seconds earlier by the clock of the disk."""
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


class HostClock:
    """The clock of this host, which is not the disk's."""

    def __init__(self, ahead: float) -> None:
        self.ahead = ahead

    def time(self) -> float:
        import time

        return time.time() + self.ahead


# --- whose clock ------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [-HALF_AN_HOUR, HALF_AN_HOUR], ids=["behind", "ahead"])
def test_an_answer_is_as_old_on_a_host_with_another_clock(
    cache: AnswerCache, archive: Archive, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    for module in (answer_cache, filesystem):
        monkeypatch.setattr(module, "time", HostClock(ahead), raising=False)

    assert cache.get(MINUTE) is not None
    date_back(the_only(archive.answers), 61)
    assert cache.get(MINUTE) is None


def test_an_answer_from_the_future_is_not_repeated_then_nor_later(
    cache: AnswerCache, archive: Archive
) -> None:
    """A disk that takes the dates of the hosts: one of them is half an hour ahead."""
    date_back(the_only(archive.answers), -HALF_AN_HOUR)

    assert cache.get(MINUTE) is None
    assert list(archive.answers.iterdir()) == []


def test_without_max_age_not_even_the_newest_answer_is_repeated(cache: AnswerCache) -> None:
    assert cache.get(0) is None


def test_a_disk_that_cannot_tell_its_time_repeats_nothing(
    cache: AnswerCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> float:
        raise OSError("Read-only file system")

    monkeypatch.setattr(answer_cache, "now_on_disk", refuse)

    assert cache.get(MINUTE) is None


def test_files_are_as_old_as_the_disk_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a host whose clock is ahead removes what another is still writing."""
    monkeypatch.setattr(filesystem, "time", HostClock(HALF_AN_HOUR * 4), raising=False)
    (tmp_path / "old").write_text("")
    (tmp_path / "new").write_text("")
    date_back(tmp_path / "old", 3700)

    assert entries_older_than(tmp_path, 3600) == [tmp_path / "old"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]


def test_answers_that_cannot_be_repeated_any_more_are_removed(
    cache: AnswerCache, archive: Archive, images: ImageSet
) -> None:
    date_back(the_only(archive.answers), MAX_AGE + 1)
    AnswerCache(archive, "another request").put(images, 2)

    remove_expired(archive)

    assert len(list(archive.answers.iterdir())) == 1


def test_images_laid_out_anew_make_the_answer_no_younger(
    cache: AnswerCache, archive: Archive, images: ImageSet
) -> None:
    date_back(the_only(archive.answers), 50)
    written = the_only(archive.answers).stat().st_mtime
    Path(images.path, "result.txt").write_text("of another composite test")

    answer = cache.get(MINUTE)

    assert answer is not None
    assert answer.images is not None
    assert answer.images.path != images.path
    assert the_only(archive.answers).stat().st_mtime == pytest.approx(written, abs=0.01)


# --- failures ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "then", "repeated"),
    [
        (25.0, 25.0, True),
        (25.0, 5.0, True),
        (24.98, 25.0, True),  # both had the node's deadline, and each a moment less
        (5.0, 25.0, False),
        (25.0, 120.0, False),
        (0.0, 25.0, False),
    ],
)
def test_a_failure_is_repeated_only_to_those_that_allow_no_more_time(
    archive: Archive, first: float, then: float, repeated: bool
) -> None:
    cache = AnswerCache(archive, "a request")
    cache.put_failure(IncompleteRetrievalError("3 of 8 did not arrive", ["1.2.3"]), 1, first)

    answer = cache.get(MINUTE, then)

    assert (answer is not None) is repeated
    if answer is not None:
        assert isinstance(answer.failure, IncompleteRetrievalError)
        assert answer.failure.missing == ("1.2.3",)


def test_a_failure_is_repeated_for_a_few_seconds_only(archive: Archive) -> None:
    cache = AnswerCache(archive, "a request")
    cache.put_failure(PlanNotFoundError("no such plan"), 1, 25.0)
    date_back(the_only(archive.answers), answer_cache.FAILURE_AGE + 1)

    assert cache.get(MINUTE, 25.0) is None


@pytest.mark.parametrize("note", ["", "{", "[]", "null", '{"error": "AriaError"}', '{"set": 3}'])
def test_an_answer_that_is_none_is_not_repeated(
    archive: Archive, cache: AnswerCache, note: Any
) -> None:
    the_only(archive.answers).write_text(note)

    assert cache.get(MINUTE) is None
