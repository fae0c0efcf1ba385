"""Ask a node what no retrieval needs to know, for a report that names no patient.

Each question is one or two C-FINDs for the images of one series.
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any, Iterator, Sequence

from pydicom.dataset import Dataset

from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.dicom.peer import C_GET
from qatrack_aria.dicom.queries import (
    SERIES_COUNT,
    SLICE_KEYS,
    UIDS,
    PatientQueries,
    QueryRefused,
    plan_reference,
)
from qatrack_aria.dicom.series_search import SeriesSearch
from qatrack_aria.dicom.uids import CT
from qatrack_aria.dicom.values import text
from qatrack_aria.errors import AriaError
from qatrack_aria.text import plural

#: Attributes that are asked for as keys and as return keys, and a value that none has.
ATTRIBUTES = {
    "ImageType": "NONE",
    "AcquisitionDate": "19000101",
    "AcquisitionTime": "000000.000001",
    "ContentDate": "19000101",
    "ContentTime": "000000.000001",
    "RadiationMachineName": "NONE",
    "StationName": "NONE",
    "PrimaryDosimeterUnit": "NONE",
    "RTImageLabel": "NONE",
    "GantryAngle": "-1",
}
#: Modalities of series that a patient may have, and what is useful of a series.
OTHERS = ("CT", "REG")
OF_A_SERIES = ("SeriesDescription", "SeriesDate", "ProtocolName", "StationName", SERIES_COUNT)
#: A UID that nothing has.
ABSENT_UID = "1.2.3.4.5.6.7.8.9"


class Probe:
    """Questions to a node about one series.

    Parameters
    ----------
    session : Session
        An association with the node.
    images : sequence of ImageRef
        Images of the series, as the node has listed them.
    plan : PlanRef
        Their plan.
    """

    def __init__(self, session: Session, images: Sequence[ImageRef], plan: PlanRef) -> None:
        self._session = session
        self._images = images
        self._plan = plan
        self._queries = PatientQueries(session, images[0].patient_id or "")
        self._keys = self._queries.series_key(*images[0].series_key)

    def answers(self) -> Iterator[tuple[str, str]]:
        """Yield each question with its answer."""
        same = self._images[0].study_uid == self._plan.study_uid
        yield "images in the study of their plan", "yes" if same else "no"
        yield "C-GET", self._c_get()
        yield "Series Date at SERIES level", self._series_date()
        counted = SeriesSearch(self._queries).studies() is not None
        yield "numbers of a study's series and instances", "returned" if counted else "not returned"
        yield "a list of SOP Instance UIDs as a key", self._uid_list()
        yield "the plan's UID as a key", self._plan_key()
        for keyword, absent in ATTRIBUTES.items():
            yield f"{keyword} as a return key", self._returned(keyword)
            yield f"{keyword} as a key", self._as_key(keyword, absent)
        for modality in OTHERS:
            yield f"{modality} series of the patient", self._series_of(modality)
        yield "attributes of a CT slice", self._slice()

    def _c_get(self) -> str:
        peer = dataclasses.replace(self._session.peer, retrieve_method=C_GET)
        try:
            with Session(peer, self._session.deadline) as session:
                session.context(C_GET)
            return "offered"
        except AriaError:
            return "not offered"

    def _series_date(self) -> str:
        try:
            found = self._queries.send("SERIES", self._keys, ("SeriesInstanceUID", "SeriesDate"))
        except QueryRefused:
            return "refused"
        return "returned" if any(text(answer, "SeriesDate") for answer in found) else "empty"

    def _series_of(self, modality: str) -> str:
        """Say how many series of a modality there are, and what is returned of them."""
        keys = {"PatientID": self._queries.patient_id, "Modality": modality}
        try:
            found = self._queries.send("SERIES", keys, ("SeriesInstanceUID", *OF_A_SERIES))
        except QueryRefused:
            return "refused"
        returned = [k for k in OF_A_SERIES if any(text(answer, k) for answer in found)]
        return f"{len(found)}; returned: {', '.join(returned) or 'no attribute'}"

    def _slice(self) -> str:
        """Say which attributes are returned of a slice of the first CT series."""
        queries = PatientQueries(self._session, self._queries.patient_id, CT)
        try:
            series = SeriesSearch(queries).inventory()
            key = next(iter(sorted(series)), None)
            found = queries.send("IMAGE", queries.series_key(*key), SLICE_KEYS) if key else []
        except QueryRefused:
            return "refused"
        returned = [k for k in SLICE_KEYS if any(text(answer, k) for answer in found)]
        return f"{plural(len(found), 'slice')}; returned: {', '.join(returned) or 'none'}"

    def _uid_list(self) -> str:
        uids = [image.sop_uid for image in self._images[:2]]
        found = self._send({"SOPInstanceUID": uids}, "Modality")
        if len(uids) < 2 or found is None:
            return "refused" if found is None else "not asked: the series has one image"
        return f"{plural(len(found), 'answer')} for {len(uids)} of {len(self._images)} images"

    def _plan_key(self) -> str:
        numbers = []
        for uid in (self._plan.sop_uid, ABSENT_UID):
            found = self._send({"ReferencedRTPlanSequence": plan_reference(uid)}, "Modality")
            if found is None:
                return "refused"
            numbers.append(len(found))
        return _matching(*numbers)

    def _returned(self, keyword: str) -> str:
        found = self._send({}, keyword)
        if found is None:
            return "refused"
        if not found:
            return "no answers"
        filled = sum(1 for answer in found if text(answer, keyword))
        return f"filled in {filled} of {plural(len(found), 'answer')}"

    def _as_key(self, keyword: str, absent: str) -> str:
        values = [text(answer, keyword) for answer in self._send({}, keyword) or ()]
        value = next((value for value in values if value), None)
        if value is None:
            return "not asked: no value is returned"
        numbers = []
        for asked in (value, absent):
            found = self._send({keyword: asked}, keyword)
            if found is None:
                return "refused"
            numbers.append(len(found))
        return _matching(*numbers)

    def _send(self, keys: dict[str, Any], keyword: str) -> Sequence[Dataset] | None:
        with contextlib.suppress(QueryRefused):
            return self._queries.send("IMAGE", {**self._keys, **keys}, (*UIDS, keyword))
        return None


def _matching(with_value: int, with_absent_one: int) -> str:
    """Say what the numbers of answers to a value, and to one that nothing has, mean."""
    if with_absent_one:
        return "ignored"
    return "matched" if with_value else "matches nothing"
