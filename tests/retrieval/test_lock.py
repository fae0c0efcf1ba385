"""One retrieval at a time for each destination, whoever competes for it and however it ends."""

from __future__ import annotations

import dataclasses
import errno
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import pytest
from filelock import FileLock

from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.peer import C_GET, Peer
from qatrack_aria.errors import ArchiveError, BusyError
from qatrack_aria.retrieval import lock as lock_module
from qatrack_aria.retrieval.lock import hold_destination
from qatrack_aria.storage.archive import Archive
from tests import ROOT
from tests.helpers.waiting import until

ENOUGH = 60.0  # s: a wait that ends long before, unless something is broken
AT_ONCE = 0.01  # s: a wait that is in vain

PEER = Peer("aria", "VMSDBD", "127.0.0.1", 51402, "QATRACK", "127.0.0.1", 11112)
OTHER_NODE = dataclasses.replace(PEER, name="aria2", remote_ae_title="VMSDBD2", remote_port=105)
OTHER_PORT = dataclasses.replace(PEER, local_port=11113)
GETTING = dataclasses.replace(PEER, retrieve_method=C_GET)
GETTING_AS_OTHER = dataclasses.replace(GETTING, local_ae_title="QATRACK2")


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


def hold(archive: Archive, peer: Peer = PEER, seconds: float = ENOUGH, who: str = "me") -> Any:
    return hold_destination(archive, peer, Deadline(seconds), who)


@pytest.fixture
def _remembered_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps lock objects: one that Python forgets is set free in any case."""
    kept = []

    def remember(path: str) -> Any:
        kept.append(FileLock(path))
        return kept[-1]

    monkeypatch.setattr(lock_module, "FileLock", remember)


def is_free(archive: Archive, peer: Peer = PEER) -> bool:
    try:
        with hold(archive, peer, AT_ONCE):
            return True
    except BusyError:
        return False


# --- who excludes whom ------------------------------------------------------------------------


def test_a_destination_in_use_is_not_free(archive: Archive) -> None:
    with hold(archive):
        assert not is_free(archive)


@pytest.mark.usefixtures("_remembered_locks")
def test_a_destination_is_free_again_afterwards(archive: Archive) -> None:
    with hold(archive):
        pass

    assert is_free(archive)


@pytest.mark.usefixtures("_remembered_locks")
def test_a_retrieval_that_fails_sets_the_destination_free(archive: Archive) -> None:
    with pytest.raises(ZeroDivisionError), hold(archive):
        raise ZeroDivisionError

    assert is_free(archive)


def test_two_nodes_that_send_to_one_port_exclude_each_other(archive: Archive) -> None:
    """Each would get the other's images."""
    with hold(archive):
        assert not is_free(archive, OTHER_NODE)


def test_another_port_is_another_destination(archive: Archive) -> None:
    with hold(archive):
        assert is_free(archive, OTHER_PORT)


def test_getting_needs_no_port(archive: Archive) -> None:
    with hold(archive):
        assert is_free(archive, GETTING)


def test_getting_excludes_getting_under_the_same_title(archive: Archive) -> None:
    with hold(archive, GETTING):
        assert not is_free(archive, GETTING)


def test_getting_under_another_title_is_another_destination(archive: Archive) -> None:
    with hold(archive, GETTING):
        assert is_free(archive, GETTING_AS_OTHER)


@pytest.mark.parametrize("title", ["../../x", "A/B", "A B", "C:", "A*?", "%2e", '"<>|', "."])
def test_any_title_names_a_lock_inside_the_archive(archive: Archive, title: str) -> None:
    with hold(archive, dataclasses.replace(GETTING, local_ae_title=title)):
        names = [path.name for path in archive.root.rglob("*.lock")]

    assert len(names) == 1
    assert not set(names[0]) & set('/\\:*?"<>| ')
    assert not (archive.root.parent / "x.lock").exists()


@pytest.mark.parametrize(("one", "other"), [("A/B", "A%2fB"), ("A B", "A_B"), ("A.B", "A-B")])
def test_two_titles_never_share_a_lock(archive: Archive, one: str, other: str) -> None:
    with hold(archive, dataclasses.replace(GETTING, local_ae_title=one)):
        assert is_free(archive, dataclasses.replace(GETTING, local_ae_title=other))


# --- threads ----------------------------------------------------------------------------------


def test_who_finds_it_taken_waits_until_it_is_free(archive: Archive) -> None:
    order = []
    waiting = threading.Event()

    def second() -> None:
        waiting.set()
        with hold(archive):
            order.append("second came in")

    thread = threading.Thread(target=second)
    with hold(archive):
        thread.start()
        waiting.wait(ENOUGH)
        order.append("first went out")
    thread.join()

    assert order == ["first went out", "second came in"]


def test_of_many_threads_only_one_is_in_at_a_time(archive: Archive) -> None:
    inside = 0
    most = []
    together = threading.Barrier(5)

    def work() -> None:
        nonlocal inside
        together.wait(ENOUGH)
        with hold(archive):
            inside += 1
            most.append(inside)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == [1] * 5


def test_a_free_destination_is_had_even_in_the_last_moment(archive: Archive) -> None:
    with hold(archive, seconds=0.0):
        assert not is_free(archive)


