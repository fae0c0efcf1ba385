"""Starting, stopping, who may call, and the log."""

from __future__ import annotations

import socket
import threading

import pynetdicom
import pytest
from pynetdicom import build_role, evt

from qatrack_aria.simulator import Simulator
from tests.helpers.waiting import PATIENCE, until

from .client import MODELS, RT_IMAGE, Receiver, associate, find, identifier, move


def acceptors(before):
    """The threads that have begun to serve a client since then."""
    return [thread for thread in set(threading.enumerate()) - before if "Acceptor" in thread.name]


def test_echo_is_answered(sim):
    association = associate(sim)
    assert association.send_c_echo().Status == 0x0000
    association.release()
    assert [operation.peer for operation in sim.operations("C-ECHO")] == ["QATRACK"]


def test_a_stranger_is_rejected(sim):
    association = associate(sim, calling="STRANGER")
    primitive = association.acceptor.primitive
    assert association.is_rejected
    assert (primitive.result, primitive.result_source, primitive.diagnostic) == (1, 1, 3)


def test_a_stranger_may_be_let_in(sim, behave):
    behave(trusted_only=False)
    association = associate(sim, calling="STRANGER")
    assert association.is_established
    association.release()


def test_a_client_that_calls_somebody_else_is_rejected(sim):
    association = associate(sim, called="OTHER")
    assert association.is_rejected
    assert association.acceptor.primitive.diagnostic == 7


def test_nobody_is_trusted_without_peers(wl_plan):
    with Simulator([wl_plan], peers={}) as sim:
        assert associate(sim).is_rejected


def test_the_log_tells_what_was_asked(sim):
    find(sim, "IMAGE", "PATIENT", PatientID="QA_TB1", ImageType=["ORIGINAL", "PRIMARY"], StudyID="")
    (operation,) = sim.log
    assert (operation.kind, operation.level, operation.answers) == ("C-FIND", "IMAGE", 0)
    assert (operation.status, operation.peer, operation.patient_root) == (0x0000, "QATRACK", True)
    assert operation.identifier["ImageType"] == "ORIGINAL\\PRIMARY"
    assert operation.identifier["StudyID"] == ""


def test_the_log_tells_what_was_sent(sim, tuesday):
    move(sim, "SERIES", SeriesInstanceUID=tuesday[0].SeriesInstanceUID)
    sent = [operation.identifier["SOPInstanceUID"] for operation in sim.operations("C-STORE")]
    assert sent == [image.SOPInstanceUID for image in tuesday]
    assert [operation.answers for operation in sim.operations("C-MOVE")] == [3]


def test_an_operation_is_reported_when_it_is_over(wl_plan):
    reported = []
    with Simulator([wl_plan], on_operation=reported.append) as sim:
        find(sim, "IMAGE", Modality="RTPLAN")
    assert reported == sim.log


def test_nothing_is_left_running(wl_plan, monday):
    """Not the listener's thread, and not that of a client who never releases."""
    before = set(threading.enumerate())
    with Simulator([wl_plan, *monday]) as sim:
        association = associate(sim)
        association.send_c_echo()
    association.join(PATIENCE)
    association.dul.join(PATIENCE)
    assert set(threading.enumerate()) <= before


def test_stopping_ends_a_move_whose_receiver_hangs(wl_plan, tuesday):
    before = set(threading.enumerate())
    asked, go_on = threading.Event(), threading.Event()

    def hang(event):
        asked.set()
        go_on.wait(PATIENCE)
        return 0x0000

    receiver = Receiver(answer=hang)
    sim = Simulator([wl_plan, *tuesday], peers={"QATRACK": ("127.0.0.1", receiver.port)})
    sim.start()
    client = threading.Thread(
        target=move,
        args=(sim, "IMAGE"),
        kwargs={"SOPInstanceUID": tuesday[0].SOPInstanceUID},
    )
    client.start()
    assert asked.wait(PATIENCE)
    sim.stop()
    client.join(PATIENCE)
    alive = client.is_alive()
    go_on.set()
    receiver.close()
    assert not alive
    assert not acceptors(before)


def test_stopping_ends_a_move_whose_receiver_does_not_answer_the_call(wl_plan, tuesday):
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as receiver:
        sim = Simulator([wl_plan, *tuesday], peers={"QATRACK": receiver.getsockname()})
        sim.start()
        client = threading.Thread(
            target=move,
            args=(sim, "IMAGE"),
            kwargs={"SOPInstanceUID": tuesday[0].SOPInstanceUID},
        )
        client.start()
        called, _ = receiver.accept()
        with called:
            called.recv(1)  # the A-ASSOCIATE-RQ has come
            sim.stop()
            assert not acceptors(before)
        client.join(PATIENCE)
        assert not client.is_alive()


def test_a_client_that_leaves_without_a_word_is_not_waited_for(sim):
    before = set(threading.enumerate())
    with socket.create_connection((sim.host, sim.port)):
        assert until(lambda: acceptors(before))
    assert until(lambda: not acceptors(before), 10)


def test_a_client_that_is_killed_in_the_midst_of_a_get_is_not_waited_for(sim, tuesday):
    before = set(threading.enumerate())

    def die(event):
        event.assoc.dul.socket.socket.shutdown(socket.SHUT_RDWR)
        return 0x0000

    association = associate(
        sim,
        f"{MODELS['STUDY']}.3",
        RT_IMAGE,
        handlers=[(evt.EVT_C_STORE, die)],
        roles=[build_role(RT_IMAGE, scp_role=True)],
    )
    asked = identifier("SERIES", SeriesInstanceUID=tuesday[0].SeriesInstanceUID)
    list(association.send_c_get(asked, f"{MODELS['STUDY']}.3"))
    assert until(lambda: not acceptors(before), 10)


def test_it_can_be_stopped_twice_and_started_again(wl_plan):
    sim = Simulator([wl_plan])
    for _ in range(2):
        sim.start()
        assert len(find(sim, "IMAGE", Modality="RTPLAN")[0]) == 1
        sim.stop()
        sim.stop()


def test_a_port_that_is_taken_is_an_error(sim):
    with pytest.raises(OSError, match=r"in use|10048|only one usage"):
        Simulator(port=sim.port).start()


@pytest.mark.skipif(
    int(pynetdicom.__version__.split(".")[0]) < 3,
    reason="the plain client of these tests calls IPv6 with pynetdicom 3 only",
)
def test_it_listens_on_ipv6(wl_plan):
    with Simulator([wl_plan], host="::1") as sim:
        assert len(find(sim, "IMAGE", Modality="RTPLAN")[0]) == 1
