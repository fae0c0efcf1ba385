"""Whether a session is over, by the clock of the imager or by ours."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Sequence

import pytest

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.errors import SessionUnderWayError
from qatrack_aria.retrieval import session_end
from qatrack_aria.retrieval.request import Request
from qatrack_aria.retrieval.session_end import SessionEnd
from qatrack_aria.retrieval.task import Task
from qatrack_aria.storage.archive import Archive
from tests.helpers.datasets import LABEL, PATIENT, image_ref

NODE = Peer("aria", "VMSDBD", "127.0.0.1", 104, "QATRACK", "", 11112, stable_answers=1)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
NOT_OVER = "may still be under way"


def session(folder: Path, seconds: float = 20, ahead: float = 0, **options: Any) -> SessionEnd:
    """A retrieval that may take so many seconds, of an imager whose clock is ahead."""
    request = Request.parse(PATIENT, LABEL, **options)
    task = Task(request, NODE, Archive(folder / "archive"), Deadline(seconds), ahead)
    return SessionEnd(task)


def timed(ago: dt.timedelta, number: int = 1) -> ImageRef:
    return image_ref(number, acquired=dt.datetime.now() - ago)


def untimed(ago: dt.timedelta, number: int = 2) -> ImageRef:
    """An image whose header has a day, but no time that can be read."""
    return image_ref(number, acquired=None, acquired_on=(dt.datetime.now() - ago).date())


UNDATED = image_ref(3, acquired=None)


@pytest.mark.parametrize(
    "images",
    [
        pytest.param([timed(HOUR)], id="an hour old"),
        pytest.param([untimed(2 * DAY)], id="of an earlier day, without a time"),
        pytest.param([timed(2 * DAY), untimed(3 * DAY)], id="of earlier days"),
    ],
)
def test_a_session_is_over_by_the_times_of_its_images(
    tmp_path: Path, images: Sequence[ImageRef]
) -> None:
    end = session(tmp_path)

    assert not end.wait(images)
    assert end.established


@pytest.mark.parametrize(
    "images",
    [
        pytest.param([timed(-HOUR)], id="in the future"),
        pytest.param([untimed(-DAY)], id="without a time, perhaps of this minute"),
        pytest.param([timed(2 * DAY), untimed(-DAY)], id="the last one without a time"),
        pytest.param([UNDATED], id="undated"),
        pytest.param([untimed(2 * DAY), UNDATED], id="one undated"),
    ],
)
def test_a_session_of_unknown_age_is_watched_for_a_minute_from_now_on(
    tmp_path: Path, images: Sequence[ImageRef]
) -> None:
    end = session(tmp_path)

    with pytest.raises(SessionUnderWayError, match=f"{NOT_OVER}. Ask again in 60 s") as error:
        end.wait(images)

    assert "old" not in str(error.value)
    assert not end.established


def test_the_clock_of_the_imager_counts_as_its_node_knows_it(tmp_path: Path) -> None:
    just_taken = [timed(-HOUR)]

    with pytest.raises(SessionUnderWayError, match=r"the newest \d+ s old"):
        session(tmp_path, ahead=3610).wait(just_taken)
    assert not session(tmp_path, ahead=2 * 3600).wait(just_taken)


def watched(monkeypatch: pytest.MonkeyPatch, folder: Path, seconds: float) -> None:
    """Let the images have been seen for so many seconds, by the clock of the disk."""
    (seen,) = folder.rglob("*.seen")
    monkeypatch.setattr(session_end, "now_on_disk", lambda _: seen.stat().st_mtime + seconds)


@pytest.mark.parametrize(("seconds", "over"), [(60, True), (59.5, False), (-1, False)])
def test_images_that_stay_the_same_for_a_minute_are_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, over: bool
) -> None:
    images = [UNDATED]
    with pytest.raises(SessionUnderWayError):
        session(tmp_path).wait(images)
    watched(monkeypatch, tmp_path, seconds)
    end = session(tmp_path, seconds=1)

    if over:
        assert not end.wait(images)
    else:
        with pytest.raises(SessionUnderWayError):
            end.wait(images)
    assert end.established is over


@pytest.mark.parametrize(("allowed", "awaited"), [(30, False), (31, False), (600, True)])
def test_the_end_is_awaited_where_time_is_left_to_list_the_images_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: float, awaited: bool
) -> None:
    images, slept = [UNDATED], []
    with pytest.raises(SessionUnderWayError):
        session(tmp_path).wait(images)
    watched(monkeypatch, tmp_path, 30)
    end = session(tmp_path, seconds=allowed)
    monkeypatch.setattr(session_end.time, "sleep", slept.append)

    if awaited:
        assert end.wait(images)
    else:
        with pytest.raises(SessionUnderWayError):
            end.wait(images)
    assert slept == [30] * awaited


def test_another_request_is_watched_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SessionUnderWayError):
        session(tmp_path).wait([UNDATED])
    watched(monkeypatch, tmp_path, 60)

    with pytest.raises(SessionUnderWayError):
        session(tmp_path, select="all").wait([UNDATED])
