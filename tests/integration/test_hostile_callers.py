"""A retrieval goes on while others do to the port whatever they like."""

from __future__ import annotations

import socket
import ssl
import struct
from contextlib import ExitStack, suppress
from typing import Any, Callable

import pytest

from qatrack_aria import fetch_images
from qatrack_aria.dicom.peer import Tls
from qatrack_aria.models import Retrieval
from tests.dicom.test_tls import Papers
from tests.helpers import wire
from tests.helpers.aria import PATIENT, plan, uids, winston_lutz
from tests.helpers.open_port import Port, image, is_accepted
from tests.helpers.waiting import PATIENCE, until

RT_IMAGE = "1.2.840.10008.5.1.4.1.1.481.1"
REQUEST = wire.associate_rq(RT_IMAGE)
#: What the first of them sends, and does not go on with.
TORMENTS = {
    "silent": b"",
    "half a PDU": REQUEST[:50],
    "4 GB": struct.pack(">BxL", 0x01, 2**32 - 1),
    "a browser": b"GET / HTTP/1.1\r\nHost: qatrack\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "another AE title": wire.associate_rq(RT_IMAGE, calling=b"EVIL"),
    "spoilt": REQUEST[:74] + b"\xff" * 200,
    "data first": wire.p_data(wire.DATA, bytes(500)),
    "abort": b"\x07\0\0\0\0\x04\0\0\0\0",
}


def connect(stack: ExitStack, host: str, port: int, source: str = "") -> socket.socket:
    bound = (source, 0) if source else None
    return stack.enter_context(socket.create_connection((host, port), PATIENCE, bound))


def torment(stack: ExitStack, host: str, port: int) -> None:
    """Twenty connections; all stay open on our side."""
    for sent in TORMENTS.values():
        connect(stack, host, port).sendall(sent)
    for _ in range(10):
        connect(stack, host, port, "127.0.0.5")
    sock = connect(stack, host, port)
    sock.sendall(REQUEST)
    if is_accepted(sock):
        half = wire.c_store_rq(RT_IMAGE, "1.2.3") + wire.p_data(wire.DATA, bytes(1000))
        sock.sendall(half[:-500])


@pytest.fixture
def tormented(node: Any) -> Any:
    """What the simulated ARIA does before it sends each image."""
    with ExitStack() as stack:

        def before_each(ds: Any) -> Any:
            torment(stack, node.local_host, node.local_port)
            return ds

        yield before_each


def test_the_images_come_complete_through_160_other_connections(serve: Any, tormented: Any) -> None:
    wl = plan()
    images = winston_lutz(wl)
    serve(wl, images, on_send=tormented)
    fetched = fetch_images("aria", PATIENT, "WL", deadline=60)
    assert uids(fetched) == uids(images)
    row = Retrieval.objects.get()
    assert row.status == "done"
    assert row.refused >= 10 * len(images)


@pytest.mark.parametrize("name", sorted(TORMENTS))
def test_each_of_them_is_recorded_or_gone_and_leaves_nothing(
    port: Port, limit: Callable[..., None], name: str
) -> None:
    limit(ASSOCIATION_TIMEOUT=0.3)
    with port.connect() as sock:
        with suppress(ConnectionError):  # it may be over already
            sock.sendall(TORMENTS[name])
        assert until(lambda: port.inbox.refused)
        (line,) = port.inbox.refused
        assert line.isprintable()
        assert until(lambda: not port.connections)


# --- over TLS ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def papers(tmp_path_factory: Any) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


def encrypted_port(folder: Any, papers: Papers) -> Port:
    return Port(folder, tls=Tls(papers.ca_file, *papers.issue("qatrack")))


def shake_hands(port: Port, papers: Papers) -> ssl.SSLSocket:
    return papers.client("aria").wrap_socket(port.connect(), server_hostname="127.0.0.1")


def test_an_image_comes_over_tls_through_a_crowd_that_does_not_speak_it(
    tmp_path: Any, papers: Papers
) -> None:
    ds = image()
    with encrypted_port(tmp_path / "archive", papers) as port, ExitStack() as stack:
        port.inbox.expect([ds.SOPInstanceUID])
        for _ in range(3):
            for sent in TORMENTS.values():
                stack.enter_context(port.connect()).sendall(sent)
        with shake_hands(port, papers) as sock:
            pdus = wire.store(ds)
            sock.sendall(pdus[0])
            sock.recv(10_000)
            sock.sendall(b"".join(pdus[1:]))
            assert until(lambda: not port.inbox.missing([ds.SOPInstanceUID]))


def test_the_end_of_a_retrieval_does_not_wait_for_handshakes(tmp_path: Any, papers: Papers) -> None:
    with ExitStack() as stack:
        with encrypted_port(tmp_path / "archive", papers) as port:
            silent = [stack.enter_context(port.connect()) for _ in range(5)]
            assert until(lambda: len(port.connections) == 5)
        for sock in silent:
            sock.settimeout(PATIENCE)
            assert sock.recv(1) == b""


def test_a_pdu_that_is_too_long_is_cut_off_over_tls_too(tmp_path: Any, papers: Papers) -> None:
    with encrypted_port(tmp_path / "archive", papers) as port, shake_hands(port, papers) as sock:
        sock.sendall(TORMENTS["4 GB"])
        assert until(lambda: port.inbox.refused)
        assert "4294967295 bytes" in port.inbox.refused[0]
        assert until(lambda: not port.connections)
