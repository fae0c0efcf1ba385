"""What does not come at first may come a moment later."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from qatrack_aria import fetch_images
from qatrack_aria.dicom import move
from qatrack_aria.errors import IncompleteRetrievalError
from qatrack_aria.simulator import Behaviour
from tests.fetch.conftest import PATIENT, plan, uids, winston_lutz


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[float]]:
    """Let something happen in each pause, which takes no time; returns how long each would be."""

    def during(happens: Callable[[], None] = lambda: None) -> list[float]:
        taken: list[float] = []

        def wait(mover: Any, seconds: float, missing: Any) -> None:
            taken.append(seconds)
            happens()

        monkeypatch.setattr(move.Mover, "_wait", wait)
        return taken

    return during


def fetch() -> Any:
    return fetch_images("aria", PATIENT, "WL")


def test_an_image_that_could_not_be_moved_at_first_is_asked_for_again(
    serve: Any, pauses: Any
) -> None:
    """Servers list an image before they can send it, or are short of resources."""
    wl = plan()
    mine = winston_lutz(wl)
    aria = serve(wl, mine, unmovable=frozenset({str(mine[0].SOPInstanceUID)}))
    taken = pauses(lambda: setattr(aria, "behaviour", Behaviour()))
    assert uids(fetch()) == uids(mine)
    assert taken == [move.PAUSES[0]]
    assert len(aria.operations("C-STORE")) == 8


def test_each_pause_is_longer_and_there_are_few(serve: Any, pauses: Any) -> None:
    wl = plan()
    mine = winston_lutz(wl)
    lost = str(mine[0].SOPInstanceUID)
    serve(wl, mine, unmovable=frozenset({lost}))
    taken = pauses()
    with pytest.raises(IncompleteRetrievalError, match="1 of 8 images did not arrive"):
        fetch()
    assert taken == sorted(move.PAUSES)


def test_a_server_that_does_not_know_us_is_asked_once(serve: Any, pauses: Any) -> None:
    wl = plan()
    aria = serve(wl, winston_lutz(wl), trusted_only=False)
    aria.peers.clear()
    taken = pauses()
    with pytest.raises(IncompleteRetrievalError, match="0xA801"):
        fetch()
    assert taken == []
    assert len(aria.operations("C-MOVE")) == 1


def test_what_came_and_was_wrong_is_not_asked_for_again(serve: Any, pauses: Any) -> None:
    wl = plan()

    def as_somebody_else(ds: Any) -> Any:
        ds.PatientID = "QA_OTHER"
        return ds

    serve(wl, winston_lutz(wl), on_send=as_somebody_else)
    taken = pauses()
    with pytest.raises(IncompleteRetrievalError, match="turned away"):
        fetch()
    assert taken == []
