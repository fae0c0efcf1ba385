"""DCMTK calls our port over TLS: a third way of speaking it, beside Python's and Orthanc's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest

from qatrack_aria.dicom.peer import Tls
from tests.dicom.test_tls import Papers
from tests.helpers import datasets
from tests.helpers.datasets import PATIENT
from tests.helpers.open_port import Port, image
from tests.helpers.peers.server import PeerMissing, find_program
from tests.helpers.waiting import until

SECONDS = 30


@pytest.fixture
def storescu() -> str:
    """The program; where it is not installed its tests are skipped, but fail in CI."""
    try:
        return find_program("storescu", "dcmtk")
    except PeerMissing as missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return Papers(tmp_path)


@pytest.fixture
def expected() -> Any:
    """An image that was asked for."""
    return image()


@pytest.fixture
def port(tmp_path: Path, papers: Papers, expected: Any) -> Iterator[Port]:
    """Our port, which speaks TLS only, and waits for that image."""
    tls = Tls(papers.ca_file, *papers.issue("qatrack"))
    with Port(tmp_path / "archive", tls=tls) as opened:
        opened.inbox.expect([expected.SOPInstanceUID])
        yield opened


@pytest.fixture
def send(storescu: str, port: Port, expected: Any, tmp_path: Path) -> Any:
    """Sends the image by storescu with some options; whether it says that it did."""
    file = datasets.save(expected, tmp_path / "image.dcm")

    def run(*options: str) -> bool:
        titles = ("-aet", port.peer.remote_ae_title, "-aec", port.peer.local_ae_title)
        where = (port.peer.local_host, str(port.peer.local_port))
        command = [storescu, *titles, *options, *where, str(file)]
        done = subprocess.run(command, timeout=SECONDS, capture_output=True, check=False)
        return done.returncode == 0

    return run


def with_tls(papers: Papers, certificate: str, key: str) -> tuple[str, ...]:
    return ("+tls", key, certificate, "+cf", papers.ca_file)


def turned_away(port: Port) -> str:
    """The one reason; a caller may be gone a moment before it is noted."""
    assert until(lambda: port.inbox.refused)
    (reason,) = port.inbox.refused
    return reason


def test_an_image_sent_with_a_certificate_of_our_authority_is_filed(
    send: Any, port: Port, papers: Papers, expected: Any
) -> None:
    assert send(*with_tls(papers, *papers.issue("aria")))
    assert until(lambda: port.archive.header(expected.SOPInstanceUID, PATIENT) is not None)
    assert port.inbox.refused == []


def test_an_image_sent_without_tls_is_not_taken(send: Any, port: Port, expected: Any) -> None:
    assert not send()
    assert "does not speak TLS" in turned_away(port)
    assert port.archive.header(expected.SOPInstanceUID, PATIENT) is None


def test_an_image_sent_with_a_certificate_of_another_authority_is_not_taken(
    send: Any, port: Port, papers: Papers, expected: Any, tmp_path_factory: Any
) -> None:
    stranger = Papers(tmp_path_factory.mktemp("elsewhere")).issue("stranger")
    assert not send(*with_tls(papers, *stranger))
    assert "authority that is not trusted here" in turned_away(port)
    assert port.archive.header(expected.SOPInstanceUID, PATIENT) is None


def test_an_image_sent_without_a_certificate_is_not_taken(
    send: Any, port: Port, papers: Papers, expected: Any
) -> None:
    assert not send("+tla", "-ic", "+cf", papers.ca_file)
    assert "presents no certificate" in turned_away(port)
    assert port.archive.header(expected.SOPInstanceUID, PATIENT) is None
