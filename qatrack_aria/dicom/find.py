"""C-FIND: one query, and the ways of asking for plans and images.

The order of asking is the same everywhere: first with the keys that narrow the answer, then with
fewer, then level by level from the study down. A server that ignores a key, refuses it, answers
nothing because it is there, or knows no relational queries then costs time; what its answers
mean is decided by the caller, image by image.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from functools import partial
from typing import (
    Any,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    NamedTuple,
    Sequence,
)

from pydicom.dataset import Dataset

from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.charset import understand
from qatrack_aria.dicom.headers import (
    PLAN_CLASSES,
    ImageRef,
    PlanRef,
    image_ref,
    plan_ref,
    text,
    valid_uid,
)
from qatrack_aria.dicom.identifier import PENDING, identifier
from qatrack_aria.dicom.peer import PATIENT_ROOT
from qatrack_aria.errors import QueryError

Keys = Mapping[str, Any]

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
IMAGE_KEYS = (*IMAGE_KEYS_SEEN, "RadiationMachineName", "PrimaryDosimeterUnit")

LIMIT_REACHED = 0xB001
#: Answers to one query. A QA patient of ten years, 5,000 series of 10 images, has half as many.
MAX_ANSWERS = 100_000
LABEL_LENGTH = 16  # characters of a Short String: what an RTPlanLabel key can hold
EXACT_ID_LENGTH = 16  # longer patient IDs are not always found by an exact match


class Refused(Exception):
    """The server ended a query with a failure; the next way of asking may do better.

    ``answers`` came before: something is there, even if no way of asking tells all of it.
    """

    def __init__(self, answers: int) -> None:
        super().__init__(answers)
        self.answers = answers


class Asked(NamedTuple):
    """A query that was made, for the messages."""

    level: str
    keys: dict[str, str]
    answers: int
    trouble: str
    strangers: int = 0  # answers that are of another patient ID

    def __str__(self) -> str:
        keys = ", ".join(f"{name}={value}" for name, value in self.keys.items())
        trouble = f", {self.trouble}" if self.trouble else ""
        return f"{self.level} level by {keys}: {self.answers} answers{trouble}"


class Finder:
    """Asks one node for the plans and images of one patient.

    Attributes
    ----------
    asked : list of Asked
        Every query made so far.
    relational : bool
        False once the node has shown that it answers level by level only.
    """

    def __init__(self, session: Session, patient_id: str) -> None:
        self.session = session
        self.patient_id = patient_id
        self.asked: list[Asked] = []
        self.relational = True
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

    def images(self, since: dt.date | None = None, until: dt.date | None = None) -> list[ImageRef]:
        """The patient's RT Images, or those of some days where the node can tell days apart.

        Parameters
        ----------
        since, until : datetime.date, optional
            First and last day of acquisition or content; a server that ignores the keys answers
            with other days too.

        Raises
        ------
        QueryError
            The node refused every way of asking.
        """
        if not self.relational:
            return self._first_answer("images", [self._images_by_level])
        days = _day_range(since, until)
        if days:
            return self._images_of_days(days)
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
            except Refused:
                continue
            if images:
                return images
        return []

    # --- ways of asking -----------------------------------------------------------------------

    def _first_answer(self, what: str, ways: Sequence[Callable[[], Any]]) -> Any:
        refusals = []
        for way in ways:
            try:
                found = way()
            except Refused as refused:
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
        answers = self._ask("IMAGE", keys, returned)
        return [plan for plan in self._mine(keys, map(plan_ref, answers)) if _may_be_plan(plan)]

    def _plans_named(self, label: str) -> list[PlanRef]:
        if not self.relational or len(label) > LABEL_LENGTH:
            return []
        keys = {"PatientID": self.patient_id, "Modality": "RTPLAN", "RTPlanLabel": label}
        try:
            return self._plans(keys, PLAN_KEYS)
        except Refused:
            return []

    def _images(self, keys: Keys, returned: Sequence[str]) -> list[ImageRef]:
        return self._rt_images(keys, self._ask("IMAGE", keys, returned))

    def _rt_images(self, keys: Keys, answers: Iterable[Dataset]) -> list[ImageRef]:
        images = self._mine(keys, map(image_ref, answers))
        return [image for image in images if image.modality in (None, "RTIMAGE")]

    def _images_of_days(self, days: str) -> list[ImageRef]:
        # An image may have either date alone, so both are asked; each answer counts once.
        # Where either is refused, or one misses what the other shows it should have, the key is not
        # served: half a search could miss the newest, so nothing is told and the next is wider.
        keywords = ("ContentDate", "AcquisitionDate")
        answers: dict[str, list[Dataset]] = {}
        for keyword in keywords:
            keys = {"PatientID": self.patient_id, "Modality": "RTIMAGE", keyword: days}
            try:
                answers[keyword] = self._ask("IMAGE", keys, IMAGE_KEYS)
            except Refused:
                return []
        for one, other in (keywords, keywords[::-1]):
            there = {text(ds, "SOPInstanceUID") for ds in answers[other]}
            for ds in answers[one]:
                if _within(text(ds, other), days) and text(ds, "SOPInstanceUID") not in there:
                    return []
        both = (ds for keyword in keywords for ds in answers[keyword])
        images = self._rt_images({"PatientID": self.patient_id}, both)
        return list({image.sop_uid or id(image): image for image in images}.values())

    def _plans_by_level(self) -> list[PlanRef]:
        plans: list[PlanRef] = []
        for keys in self._series_of("RTPLAN"):
            plans += self._plans(keys, PLAN_KEYS)
        if plans:
            self.relational = False
        return plans

    def _images_by_level(self) -> list[ImageRef]:
        images: list[ImageRef] = []
        for keys in self._series_of("RTIMAGE"):
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
            except Refused:
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
                self.asked[-1] = self.asked[-1]._replace(strangers=self.asked[-1].strangers + 1)
        return mine

    def _ask(self, level: str, keys: Keys, returned: Sequence[str]) -> list[Dataset]:
        if not any(keys.values()):
            raise ValueError("a query without any key would list the whole server")
        answers, trouble = find(
            self.session,
            identifier(level, keys, returned, self.session.peer.character_set),
        )
        self.asked.append(Asked(level, dict(keys), len(answers), trouble))
        if trouble:
            raise Refused(len(answers))
        return answers


def find(session: Session, asked: Dataset) -> tuple[list[Dataset], str]:
    """One C-FIND (PS3.4 C.4.1).

    Returns
    -------
    tuple of (list of Dataset, str)
        The answers' identifiers, and what was wrong with the whole, if anything: a failure
        status, a list cut at the server's limit (0xB001), or an answer that cannot be decoded.
        A list with a hole in it is worth no more than none.

    Raises
    ------
    NodeUnreachableError
        The association broke, or no answer came in time.
    QueryError
        More than :data:`MAX_ANSWERS` came, with no end in sight.
    """
    model = session.context("C-FIND")
    message_id = session.next_message_id()
    association = session.association
    association.dimse_timeout = session.deadline.at_most(session.peer.response_timeout)
    answers: list[Dataset] = []
    unreadable = 0
    heard = time.monotonic()
    try:
        responses = association.send_c_find(asked, model, message_id)
    except RuntimeError:  # it was broken off just now
        raise session.lost("C-FIND", 0) from None
    for status, answer in responses:
        code = status.get("Status")
        if code is None or session.deadline.expired:
            session.abort()
            break
        heard = time.monotonic()
        if code not in PENDING:
            return answers, _trouble(int(code), unreadable)
        if len(answers) + unreadable >= MAX_ANSWERS:
            session.abort()
            raise _endless(session, asked)
        if answer is None:
            unreadable += 1
        else:
            understand(answer, session.peer.character_set)
            answers.append(answer)
    raise session.lost("C-FIND", time.monotonic() - heard)


def _endless(session: Session, asked: Dataset) -> QueryError:
    keys = {element.keyword: str(element.value) for element in asked if element.value}
    keys.pop("SpecificCharacterSet", None)
    level = keys.pop("QueryRetrieveLevel")
    query = Asked(level, keys, MAX_ANSWERS, "and no end of them")
    return QueryError(
        f"C-FIND: {session.peer} lists more than anybody can have asked for ({query}), so we broke "
        "off: it may list all that it holds, whatever is asked. Whoever runs it must look into "
        "its log."
    )


def _required(uid: str | None) -> str:
    """A UID; what has none cannot be listed, and leaving it out could hide the newest images."""
    if uid is None or not valid_uid(uid):
        raise QueryError(
            f"C-FIND: the node answered with {str(uid)[:70]!r} where the UID of a study or a "
            "series belongs: what is in it cannot be listed. Whoever runs the node must correct it."
        )
    return uid


def _trouble(status: int, unreadable: int) -> str:
    if status == LIMIT_REACHED:
        return "cut off at the server's limit (status 0xB001)"
    if status != 0:
        return f"status 0x{status:04X}"
    return f"{unreadable} of them unreadable" if unreadable else ""


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
