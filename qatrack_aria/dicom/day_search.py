"""List the RT Images of some days, by both of their dates.

An image may have only one of Content Date and Acquisition Date, so both are queried. If one of the
queries is refused, or misses images that the other proves to be of those days, half a search could
miss the newest image: the result is empty, and the caller searches more widely.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from typing import Any, Callable, Collection, Mapping, NamedTuple, Optional, Sequence

from pydicom.dataset import Dataset

from qatrack_aria.dicom.abilities import DATES as DATES_AS_KEYS
from qatrack_aria.dicom.attributes import ImageRef, image_ref
from qatrack_aria.dicom.queries import DATES, FEWEST, PatientQueries, QueryRefused
from qatrack_aria.dicom.uids import SeriesKey, valid_uid
from qatrack_aria.dicom.values import text
from qatrack_aria.text import plural

#: Series up to this number are listed one by one.
FEW_SERIES = 4

FirstDay = Callable[[Sequence[ImageRef]], Optional[dt.date]]


class DatedImage(NamedTuple):
    """An answer, and its dates as they are written."""

    image: ImageRef
    content: str | None
    acquisition: str | None

    @property
    def has_day(self) -> bool:
        """Whether a server can match one of its dates."""
        return any(re.fullmatch("[0-9]{8}", day or "") for day in (self.content, self.acquisition))


def dated_image(answer: Dataset) -> DatedImage:
    """Read an answer with its dates."""
    return DatedImage(
        image_ref(answer), text(answer, "ContentDate"), text(answer, "AcquisitionDate")
    )


class DaySearch:
    """The search by days for the images of one patient on one node."""

    def __init__(self, queries: PatientQueries) -> None:
        self._queries = queries
        self._keys = {"PatientID": queries.patient_id, "Modality": queries.modality}
        self._listed: dict[str, DatedImage] = {}
        self._refused = False

    @property
    def supported(self) -> bool:
        """False once the node has refused a date as a key, or has answered with other days."""
        return not self._refused and self._queries.abilities.get(DATES_AS_KEYS) is not False

    @property
    def returns_dates(self) -> bool:
        """Whether the last list had a date of any image."""
        return any(one.content or one.acquisition for one in self._listed.values())

    def images(
        self, since: dt.date | None, until: dt.date | None, first_day: FirstDay | None
    ) -> list[ImageRef]:
        """List the images; see :meth:`qatrack_aria.dicom.finder.Finder.images`."""
        self._listed = {}
        for _ in range(2):  # one of the lists may be short
            try:
                found, again = self._both_lists(since, until, first_day or (lambda images: since))
            except QueryRefused:
                self._refused = True
                return []
            if not again:
                return found
        return []

    def confirms(self, since: dt.date | None, until: dt.date | None, uids: set[str]) -> bool:
        """Query the images again, for their UIDs, and return whether none is missing.

        Raises
        ------
        QueryRefused
            The node refuses these queries now.
        """
        days = _day_range(since, until)
        by_content = {uid for uid, one in self._listed.items() if _within(one.content, days)}
        by_acquisition = {
            uid for uid, one in self._listed.items() if _within(one.acquisition, days)
        }
        return self._confirms_date("ContentDate", days, by_content, uids) and self._confirms_date(
            "AcquisitionDate", days, by_acquisition, uids
        )

    def all_within(self, since: dt.date | None, until: dt.date | None) -> list[ImageRef]:
        """List the images of some days, as far as the node matches dates."""
        days = _day_range(since, until)
        found: dict[str, ImageRef] = {}
        for keyword in ("ContentDate", "AcquisitionDate"):
            with contextlib.suppress(QueryRefused):
                images = self._queries.images({**self._keys, keyword: days}, DATES)
                found.update({image.sop_uid: image for image in images})
        return list(found.values())

    def outside(self, series: Collection[SeriesKey]) -> dict[str, ImageRef]:
        """List the images in these series that no query by days can find, by SOP Instance UID.

        Each query is sent twice, put in different ways: what one misses is in the other.

        Raises
        ------
        QueryRefused
            The node cuts the list of a series.
        """
        listed: set[SeriesKey] = set()
        found: dict[str, ImageRef] = {}
        if len(series) > FEW_SERIES:
            with contextlib.suppress(QueryRefused):
                listed, found = self._outside(self._keys)
        # Without one of them that list was short: some servers cut long ones, and do not say so.
        by_one = () if listed.issuperset(series) else sorted(series)
        for key in (key for key in by_one if all(map(valid_uid, key))):
            try:
                found.update(self._outside(self._queries.series_key(*key))[1])
            except QueryRefused as refused:
                if refused.answers:
                    raise
        return {uid: image for uid, image in found.items() if image.series_key in series}

    def _outside(self, keys: Mapping[str, Any]) -> tuple[set[SeriesKey], dict[str, ImageRef]]:
        """Return the series that are answered, and the images that no query by days can find."""
        dated = self._dated(keys)
        seen: set[SeriesKey] = set()
        found: dict[str, ImageRef] = {}
        refusals = []
        forms = (DATES, (*DATES, "Modality"))
        for returned in forms:
            try:
                answers = self._queries.send("IMAGE", keys, returned, dated_image)
            except QueryRefused as refused:
                refusals.append(refused)
                continue
            seen.update(one.image.series_key for one in answers)
            images = [one.image for one in answers if not one.has_day]
            found.update({i.sop_uid: i for i in self._queries.own_images(keys, images)})
        if len(refusals) == len(forms):
            raise max(refusals, key=lambda refused: refused.answers)
        return seen, {uid: image for uid, image in found.items() if uid not in dated}

    def _dated(self, keys: Mapping[str, Any]) -> set[str]:
        """List the images that the node finds by days, if its answers do not tell their dates."""
        if self.returns_dates:
            return set()
        return {
            image.sop_uid
            for keyword in ("ContentDate", "AcquisitionDate")
            for days in _all_days(dt.date.today().year)
            for image in self._queries.images({**keys, keyword: days}, FEWEST)
        }

    def _confirms_date(self, keyword: str, days: str, due: set[str], uids: set[str]) -> bool:
        keys = {**self._keys, keyword: days}
        try:
            images = self._queries.images(keys, FEWEST)
        except QueryRefused:
            images = []
        if due and not images:  # a key may be the reason
            images = self._queries.images(keys, self._queries.all_keys)
        return due <= {image.sop_uid for image in images} <= uids

    def _both_lists(
        self, since: dt.date | None, until: dt.date | None, first_day: FirstDay
    ) -> tuple[list[ImageRef], bool]:
        """Return what both lists hold, and whether one of them was short."""
        days = _day_range(since, until)
        first = self._queries.with_all_keys({**self._keys, "ContentDate": days}, dated_image)
        if any(one.content is not None and not _within(one.content, days) for one in first):
            self._queries.abilities.learn(DATES_AS_KEYS, False, "answers of other days")
            return [], False
        if first:
            self._queries.abilities.learn(DATES_AS_KEYS, True, plural(len(first), "answer"))
        begin = first_day([one.image for one in first])
        if begin is None:
            return [], False
        late = _day_range(begin, until)
        by_acquisition = {**self._keys, "AcquisitionDate": late}
        second = self._queries.send("IMAGE", by_acquisition, DATES, dated_image)
        seen = _uids(first)
        if _uids(second) - seen:
            second = self._queries.with_all_keys(by_acquisition, dated_image)
        due_in_second = _uids(one for one in first if _within(one.acquisition, late))
        due_in_first = _uids(one for one in second if _within(one.content, days))
        if due_in_second - _uids(second) or due_in_first - seen:
            return [], bool(first and second)
        # Of an image in both, the first answer has more attributes. One UID may be in two series.
        both = {
            (one.image.sop_uid or str(id(one)), one.image.series_key): one
            for one in (*second, *first)
        }
        found = self._queries.own_images(self._keys, [one.image for one in both.values()])
        own = {image.sop_uid for image in found}
        self._listed = {uid: one for (uid, _), one in both.items() if uid in own}
        return found, False


def _uids(answers: Any) -> set[str]:
    return {one.image.sop_uid for one in answers}


def _day_range(since: dt.date | None, until: dt.date | None) -> str:
    """Return a range key (PS3.4 C.2.2.2.5); a single day in the form that every server knows."""
    first = since.strftime("%Y%m%d") if since else ""
    last = until.strftime("%Y%m%d") if until else ""
    return first if first == last else f"{first}-{last}"


def _all_days(year: int) -> tuple[str, ...]:
    """Return range keys for all days, this and the last year by themselves.

    Where a server compares texts, a date in ACR-NEMA's form, 2026.11.30, lies between two years.
    """
    return f"19000101-{year - 2}1231", f"{year - 1}0101-{year - 1}1231", f"{year}0101-"


def _within(date: str | None, days: str) -> bool:
    first, dash, last = days.partition("-")
    return date is not None and first <= date <= ((last or "9") if dash else first)
