"""What a person writes with pynetdicom: one C-FIND for each series, or one for all images.

It runs in a process of its own.

python -m tools.benchmark.plain
"""

from __future__ import annotations

import time
from typing import Any, Sequence

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from qatrack_aria.dicom.pynetdicom_patches import set_no_delay
from qatrack_aria.dicom.queries import IMAGE_KEYS
from tests.helpers.peers.server import HOST
from tools.benchmark.aria import OUR_AE_TITLE
from tools.helper import obey

NO_DELAY = [(evt.EVT_CONN_OPEN, set_no_delay), (evt.EVT_DATA_SENT, set_no_delay)]
FEW = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "AcquisitionDate")


class Plain:
    """Nothing of ours but TCP_NODELAY: pynetdicom as it is."""

    def list_images(self, port: int, ae_title: str, patient: str) -> dict[str, Any]:
        """Seconds, and how many images and queries they were."""
        start = time.perf_counter()
        ae = AE()
        ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
        association = ae.associate(HOST, port, ae_title=ae_title)
        images = []
        queries = 1
        (study,) = _find(association, FEW, QueryRetrieveLevel="STUDY", PatientID=patient)
        below = {"StudyInstanceUID": study.StudyInstanceUID}
        queries += 1
        keys = {"QueryRetrieveLevel": "SERIES", "Modality": "RTIMAGE", **below}
        for series in _find(association, FEW, **keys):
            queries += 1
            images += _find(
                association,
                FEW,
                QueryRetrieveLevel="IMAGE",
                SeriesInstanceUID=series.SeriesInstanceUID,
                **below,
            )
        association.release()
        return {
            "seconds": time.perf_counter() - start,
            "images": len(images),
            "queries": queries,
        }

    def list_everything(self, port: int, patient: str) -> dict[str, Any]:
        """Seconds of one C-FIND for all images, with our keys, and how many there are."""
        start = time.perf_counter()
        ae = AE(OUR_AE_TITLE)
        ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
        association = ae.associate(HOST, port, ae_title="VMSDBD", evt_handlers=NO_DELAY)
        keys = {"QueryRetrieveLevel": "IMAGE", "PatientID": patient, "Modality": "RTIMAGE"}
        images = _find(association, IMAGE_KEYS, **keys)
        association.release()
        return {"seconds": time.perf_counter() - start, "images": len(images)}


def _find(association: Any, returned: Sequence[str], **keys: str) -> list[Dataset]:
    query = Dataset()
    for keyword in returned:
        setattr(query, keyword, [] if keyword.endswith("Sequence") else "")
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    responses = association.send_c_find(query, StudyRootQueryRetrieveInformationModelFind)
    return [answer for _, answer in responses if answer]


if __name__ == "__main__":
    obey(Plain())
