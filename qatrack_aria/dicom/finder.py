"""The ways of asking for plans and images.

The order of asking is the same everywhere: first with the keys that narrow the answer, then with
fewer, then level by level from the study down. A server that ignores a key, refuses it, answers
nothing because it is there, or knows no relational queries then costs time; what its answers
mean is decided by the caller, image by image.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
from functools import partial
from typing import (
    Any,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
)

from pydicom.dataset import Dataset

from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.attributes import ImageRef, PlanRef, image_ref, plan_ref
from qatrack_aria.dicom.c_find import QueryRecord, find
from qatrack_aria.dicom.identifier import identifier
from qatrack_aria.dicom.peer import PATIENT_ROOT
from qatrack_aria.dicom.uids import PLAN_CLASSES, valid_uid
from qatrack_aria.dicom.values import text
from qatrack_aria.errors import QueryError
from qatrack_aria.phrases import phrase

logger = logging.getLogger(__name__)

Keys = Mapping[str, Any]
FirstDay = Callable[[Sequence[ImageRef]], Optional[dt.date]]

UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
PLAN_KEYS = (*UIDS, "SOPClassUID", "RTPlanLabel", "RTPlanDate", "RTPlanTime", "StudyID")
PLAN_KEYS_FEW = (*UIDS, "RTPlanLabel")
#: Each of these was seen working with ARIA at IMAGE level.
IMAGE_KEYS_SEEN = (
    *UIDS,
    "ImageType",
    "AcquisitionDate",
    "AcquisitionTime",
    "ContentDate",
    "ContentTime",
    "ReferencedRTPlanSequence",
)
#: What shows whether a server can tell days apart.
DATES = (*UIDS, "ContentDate", "AcquisitionDate")
IMAGE_KEYS = (*IMAGE_KEYS_SEEN, "RadiationMachineName", "PrimaryDosimeterUnit")

LABEL_LENGTH = 16  # characters of a Short String: what an RTPlanLabel key can hold
EXACT_ID_LENGTH = 16  # longer patient IDs are not always found by an exact match


class QueryRefused(Exception):
    """The server ended a query with a failure; the next way of asking may do better.

    ``answers`` came before: something is there, even if no way of asking tells all of it.
    """

    def __init__(self, answers: int) -> None:
        super().__init__(answers)
        self.answers = answers


class _Dated(NamedTuple):
    """An answer, and the days that it tells, as they are written."""

    image: ImageRef
    content: str | None
    acquisition: str | None


def _dated(answer: Dataset) -> _Dated:
    return _Dated(image_ref(answer), text(answer, "ContentDate"), text(answer, "AcquisitionDate"))


def _as_it_is(answer: Dataset) -> Dataset:
    return answer


class Finder:
    """Asks one node for the plans and images of one patient.

    Attributes
    ----------
    asked : list of QueryRecord
        Every query made so far.
    relational : bool
        False once the node has shown that it answers level by level only.
    tells_days : bool
        False once it has refused a date as a key, or has answered with images of other days.
    """

    def __init__(self, session: Session, patient_id: str) -> None:
        self.session = session
        self.patient_id = patient_id
        self.asked: list[QueryRecord] = []
        self.relational = True
        self.tells_days = True
        self._studies: list[str] | None = None

    def plans(self, label: str | None) -> list[PlanRef]:
        """The patient's plans, all that the node lists; the caller says which one is meant.

        The list comes first: a server's own matching of labels is not ours (padding, capital
        letters, long labels), and would hide a second plan of the same label. Only a label that
        is missing from the list is asked for by name, since a list can be short for a while.

        Raises
        ------
        QueryError
            The node refused every way of asking.
        """
        ways: list[Callable[[], list[PlanRef]]] = []
        for patient in self._patient_keys():
            base = {**patient, "Modality": "RTPLAN"}
            ways.append(partial(self._plans, base, PLAN_KEYS))
            ways.append(partial(self._plans, base, PLAN_KEYS_FEW))
        ways.append(self._plans_by_level)
        listed: list[PlanRef] = self._first_answer("plans", ways)
        if label is None or any(plan.label in (label, None) for plan in listed):
            return listed
        return listed + self._plans_named(label)

    def images(
        self,
        since: dt.date | None = None,
        until: dt.date | None = None,
        first_day: FirstDay | None = None,
    ) -> list[ImageRef]:
        """The patient's RT Images, or those of some days where the node can tell days apart.

        Parameters
        ----------
        since, until : datetime.date, optional
            First and last day of acquisition or content; a server that ignores the keys answers
            with other days too.
        first_day : callable, optional
            Told the images whose Content Date is of these days, and says from which day on those
            of an Acquisition Date alone matter; if from none, it is left at that, and nothing is
            found. Default: all of the days.

        Raises
        ------
        QueryError
            The node refused every way of asking.
        """
        if not self.relational:
            return self._first_answer("images", [self._images_by_level])
        if since is not None or until is not None:
            return self._images_of_days(since, until, first_day or (lambda images: since))
        ways: list[Callable[[], list[ImageRef]]] = []
        for patient in self._patient_keys():
            base = {**patient, "Modality": "RTIMAGE"}
            for returned in (IMAGE_KEYS, IMAGE_KEYS_SEEN, UIDS):
                ways.append(partial(self._images, base, returned))
        ways.append(self._images_by_level)
        return self._first_answer("images", ways)

    def series(self, study_uid: str, series_uid: str) -> list[ImageRef]:
        """All RT Images of one series, or an empty list where the node will not list it."""
        keys = self._below_study({"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid})
        for returned in (IMAGE_KEYS, IMAGE_KEYS_SEEN):
            try:
                images = self._images(keys, returned)
            except QueryRefused:
                continue
            if images:
                return images
        return []

    def images_of_series(self, series_uid: str) -> list[ImageRef]:
        """Return the RT Images of a series of which the study is unknown.

        ARIA answers IMAGE level by the Series Instance UID alone (seen in clients of it).

        Raises
        ------
        QueryError
            The node refused every way of asking.
        """
        keys = {
            "PatientID": self.patient_id,
            "Modality": "RTIMAGE",
            "SeriesInstanceUID": series_uid,
        }
        ways: list[Callable[[], list[ImageRef]]] = []
        if self.relational:
            ways += [partial(self._images, keys, r) for r in (IMAGE_KEYS, IMAGE_KEYS_SEEN)]
        ways.append(partial(self._images_by_level, series_uid))
        found: list[ImageRef] = self._first_answer("images", ways)
        return [image for image in found if image.series_uid == series_uid]

    def uids_of_series(self, study_uid: str, series_uid: str) -> set[str]:
        """The SOP Instance UIDs of one series' RT Images, or none where the node will not tell.

        A server need not look into the images for them, as it must for most other keys.
        """
        keys = self._below_study({"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid})
        try:
            return {image.sop_uid for image in self._images(keys, ("SOPInstanceUID", "Modality"))}
        except QueryRefused:
            return set()

    # --- ways of asking -----------------------------------------------------------------------

    def _first_answer(self, what: str, ways: Sequence[Callable[[], Any]]) -> Any:
        refusals = []
        for way in ways:
            try:
                found = way()
            except QueryRefused as refused:
                refusals.append(refused)
                continue
            if found:
                return found
        if len(refusals) == len(ways) or any(refused.answers for refused in refusals):
            raise QueryError(
                f"C-FIND: {self.session.peer} does not list the {what} of patient "
                f"'{self.patient_id}' in any way of asking "
                f"({'; '.join(str(a) for a in self.asked[-4:])}): check the node's query model; "
                "its log says why."
            )
        return []

    def _patient_keys(self) -> Iterator[dict[str, str]]:
        yield {"PatientID": self.patient_id}
        if len(self.patient_id) > EXACT_ID_LENGTH:
            yield {"PatientID": self.patient_id[:EXACT_ID_LENGTH] + "*"}

    def _plans(self, keys: Keys, returned: Sequence[str]) -> list[PlanRef]:
        plans = self._ask("IMAGE", keys, returned, plan_ref)
        return [plan for plan in self._mine(keys, plans) if _may_be_plan(plan)]

    def _plans_named(self, label: str) -> list[PlanRef]:
        if not self.relational or len(label) > LABEL_LENGTH:
            return []
        keys = {"PatientID": self.patient_id, "Modality": "RTPLAN", "RTPlanLabel": label}
        try:
            return self._plans(keys, PLAN_KEYS)
        except QueryRefused:
            return []

    def _images(self, keys: Keys, returned: Sequence[str]) -> list[ImageRef]:
        return self._rt_images(keys, self._ask("IMAGE", keys, returned, image_ref))

    def _rt_images(self, keys: Keys, answered: Iterable[ImageRef]) -> list[ImageRef]:
        images = self._mine(keys, answered)
        return [image for image in images if image.modality in (None, "RTIMAGE")]

    def _images_of_days(
        self, since: dt.date | None, until: dt.date | None, first_day: FirstDay
    ) -> list[ImageRef]:
        # An image may have either date alone, so both are asked; each answer counts once.
        # Where either is refused, or one misses what the other shows it should have, the key is not
        # served: half a search could miss the newest, so nothing is told and the next is wider.
        keys = {"PatientID": self.patient_id, "Modality": "RTIMAGE"}
        days = _day_range(since, until)
        try:
            first = self._ask("IMAGE", {**keys, "ContentDate": days}, IMAGE_KEYS, _dated)
            if any(one.content is not None and not _within(one.content, days) for one in first):
                self.tells_days = False
                return []
            begin = first_day([one.image for one in first])
            if begin is None:
                return []
            late = _day_range(begin, until)
            by_acquisition = partial(
                self._ask, "IMAGE", {**keys, "AcquisitionDate": late}, read=_dated
            )
            second = by_acquisition(DATES)
            seen = {one.image.sop_uid for one in first}
            if any(one.image.sop_uid not in seen for one in second):
                second = by_acquisition(IMAGE_KEYS)
        except QueryRefused:
            self.tells_days = False
            return []
        due_in_second = {one.image.sop_uid for one in first if _within(one.acquisition, late)}
        due_in_first = {one.image.sop_uid for one in second if _within(one.content, days)}
        if due_in_second - {one.image.sop_uid for one in second} or due_in_first - seen:
            return []
        # What is in both is told of at length in the first.
        both = {one.image.sop_uid or id(one): one.image for one in (*second, *first)}
        return self._rt_images(keys, both.values())

    def _plans_by_level(self) -> list[PlanRef]:
        plans: list[PlanRef] = []
        for keys in self._series_of("RTPLAN"):
            plans += self._plans(keys, PLAN_KEYS)
        if plans:
            self.relational = False
        return plans

    def _images_by_level(self, series_uid: str | None = None) -> list[ImageRef]:
        images: list[ImageRef] = []
        for keys in self._series_of("RTIMAGE"):
            if series_uid in (None, keys["SeriesInstanceUID"]):
                images += self._images(keys, IMAGE_KEYS)
        return images

    def _series_of(self, modality: str) -> Iterator[Keys]:
        """The keys that name each series of a modality, study by study."""
        for study in self._list_studies():
            keys = self._below_study({"StudyInstanceUID": study})
            try:
                answers = self._ask(
                    "SERIES", {**keys, "Modality": modality}, ("SeriesInstanceUID",)
                )
            except QueryRefused:
                answers = []
            # Without the key where it may be the reason for getting nothing.
            answers = answers or self._ask("SERIES", keys, ("SeriesInstanceUID", "Modality"))
            for series in answers:
                if text(series, "Modality") in (modality, None):
                    uid = _required(text(series, "SeriesInstanceUID"))
                    yield {**keys, "SeriesInstanceUID": uid}

    def _list_studies(self) -> list[str]:
        if self._studies is None:
            answers: list[Dataset] = []
            for keys in self._patient_keys():
                answers = answers or self._ask("STUDY", keys, ("StudyInstanceUID",))
            mine = [ds for ds in answers if text(ds, "PatientID") in (self.patient_id, None)]
            self._studies = [_required(text(ds, "StudyInstanceUID")) for ds in mine]
        return self._studies

    def _below_study(self, keys: Keys) -> dict[str, Any]:
        # Patient ID is a key of the study level in Study Root, and must not come below it; in
        # Patient Root it is a unique key of the highest level, and must (PS3.4 C.6).
        if self.session.peer.query_model == PATIENT_ROOT:
            return {"PatientID": self.patient_id, **keys}
        return dict(keys)

    def _mine(self, keys: Keys, refs: Iterable[Any]) -> list[Any]:
        """Those of this patient; an answer that does not say inherits whom we asked for."""
        # After a wildcard it may be anybody; below a study it is whose the study is.
        exact = keys.get("PatientID", self.patient_id) == self.patient_id
        mine = []
        for ref in refs:
            if ref.patient_id is None and exact:
                ref = dataclasses.replace(ref, patient_id=self.patient_id)
            if ref.patient_id == self.patient_id:
                mine.append(ref)
            else:
                self.asked[-1] = self.asked[-1]._replace(
                    other_patients=self.asked[-1].other_patients + 1
                )
        return mine

    def _ask(
        self,
        level: str,
        keys: Keys,
        returned: Sequence[str],
        read: Callable[[Dataset], Any] = _as_it_is,
    ) -> list[Any]:
        if not any(keys.values()):
            raise ValueError("a query without any key would list the whole server")
        asked = identifier(level, keys, returned, self.session.peer.character_set)
        self.session.context("C-FIND")  # call the node first: what follows has then been asked
        self.asked.append(QueryRecord(level, dict(keys), 0, phrase("unanswered")))
        answers, problem = find(self.session, asked, read)
        self.asked[-1] = QueryRecord(level, dict(keys), len(answers), problem)
        logger.debug("C-FIND at %s", self.asked[-1])
        if problem:
            raise QueryRefused(len(answers))
        return answers


def _required(uid: str | None) -> str:
    """A UID; what has none cannot be listed, and leaving it out could hide the newest images."""
    if uid is None or not valid_uid(uid):
        raise QueryError(
            f"C-FIND: the node answered with {str(uid)[:70]!r} where the UID of a study or a "
            "series belongs: what is in it cannot be listed. Whoever runs the node must correct it."
        )
    return uid


def _day_range(since: dt.date | None, until: dt.date | None) -> str:
    """A range key (PS3.4 C.2.2.2.5), a single day in the form that every server knows."""
    first = since.strftime("%Y%m%d") if since else ""
    last = until.strftime("%Y%m%d") if until else ""
    if first == last:
        return first
    return f"{first}-{last}"


def _within(date: str | None, days: str) -> bool:
    first, dash, last = days.partition("-")
    return date is not None and first <= date <= ((last or "9") if dash else first)


def _may_be_plan(plan: PlanRef) -> bool:
    return plan.modality in (None, "RTPLAN") or plan.sop_class in PLAN_CLASSES
