"""What does not come at first may come a moment later."""

from __future__ import annotations

import threading
from typing import Any, Callable

import pytest

from qatrack_aria import fetch_images
from qatrack_aria.dicom import association, retrieve
from qatrack_aria.errors import (
    AssociationRejectedError,
    IncompleteRetrievalError,
    NodeBusyError,
    Outcome,
)
from qatrack_aria.simulator import Behaviour
from qatrack_aria.storage import archive
from tests.helpers.aria import PATIENT, plan, uids, winston_lutz


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[float]]:
    """Let something happen in each pause, which takes no time; returns how long each would be."""

    def during(happens: Callable[[], None] = lambda: None) -> list[float]:
        taken: list[float] = []

        def wait(mover: Any, seconds: float, missing: Any) -> None:
            taken.append(seconds)
            happens()

        monkeypatch.setattr(retrieve.Retriever, "_wait", wait)
        return taken

    return during


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a node that was too busy be called again at once, as often as otherwise."""
    monkeypatch.setattr(association, "BUSY_PAUSES", (0.0, 0.0))


def fetch() -> Any:
    return fetch_images("aria", PATIENT, "WL", max_age=0)


def test_an_image_that_could_not_be_moved_at_first_is_asked_for_again(
    serve: Any, pauses: Any
) -> None:
    """Servers list an image before they can send it, or are short of resources."""
    wl = plan()
    mine = winston_lutz(wl)
    aria = serve(wl, mine, unmovable=frozenset({str(mine[0].SOPInstanceUID)}))
    taken = pauses(lambda: setattr(aria, "behaviour", Behaviour()))
    assert uids(fetch()) == uids(mine)
    assert taken == [retrieve.PAUSES[0]]
    assert len(aria.operations("C-STORE")) == 8


def test_each_pause_is_longer_and_there_are_few(serve: Any, pauses: Any) -> None:
    wl = plan()
    mine = winston_lutz(wl)
    lost = str(mine[0].SOPInstanceUID)
    serve(wl, mine, unmovable=frozenset({lost}))
    taken = pauses()
    with pytest.raises(IncompleteRetrievalError, match="1 of 8 images did not arrive"):
        fetch()
    assert taken == sorted(retrieve.PAUSES)


def test_what_stays_missing_is_listed(serve: Any, pauses: Any) -> None:
    wl = plan()
    mine = winston_lutz(wl)
    lost = uids(mine)[3:5]
    serve(wl, mine, unmovable=frozenset(lost))
    pauses()
    said = f"2 of 8.* first ({'|'.join(lost)}).*0xA702"
    with pytest.raises(IncompleteRetrievalError, match=said) as raised:
        fetch()
    assert sorted(raised.value.missing) == lost
    with pytest.raises(IncompleteRetrievalError) as remembered:
        fetch_images("aria", PATIENT, "WL")
    assert sorted(remembered.value.missing) == lost


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
    with pytest.raises(IncompleteRetrievalError, match="rejected: "):
        fetch()
    assert taken == []


# --- a node that has no room for us -----------------------------------------------------------


def test_a_node_that_is_too_busy_for_a_moment_is_called_again(serve: Any, calls: None) -> None:
    """Servers take few associations at a time, and the treatment has them."""
    wl = plan()
    mine = winston_lutz(wl)
    serve(wl, mine, busy_calls=2)
    assert uids(fetch()) == uids(mine)


def test_a_node_that_stays_too_busy_is_an_error_that_may_pass(serve: Any, calls: None) -> None:
    wl = plan()
    sim = serve(wl, winston_lutz(wl), busy_calls=99)
    with pytest.raises(NodeBusyError, match=r"too busy for now .*ask again in a minute") as raised:
        fetch()
    assert raised.value.outcome.may_succeed_later
    assert raised.value.outcome is Outcome.BUSY
    assert sim.log == []


def test_a_node_that_does_not_know_us_is_called_once(serve: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(association, "BUSY_PAUSES", (3600.0,))
    sim = serve(plan())
    sim.peers.clear()
    with pytest.raises(AssociationRejectedError, match="does not know that AE title"):
        fetch()


def test_there_is_no_waiting_beyond_the_deadline(serve: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(association, "BUSY_PAUSES", (3600.0,))
    serve(plan(), busy_calls=99)
    with pytest.raises(NodeBusyError, match="too busy"):
        fetch()


def test_what_is_still_on_its_way_to_the_disk_is_not_asked_for_again(
    serve: Any, pauses: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node's last word, here a failure, comes while the disk works on the last image."""
    heard = threading.Event()
    read_responses, finish = retrieve.RetrieveOperation._read_responses, archive.PendingFile.commit

    def read_to_the_end(operation: Any, *arguments: Any) -> None:
        read_responses(operation, *arguments)
        heard.set()

    def finish_late(filing: Any) -> None:
        assert heard.wait(10)
        finish(filing)

    monkeypatch.setattr(retrieve.RetrieveOperation, "_read_responses", read_to_the_end)
    monkeypatch.setattr(archive.PendingFile, "commit", finish_late)
    wl = plan()
    mine = winston_lutz(wl, count=1)
    aria = serve(wl, mine, final_status=0xC001)
    taken = pauses()
    assert uids(fetch()) == uids(mine)
    assert taken == []
    assert len(aria.operations("C-MOVE")) == 1
