"""The answers to a C-FIND (PS3.4 C.4.1)."""

from __future__ import annotations

from typing import Iterator

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from .behaviour import Behaviour
from .index import Index
from .matching import has_value, is_exact, matches, texts

UNIQUE_KEYS = {
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}

IDENTIFIER_DOES_NOT_MATCH = 0xA900
UNABLE_TO_PROCESS = 0xC000

# Attributes of identifiers that are not keys.
_NOT_KEYS = frozenset({"QueryRetrieveLevel", "SpecificCharacterSet", "RetrieveAETitle"})


def refusal(behaviour: Behaviour, patient_root: bool, identifier: Dataset) -> int | None:
    """Return the failure status for an identifier that is not supported, else None.

    Parameters
    ----------
    behaviour : Behaviour
        Determines whether the keys of the levels above may be missing.
    patient_root : bool
        Whether the information model is Patient Root; Study Root has no PATIENT level.
    identifier : pydicom.dataset.Dataset
        The identifier of a C-FIND, C-MOVE or C-GET.
    """
    levels = list(UNIQUE_KEYS) if patient_root else list(UNIQUE_KEYS)[1:]
    level = str(identifier.get("QueryRetrieveLevel", ""))
    if level not in levels:
        return IDENTIFIER_DOES_NOT_MATCH
    above = [UNIQUE_KEYS[upper] for upper in levels[: levels.index(level)]]
    if not behaviour.relational and not all(_is_single(identifier, upper) for upper in above):
        return UNABLE_TO_PROCESS
    return None


def find(index: Index, behaviour: Behaviour, identifier: Dataset) -> Iterator[Dataset]:
    """Answer a query.

    Parameters
    ----------
    index : Index
        The archive.
    behaviour : Behaviour
        Determines which keys are ignored, or find nothing.
    identifier : pydicom.dataset.Dataset
        The query, at a supported level.

    Yields
    ------
    pydicom.dataset.Dataset
        An answer for each patient, study, series or instance with all return keys of the query.
    """
    level = str(identifier.QueryRetrieveLevel)
    unknown = {"SeriesDate"} if behaviour.empty_series_date and level == "SERIES" else set()
    keys = {
        key.keyword: key
        for key in identifier
        if key.keyword and key.keyword not in _NOT_KEYS and has_value(key)
    }
    if _finds_nothing(behaviour, identifier, keys) or unknown.intersection(keys):
        return
    for keyword in behaviour.ignored_keys.intersection(keys):
        del keys[keyword]
    answered = set()
    for dataset in index.candidates(level, keys):
        uid = str(dataset.get(UNIQUE_KEYS[level], ""))
        if uid not in answered and all(matches(dataset.get(key.tag), key) for key in keys.values()):
            answered.add(uid)
            answer = _answer(dataset, identifier, behaviour.unreturned_keys, unknown)
            if behaviour.counts:
                _count(index, answer)
            yield answer


def _finds_nothing(behaviour: Behaviour, identifier: Dataset, keys: dict[str, DataElement]) -> bool:
    if behaviour.empty_keys.intersection(keys):
        return True
    if any(keyword in identifier for keyword in behaviour.empty_return_keys):
        return True
    limits = {
        "RTPlanLabel": behaviour.exact_label_limit,
        "PatientID": behaviour.exact_patient_limit,
    }
    return any(
        limit is not None
        and keyword in keys
        and is_exact(keys[keyword])
        and len(texts(keys[keyword])[0]) > limit
        for keyword, limit in limits.items()
    )


def _answer(
    dataset: Dataset, identifier: Dataset, unreturned: frozenset[str], unknown: set[str]
) -> Dataset:
    answer = Dataset()
    answer.QueryRetrieveLevel = identifier.QueryRetrieveLevel
    if dataset.get("SpecificCharacterSet"):
        answer.SpecificCharacterSet = dataset.SpecificCharacterSet
    unique = UNIQUE_KEYS[str(identifier.QueryRetrieveLevel)]
    setattr(answer, unique, dataset.get(unique))
    for key in identifier:
        if key.keyword in _NOT_KEYS:
            continue
        held = None if key.keyword in unknown else dataset.get(key.tag)
        if held is None:
            answer.add_new(key.tag, key.VR, [] if key.VR == "SQ" else None)
        elif held.VR == "SQ":  # an item belongs to one data set only
            answer.add_new(key.tag, "SQ", [Dataset(item) for item in held.value])
        else:
            answer.add(held)
    for keyword in unreturned:
        if keyword in answer:
            delattr(answer, keyword)
    return answer


def _count(index: Index, answer: Dataset) -> None:
    """Fill in the numbers that an answer has a place for (PS3.4 C.3.4)."""
    for keyword, count in (
        ("NumberOfStudyRelatedSeries", index.series_of_study),
        ("NumberOfStudyRelatedInstances", index.instances_of_study),
    ):
        if keyword in answer and "StudyInstanceUID" in answer:
            setattr(answer, keyword, count(str(answer.StudyInstanceUID)))
    if "NumberOfSeriesRelatedInstances" in answer and "SeriesInstanceUID" in answer:
        number = index.instances_of_series(str(answer.SeriesInstanceUID))
        answer.NumberOfSeriesRelatedInstances = number


def _is_single(identifier: Dataset, keyword: str) -> bool:
    if keyword not in identifier:
        return False
    key = identifier[keyword]
    return len(texts(key)) == 1 and is_exact(key)
