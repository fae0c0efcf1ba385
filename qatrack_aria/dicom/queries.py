"""The queries for one patient, each sent, recorded, and checked for whose answers came back.

In what order they are tried is decided by :class:`~qatrack_aria.dicom.finder.Finder`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from typing import Any, Callable, Iterable, Iterator, Mapping, Sequence

from pydicom.dataset import Dataset

from qatrack_aria.dicom import abilities
from qatrack_aria.dicom.abilities import Abilities
from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.attributes import ImageRef, PlanRef, image_ref, plan_ref
from qatrack_aria.dicom.c_find import QueryRecord, find
from qatrack_aria.dicom.identifier import identifier
from qatrack_aria.dicom.peer import PATIENT_ROOT
from qatrack_aria.dicom.uids import PLAN_CLASSES, RTIMAGE, valid_uid
from qatrack_aria.dicom.values import number, text
from qatrack_aria.errors import QueryError
from qatrack_aria.phrases import phrase
from qatrack_aria.text import plural, same_name

logger = logging.getLogger(__name__)

Keys = Mapping[str, Any]

UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
SERIES_KEYS = (*UIDS[:2], "Modality")
#: Optional keys (PS3.4 C.3.4): a server counts what it holds.
SERIES_COUNT = "NumberOfSeriesRelatedInstances"
STUDY_COUNTS = ("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances")
PLAN_KEYS = (*UIDS, "SOPClassUID", "RTPlanLabel", "RTPlanDate", "RTPlanTime", "StudyID")
PLAN_KEYS_FEW = (*UIDS, "RTPlanLabel")
#: For servers that answer nothing where the label is to be returned: the files have it.
PLAN_KEYS_NAMELESS = (*UIDS, "SOPClassUID")
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
#: The keys that show whether a server matches dates.
DATES = (*UIDS, "ContentDate", "AcquisitionDate")
#: All that a list needs to confirm another: a server need not open the files for them.
FEWEST = ("SOPInstanceUID", "Modality")
PLAN_FEWEST = (*FEWEST, "SOPClassUID")
IMAGE_KEYS = (*IMAGE_KEYS_SEEN, "RadiationMachineName", "PrimaryDosimeterUnit")
#: The same for the slices of a CT series, which refer to no plan.
SLICE_KEYS_SEEN = IMAGE_KEYS_SEEN[:-1]
SLICE_KEYS = (*SLICE_KEYS_SEEN, "SeriesDescription", "StationName", "FrameOfReferenceUID")

EXACT_ID_LENGTH = 16  # longer patient IDs are not always found by an exact match


class QueryRefused(Exception):
    """The server ended a query with a failure; another form of the query may succeed.

    ``answers`` preceded the failure: there are matches, even if no form lists all of them.
    """

    def __init__(self, answers: int) -> None:
        super().__init__(answers)
        self.answers = answers


class ListTooLong(Exception):
    """A list has more answers than the caller takes; the query was cancelled.

    Attributes
    ----------
    answers : list
        The first ones.
    """

    def __init__(self, answers: list[Any]) -> None:
        super().__init__(len(answers))
        self.answers = answers


class PatientQueries:
    """Sends queries for one patient to one node.

    Attributes
    ----------
    records : list of QueryRecord
        Every query sent so far.
    abilities : Abilities
        What the node has turned out to be able to do.
    modality : str
        The modality of the images, ``"RTIMAGE"``, ``"CT"`` or ``"REG"``.
    seen_keys, all_keys : tuple of str
        Return keys for images: those that were seen working with ARIA, and all that are useful.
    """

    def __init__(self, session: Session, patient_id: str, modality: str = RTIMAGE) -> None:
        self.modality = modality
        slices = modality != RTIMAGE
        self.seen_keys = SLICE_KEYS_SEEN if slices else IMAGE_KEYS_SEEN
        self.all_keys = SLICE_KEYS if slices else IMAGE_KEYS
        self._all_keys = abilities.SLICE_KEYS if slices else abilities.ALL_KEYS
        self.session = session
        self.abilities: Abilities = getattr(session, "abilities", None) or Abilities()
        self.patient_id = patient_id
        self.records: list[QueryRecord] = []
        self._by_level = False

    @property
    def relational(self) -> bool:
        """False once the node has turned out to answer level by level only."""
        return not self._by_level and self.abilities.get(abilities.RELATIONAL) is not False

    def go_by_level(self, refusals: Sequence[QueryRefused]) -> None:
        """Query level by level from now on; after refusals by the next retrieval too."""
        self._by_level = True
        if refusals:
            evidence = f"{plural(len(refusals), 'C-FIND')} refused"
            self.abilities.learn(abilities.RELATIONAL, False, evidence)

    def send(
        self,
        level: str,
        keys: Keys,
        returned: Sequence[str],
        read: Callable[[Dataset], Any] = lambda answer: answer,
        most: int | None = None,
    ) -> list[Any]:
        """Send one query and record it.

        Parameters
        ----------
        level : str
            Query/Retrieve Level.
        keys : mapping of str to str
            Keywords and the values to match: text, a list of UIDs, or the items of a sequence.
        returned : sequence of str
            Keywords of the attributes to return.
        read, most
            See :func:`~qatrack_aria.dicom.c_find.find`.

        Raises
        ------
        QueryRefused
            The list of answers is not complete.
        ListTooLong
            There are more answers than `most`.
        """
        if not any(keys.values()):
            raise ValueError("a query without any key would list the whole server")
        query = identifier(level, keys, returned, self.session.peer.character_set)
        self.session.context("C-FIND")  # associate first: what fails there was not sent
        written = {keyword: _written(value) for keyword, value in keys.items()}
        self.records.append(QueryRecord(level, written, 0, phrase("unanswered")))
        answers, problem = find(self.session, query, read, most)
        self.records[-1] = QueryRecord(level, written, len(answers), problem)
        logger.debug("C-FIND at %s", self.records[-1])
        if problem and problem.code == "cancelled":
            raise ListTooLong(answers)
        if problem and problem.code == "limit":
            self.abilities.learn(abilities.LIMIT, len(answers), f"{level} level, status 0xB001")
        if answers:
            self._learn_from(level, keys, len(answers))
        if problem:
            raise QueryRefused(len(answers))
        return answers

    def _learn_from(self, level: str, keys: Keys, answers: int) -> None:
        evidence = f"{level} level: {plural(answers, 'answer')}"
        if level == "IMAGE" and "StudyInstanceUID" not in keys and "PatientID" in keys:
            self.abilities.learn(abilities.RELATIONAL, True, evidence)
        if keys.get("PatientID") == self.patient_id:
            self.abilities.learn_longest(abilities.PATIENT, len(self.patient_id), evidence)
        if isinstance(keys.get("RTPlanLabel"), str):
            self.abilities.learn_longest(abilities.LABEL, len(keys["RTPlanLabel"]), evidence)

    def with_all_keys(
        self,
        keys: Keys,
        read: Callable[[Dataset], Any] = image_ref,
        most: int | None = None,
    ) -> list[Any]:
        """Query images with all return keys that the node answers to; as :meth:`send`.

        Some servers answer nothing where one of the keys is unusual.
        """
        known = self.abilities.get(self._all_keys)
        if known is False:
            return self.send("IMAGE", keys, self.seen_keys, read, most)
        found = self.send("IMAGE", keys, self.all_keys, read, most)
        if found:
            self.abilities.learn(self._all_keys, True, plural(len(found), "answer"))
        if found or known:
            return found
        found = self.send("IMAGE", keys, self.seen_keys, read, most)
        if found:
            evidence = f"{plural(len(found), 'answer')} without them, none with them"
            self.abilities.learn(self._all_keys, False, evidence)
        return found

    def plans(self, keys: Keys, returned: Sequence[str]) -> list[PlanRef]:
        """Query plans at IMAGE level."""
        plans = self.of_patient(keys, self.send("IMAGE", keys, returned, plan_ref))
        return [
            plan
            for plan in plans
            if plan.modality in (None, "RTPLAN") or plan.sop_class in PLAN_CLASSES
        ]

    def images(
        self, keys: Keys, returned: Sequence[str], most: int | None = None
    ) -> list[ImageRef]:
        """Query images at IMAGE level."""
        return self.own_images(keys, self.send("IMAGE", keys, returned, image_ref, most))

    def own_images(self, keys: Keys, answers: Iterable[ImageRef]) -> list[ImageRef]:
        """Return the answers to `keys` that may be images of the patient and the modality."""
        images = self.of_patient(keys, answers)
        return [image for image in images if image.modality in (None, self.modality)]

    def of_patient(self, keys: Keys, refs: Iterable[Any]) -> list[Any]:
        """Return the answers to `keys` that belong to the patient, and count the others."""
        proven = self._proves_patient(keys)
        own = []
        for ref in refs:
            record = self.records[-1]
            if ref.patient_id is None and proven:
                if "StudyInstanceUID" not in keys:
                    self.records[-1] = record._replace(unnamed=record.unnamed + 1)
                ref = dataclasses.replace(ref, patient_id=self.patient_id)
            if ref.patient_id is not None and same_name(ref.patient_id, self.patient_id):
                own.append(ref)  # other capitals too: the caller refuses what it cannot leave out
            else:
                self.records[-1] = record._replace(other_patients=record.other_patients + 1)
        return own

    def _proves_patient(self, keys: Keys) -> bool:
        """Return whether an answer to `keys` is the patient's although it has no Patient ID.

        After a wildcard it may be anybody's. So it may after a letter that a server has to convert:
        one that lacks it may take it for ``?``, which is a wildcard too.
        """
        if "StudyInstanceUID" in keys:
            return True  # of a study that was listed as the patient's
        return self.patient_id.isascii() and keys.get("PatientID", self.patient_id) == (
            self.patient_id
        )

    def all_refused(self, what: str) -> QueryError:
        """Return the error for plans, images or series that no form of the query lists."""
        return QueryError(
            f"C-FIND: {self.session.peer} does not list the {what} of patient "
            f"'{self.patient_id}' for any form of the query "
            f"({'; '.join(str(query) for query in self.records[-4:])}): check the node's query "
            "model; its log gives the reason."
        )

    def patient_keys(self) -> Iterator[dict[str, str]]:
        """Yield the keys by which the patient may be found, the most exact first."""
        yield {"PatientID": self.patient_id}
        if len(self.patient_id) > EXACT_ID_LENGTH:
            yield {"PatientID": self.patient_id[:EXACT_ID_LENGTH] + "*"}

    def keys_below_study(self, keys: Keys) -> dict[str, Any]:
        """Complete the keys of a query below STUDY level."""
        # In Study Root, Patient ID is a key of the STUDY level and must not come below it. In
        # Patient Root it is the unique key of the highest level and must (PS3.4 C.6).
        if self.session.peer.query_model == PATIENT_ROOT:
            return {"PatientID": self.patient_id, **keys}
        return dict(keys)

    def series_key(self, study_uid: str, series_uid: str) -> dict[str, Any]:
        """Return the keys of a query for one series, of which the study is known."""
        return self.keys_below_study(
            {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
        )

    def plan_key(self, plan_uid: str) -> dict[str, Any]:
        """Return the keys of a query for the images that refer to a plan (PS3.4 C.2.2.2.6)."""
        return {
            "PatientID": self.patient_id,
            "Modality": RTIMAGE,
            "ReferencedRTPlanSequence": plan_reference(plan_uid),
        }

    def series_keys(self, modality: str, *, by_modality: bool) -> Iterator[Keys]:
        """Yield the keys of each series, as :meth:`counted_series`."""
        return (keys for keys, _ in self.counted_series(modality, by_modality=by_modality))

    def counted_series(
        self, modality: str, *, by_modality: bool
    ) -> Iterator[tuple[Keys, int | None]]:
        """List study by study, and yield the keys of each series of a modality.

        With `by_modality`, that is a key of the query, and the number of instances in each series
        is yielded too, where the node returns it.
        """
        for study in self._list_studies():
            keys = self.keys_below_study({"StudyInstanceUID": study})
            answers: list[Dataset] = []
            if by_modality:
                with contextlib.suppress(QueryRefused):
                    matched = {**keys, "Modality": modality}
                    answers = self.send("SERIES", matched, ("SeriesInstanceUID", SERIES_COUNT))
            # Again without the key, which may be the reason for an empty answer.
            answers = answers or self.send("SERIES", keys, ("SeriesInstanceUID", "Modality"))
            for series in answers:
                if text(series, "Modality") in (modality, None):
                    uid = _require_uid(text(series, "SeriesInstanceUID"))
                    yield {**keys, "SeriesInstanceUID": uid}, number(series, SERIES_COUNT)

    def _list_studies(self) -> list[str]:
        own: list[Dataset] = []
        for keys in self.patient_keys():
            own = own or self._studies_of_patient(keys)
        return [_require_uid(text(ds, "StudyInstanceUID")) for ds in own]

    def _studies_of_patient(self, keys: Keys) -> list[Dataset]:
        found = self.send("STUDY", keys, ("StudyInstanceUID",))
        own = [ds for ds in found if same_name(text(ds, "PatientID") or "", self.patient_id)]
        unnamed = [ds for ds in found if text(ds, "PatientID") is None]
        if not self._proves_patient(keys):
            return own
        self.records[-1] = self.records[-1]._replace(unnamed=len(unnamed))
        return own + unnamed


def plan_reference(plan_uid: str) -> list[Dataset]:
    """Return the key that images match by the plan that they refer to (PS3.4 C.2.2.2.6)."""
    item = Dataset()
    item.ReferencedSOPInstanceUID = plan_uid
    return [item]


def _written(value: Any) -> str:
    """Return the value of a key as text, for messages and records."""
    if isinstance(value, str):
        return value
    first = value[0]
    shown = first if isinstance(first, str) else ", ".join(str(one.value) for one in first)
    return f"{shown} and {len(value) - 1} more" if len(value) > 1 else shown


def _require_uid(uid: str | None) -> str:
    """Return a UID that can be queried; skipping the others could hide the newest images."""
    if uid is None or not valid_uid(uid):
        raise QueryError(
            f"C-FIND: the node answered with {str(uid)[:70]!r} where the UID of a study or a "
            "series belongs: its images cannot be listed. The node's administrator must correct it."
        )
    return uid
