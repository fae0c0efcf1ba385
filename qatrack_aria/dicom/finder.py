"""Finds the plans and images of one patient, whatever forms of query the node supports.

The order is the same everywhere: first the keys that narrow the answer, then fewer, then level by
level from the study down. A server that ignores or refuses a key, answers nothing because of it,
or supports no relational queries, thus costs time only. The caller decides image by image what
the answers mean.

A list can be short, with Success, and the next one complete: ARIA does that now and then. So what
is absent from one list is not known to be absent. Each list that decides something is confirmed by
a second query, put in another way.
"""

from __future__ import annotations

import datetime as dt
import time
from functools import partial
from typing import Any, Callable, Collection, Sequence

from qatrack_aria.dicom.abilities import PLAN_KEY
from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.dicom.c_find import QueryRecord
from qatrack_aria.dicom.day_search import DaySearch, FirstDay
from qatrack_aria.dicom.queries import (
    FEWEST,
    PLAN_FEWEST,
    PLAN_KEYS,
    PLAN_KEYS_FEW,
    PLAN_KEYS_NAMELESS,
    UIDS,
    ListTooLong,
    PatientQueries,
    QueryRefused,
)
from qatrack_aria.dicom.series_search import SeriesSearch
from qatrack_aria.dicom.uids import RTIMAGE, SeriesKey
from qatrack_aria.errors import QueryError

LABEL_LENGTH = 16  # characters of a Short String: what an RTPlanLabel key can hold
#: Seconds before lists that differ are queried again.
PAUSES = (0.0, 0.1, 0.3, 1.0, 2.0)


