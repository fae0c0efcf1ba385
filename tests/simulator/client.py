"""A plain pynetdicom client and storage SCP: what any other program would see of the simulator."""

from __future__ import annotations

import threading
from socketserver import BaseServer
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import AE, build_role, evt
from pynetdicom.transport import ThreadedAssociationServer

from qatrack_aria.dicom.pynetdicom_patches import keep_responses
from tests.helpers.waiting import PATIENCE

MODELS = {"STUDY": "1.2.840.10008.5.1.4.1.2.2", "PATIENT": "1.2.840.10008.5.1.4.1.2.1"}
VERIFICATION = "1.2.840.10008.1.1"
RT_IMAGE = "1.2.840.10008.5.1.4.1.1.481.1"
RT_PLAN = "1.2.840.10008.5.1.4.1.1.481.5"


def associate(sim, *contexts, calling="QATRACK", called="VMSDBD", handlers=(), roles=()):
    ae = AE(ae_title=calling)
    for context in contexts or (VERIFICATION,):
        ae.add_requested_context(context)
    association = ae.associate(
        sim.host,
        sim.port,
        ae_title=called,
        ext_neg=list(roles),
        evt_handlers=list(handlers),
    )
    keep_responses(association)
    return association


def identifier(level: str, **keys: Any) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    return ds


def find(sim, level: str, model: str = "STUDY", **keys: Any):
    """Return the answers and the final status of a C-FIND."""
    association = associate(sim, f"{MODELS[model]}.1")
    assert association.is_established
    try:
        responses = list(association.send_c_find(identifier(level, **keys), f"{MODELS[model]}.1"))
    finally:
        association.release()
    answers = [answer for _, answer in responses[:-1]]
    return answers, responses[-1][0].Status


def move(sim, level: str, model: str = "STUDY", to: str = "QATRACK", **keys: Any):
    """Return the responses of a C-MOVE: (status data set, identifier) pairs."""
    association = associate(sim, f"{MODELS[model]}.2")
    assert association.is_established
    try:
        return list(association.send_c_move(identifier(level, **keys), to, f"{MODELS[model]}.2"))
    finally:
        association.release()


def get(sim, level: str, model: str = "STUDY", **keys: Any):
    """Return the responses of a C-GET, and the instances that came by it."""
    received: list[Dataset] = []

    def store(event: evt.Event) -> int:
        received.append(event.dataset)
        return 0x0000

    association = associate(
        sim,
        f"{MODELS[model]}.3",
        RT_IMAGE,
        handlers=[(evt.EVT_C_STORE, store)],
        roles=[build_role(RT_IMAGE, scp_role=True)],
    )
    assert association.is_established
    try:
        responses = list(association.send_c_get(identifier(level, **keys), f"{MODELS[model]}.3"))
    finally:
        association.release()
    return responses, received


class Receiver:
    """A storage SCP that keeps what it gets."""

    def __init__(
        self, *sop_classes: str, answer: Any = None, syntaxes: Any = ImplicitVRLittleEndian
    ) -> None:
        self.datasets: list[Dataset] = []
        self.calling: list[str] = []
        self.syntaxes: list[str] = []
        self.originators: list[tuple[str, int]] = []
        self.changed = threading.Condition()
        self._answer = answer or (lambda event: 0x0000)
        ae = AE(ae_title="QATRACK")
        for sop_class in sop_classes or (RT_IMAGE, RT_PLAN):
            ae.add_supported_context(sop_class, syntaxes)
        self._server = ae.make_server(
            ("127.0.0.1", 0),
            evt_handlers=[(evt.EVT_C_STORE, self._store)],
            server_class=ThreadedAssociationServer,
        )
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def uids(self) -> list[str]:
        return [str(dataset.SOPInstanceUID) for dataset in self.datasets]

    def wait_for(self, count: int) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: len(self.datasets) >= count, timeout=PATIENCE)

    def close(self) -> None:
        BaseServer.shutdown(self._server)
        self._server.server_close()
        self._thread.join()
        for association in self._server.active_associations:
            association.abort()
            association.join()

    def _store(self, event: evt.Event) -> int:
        status = self._answer(event)
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        with self.changed:
            self.datasets.append(dataset)
            self.calling.append(str(event.assoc.requestor.ae_title).strip())
            self.syntaxes.append(str(event.context.transfer_syntax))
            request = event.request
            self.originators.append(
                (str(request.MoveOriginatorApplicationEntityTitle), request.MoveOriginatorMessageID)
            )
            self.changed.notify_all()
        return status
