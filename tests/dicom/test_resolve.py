"""From a host's name to what can be called."""

from __future__ import annotations

import socket
import threading
from typing import Any, Iterator

import pytest

from qatrack_aria.dicom.resolve import addresses, connection_failure
from tests.helpers.peers.server import free_port


@pytest.fixture
def deaf_name_servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The system's own look-up waits for servers that do not answer, and cannot be stopped."""
    over = threading.Event()

    def getaddrinfo(*args: Any, **options: Any) -> Any:
        over.wait()
        raise OSError("timed out")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    over.set()


def test_an_address_stands_for_itself() -> None:
    assert addresses("127.0.0.1", 104) == ["127.0.0.1"]
    assert addresses("::1", 104) == ["::1"]


def test_each_address_of_a_name_is_there_once() -> None:
    found = addresses("localhost", 104)
    assert "127.0.0.1" in found
    assert len(found) == len(set(found))


def test_a_name_that_nobody_has_is_an_error() -> None:
    with pytest.raises(OSError, match=r"."):
        addresses("aria.invalid", 104)


def test_a_name_that_is_none_is_an_error() -> None:
    with pytest.raises((OSError, UnicodeError)):
        addresses("a" * 300, 104)


def test_name_servers_that_do_not_answer_are_not_waited_for(deaf_name_servers: None) -> None:
    with pytest.raises(OSError, match=r"no name server answered within 0\.05 s"):
        addresses("aria", 104, wait=0.05)


def test_why_nothing_answers_at_a_port() -> None:
    assert connection_failure("127.0.0.1", free_port(), 1.0) == "Connection refused"


def test_what_can_be_reached_needs_no_reason() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        assert connection_failure("127.0.0.1", listener.getsockname()[1], 1.0) == ""