class Finder:
    """Lists the plans and images of one patient on one node.

    Attributes
    ----------
    by_days, by_series : DaySearch, SeriesSearch
        The search by days, and that for series and by them.
    """

    def __init__(self, session: Session, patient_id: str, modality: str = RTIMAGE) -> None:
        self.session = session
        self.patient_id = patient_id
        self._queries = PatientQueries(session, patient_id, modality)
        self.by_days = DaySearch(self._queries)
        self.by_series = SeriesSearch(self._queries)

    @property
    def relational(self) -> bool:
        """False once the node has turned out to answer level by level only."""
        return self._queries.relational

    @property
    def queries(self) -> Sequence[QueryRecord]:
        """Every query sent so far."""
        return self._queries.records

    def plans(self, label: str | None) -> list[PlanRef]:
        """List the patient's plans; the caller compares their labels with the wanted one.

        A server's own matching of labels is not ours (padding, capital letters, long labels), and
        would hide a second plan with the same label. A label that is missing from the list is
        queried by itself too. The list is confirmed.

        Raises
        ------
        QueryError
            The node refused every form of the query, or its lists go on differing.
        """
        found: dict[str, PlanRef] = {}
        returned: Sequence[Sequence[str]] = (PLAN_KEYS, PLAN_KEYS_FEW)
        for pause in PAUSES:
            listed = self._list_plans(returned)
            if label is not None and all(plan.label not in (label, None) for plan in listed):
                listed += self._plans_with_label(label)
            found.update({plan.sop_uid: plan for plan in listed})
            again = {plan.sop_uid for plan in self._list_plans((PLAN_FEWEST, PLAN_KEYS_FEW))}
            if again == {plan.sop_uid for plan in listed}:
                return list(found.values())
            if not listed:
                returned = (PLAN_KEYS_NAMELESS,)
            self.wait(pause)
        raise self.lists_differ("plans")

    def images(
        self,
        since: dt.date | None = None,
        until: dt.date | None = None,
        first_day: FirstDay | None = None,
    ) -> list[ImageRef]:
        """List the patient's images, or those of some days where the node matches dates.

        Parameters
        ----------
        since, until : datetime.date, optional
            First and last day of acquisition or content; a server that ignores the keys answers
            with other days too.
        first_day : callable, optional
            Takes the images whose Content Date is within these days, and returns the day from
            which Acquisition Dates are queried too. If it returns None, they are not, and the
            result is empty. Default: `since`.

        Raises
        ------
        QueryError
            The node refused every form of the query.
        """
        if self.relational and (since is not None or until is not None):
            return self.by_days.images(since, until, first_day)
        return self._list_images((self._queries.all_keys, self._queries.seen_keys, UIDS))

    def confirms(self, since: dt.date | None, until: dt.date | None, uids: set[str]) -> bool:
        """Query the images of some days again, and return whether nothing is missing.

        Parameters
        ----------
        since, until : datetime.date or None
            Days within those of the last list; two times ``None`` for the whole history.
        uids : set of str
            SOP Instance UIDs of all images that are known.

        Raises
        ------
        QueryError
            The node refuses these queries now.
        """
        if not self.relational or (since is None and until is None):
            return {image.sop_uid for image in self._list_images((FEWEST, UIDS))} == uids
        try:
            return self.by_days.confirms(since, until, uids)
        except QueryRefused:
            raise self._queries.all_refused("images") from None

    def outside_all_days(self, series: Collection[SeriesKey]) -> list[ImageRef]:
        """List the images in these series that no query by days can find.

        They have no date, or one in a form that a server does not match.

        Raises
        ------
        QueryError
            The node cuts the list of a series.
        """
        try:
            found = self.by_days.outside(series)
        except QueryRefused:
            raise self._queries.all_refused("images") from None
        for key in sorted({image.series_key for image in found.values()}):
            listed = self.by_series.images(*key)
            found.update({i.sop_uid: i for i in listed if i.sop_uid in found})
        return list(found.values())

    def images_of_plan(self, plan_uid: str, most: int) -> list[ImageRef] | None:
        """List the images that refer to a plan, where the node matches that.

        Parameters
        ----------
        plan_uid : str
            SOP Instance UID of the plan.
        most : int
            Answers that are taken.

        Returns
        -------
        list of ImageRef or None
            ``None`` if the node refuses, ignores the key, or has more answers. One that knows only
            the first of two plans lists too few.
        """
        keys = self._queries.plan_key(plan_uid)
        abilities = self._queries.abilities
        if not self.relational or abilities.get(PLAN_KEY) is False:
            return None
        found: list[ImageRef] | None = None
        try:
            answers = found = self._queries.images(keys, self._queries.seen_keys, most)
        except ListTooLong as too_long:
            answers = too_long.answers
        except QueryRefused:
            return None
        others = [i for i in answers if i.plan_uids is not None and plan_uid not in i.plan_uids]
        if 2 * len(others) <= len(answers):
            return found
        evidence = f"{len(others)} of {len(answers)} answers of other plans"
        abilities.learn(PLAN_KEY, False, evidence)
        return None

    def images_of_series(self, series_uid: str, *, fewest: bool = False) -> list[ImageRef]:
        """List the images of a series whose study is unknown.

        ARIA answers IMAGE level by the Series Instance UID alone (seen in clients of it). With
        `fewest`, the answers have little more than their UIDs, to confirm another list.

        Raises
        ------
        QueryError
            The node refused every form of the query.
        """
        keys = {
            "PatientID": self.patient_id,
            "Modality": self._queries.modality,
            "SeriesInstanceUID": series_uid,
        }
        forms: list[Callable[[], list[ImageRef]]] = []
        if self.relational:
            many = self._queries.all_keys, self._queries.seen_keys
            returned = (FEWEST, UIDS) if fewest else many
            forms += [partial(self._queries.images, keys, r) for r in returned]
        few = FEWEST if fewest else self._queries.all_keys
        forms.append(partial(self._images_by_level, few, series_uid))
        found: list[ImageRef] = self._first_answer("images", forms)
        return [image for image in found if image.series_uid == series_uid]

    def lists_differ(self, what: str) -> QueryError:
        """Return the error for lists that go on differing."""
        return QueryError(
            f"C-FIND: {self.session.peer} lists other {what} of patient '{self.patient_id}' each "
            f"time ({'; '.join(str(query) for query in self.queries[-2:])}), so it is unknown "
            "which there are: ask again in a minute. If that goes on, its log gives the reason."
        )

    def wait(self, seconds: float) -> None:
        """Wait before lists that differ are queried again, within the deadline."""
        time.sleep(self.session.deadline.at_most(seconds))

    # --- forms of query -----------------------------------------------------------------------

    def _list_plans(self, returned: Sequence[Sequence[str]]) -> list[PlanRef]:
        forms = self._relational_forms("RTPLAN", self._queries.plans, returned)
        by_level = partial(self._plans_by_level, returned[0])
        return self._first_answer("plans", [*forms, by_level], by_level)

    def _list_images(self, returned: Sequence[Sequence[str]]) -> list[ImageRef]:
        forms = self._relational_forms(self._queries.modality, self._queries.images, returned)
        forms += [partial(self._images_by_level, keys) for keys in (returned[0], returned[-1])]
        return self._first_answer("images", forms)

    def _relational_forms(
        self, modality: str, query: Callable[..., Any], returned: Sequence[Sequence[str]]
    ) -> list[Callable[[], Any]]:
        patients = self._queries.patient_keys() if self.relational else ()
        return [
            partial(query, {**patient, "Modality": modality}, keys)
            for patient in patients
            for keys in returned
        ]

    def _first_answer(
        self,
        what: str,
        forms: Sequence[Callable[[], Any]],
        by_level: Callable[[], Any] | None = None,
    ) -> Any:
        """Return what the first form lists that lists any; after `by_level` no other is tried."""
        refusals = []
        for query in forms:
            try:
                found = query()
            except QueryRefused as refused:
                refusals.append(refused)
                continue
            if found:
                if query is by_level:
                    self._queries.go_by_level(refusals)
                return found
        if len(refusals) == len(forms) or any(refused.answers for refused in refusals):
            raise self._queries.all_refused(what)
        return []

    def _plans_with_label(self, label: str) -> list[PlanRef]:
        if not self.relational or len(label) > LABEL_LENGTH:
            return []
        keys = {"PatientID": self.patient_id, "Modality": "RTPLAN", "RTPlanLabel": label}
        try:
            return self._queries.plans(keys, PLAN_KEYS)
        except QueryRefused:
            return []

    def _plans_by_level(self, returned: Sequence[str]) -> list[PlanRef]:
        plans: list[PlanRef] = []
        for keys in self._queries.series_keys("RTPLAN", by_modality=returned != PLAN_FEWEST):
            plans += self._queries.plans(keys, returned)
        return plans

    def _images_by_level(
        self, returned: Sequence[str], series_uid: str | None = None
    ) -> list[ImageRef]:
        images: list[ImageRef] = []
        modality = self._queries.modality
        for keys in self._queries.series_keys(modality, by_modality=returned != FEWEST):
            if series_uid in (None, keys["SeriesInstanceUID"]):
                images += self._queries.images(keys, returned)
        return images
