"""A node that we call sends more than it may: by malice, or by a fault."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import Any

import pytest

from qatrack_aria import fetch_images
from qatrack_aria.dicom import limits
from qatrack_aria.errors import AriaError, NodeUnreachableError
from qatrack_aria.simulator import phantom
from tests.helpers.aria import NOON, PATIENT, plan, uids, winston_lutz
from tests.helpers.open_port import at_most

MEGABYTE = bytes(2**20)


def fetch(**options: Any) -> Any:
    return fetch_images("aria", PATIENT, "WL", **options)


@pytest.mark.parametrize("pdu_type", [2, 4], ids=["A-ASSOCIATE-AC", "P-DATA-TF"])
def test_a_pdu_that_claims_four_gigabytes_is_no_answer(node: Any, pdu_type: int) -> None:
    """It is neither waited for, nor is memory taken for what it claims or for what comes of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        node.remote_port = server.getsockname()[1]
        node.save()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(struct.pack(">BBL", pdu_type, 0, 0xFFFFFFFF))
                with suppress(ConnectionError):
                    for _ in range(64):
                        connection.sendall(MEGABYTE)
                    while connection.recv(65536):
                        pass

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            with at_most(16 * len(MEGABYTE)), pytest.raises(NodeUnreachableError):
                fetch(deadline=5)
        finally:
            thread.join(10)


def test_an_image_without_end_is_cut_off_in_a_c_get(
    serve: Any, node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.retrieve_method = "C-GET"
    node.save()
    wl = plan()
    # Of 0.4 MB, which is several PDUs: the second is too many.
    serve(wl, phantom.winston_lutz(wl, NOON, True, count=1, machine_type="ias3"))
    monkeypatch.setattr(limits, "MAX_UNFILED", 100_000)
    with pytest.raises(AriaError, match=r"Transfer|C-FIND"):
        fetch(deadline=5)


def test_images_of_usual_size_come_by_c_get(serve: Any, node: Any) -> None:
    node.retrieve_method = "C-GET"
    node.save()
    wl = plan()
    mine = winston_lutz(wl)
    serve(wl, mine)
    assert uids(fetch()) == uids(mine)