# --- processes --------------------------------------------------------------------------------

HOLDER = """
import sys
from pathlib import Path
from tests import ROOT
from tests.helpers.waiting import until
from tests.retrieval.test_lock import Archive, hold

with hold(Archive(Path(sys.argv[1])), who="a retrieval for jane"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def another_process(archive: Archive) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the destination until it is sent a line."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(archive.root)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_another_process_is_excluded(archive: Archive) -> None:
    with another_process(archive):
        assert not is_free(archive)


def test_a_process_that_ends_sets_the_destination_free(archive: Archive) -> None:
    with another_process(archive) as process:
        process.communicate("\n")

        assert is_free(archive)


def test_a_process_that_is_killed_sets_the_destination_free(archive: Archive) -> None:
    """A web server kills a worker in the midst of a retrieval after 30 s."""
    with another_process(archive) as process:
        process.kill()
        process.wait()

        assert is_free(archive)


def test_the_message_says_who_holds_it(archive: Archive) -> None:
    with another_process(archive) as process, pytest.raises(
        BusyError, match=rf"a retrieval for jane \(process {process.pid} on .* so far\)"
    ):
        with hold(archive, seconds=AT_ONCE):
            pass


def test_the_message_does_not_name_who_was_killed_before(archive: Archive) -> None:
    with another_process(archive) as process:
        process.kill()
        process.wait()

    with hold(archive, who="a retrieval for joe"), pytest.raises(BusyError, match="for joe"):
        with hold(archive, seconds=AT_ONCE):
            pass


# --- messages ----------------------------------------------------------------------------------


def test_the_message_says_which_node_and_how_long_was_waited(archive: Archive) -> None:
    with hold(archive), pytest.raises(BusyError) as caught:
        with hold(archive, OTHER_NODE, seconds=0.5):
            pass

    assert "node 'aria2' (VMSDBD2 at 127.0.0.1:105)" in str(caught.value)
    assert "was not done within 0.5 s: ask again in a moment" in str(caught.value)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"garbage",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"who": "me"}',
        b'{"who": "me", "pid": 1, "host": "h", "since": "lunch"}',
        b'{"who": "me", "pid": 1, "host": "h", "since": null}',
    ],
)
def test_a_note_that_cannot_be_read_does_no_harm(archive: Archive, note: bytes) -> None:
    """It may be half written."""
    with hold(archive):
        next(archive.locks.glob("*.json")).write_bytes(note)
        with pytest.raises(BusyError, match="Waiting: another retrieval is using"):
            with hold(archive, seconds=AT_ONCE):
                pass


def test_a_note_that_is_missing_does_no_harm(archive: Archive) -> None:
    with hold(archive):
        next(archive.locks.glob("*.json")).unlink()
        with pytest.raises(BusyError, match="Waiting: another retrieval is using"):
            with hold(archive, seconds=AT_ONCE):
                pass


def test_a_note_that_cannot_be_written_does_not_stop_the_retrieval(archive: Archive) -> None:
    (archive.locks / "port-11112.json").mkdir()

    assert is_free(archive)


def test_no_note_is_left_behind(archive: Archive) -> None:
    with hold(archive):
        pass

    assert list(archive.locks.glob("*.json")) == []


# --- when the disk refuses --------------------------------------------------------------------


def test_a_folder_of_locks_that_is_none_is_named(archive: Archive) -> None:
    archive.locks.rmdir()
    archive.locks.write_text("")

    with pytest.raises(ArchiveError, match="Archive: cannot lock"), hold(archive):
        pass


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOLCK, "No locks available"),
        NotImplementedError("FileSystem does not appear to support flock"),
    ],
)
def test_a_disk_without_locks_is_named(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A network drive may have none: going on without would mix up images."""

    def refuse(*args: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(lock_module.FileLock, "acquire", refuse)

    with pytest.raises(ArchiveError, match=r"cannot lock .*ocks? "), hold(archive):
        pass


# --- who goes first ---------------------------------------------------------------------------


def test_who_yields_lets_everybody_else_go_first(archive: Archive) -> None:
    """A watch may have waited for longer; a person is sitting in front of a list."""
    order: list[str] = []

    def take(who: str, yields: bool) -> threading.Thread:
        def run() -> None:
            with hold_destination(archive, PEER, Deadline(ENOUGH), who, yields=yields):
                order.append(who)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    with hold(archive):
        threads = [take("watch", True)]
        until(lambda: threads[0].is_alive())
        threads += [take("person", False)]
        sign = next(archive.locks.glob("*.lock")).with_suffix(".waiting")
        until(sign.exists)
    for thread in threads:
        thread.join(ENOUGH)
    assert order == ["person", "watch"]


def test_who_yields_waits_for_nobody_when_nobody_waits(archive: Archive) -> None:
    with hold_destination(archive, PEER, Deadline(ENOUGH), "watch", yields=True):
        pass
    assert not list(archive.locks.glob("*.waiting"))


def test_who_yields_takes_its_turn_when_the_others_have_gone(archive: Archive) -> None:
    with hold(archive):
        assert not is_free(archive)  # somebody waited, and gave up
    with hold_destination(archive, PEER, Deadline(ENOUGH), "watch", yields=True):
        pass
