"""Ask a node once what it holds of all watched patients, to see whether anything is new."""

from __future__ import annotations

from typing import Any, Collection, Dict, List

from pydicom.dataset import Dataset

from qatrack_aria.browse.node_session import node_session
from qatrack_aria.dicom.abilities import COUNTS
from qatrack_aria.dicom.c_find import find
from qatrack_aria.dicom.identifier import identifier
from qatrack_aria.dicom.peer import PATIENT_ROOT
from qatrack_aria.dicom.queries import STUDY_COUNTS
from qatrack_aria.dicom.values import number, text
from qatrack_aria.models import AriaNode
from qatrack_aria.validators import lines

WHO = "the watches"
#: Studies of QA patients that are taken.
MOST_STUDIES = 2000

#: By study: its numbers of series and instances.
Counts = Dict[str, List[int]]


def counts_of(node: AriaNode, patients: Collection[str]) -> dict[str, Counts]:
    """Return what a node counts of some patients, by one C-FIND for each pattern that it allows.

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
    found: dict[str, Counts] = {}
    with node_session(node, WHO, yields=True) as (session, _):
        if session.abilities.get(COUNTS) is False:
            return {}
        for pattern in patterns:
            asked = identifier(
                "STUDY",
                {"PatientID": pattern},
                ("StudyInstanceUID", *STUDY_COUNTS),
                session.peer.character_set,
            )
            answers, problem = find(session, asked, _study, MOST_STUDIES)
            if problem or any(None in counts for _, _, counts in answers):
                return {}
            for patient, study, counts in answers:
                if patient is not None and patient in patients and study:
                    found.setdefault(patient, {})[study] = counts
    return found


def _patterns(node: AriaNode, patients: Collection[str]) -> list[str]:
    """Return the patterns that these patients are allowed by; none that allows everybody."""
    if node.allows_everyone:
        return []
    matching = (
        p for p in lines(node.allowed_patients) if any(node.matches(p, i) for i in patients)
    )
    return list(dict.fromkeys(matching))


def _study(answer: Dataset) -> tuple[str | None, str | None, list[Any]]:
    counts = [number(answer, keyword) for keyword in STUDY_COUNTS]
    return text(answer, "PatientID"), text(answer, "StudyInstanceUID"), counts
