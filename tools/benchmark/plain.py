"""What a person writes with pynetdicom: one C-FIND for each series; in a process of its own.

python -m tools.benchmark.plain
"""

from __future__ import annotations

import time
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from tests.helpers.peers.server import HOST
from tools.helper import obey


class Plain:
    """Nothing of ours: pynetdicom as it is."""

    def list_images(self, port: int, ae_title: str, patient: str) -> dict[str, Any]:
        """Seconds, and how many images and queries they were."""
        start = time.perf_counter()
        ae = AE()
        ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
        association = ae.associate(HOST, port, ae_title=ae_title)
        images = []
        queries = 1
        (study,) = _find(association, QueryRetrieveLevel="STUDY", PatientID=patient)
        below = {"StudyInstanceUID": study.StudyInstanceUID}
        queries += 1
        for series in _find(association, QueryRetrieveLevel="SERIES", Modality="RTIMAGE", **below):
            queries += 1
            images += _find(
                association,
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


def _find(association: Any, **keys: str) -> list[Dataset]:
    returned = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "AcquisitionDate")
    query = Dataset()
    for keyword in returned:
        setattr(query, keyword, "")
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    responses = association.send_c_find(query, StudyRootQueryRetrieveInformationModelFind)
    return [answer for _, answer in responses if answer]


if __name__ == "__main__":
    obey(Plain())
