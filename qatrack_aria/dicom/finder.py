"""Finds the plans and images of one patient, whatever forms of query the node supports.

The order is the same everywhere: first the keys that narrow the answer, then fewer, then level by
level from the study down. A server that ignores or refuses a key, answers nothing because of it,
or supports no relational queries, thus costs time only. The caller decides image by image what
the answers mean.
"""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any, Callable, NamedTuple, Optional, Sequence

from pydicom.dataset import Dataset

from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.attributes import ImageRef, PlanRef, image_ref
from qatrack_aria.dicom.c_find import QueryRecord
from qatrack_aria.dicom.queries import (
    DATES,
    IMAGE_KEYS,
    IMAGE_KEYS_SEEN,
    PLAN_KEYS,
    PLAN_KEYS_FEW,
    UIDS,
    PatientQueries,
    QueryRefused,
)
from qatrack_aria.dicom.values import text
from qatrack_aria.errors import QueryError

FirstDay = Callable[[Sequence[ImageRef]], Optional[dt.date]]

LABEL_LENGTH = 16  # characters of a Short String: what an RTPlanLabel key can hold


class _Dated(NamedTuple):
    """An answer, and its dates as they are written."""

    image: ImageRef
    content: str | None
    acquisition: str | None


def _dated(answer: Dataset) -> _Dated:
    return _Dated(image_ref(answer), text(answer, "ContentDate"), text(answer, "AcquisitionDate"))


