"""What cannot work is said before anything is sent, or as soon as it is known."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import threading
import time
from pathlib import Path

import pytest

from qatrack_aria import fetch_images
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.errors import (
    ArchiveError,
    AssociationRejectedError,
    BusyError,
    ConfigurationError,
    InactiveNodeError,
    IncompleteRetrievalError,
    NodeUnreachableError,
    PatientNotAllowedError,
    ReceiverError,
    RequestError,
    UnknownNodeError,
    WaitingError,
)
from qatrack_aria.models import Retrieval
from qatrack_aria.retrieval.lock import hold_destination
from qatrack_aria.storage.archive import Archive
from tests.helpers.aria import PATIENT, plan, uids, winston_lutz

TOMORROW = dt.date.today() + dt.timedelta(days=1)

WRONG = {
    "a number for a patient": ((12345.0, "WL"), {}, RequestError, "must be text"),
    "a list for a patient": (([PATIENT], "WL"), {}, RequestError, "must be text"),
    "an absurdly long patient": (("Q" * 10_000_000, "WL"), {}, RequestError, "10000000 char"),
    "a wildcard patient": (("QA_*", "WL"), {}, RequestError, "wildcards"),
    "a question mark in the plan": ((PATIENT, "W?"), {}, RequestError, "wildcards"),
    "two plans at once": ((PATIENT, "WL\\PF"), {}, RequestError, "exactly"),
    "a NUL in the patient": (("QA_\0TB1", "WL"), {}, RequestError, "exactly"),
    "a patient that is not allowed": (("ZZ1", "WL"), {}, PatientNotAllowedError, "QA_\\*"),
    "an image type that nobody sends": ((PATIENT, "WL", "potral"), {}, RequestError, "'portal'"),
    "no image type": ((PATIENT, "WL", None), {}, RequestError, "image type None"),
    "a day to come": ((PATIENT, "WL"), {"date": TOMORROW}, RequestError, "in the future"),
    "no date": ((PATIENT, "WL"), {"date": "soon"}, RequestError, "date 'soon'"),
    "half an image": ((PATIENT, "WL"), {"count": 7.5}, RequestError, "count 7.5"),
    "a selection unknown": ((PATIENT, "WL"), {"select": "week"}, RequestError, "series, day, all"),
    "kv that is no truth": ((PATIENT, "WL"), {"kv": "no"}, RequestError, "True, False or"),
    "no time at all": ((PATIENT, "WL"), {"deadline": 0}, RequestError, "deadline 0"),
    "a machine with a wildcard": ((PATIENT, "WL"), {"machine": "TB*"}, RequestError, "machine"),
}


@pytest.mark.parametrize(("given", "options", "error", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_request_is_refused_before_anything_is_sent(
    serve, settings, given, options, error, says
):
    sim = serve(plan())
    with pytest.raises(error, match=says) as raised:
        fetch_images("aria", *given, **options)
    assert "\n" not in str(raised.value)
    assert sim.log == []
    assert not Path(settings.QATRACK_ARIA_ARCHIVE).exists()
    assert Retrieval.objects.get().message == str(raised.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((None, "WL"), "Waiting for the patient ID"),
        (("  ", "WL"), "Waiting for the patient ID"),
        ((PATIENT, ""), "Waiting for the plan label"),
    ],
)
def test_a_test_that_is_not_filled_in_yet_is_waited_for_without_a_trace(node, given, says):
    with pytest.raises(WaitingError, match=says):
        fetch_images("aria", *given)
    assert not Retrieval.objects.exists()


def test_a_misspelt_node_is_answered_with_the_near_name(node):
    with pytest.raises(UnknownNodeError, match="did you mean 'aria'"):
        fetch_images("arai", PATIENT, "WL")


def test_a_node_that_is_switched_off_is_not_called(node):
    node.is_active = False
    node.save()
    with pytest.raises(InactiveNodeError, match="switched off"):
        fetch_images("aria", PATIENT, "WL")


def test_no_name_means_the_default_node(serve, node):
    wl = plan()
    images = winston_lutz(wl)
    serve(wl, images)
    node.is_default = True
    node.save()
    assert uids(fetch_images(None, PATIENT, "WL")) == uids(images)


def test_a_node_spoilt_behind_the_admins_back_is_named(node):
    type(node).objects.update(remote_port=0)
    with pytest.raises(ConfigurationError, match="remote_port"):
        fetch_images("aria", PATIENT, "WL")


# --- the connection ---------------------------------------------------------------------------


def test_a_port_where_nothing_listens(node):
    with pytest.raises(
        NodeUnreachableError, match=r"nothing answers.*refused.*check host and port"
    ):
        fetch_images("aria", PATIENT, "WL")


def test_a_host_name_that_does_not_resolve(node):
    node.remote_host = "no-such-host.invalid"
    node.save()
    with pytest.raises(NodeUnreachableError, match=r"'no-such-host\.invalid'.*does not resolve"):
        fetch_images("aria", PATIENT, "WL")


def test_a_machine_that_accepts_and_says_nothing(node):
    with socket.create_server(("127.0.0.1", node.remote_port)):
        node.response_timeout = 0.3
        node.save()
        with pytest.raises(NodeUnreachableError, match="does not answer"):
            fetch_images("aria", PATIENT, "WL")


def test_a_connection_that_is_swallowed_ends_with_the_connect_timeout(node):
    """A full backlog makes Linux drop further connections, as a firewall does."""
    full = socket.create_server(("127.0.0.1", node.remote_port), backlog=0)
    with full, socket.socket() as first, socket.socket() as second:
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", node.remote_port))
        node.connect_timeout = 0.3
        node.save()
        with pytest.raises(NodeUnreachableError, match=r"no answer within 0\.3 s"):
            fetch_images("aria", PATIENT, "WL")


def test_an_ae_title_of_ours_that_the_node_does_not_trust(serve, node):
    serve(plan())
    node.local_ae_title = "STRANGER"
    node.save()
    with pytest.raises(AssociationRejectedError, match=r"'STRANGER'.*trusted application entities"):
        fetch_images("aria", PATIENT, "WL")


def test_an_ae_title_that_is_not_the_nodes(serve, node):
    serve(plan())
    node.remote_ae_title = "WRONG"
    node.save()
    with pytest.raises(AssociationRejectedError, match="remote AE title"):
        fetch_images("aria", PATIENT, "WL")


@pytest.mark.parametrize(
    ("behaviour", "model", "method"),
    [({"c_get": False}, "STUDY", "C-GET"), ({"patient_root": False}, "PATIENT", "C-MOVE")],
)
def test_a_service_that_the_node_does_not_offer(serve, node, behaviour, model, method):
    wl = plan()
    serve(wl, winston_lutz(wl), **behaviour)
    node.query_model, node.retrieve_method = model, method
    node.save()
    with pytest.raises(AssociationRejectedError, match=r"offer.*choose another"):
        fetch_images("aria", PATIENT, "WL")


def test_ipv6_works_where_the_machine_has_it(node):
    from qatrack_aria.simulator import Simulator

    if not _has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    wl = plan()
    images = winston_lutz(wl)
    node.remote_host = node.local_host = "::1"
    with Simulator([wl, *images], host="::1", peers={"QATRACK": ("::1", node.local_port)}) as sim:
        node.remote_port = sim.port
        node.save()
        assert uids(fetch_images("aria", PATIENT, "WL")) == uids(images)


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


# --- the way back -----------------------------------------------------------------------------


def test_our_port_is_taken_by_another_program(serve, node):
    wl = plan()
    serve(wl, winston_lutz(wl))
    with socket.create_server(("127.0.0.1", node.local_port)):
        with pytest.raises(ReceiverError, match=f"port {node.local_port}"):
            fetch_images("aria", PATIENT, "WL")


def test_a_destination_that_the_node_does_not_know_is_not_asked_for_again(serve):
    wl = plan()
    sim = serve(wl, winston_lutz(wl))
    sim.behaviour = type(sim.behaviour)(trusted_only=False)
    sim.peers.clear()
    with pytest.raises(IncompleteRetrievalError, match=r"0xA801.*trusted application entities"):
        fetch_images("aria", PATIENT, "WL")
    assert len(sim.operations("C-MOVE")) == 1


def test_images_that_go_to_another_address_than_ours(serve):
    """The server reports success, and nothing comes: the case that costs people days."""
    wl = plan()
    images = winston_lutz(wl)
    serve(wl, images, silent_losses=frozenset(uids(images)))
    with pytest.raises(IncompleteRetrievalError, match="another address or port for our AE title"):
        fetch_images("aria", PATIENT, "WL")


def test_images_sent_under_an_ae_title_that_is_not_the_nodes_are_turned_away(serve):
    wl = plan()
    serve(wl, winston_lutz(wl), store_ae_title="SOMEONE")
    with pytest.raises(IncompleteRetrievalError, match="request from 'SOMEONE' to 'QATRACK'"):
        fetch_images("aria", PATIENT, "WL")


def test_images_sent_from_a_machine_that_is_not_the_nodes_are_turned_away(serve, node):
    """The node is called at 127.0.0.2; its images come from 127.0.0.1."""
    from qatrack_aria.simulator import Simulator

    wl = plan()
    node.remote_host = "127.0.0.2"
    destination = {"QATRACK": ("127.0.0.1", node.local_port)}
    with Simulator([wl, *winston_lutz(wl)], host="127.0.0.2", peers=destination) as sim:
        node.remote_port = sim.port
        node.save()
        with pytest.raises(
            IncompleteRetrievalError, match=r"a connection from 127\.0\.0\.1.*extra hosts"
        ):
            fetch_images("aria", PATIENT, "WL")
        node.extra_hosts = "127.0.0.1"
        node.save()
        assert len(fetch_images("aria", PATIENT, "WL")) == 8


@contextlib.contextmanager
def strangers(node):
    """Somebody at 127.0.0.5 connects to our port all the time, as a scanner of the network does."""
    over = threading.Event()

    def connect():
        while not over.wait(0.02):
            with contextlib.suppress(OSError), socket.create_connection(
                ("127.0.0.1", node.local_port), 1, ("127.0.0.5", 0)
            ) as sock:
                sock.sendall(b"GET / HTTP/1.0\r\n\r\n")

    thread = threading.Thread(target=connect)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_strangers_do_not_extend_the_wait_for_images(serve, node):
    """Eleven seconds became the whole deadline."""
    wl = plan()
    images = winston_lutz(wl, count=1)
    serve(wl, images, silent_losses=frozenset(uids(images)))
    with strangers(node):
        began = time.monotonic()
        with pytest.raises(IncompleteRetrievalError) as raised:
            fetch_images("aria", PATIENT, "WL", deadline=20)
        assert time.monotonic() - began < 10
    row = Retrieval.objects.first()
    assert row.refused > 0  # the record knows of them
    assert "127.0.0.5" not in str(raised.value)
    assert "another address or port for our AE title" in str(raised.value)


def test_strangers_are_not_why_one_image_is_missing(serve, node):
    wl = plan()
    images = winston_lutz(wl, count=3)
    serve(wl, images, silent_losses=frozenset(uids(images)[:1]))
    with strangers(node), pytest.raises(IncompleteRetrievalError, match="1 of 3") as raised:
        fetch_images("aria", PATIENT, "WL", deadline=20)
    assert "extra hosts" not in str(raised.value)


def test_images_arrive_among_strangers(serve, node):
    wl = plan()
    images = winston_lutz(wl)
    serve(wl, images)
    with strangers(node):
        assert uids(fetch_images("aria", PATIENT, "WL")) == uids(images)


# --- this machine -----------------------------------------------------------------------------


def test_an_archive_that_cannot_be_made(serve, settings, tmp_path):
    serve(plan())
    (tmp_path / "file").write_text("not a folder")
    settings.QATRACK_ARIA_ARCHIVE = str(tmp_path / "file" / "archive")
    with pytest.raises(ArchiveError, match="Archive: cannot make"):
        fetch_images("aria", PATIENT, "WL")


def test_a_second_retrieval_waits_and_then_says_who_holds_the_port(serve, node, settings):
    wl = plan()
    serve(wl, winston_lutz(wl))
    archive = Archive(Path(settings.QATRACK_ARIA_ARCHIVE))
    with hold_destination(archive, node.peer(), Deadline(10), "a retrieval for the night shift"):
        with pytest.raises(BusyError, match="a retrieval for the night shift"):
            fetch_images("aria", PATIENT, "WL", deadline=2)
    assert len(fetch_images("aria", PATIENT, "WL", max_age=0)) == 8


def test_the_port_is_free_again_after_every_end(serve, node):
    wl = plan()
    serve(wl, winston_lutz(wl), abort_after=0)
    with pytest.raises(IncompleteRetrievalError):
        fetch_images("aria", PATIENT, "WL")
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", node.local_port))


def test_the_deadline_ends_a_retrieval_whose_images_never_come(serve, node, monkeypatch):
    """It is over when the node says that it has sent them; else they would be waited for."""
    node.grace = 3600
    node.save()
    wl = plan()
    images = winston_lutz(wl)
    sim = serve(wl, images, silent_losses=frozenset(uids(images)))
    elapsed = Deadline.elapsed
    late = property(lambda d: elapsed.fget(d) + (3600 if sim.operations("C-MOVE") else 0))
    monkeypatch.setattr(Deadline, "elapsed", late)
    with pytest.raises(IncompleteRetrievalError):
        fetch_images("aria", PATIENT, "WL", deadline=3600)
