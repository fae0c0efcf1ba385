"""Ask a node once what it holds of all watched patients, to see whether anything is new."""

from __future__ import annotations

import datetime as dt
from typing import Any, Collection, Dict, List

from pydicom.dataset import Dataset

from qatrack_aria.automation.listing import digest_of_uids
from qatrack_aria.browse.node_session import node_session
from qatrack_aria.dicom.abilities import COUNTS, RELATIONAL
from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.c_find import find
from qatrack_aria.dicom.identifier import identifier
from qatrack_aria.dicom.peer import PATIENT_ROOT
from qatrack_aria.dicom.queries import STUDY_COUNTS
from qatrack_aria.dicom.values import number, text
from qatrack_aria.models import AriaNode
from qatrack_aria.validators import lines

WHO = "the watches"
#: Answers that are taken.
MOST = 5000
#: Days of which the images are asked for where a node does not count.
RECENT = dt.timedelta(days=3)
#: The key of the digest of these images.
IMAGES = "images"

#: By study: its numbers of series and instances; or the digest of images.
Counts = Dict[str, List[Any]]


def counts_of(node: AriaNode, patients: Collection[str]) -> dict[str, Counts]:
    """Return what a node counts of some patients, by one C-FIND for each pattern that it allows.

    Of one that does not count, by two: which images of the last days it has.

    Parameters
    ----------
    node : AriaNode
        The node to query.
    patients : collection of str
        The patients that are watched.

    Returns
    -------
    dict of str to dict
        By patient; those of whom it does not tell are not in it, and have to be asked for one by
        one.

    Raises
    ------
    AriaError
        As for a retrieval.
    """
    patterns = _patterns(node, patients)
    if not patterns or node.query_model == PATIENT_ROOT:
        return {}
    with node_session(node, WHO, yields=True) as (session, _):
        known = session.abilities
        found = None
        if known.get(COUNTS) is not False:
            found = _by_counts(session, patterns, patients)
        if found is None and known.get(RELATIONAL) is not False:
            found = _by_images(session, patterns, patients)
    return found or {}


def _by_counts(
    session: Session, patterns: list[str], patients: Collection[str]
) -> dict[str, Counts] | None:
    """Return the numbers of series and instances of each study; ``None`` if it does not count."""
    found: dict[str, Counts] = {}
    for pattern in patterns:
        keys = {"PatientID": pattern}
        answers = _ask(session, "STUDY", keys, ("StudyInstanceUID", *STUDY_COUNTS), _study)
        if not answers or any(None in counts for _, _, counts in answers):
            return None
        for patient, study, counts in answers:
            if patient in patients and study:
                found.setdefault(patient, {})[study] = counts
    return found


def _by_images(
    session: Session, patterns: list[str], patients: Collection[str]
) -> dict[str, Counts] | None:
    """Return a digest of the images of the last days; ``None`` if the node does not list them.

    If there are none, whether it matches such a pattern is not known.
    """
    uids: dict[str, set[str]] = {patient: set() for patient in patients}
    since = f"{dt.date.today() - RECENT:%Y%m%d}-"
    for pattern in patterns:
        for day in ("ContentDate", "AcquisitionDate"):
            keys = {"PatientID": pattern, "Modality": "RTIMAGE", day: since}
            answers = _ask(session, "IMAGE", keys, ("SOPInstanceUID",), _image)
            if answers is None:
                return None
            for patient, uid in answers:
                if patient in uids and uid:
                    uids[patient].add(uid)
    if not any(uids.values()):
        return None
    return {patient: {IMAGES: [digest_of_uids(some)]} for patient, some in uids.items()}


def _ask(
    session: Session, level: str, keys: dict[str, str], returned: Any, read: Any
) -> list[Any] | None:
    asked = identifier(level, keys, returned, session.peer.character_set)
    answers, problem = find(session, asked, read, MOST)
    return None if problem else answers


def _patterns(node: AriaNode, patients: Collection[str]) -> list[str]:
    """Return the patterns that these patients are allowed by; none that allows everybody."""
    if node.allows_everyone:
        return []
    matching = (
        p for p in lines(node.allowed_patients) if any(node.matches(p, i) for i in patients)
    )
    return list(dict.fromkeys(matching))


def _image(answer: Dataset) -> tuple[str | None, str | None]:
    return text(answer, "PatientID"), text(answer, "SOPInstanceUID")


def _study(answer: Dataset) -> tuple[str | None, str | None, list[Any]]:
    counts = [number(answer, keyword) for keyword in STUDY_COUNTS]
    return text(answer, "PatientID"), text(answer, "StudyInstanceUID"), counts
