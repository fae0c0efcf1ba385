"""List the images of a request's patient, and confirm that the lists lack none.

Images are listed by the days that are searched. The series of those that are chosen are listed as a
whole, and of all other series, once, the images that no search by days finds. Each list that counts
is compared with a second one, put in another way: ARIA's are short now and then.
"""

from __future__ import annotations

from functools import partial
from typing import Collection, Sequence

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.day_search import FirstDay
from qatrack_aria.dicom.finder import Finder
from qatrack_aria.dicom.uids import SeriesKey
from qatrack_aria.retrieval import date_windows
from qatrack_aria.retrieval.date_windows import EVER, Days
from qatrack_aria.retrieval.known_series import KnownSeries
from qatrack_aria.retrieval.listed_images import ListedImages
from qatrack_aria.retrieval.sessions import series_of, uids
from qatrack_aria.retrieval.task import Task
from qatrack_aria.retrieval.transfer import require_uids

#: Series that are looked at to find images without a date; more would take too long.
MOST_SERIES = 300


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
        self._request = task.request
        self._plan_uids = plan_uids
        self._finder = finder
        self._known_series = KnownSeries(task)
        self._looked_outside = False
        self._outside: list[ImageRef] = []  # images that the searches by days have not found
        self._complete: set[SeriesKey] = set()  # series of which every image is listed
        self._all_of_patient = False
        self.images = ListedImages()

    def begin(self, days: Days, widest: bool) -> None:
        """List the images of other days than before.

        Parameters
        ----------
        days : Days
            The first and the last day.
        widest : bool
            See :func:`~qatrack_aria.retrieval.date_windows.first_day`.
        """
        self.images, self._complete = ListedImages(), set()
        # A list of one series is checked like one that the searched days may have cut.
        self._all_of_patient = days == EVER and self._request.series is None
        first_day = partial(date_windows.first_day, self._request, self._plan_uids, days[0], widest)
        self.images.add(self._list(days, first_day))

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
            return False
        require_uids(chosen)
        added = False
        keys = {image.series_key for image in chosen if image.acquired or image.from_file}
        for key in keys - self._complete:
            self._complete.add(key)
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

    def whole_series(self, missing: Collection[ImageRef]) -> list[SeriesKey]:
        """Return the series that hold only missing images."""
        wanted = uids(missing)
        complete = series_of(missing) if self._all_of_patient else self._complete
        split = series_of(image for image in self.images if image.sop_uid not in wanted)
        return [key for key in complete if key not in split]

    def agree(self, days: Days) -> bool:
        """Query the images of these days again, and return whether the lists lack none."""
        if self._request.series is not None:
            again = self._finder.images_of_series(self._request.series, fewest=True)
            return uids(again) == self.images.uids
        if days != EVER and self._look_outside_days():
            return False
        if not self._finder.confirms(*days, self.images.uids):
            return False
        return all(self._series_agrees(key) for key in sorted(self._complete))

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
        unknown = self._finder.by_series.all() | series_of(self.images)
        unknown -= self._complete | self._known_series.read()
        if not unknown or len(unknown) > MOST_SERIES:
            return False
        found = self._finder.outside_all_days(unknown)
        self._known_series.add(unknown - series_of(found))
        listed = self.images.uids
        new = [image for image in found if image.sop_uid not in listed]
        self._outside += new
        return self.images.add(new)

    def _list(self, days: Days, first_day: FirstDay | None = None) -> list[ImageRef]:
        if self._request.series is not None:
            return self._finder.images_of_series(self._request.series)
        found_by_day = self._finder.images(*days, first_day)
        found = uids(found_by_day)
        return [*found_by_day, *(i for i in self._outside if i.sop_uid not in found)]
