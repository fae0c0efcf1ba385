"""Ask a node what no retrieval needs to know, for a report that names no patient.

Each question is one or two C-FINDs for the images of one series.
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any, Iterator, Sequence

from pydicom.dataset import Dataset

from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.peer import C_GET
from qatrack_aria.dicom.queries import UIDS, PatientQueries, QueryRefused
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


class Probe:
    """Questions to a node about one series.

    Parameters
    ----------
    session : Session
        An association with the node.
    image : ImageRef
        An image of the series, as the node has listed it.
    plan_study_uid : str
        Study Instance UID of its plan.
    """

    def __init__(self, session: Session, image: ImageRef, plan_study_uid: str) -> None:
        self._session = session
        self._image = image
        self._plan_study_uid = plan_study_uid
        self._queries = PatientQueries(session, image.patient_id or "")
        self._keys = self._queries.series_key(*image.series_key)

    def answers(self) -> Iterator[tuple[str, str]]:
        """Yield each question with its answer."""
        same = self._image.study_uid == self._plan_study_uid
        yield "images in the study of their plan", "yes" if same else "no"
        yield "C-GET", self._c_get()
        yield "Series Date at SERIES level", self._series_date()
        for keyword, absent in ATTRIBUTES.items():
            yield f"{keyword} as a return key", self._returned(keyword)
            yield f"{keyword} as a key", self._as_key(keyword, absent)

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
        if numbers[1]:
            return "ignored"
        return "matched" if numbers[0] else "matches nothing"

    def _send(self, keys: dict[str, Any], keyword: str) -> Sequence[Dataset] | None:
        with contextlib.suppress(QueryRefused):
            return self._queries.send("IMAGE", {**self._keys, **keys}, (*UIDS, keyword))
        return None
