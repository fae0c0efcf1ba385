"""The index of the simulated archive: finds instances without checking all of them.

A DB Service answers from a database. The cost of a query must not grow with the history of a QA
patient either, so instances are indexed by UID and by plan, and by date within each patient and
modality.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from typing import Iterable, Mapping

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID

from .matching import date_range, matches, texts

DATES = ("ContentDate", "AcquisitionDate")

# Attributes that all instances of a series share, so that one of them suffices.
COMMON_TO_A_SERIES = frozenset(
    {
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "StudyInstanceUID",
        "StudyID",
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "Modality",
        "SeriesInstanceUID",
        "SeriesNumber",
        "SeriesDate",
        "SeriesTime",
        "SeriesDescription",
    }
)

PLANS = "ReferencedRTPlanSequence"

Keys = Mapping[str, DataElement]


def plan_uids(dataset: Dataset) -> set[str]:
    """Return the UIDs of the plans that an instance refers to."""
    return {str(item.get("ReferencedSOPInstanceUID", "")) for item in dataset.get(PLANS) or ()}


class _Group:
    """The instances of one patient and modality."""

    def __init__(self, first: Dataset) -> None:
        self.example = first
        self.instances: list[Dataset] = []
        self.series: dict[str, Dataset] = {}
        # (date, order of arrival, instance): the order decides ties; data sets do not compare.
        self.dates: dict[str, list[tuple[str, int, Dataset]]] = {date: [] for date in DATES}

    def add(self, dataset: Dataset) -> None:
        order = len(self.instances)
        self.instances.append(dataset)
        self.series.setdefault(str(dataset.SeriesInstanceUID), dataset)
        for keyword, entries in self.dates.items():
            date = str(dataset.get(keyword) or "")
            if date:
                entries.append((date, order, dataset))

    def sort(self) -> None:
        for entries in self.dates.values():
            entries.sort(key=lambda entry: entry[:2])

    def dated(self, keyword: str, key: DataElement) -> list[Dataset]:
        first, last = date_range(key)
        entries = self.dates[keyword]
        begin = bisect_left(entries, (first,))
        # "~" is after any digit.
        end = bisect_right(entries, (last + "~",)) if last else len(entries)
        return [dataset for _, _, dataset in entries[begin:end]]


class Index:
    """The archive's index; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._instances: dict[str, Dataset] = {}
        self._series: dict[str, list[Dataset]] = {}
        self._studies: dict[str, dict[str, None]] = {}  # study to its series, in order
        self._groups: dict[tuple[str, str], _Group] = {}
        self._of_plans: dict[str, list[Dataset]] = {}  # by a plan that they refer to
        self._syntaxes: dict[str, list[str | UID]] = {}  # by SOP class

    def __len__(self) -> int:
        return len(self._instances)

    def add(self, datasets: Iterable[Dataset]) -> None:
        """Add instances, except those whose SOP Instance UIDs exist already."""
        with self._lock:
            touched = set()
            for dataset in datasets:
                uid = str(dataset.SOPInstanceUID)
                if uid in self._instances:
                    continue
                series = str(dataset.SeriesInstanceUID)
                self._instances[uid] = dataset
                self._series.setdefault(series, []).append(dataset)
                self._studies.setdefault(str(dataset.StudyInstanceUID), {})[series] = None
                for plan in plan_uids(dataset):
                    self._of_plans.setdefault(plan, []).append(dataset)
                group = (str(dataset.PatientID), str(dataset.Modality))
                self._groups.setdefault(group, _Group(dataset)).add(dataset)
                syntaxes = self._syntaxes.setdefault(str(dataset.SOPClassUID), [])
                if dataset.file_meta.TransferSyntaxUID not in syntaxes:
                    syntaxes.append(dataset.file_meta.TransferSyntaxUID)
                touched.add(group)
            for group in touched:
                self._groups[group].sort()

    def series_of_study(self, study_uid: str) -> int:
        """Return the number of series of a study."""
        return len(self._studies.get(study_uid, ()))

    def instances_of_study(self, study_uid: str) -> int:
        """Return the number of instances of a study."""
        return sum(map(self.instances_of_series, self._studies.get(study_uid, ())))

    def instances_of_series(self, series_uid: str) -> int:
        """Return the number of instances of a series."""
        return len(self._series.get(series_uid, ()))

    def storage_contexts(self) -> dict[str, list[str | UID]]:
        """Return the transfer syntaxes of each SOP class that is stored."""
        with self._lock:
            return {uid: list(syntaxes) for uid, syntaxes in self._syntaxes.items()}

    def candidates(self, level: str, keys: Keys) -> list[Dataset]:
        """Return a small superset of the instances that match.

        Parameters
        ----------
        level : str
            The Query/Retrieve Level. Above IMAGE one instance of each series is enough, unless a
            key (such as ContentDate) distinguishes the instances of a series.
        keys : mapping of str to pydicom.dataelem.DataElement
            The keys with a value, by keyword.

        Returns
        -------
        list of pydicom.dataset.Dataset
            The candidates, still to be matched.
        """
        one_of_each_series = level != "IMAGE" and COMMON_TO_A_SERIES.issuperset(keys)
        with self._lock:
            if "SOPInstanceUID" in keys:
                uids = texts(keys["SOPInstanceUID"])
                return [self._instances[uid] for uid in uids if uid in self._instances]
            if "SeriesInstanceUID" in keys:
                return self._of_series(texts(keys["SeriesInstanceUID"]), one_of_each_series)
            if PLANS in keys:
                return [
                    dataset
                    for plan in keys[PLANS].value[:1]
                    for uid in texts(plan["ReferencedSOPInstanceUID"])
                    for dataset in self._of_plans.get(uid, ())
                ]
            dated = next((keyword for keyword in DATES if keyword in keys), None)
            if dated is None and "StudyInstanceUID" in keys:
                series = [
                    uid
                    for study in texts(keys["StudyInstanceUID"])
                    for uid in self._studies.get(study, ())
                ]
                return self._of_series(series, one_of_each_series)
            found: list[Dataset] = []
            for group in self._groups.values():
                if all(
                    matches(group.example.get(keys[keyword].tag), keys[keyword])
                    for keyword in ("PatientID", "Modality")
                    if keyword in keys
                ):
                    if dated:
                        found += group.dated(dated, keys[dated])
                    else:
                        found += group.series.values() if one_of_each_series else group.instances
            return found

    def _of_series(self, uids: Iterable[str], only_one: bool) -> list[Dataset]:
        series = [self._series.get(uid, []) for uid in dict.fromkeys(uids)]
        return [
            dataset
            for instances in series
            for dataset in (instances[:1] if only_one else instances)
        ]
