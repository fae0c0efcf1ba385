"""List a patient's series, and the images of one."""

from __future__ import annotations

import contextlib

from qatrack_aria.dicom.attributes import ImageRef, image_ref
from qatrack_aria.dicom.queries import (
    FEWEST,
    IMAGE_KEYS,
    IMAGE_KEYS_SEEN,
    SERIES_KEYS,
    PatientQueries,
    QueryRefused,
)
from qatrack_aria.dicom.uids import SeriesKey, valid_uid


class SeriesSearch:
    """The search for the series of one patient on one node, and by them."""

    def __init__(self, queries: PatientQueries) -> None:
        self._queries = queries

    def all(self) -> set[SeriesKey]:
        """List the keys of all series of RT Images; none if the node refuses.

        Two queries, put in different ways, are sent: what one misses is in the other.

        Raises
        ------
        QueryError
            The node cuts the list of series, and that of studies or of the series of one too.
        """
        patient = {"PatientID": self._queries.patient_id}
        found: list[SeriesKey] = []
        for keys in ({**patient, "Modality": "RTIMAGE"}, patient):
            try:
                answers = self._queries.send("SERIES", keys, SERIES_KEYS, image_ref)
            except QueryRefused as refused:
                if refused.answers:
                    return self._all_by_level()
                continue
            found += [image.series_key for image in self._queries.rt_images(keys, answers)]
        return {key for key in found if all(map(valid_uid, key))}

    def images(self, study_uid: str, series_uid: str) -> list[ImageRef]:
        """List all RT Images of one series; an empty list if the node refuses."""
        keys = self._queries.series_key(study_uid, series_uid)
        for returned in (IMAGE_KEYS, IMAGE_KEYS_SEEN):
            with contextlib.suppress(QueryRefused):
                found = self._queries.images(keys, returned)
                if found:
                    return [image for image in found if image.series_uid == series_uid]
        return []

    def uids(self, study_uid: str, series_uid: str) -> set[str]:
        """List the SOP Instance UIDs of one series' RT Images; none if the node refuses.

        A server need not open the images for them, as it must for most other keys.
        """
        keys = self._queries.series_key(study_uid, series_uid)
        try:
            images = self._queries.images(keys, FEWEST)
        except QueryRefused:
            return set()
        return {image.sop_uid for image in images}

    def _all_by_level(self) -> set[SeriesKey]:
        try:
            return {
                (keys["StudyInstanceUID"], keys["SeriesInstanceUID"])
                for by_modality in (True, False)
                for keys in self._queries.series_keys("RTIMAGE", by_modality=by_modality)
            }
        except QueryRefused:
            raise self._queries.all_refused("series") from None
