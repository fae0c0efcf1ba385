"""List the images of a request's patient, and confirm that the lists lack none.

Images are listed by the days that are searched. The series of those that are chosen are listed as a
whole, and of all other series, once, the images that no search by days finds. Each list that counts
is compared with a second one, put in another way: ARIA's are short now and then.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from functools import partial
from typing import Collection, Iterable, Sequence

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.day_search import FEW_SERIES, FirstDay
from qatrack_aria.dicom.finder import Finder
from qatrack_aria.dicom.queries import QueryRefused
from qatrack_aria.dicom.uids import SeriesKey
from qatrack_aria.errors import IncompleteRetrievalError
from qatrack_aria.retrieval import date_windows
from qatrack_aria.retrieval.date_windows import EVER, Days
from qatrack_aria.retrieval.history import RECENT, History
from qatrack_aria.retrieval.history_proof import HistoryProof
from qatrack_aria.retrieval.known_series import KnownSeries
from qatrack_aria.retrieval.last_lists import LastLists
from qatrack_aria.retrieval.listed_images import ListedImages
from qatrack_aria.retrieval.matching import match_plan_reference
from qatrack_aria.retrieval.sessions import GAP, series_of, uids
from qatrack_aria.retrieval.task import Task
from qatrack_aria.retrieval.transfer import require_uids

DAY = dt.timedelta(days=1)
#: Images of a plan of which a list is worth its time, to know where the newest are.
MOST_OF_PLAN = 100


class WiderSearchNeeded(Exception):
    """The searched days may hold only a part of the chosen images."""


class ImageLists:
    """The lists of images for one request.

    Parameters
    ----------
    task : Task
        The retrieval.
    plan_uids : frozenset of str
        SOP Instance UIDs of the plans that match.
    finder : Finder
        Sends the queries.

    Attributes
    ----------
    images : ListedImages
        What is known of the images by now.
    """

    def __init__(self, task: Task, plan_uids: frozenset[str], finder: Finder) -> None:
        self._task, self._request = task, task.request
        self._plan_uids = plan_uids
        self._finder = finder
        self._known_series = KnownSeries(task)
        self._looked_outside = False
        self._outside: list[ImageRef] = []  # images that the searches by days have not found
        self._complete: set[SeriesKey] = set()  # series of which every image is listed
        self._days = EVER
        self._last = LastLists(task, plan_uids)
        self._resumed = False  # whether the lists are the last ones
        self._all_of_patient = False
        self._newest: dt.date | None = None  # day of the newest image of the plan, as it seems
        self._of_plan: list[ImageRef] | None = None  # what the node lists of it
        self._history: History | None = None  # where all of the patient are searched
        self._proof: HistoryProof | None = None  # of the history
        self.images = ListedImages()

    def resume(self, windows: Collection[Days]) -> Days | None:
        """Take the last lists if the node's counts show nothing new, and return their days."""
        last = self._last
        if last.days not in windows or last.days is None or last.days == EVER:
            return None
        if len(_recent_series(last.images)) > FEW_SERIES:
            return None
        counts = self._known_series.count(self._finder)
        if not counts or counts != last.studies:
            return None
        self.images.add(last.images)
        self._days, self._resumed = last.days, True
        return last.days

    def begin(self, days: Days, widest: bool) -> None:
        """List the images of other days than before.

        Parameters
        ----------
        days : Days
            The first and the last day.
        widest : bool
            See :func:`~qatrack_aria.retrieval.date_windows.first_day`.
        """
        # A list of one series is checked like one that the searched days may have cut.
        self._all_of_patient = days == EVER and self._request.series is None
        if self._all_of_patient:
            found = list(self.images)
            history = self._history = History(self._task, self._finder, found)
            self._proof = HistoryProof(history, self._plan_uids, self._finder, self._of_plan)
        self.images, self._complete = ListedImages(), set()
        self._days, self._resumed = days, False
        first_day = partial(date_windows.first_day, self._request, self._plan_uids, days[0], widest)
        self.images.add(self._list(days, first_day))

    def may_hold_newest(self, days: Days) -> bool:
        """Return whether the newest images may lie in these days, by the node's list of the plan's.

        Where that list does not tell, they may.
        """
        if days[0] is None:
            return True
        if self._newest is None:
            self._newest = dt.date.max
            if len(self._plan_uids) == 1:
                self._newest = self._newest_of_plan(*self._plan_uids)
        return self._newest >= days[0]

    def _newest_of_plan(self, plan_uid: str) -> dt.date:
        """Return the day of the plan's newest image; the last of all days where that is unknown."""
        if plan_uid in self._known_series.many_of_plan:
            return dt.date.max
        listed = self._of_plan = self._finder.images_of_plan(plan_uid, MOST_OF_PLAN)
        if listed is None:
            self._known_series.add_plan(plan_uid)
        until = self._request.until.date() if self._request.until else dt.date.max
        days = [image.day for image in listed or () if image.day is None or image.day <= until]
        known = [day for day in days if day is not None]
        return max(known) if known and len(known) == len(days) else dt.date.max

    def repeat(self, days: Days) -> bool:
        """List the images once more, and return whether there are new ones."""
        self._complete = set()
        return self.images.replace(self._list(days))

    def complete(self, chosen: Sequence[ImageRef]) -> bool:
        """List all of the chosen series, and return whether that added images.

        The first day of the search may cut through a series.

        Raises
        ------
        WiderSearchNeeded
            The node does not list a series as a whole.
        """
        if self._all_of_patient:
            return self._list_anew(chosen)
        require_uids(chosen)
        added = False
        keys = {image.series_key for image in chosen if image.acquired or image.from_file}
        for key in keys - self._complete:
            self._complete.add(key)
            if self._resumed:
                continue  # it is listed when the set is confirmed
            here = self.images.of_series(*key)
            if self._finder.by_series.uids(*key) == here:
                continue
            series = self._finder.by_series.images(*key)
            if not here <= uids(series):
                raise WiderSearchNeeded
            more = [image for image in series if image.sop_uid not in here]
            self._outside += more  # some of them, perhaps, no search by days finds
            added = self.images.add(more) or added
        return added

    def _list_anew(self, chosen: Sequence[ImageRef]) -> bool:
        """List the chosen series of which only older answers are known."""
        history = self._history
        due = [key for key in series_of(chosen) if history and not history.has_listed(key)]
        if history is None or not due:
            return False
        require_uids(chosen)
        changed = history.list_anew(due)
        for key in changed:
            self.images.put_series(key, history.of_series(key))
        return bool(changed)

    def whole_series(self, missing: Collection[ImageRef]) -> list[SeriesKey]:
        """Return the series that hold only missing images."""
        wanted = uids(missing)
        complete = series_of(missing) if self._all_of_patient else self._complete
        split = series_of(image for image in self.images if image.sop_uid not in wanted)
        return [key for key in complete if key not in split]

    def agree(self, days: Days, chosen: Sequence[ImageRef]) -> bool:
        """Query the images of these days again, and return whether the lists lack none.

        Without chosen images, all that was learned long ago is listed anew: what was corrected in
        ARIA meanwhile may be what is missing.
        """
        if self._history is not None and self._proof is not None:
            if not chosen and self._history.renew():
                return False
            return self._proof.agrees(_days_around(chosen))
        if self._request.series is not None:
            again = self._finder.images_of_series(self._request.series, fewest=True)
            return uids(again) == self.images.uids
        if self._resumed:
            self._resumed = False
            self._complete |= _recent_series(self.images)
            return bool(chosen) and self._all_series_agree()
        if days != EVER and self._look_outside_days():
            return False
        if not self._finder.confirms(*days, self.images.uids) or not self._all_series_agree():
            return False
        counts = self._known_series.count(self._finder)
        if chosen and counts and self._days != EVER:
            self._last.keep(self._days, self.images.answers, counts)
        return True

    def _all_series_agree(self) -> bool:
        return all(self._series_agrees(key) for key in sorted(self._complete))

    def require_counted(self, chosen: Sequence[ImageRef]) -> None:
        """Require that the node lists as many instances of each chosen series as it counts.

        Raises
        ------
        IncompleteRetrievalError
            It counts more.
        """
        for key in sorted(series_of(chosen)):
            listed, counted = self.images.of_series(*key), self._finder.by_series.count(*key)
            if counted is not None and counted > len(listed):
                raise IncompleteRetrievalError(
                    f"Images: {self._task.peer} counts {counted} instances in the series of "
                    f"{self._request.subject}, and lists {len(listed)}: ask again in a minute. No "
                    "set is handed over."
                )

    def save(self) -> None:
        """Keep what was learned, for the next retrieval."""
        if self._history is not None:
            self._history.save()

    def _series_agrees(self, key: SeriesKey) -> bool:
        again = self._finder.by_series.images(*key)
        if self.images.confirmed_by(key, again):
            return True
        # The days are listed again, these are not: a short list may have left them few attributes.
        latest = {image.sop_uid: image for image in again}
        self._outside = [
            latest.get(image.sop_uid, image) if image.series_key == key else image
            for image in self._outside
        ]
        return False

    def _look_outside_days(self) -> bool:
        """List images without a date that can be matched, and return whether there are any."""
        if self._looked_outside:
            return False
        self._looked_outside = True
        unseen = self._known_series.unseen(self._finder, series_of(self.images))
        looked_at = unseen - self._complete
        outside = self._finder.outside_all_days(looked_at) if looked_at else []
        self._known_series.add(unseen, looked_at - series_of(outside))
        listed = self.images.uids
        new = [image for image in outside if image.sop_uid not in listed]
        self._outside += new
        return self.images.add(new)

    def _list(self, days: Days, first_day: FirstDay | None = None) -> list[ImageRef]:
        if self._request.series is not None:
            return self._finder.images_of_series(self._request.series)
        if self._history is not None:
            with contextlib.suppress(QueryRefused):
                found = self._history.images()
                if found:
                    return self._relevant(found)
            self._history = None  # the node does not list images by their series
        by_day = self._finder.images(*days, first_day)
        here = uids(by_day)
        return [*by_day, *(image for image in self._outside if image.sop_uid not in here)]

    def _relevant(self, images: list[ImageRef]) -> list[ImageRef]:
        """Leave out images of other plans that lie days apart from all that may be of these."""
        of_plans = [
            image
            for image in images
            if match_plan_reference(image, self._plan_uids).matches is not False
        ]
        series = series_of(of_plans)
        days = {image.day for image in of_plans} | {None}
        days |= {day + side for day in days if day for side in (-DAY, DAY)}
        beside = [i for i in images if i.series_key in series or i.day in days]
        return beside if of_plans else images


def _recent_series(images: Iterable[ImageRef]) -> set[SeriesKey]:
    recent = dt.datetime.now() - RECENT
    return series_of(image for image in images if image.day and image.latest >= recent)


def _days_around(chosen: Sequence[ImageRef]) -> Days:
    """Return the days in which images may be of a session with the chosen ones."""
    moments = [image.moment for image in chosen if image.day]
    return ((min(moments) - GAP).date(), (max(moments) + GAP).date()) if moments else EVER
