"""An instance of which a piece (a P-DATA fragment) comes twice: whole to look at, and shifted."""

from __future__ import annotations

import pytest

from tests.helpers import wire
from tests.helpers.open_port import Port, image, is_accepted
from tests.helpers.waiting import until

PIECE = 1000


def pieces_of_pixels(ds):
    """Which PDUs hold nothing but pixels; the last one of them ends the instance."""
    pdus = wire.store(ds, PIECE)
    last = len(pdus) - 2
    return range(last - len(ds.PixelData) // PIECE + 1, last)


@pytest.fixture
def port(tmp_path):
    with Port(tmp_path / "archive") as opened:
        yield opened


def send(port, pdus):
    """All of it, until the receiver has answered and released."""
    with port.connect() as sock:
        sock.sendall(pdus[0])
        assert is_accepted(sock)
        sock.sendall(b"".join(pdus[1:]))
        while sock.recv(65536):
            pass


def test_the_same_pieces_sent_once_are_filed(port):
    ds = image()
    port.inbox.expect([ds.SOPInstanceUID])
    send(port, wire.store(ds, PIECE))
    assert until(lambda: not port.inbox.missing([ds.SOPInstanceUID]))


@pytest.mark.parametrize("place", [0, 0.5, 1], ids=["first", "in the midst", "last but one"])
def test_an_image_of_which_a_piece_came_twice_is_not_filed(port, place):
    """Its pixels are shifted from there on, and the length of the pixel data is still right."""
    ds = image()
    pdus = list(wire.store(ds, PIECE))
    pieces = pieces_of_pixels(ds)
    number = pieces[round(place * (len(pieces) - 1))]
    pdus.insert(number, pdus[number])
    port.inbox.expect([ds.SOPInstanceUID])
    send(port, pdus)
    assert port.inbox.missing([ds.SOPInstanceUID])
    assert "arrived damaged: what follows its pixel data" in port.inbox.refused[0]