class Finder:
    """Lists the plans and images of one patient on one node.

    Attributes
    ----------
    relational : bool
        False once the node has turned out to answer level by level only.
    supports_date_keys : bool
        False once it has refused a date as a key, or has answered with images of other days.
    """

    def __init__(self, session: Session, patient_id: str) -> None:
        self.session = session
        self.patient_id = patient_id
        self.relational = True
        self.supports_date_keys = True
        self._queries = PatientQueries(session, patient_id)

    @property
    def queries(self) -> Sequence[QueryRecord]:
        """Every query sent so far."""
        return self._queries.records

    def plans(self, label: str | None) -> list[PlanRef]:
        """List the patient's plans; the caller compares their labels with the wanted one.

        A server's own matching of labels is not ours (padding, capital letters, long labels), and
        would hide a second plan with the same label. Only a label that is missing from the list is
        queried by itself, since a list can be short for a while.

        Raises
        ------
        QueryError
            The node refused every form of the query.
        """
        forms: list[Callable[[], list[PlanRef]]] = []
        for patient in self._queries.patient_keys():
            base = {**patient, "Modality": "RTPLAN"}
            forms += [partial(self._queries.plans, base, r) for r in (PLAN_KEYS, PLAN_KEYS_FEW)]
        forms.append(self._plans_by_level)
        listed: list[PlanRef] = self._first_answer("plans", forms)
        if label is None or any(plan.label in (label, None) for plan in listed):
            return listed
        return listed + self._plans_with_label(label)

    def images(
        self,
        since: dt.date | None = None,
        until: dt.date | None = None,
        first_day: FirstDay | None = None,
    ) -> list[ImageRef]:
        """List the patient's RT Images, or those of some days where the node matches dates.

        Parameters
        ----------
        since, until : datetime.date, optional
            First and last day of acquisition or content; a server that ignores the keys answers
            with other days too.
        first_day : callable, optional
            Takes the images whose Content Date is within these days, and returns the day from
            which Acquisition Dates are queried too. If it returns None, they are not, and the
            result is empty. Default: `since`.

        Raises
        ------
        QueryError
            The node refused every form of the query.
        """
        if not self.relational:
            return self._first_answer("images", [self._images_by_level])
        if since is not None or until is not None:
            return self._images_of_days(since, until, first_day or (lambda images: since))
        forms: list[Callable[[], list[ImageRef]]] = []
        for patient in self._queries.patient_keys():
            base = {**patient, "Modality": "RTIMAGE"}
            for returned in (IMAGE_KEYS, IMAGE_KEYS_SEEN, UIDS):
                forms.append(partial(self._queries.images, base, returned))
        forms.append(self._images_by_level)
        return self._first_answer("images", forms)

    def series(self, study_uid: str, series_uid: str) -> list[ImageRef]:
        """List all RT Images of one series; an empty list if the node refuses."""
        keys = self._series_keys(study_uid, series_uid)
        for returned in (IMAGE_KEYS, IMAGE_KEYS_SEEN):
            try:
                images = self._queries.images(keys, returned)
            except QueryRefused:
                continue
            if images:
                return images
        return []

    def images_of_series(self, series_uid: str) -> list[ImageRef]:
        """List the RT Images of a series whose study is unknown.

        ARIA answers IMAGE level by the Series Instance UID alone (seen in clients of it).

        Raises
        ------
        QueryError
            The node refused every form of the query.
        """
        keys = {
            "PatientID": self.patient_id,
            "Modality": "RTIMAGE",
            "SeriesInstanceUID": series_uid,
        }
        forms: list[Callable[[], list[ImageRef]]] = []
        if self.relational:
            forms += [partial(self._queries.images, keys, r) for r in (IMAGE_KEYS, IMAGE_KEYS_SEEN)]
        forms.append(partial(self._images_by_level, series_uid))
        found: list[ImageRef] = self._first_answer("images", forms)
        return [image for image in found if image.series_uid == series_uid]

    def uids_of_series(self, study_uid: str, series_uid: str) -> set[str]:
        """List the SOP Instance UIDs of one series' RT Images; none if the node refuses.

        A server need not open the images for them, as it must for most other keys.
        """
        keys = self._series_keys(study_uid, series_uid)
        try:
            images = self._queries.images(keys, ("SOPInstanceUID", "Modality"))
        except QueryRefused:
            return set()
        return {image.sop_uid for image in images}

    # --- forms of query -----------------------------------------------------------------------

    def _first_answer(self, what: str, forms: Sequence[Callable[[], Any]]) -> Any:
        refusals = []
        for query in forms:
            try:
                found = query()
            except QueryRefused as refused:
                refusals.append(refused)
                continue
            if found:
                return found
        if len(refusals) == len(forms) or any(refused.answers for refused in refusals):
            raise QueryError(
                f"C-FIND: {self.session.peer} does not list the {what} of patient "
                f"'{self.patient_id}' for any form of the query "
                f"({'; '.join(str(query) for query in self.queries[-4:])}): check the node's query "
                "model; its log gives the reason."
            )
        return []

    def _series_keys(self, study_uid: str, series_uid: str) -> dict[str, Any]:
        keys = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
        return self._queries.keys_below_study(keys)

    def _plans_with_label(self, label: str) -> list[PlanRef]:
        if not self.relational or len(label) > LABEL_LENGTH:
            return []
        keys = {"PatientID": self.patient_id, "Modality": "RTPLAN", "RTPlanLabel": label}
        try:
            return self._queries.plans(keys, PLAN_KEYS)
        except QueryRefused:
            return []

    def _images_of_days(
        self, since: dt.date | None, until: dt.date | None, first_day: FirstDay
    ) -> list[ImageRef]:
        # An image may have only one of the dates, so both are queried. If one query is refused, or
        # misses an image that the other proves to be of those days, the node does not match that
        # date. Half a search could miss the newest image, so the result is empty, and the caller
        # searches more widely.
        keys = {"PatientID": self.patient_id, "Modality": "RTIMAGE"}
        days = _day_range(since, until)
        send = partial(self._queries.send, "IMAGE", read=_dated)
        try:
            first = send({**keys, "ContentDate": days}, IMAGE_KEYS)
            if any(one.content is not None and not _within(one.content, days) for one in first):
                self.supports_date_keys = False
                return []
            begin = first_day([one.image for one in first])
            if begin is None:
                return []
            late = _day_range(begin, until)
            by_acquisition = partial(send, {**keys, "AcquisitionDate": late})
            second = by_acquisition(DATES)
            seen = {one.image.sop_uid for one in first}
            if any(one.image.sop_uid not in seen for one in second):
                second = by_acquisition(IMAGE_KEYS)
        except QueryRefused:
            self.supports_date_keys = False
            return []
        due_in_second = {one.image.sop_uid for one in first if _within(one.acquisition, late)}
        due_in_first = {one.image.sop_uid for one in second if _within(one.content, days)}
        if due_in_second - {one.image.sop_uid for one in second} or due_in_first - seen:
            return []
        # Of an image in both, the first answer has more attributes.
        both = {one.image.sop_uid or id(one): one.image for one in (*second, *first)}
        return self._queries.rt_images(keys, both.values())

    def _plans_by_level(self) -> list[PlanRef]:
        plans: list[PlanRef] = []
        for keys in self._queries.series_keys("RTPLAN"):
            plans += self._queries.plans(keys, PLAN_KEYS)
        if plans:
            self.relational = False
        return plans

    def _images_by_level(self, series_uid: str | None = None) -> list[ImageRef]:
        images: list[ImageRef] = []
        for keys in self._queries.series_keys("RTIMAGE"):
            if series_uid in (None, keys["SeriesInstanceUID"]):
                images += self._queries.images(keys, IMAGE_KEYS)
        return images


def _day_range(since: dt.date | None, until: dt.date | None) -> str:
    """Return a range key (PS3.4 C.2.2.2.5); a single day in the form that every server knows."""
    first = since.strftime("%Y%m%d") if since else ""
    last = until.strftime("%Y%m%d") if until else ""
    return first if first == last else f"{first}-{last}"


def _within(date: str | None, days: str) -> bool:
    first, dash, last = days.partition("-")
    return date is not None and first <= date <= ((last or "9") if dash else first)
