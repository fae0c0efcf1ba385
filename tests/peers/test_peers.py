"""The peers themselves: a test that fails here says nothing about the app."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
from typing import Union

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, _config, build_role, evt
from pynetdicom.sop_class import (
    RTImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from tests.helpers.peers.dcmtk import Dcmqrscp
from tests.helpers.peers.orthanc import Orthanc
from tests.helpers.peers.postgres import Postgres
from tests.helpers.peers.scu import echo
from tests.helpers.peers.server import (
    HOST,
    PeerMissing,
    accepts_connections,
    find_program,
    free_port,
)
from tests.helpers.waiting import until

Peer = Union[Orthanc, Dcmqrscp]

HALCYON_PLAN = "1.2.246.352.70.1.70"


@pytest.fixture(params=["orthanc", "dcmqrscp"])
def peer(request: pytest.FixtureRequest) -> Peer:
    return request.getfixturevalue(request.param)


def an_instance(sop_class: str = RTImageStorage) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID = generate_uid()
    dataset.SeriesInstanceUID = generate_uid()
    dataset.PatientID = "QA_PEER"
    dataset.PatientName = "QA^Peer"
    dataset.Modality = "RTIMAGE"
    dataset.StudyDate = "20260102"
    dataset.StudyTime = "030405"
    return dataset


def uids_of(instance: Dataset) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE"
    identifier.StudyInstanceUID = instance.StudyInstanceUID
    identifier.SeriesInstanceUID = instance.SeriesInstanceUID
    identifier.SOPInstanceUID = instance.SOPInstanceUID
    return identifier


def find(peer: Peer, identifier: Dataset) -> list[str]:
    model = StudyRootQueryRetrieveInformationModelFind
    ae = AE(ae_title="TESTER")
    ae.add_requested_context(model)
    association = ae.associate(HOST, peer.port, ae_title=peer.ae_title)
    found = [answer for _, answer in association.send_c_find(identifier, model) if answer]
    association.release()
    return [answer.SOPInstanceUID for answer in found]


def get(peer: Peer, identifier: Dataset, sop_class: str) -> list[str]:
    received: list[str] = []

    def on_store(event: evt.Event) -> int:
        received.append(event.request.AffectedSOPInstanceUID)
        return 0x0000

    model = StudyRootQueryRetrieveInformationModelGet
    ae = AE(ae_title="TESTER")
    ae.add_requested_context(model)
    ae.add_requested_context(sop_class)
    association = ae.associate(
        HOST,
        peer.port,
        ae_title=peer.ae_title,
        ext_neg=[build_role(sop_class, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, on_store)],
    )
    list(association.send_c_get(identifier, model))
    association.release()
    return received


def move(peer: Peer, identifier: Dataset, sop_class: str) -> list[str]:
    """Move to a receiver on a port the peer learns only now."""
    received: list[str] = []

    def on_store(event: evt.Event) -> int:
        received.append(event.request.AffectedSOPInstanceUID)
        return 0x0000

    model = StudyRootQueryRetrieveInformationModelMove
    ae = AE(ae_title="TESTER")
    ae.add_requested_context(model)
    ae.add_supported_context(sop_class)
    receiver = ae.start_server((HOST, 0), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store)])
    try:
        peer.set_peer("TESTER", HOST, receiver.server_address[1])
        association = ae.associate(HOST, peer.port, ae_title=peer.ae_title)
        list(association.send_c_move(identifier, "TESTER", model))
        association.release()
    finally:
        receiver.shutdown()
    return received


def test_answers_an_echo(peer: Peer) -> None:
    assert echo(peer.port, peer.ae_title)


def test_what_was_stored_is_found_got_and_moved(peer: Peer) -> None:
    instance = an_instance()

    peer.store([instance])

    assert find(peer, uids_of(instance)) == [instance.SOPInstanceUID]
    assert get(peer, uids_of(instance), RTImageStorage) == [instance.SOPInstanceUID]
    assert move(peer, uids_of(instance), RTImageStorage) == [instance.SOPInstanceUID]


def test_orthanc_keeps_plans_of_a_private_sop_class(
    orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pynetdicom would offer the class and then refuse the plan.
    monkeypatch.setattr(_config, "UNRESTRICTED_STORAGE_SERVICE", True)
    plan = an_instance(HALCYON_PLAN)

    orthanc.store([plan])

    assert find(orthanc, uids_of(plan)) == [plan.SOPInstanceUID]
    assert move(orthanc, uids_of(plan), HALCYON_PLAN) == [plan.SOPInstanceUID]


def test_is_empty_once_cleared(peer: Peer) -> None:
    instance = an_instance()
    peer.store([instance])

    peer.clear()

    assert find(peer, uids_of(instance)) == []


def test_a_strict_orthanc_serves_only_whom_it_knows(orthanc: Orthanc) -> None:
    instance = an_instance()
    with Orthanc(strict=True) as strict:
        strict.store([instance])
        assert find(strict, uids_of(instance)) == []

        strict.set_peer("TESTER", HOST, 11112)

        assert find(strict, uids_of(instance)) == [instance.SOPInstanceUID]


def test_postgres_answers_a_query(postgres: Postgres) -> None:
    psycopg2 = pytest.importorskip("psycopg2")

    connection = psycopg2.connect(postgres.url)
    cursor = connection.cursor()
    cursor.execute("SELECT 1")

    assert cursor.fetchone() == (1,)
    connection.close()


def test_a_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(PeerMissing, match="apt-get install dcmtk"):
        find_program("no-such-dcmqrscp", "dcmtk")


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv (util-linux)")
def test_goes_when_the_test_process_is_killed(dcmqrscp: Dcmqrscp) -> None:
    dies = """
import os, signal
from tests.helpers.peers.dcmtk import Dcmqrscp

with Dcmqrscp() as peer:
    print(peer.directory, peer.port, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run(
        [sys.executable, "-c", dies], stdout=subprocess.PIPE, text=True, check=False
    )
    directory, port = killed.stdout.split()
    shutil.rmtree(directory)

    assert killed.returncode == -signal.SIGKILL
    assert until(lambda: not accepts_connections(int(port)))


@pytest.mark.skipif(sys.platform != "linux", reason="others let a server take no port that is kept")
def test_a_free_port_is_kept_for_the_server_that_it_was_found_for() -> None:
    port = free_port()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((HOST, port))
    assert not accepts_connections(port)
    with socket.create_server((HOST, port)):
        assert accepts_connections(port)
