"""C-ECHO and C-STORE in plain pynetdicom, to feed a peer and to know that it is up."""

from __future__ import annotations

import socket
import ssl
from copy import copy
from typing import Iterable

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification

from qatrack_aria.dicom.pynetdicom_patches import keep_responses
from tests.helpers.peers.server import HOST, PeerFailed, accepts_connections


def echo(port: int, ae_title: str, tls: ssl.SSLContext | None = None) -> bool:
    if not accepts_connections(port):  # pynetdicom would log an error
        return False
    ae = AE(ae_title="TESTER")
    ae.add_requested_context(Verification)
    association = ae.associate(HOST, port, ae_title=ae_title, tls_args=tls and (tls, HOST))
    if not association.is_established:
        return False
    status = association.send_c_echo()
    association.release()
    return status.get("Status") == 0x0000


def store(
    port: int, ae_title: str, datasets: Iterable[Dataset], tls: ssl.SSLContext | None = None
) -> None:
    """Send all ``datasets`` in one association; every one must be taken."""
    datasets = [with_file_meta(dataset) for dataset in datasets]
    ae = AE(ae_title="TESTER")
    for sop_class, syntax in dict.fromkeys(
        (ds.SOPClassUID, ds.file_meta.TransferSyntaxUID) for ds in datasets
    ):
        ae.add_requested_context(sop_class, syntax)
    association = ae.associate(
        HOST,
        port,
        ae_title=ae_title,
        evt_handlers=[(evt.EVT_CONN_OPEN, send_at_once)],
        tls_args=tls and (tls, HOST),
    )
    if not association.is_established:
        raise PeerFailed(f"{ae_title} refused an association for C-STORE")
    keep_responses(association)
    try:
        for dataset in datasets:
            status = association.send_c_store(dataset)
            if status.get("Status") != 0x0000:
                raise PeerFailed(f"{ae_title} refused {dataset.SOPInstanceUID}: {status}")
    finally:
        association.release()


def with_file_meta(dataset: Dataset) -> Dataset:
    """Return ``dataset``, or, if it was never in a file, a copy that can be sent."""
    if "TransferSyntaxUID" in getattr(dataset, "file_meta", ()):
        return dataset
    dataset = copy(dataset)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return dataset


def send_at_once(event: evt.Event) -> None:
    # Without it each small data set waits 40 ms for an acknowledgement.
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
