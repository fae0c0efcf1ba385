"""List a patient's studies and series, and the images of some."""

from __future__ import annotations

import contextlib
from typing import Any, Collection, Dict, Iterable, Mapping, NamedTuple, Optional

from qatrack_aria.dicom.abilities import COUNTS, SERIES_COUNTS, SERIES_LISTS
from qatrack_aria.dicom.attributes import ImageRef, image_ref
from qatrack_aria.dicom.queries import (
    FEWEST,
    SERIES_COUNT,
    SERIES_KEYS,
    STUDY_COUNTS,
    UIDS,
    ListTooLong,
    PatientQueries,
    QueryRefused,
)
from qatrack_aria.dicom.uids import SeriesKey, valid_uid
from qatrack_aria.dicom.values import number, text
from qatrack_aria.text import plural

#: The number of instances in each series, where the node tells it.
Inventory = Dict[SeriesKey, Optional[int]]
#: Series that one query names: 4 kB of UIDs; and the answers to it that are waited for.
AT_ONCE = 50
MOST_AT_ONCE = 5000


class StudyCounts(NamedTuple):
    """How many series and instances a node holds of a study, of all modalities."""

    series: int
    instances: int


class SeriesSearch:
    """The search for the series of one patient on one node, and by them."""

    def __init__(self, queries: PatientQueries) -> None:
        self._queries = queries
        self._abilities = queries.abilities

    @property
    def by_lists(self) -> bool:
        """Whether the node may match lists of Series Instance UIDs (PS3.4 C.2.2.2.2)."""
        return self._abilities.get(SERIES_LISTS) is not False and self._queries.relational

    def studies(self) -> dict[str, StudyCounts] | None:
        """List the patient's studies; ``None`` if the node refuses, or does not count."""
        if self._abilities.get(COUNTS) is False:
            return None
        for keys in self._queries.patient_keys():
            with contextlib.suppress(QueryRefused):
                answers = self._queries.send("STUDY", keys, (*UIDS[:1], *STUDY_COUNTS))
                if answers:
                    counted = self._counted(keys, answers)
                    evidence = f"STUDY level: {plural(len(answers), 'answer')}"
                    self._abilities.learn(COUNTS, counted is not None, evidence)
                    return counted
        return None

    def _counted(self, keys: Any, answers: Iterable[Any]) -> dict[str, StudyCounts] | None:
        found = {}
        for answer in answers:
            uid = text(answer, "StudyInstanceUID") or ""
            counts = [number(answer, keyword) for keyword in STUDY_COUNTS]
            if None in counts or not valid_uid(uid):
                return None
            found[uid] = StudyCounts(*(count or 0 for count in counts))
        own = self._queries.of_patient(keys, [image_ref(answer) for answer in answers])
        return {image.study_uid: found[image.study_uid] for image in own}

    def all(self, most: int | None = None) -> Inventory:
        """List all series of images by two queries; what one misses is in the other.

        Parameters
        ----------
        most : int, optional
            Answers that are taken to the first one.

        Raises
        ------
        QueryError
            The node cuts the list of series, and that of studies or of the series of one too.
        ListTooLong
            There are more than `most`.
        """
        first = self.inventory(most=most)
        # This list has the series of other modalities, too.
        return {**self.inventory(by_modality=False, most=None if first else most), **first}

    def inventory(self, *, by_modality: bool = True, most: int | None = None) -> Inventory:
        """List the series of images by one query, level by level where the node wants that.

        With `by_modality`, that is a key of the query, and instances are counted. None are listed
        if the node refuses. Parameters and errors are those of :meth:`all`.
        """
        if not self._queries.relational:
            return self._by_level(by_modality)
        keys = {"PatientID": self._queries.patient_id}
        if by_modality:
            keys["Modality"] = self._queries.modality
        returned = (*SERIES_KEYS, SERIES_COUNT) if by_modality else SERIES_KEYS
        try:
            answers = self._queries.send("SERIES", keys, returned, _series, most)
        except QueryRefused as refused:
            return self._by_level(by_modality) if refused.answers else {}
        counts = {image.series_key: count for image, count in answers}
        if by_modality and answers:
            counting = any(count is not None for count in counts.values())
            self._abilities.learn(SERIES_COUNTS, counting, plural(len(answers), "answer"))
        own = self._queries.own_images(keys, [image for image, _ in answers])
        return {key: counts[key] for key in series_keys(own)}

    def count(self, study_uid: str, series_uid: str) -> int | None:
        """Return the number of instances of a series; ``None`` where the node does not tell it."""
        if self._abilities.get(SERIES_COUNTS) is False:
            return None
        keys = self._queries.series_key(study_uid, series_uid)
        try:
            answers = self._queries.send("SERIES", keys, (*SERIES_KEYS, SERIES_COUNT), _series)
        except QueryRefused:
            return None
        return next((n for image, n in answers if image.series_uid == series_uid), None)

    def of_plan(self, plan_uid: str) -> set[SeriesKey] | None:
        """List the series of images that refer to a plan; ``None`` if the node refuses."""
        keys = self._queries.plan_key(plan_uid)
        try:
            answers = self._queries.send("SERIES", keys, SERIES_KEYS, image_ref, MOST_AT_ONCE)
        except (QueryRefused, ListTooLong):
            return None
        return series_keys(self._queries.own_images(keys, answers))

    def images(self, study_uid: str, series_uid: str) -> list[ImageRef]:
        """List all images of one series; an empty list if the node refuses."""
        keys = self._queries.series_key(study_uid, series_uid)
        with contextlib.suppress(QueryRefused):
            found = self._queries.own_images(keys, self._queries.with_all_keys(keys))
            if found:
                return [image for image in found if image.series_uid == series_uid]
        with contextlib.suppress(QueryRefused):
            found = self._queries.images(keys, self._queries.seen_keys)
            return [image for image in found if image.series_uid == series_uid]
        return []

    def images_of(self, series: Collection[SeriesKey]) -> dict[SeriesKey, list[ImageRef]]:
        """List all images of some series, at most :data:`AT_ONCE`.

        One query names them all. Those of which it lists nothing are listed one by one: not every
        server matches a list of UIDs.

        Raises
        ------
        QueryRefused
            The node does not list one of them.
        """
        found = self._by_list(series, all_keys=True)
        return {key: found.get(key) or self._images_of_one(*key) for key in series}

    def _images_of_one(self, study_uid: str, series_uid: str) -> list[ImageRef]:
        """List one series; instances of unknown modality only where that is a key."""
        by_series = self._queries.series_key(study_uid, series_uid)
        by_modality = by_series
        if self._queries.relational:
            by_modality = {**by_series, "Modality": self._queries.modality}
        all_keys, refusal = self._queries.all_keys, None
        for keys, returned in (
            (by_modality, all_keys),
            (by_modality, self._queries.seen_keys),
            (by_series, all_keys),
        ):
            try:
                found = self._queries.images(keys, returned)
            except QueryRefused as refused:
                refusal = refused
                continue
            if keys is by_series and self._queries.relational:
                found = [image for image in found if image.modality]
            if found:
                return [image for image in found if image.series_uid == series_uid]
        if refusal is not None:
            raise refusal
        return []

    def uids_of(self, series: Collection[SeriesKey]) -> dict[SeriesKey, set[str]]:
        """List the SOP Instance UIDs of the images of some series, as :meth:`images_of`."""
        found = self._by_list(series, all_keys=False)
        return {
            key: {image.sop_uid for image in found.get(key, ())} or self.uids(*key)
            for key in series
        }

    def _by_list(
        self, series: Collection[SeriesKey], *, all_keys: bool
    ) -> dict[SeriesKey, list[ImageRef]]:
        found: dict[SeriesKey, list[ImageRef]] = {}
        if not self.by_lists or len(series) < 2:
            return found
        keys = {
            "PatientID": self._queries.patient_id,
            "Modality": self._queries.modality,
            "SeriesInstanceUID": [series_uid for _, series_uid in series],
        }
        try:
            send = self._queries.with_all_keys if all_keys else self._send_for_uids
            for image in self._queries.own_images(keys, send(keys, most=MOST_AT_ONCE)):
                found.setdefault(image.series_key, []).append(image)
        except ListTooLong:
            return {}  # these series are long, or the node ignores the list
        except QueryRefused:
            pass
        # One that ignores the list answers with all that it holds.
        matches = bool(found) and set(found) <= set(series)
        evidence = f"images of {len(found)} for {len(series)} series"
        self._abilities.learn(SERIES_LISTS, matches, evidence)
        return found

    def _send_for_uids(self, keys: Mapping[str, Any], most: int) -> list[ImageRef]:
        return self._queries.send("IMAGE", keys, (*UIDS, "Modality"), image_ref, most)

    def uids(self, study_uid: str, series_uid: str) -> set[str]:
        """List the SOP Instance UIDs of one series' images; none if the node refuses.

        A server need not open the images for them, as it must for most other keys.
        """
        keys = self._queries.series_key(study_uid, series_uid)
        try:
            images = self._queries.images(keys, FEWEST)
        except QueryRefused:
            return set()
        return {image.sop_uid for image in images}

    def _by_level(self, by_modality: bool) -> Inventory:
        modality = self._queries.modality
        try:
            return {
                (keys["StudyInstanceUID"], keys["SeriesInstanceUID"]): count
                for keys, count in self._queries.counted_series(modality, by_modality=by_modality)
            }
        except QueryRefused:
            raise self._queries.all_refused("series") from None


def series_keys(images: Iterable[ImageRef]) -> set[SeriesKey]:
    """Return the keys of the series of some answers, if they can be queried."""
    return {image.series_key for image in images if all(map(valid_uid, image.series_key))}


def _series(answer: Any) -> tuple[ImageRef, int | None]:
    return image_ref(answer), number(answer, SERIES_COUNT)
