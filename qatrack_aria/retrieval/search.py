"""Find the images of a request, retrieve them, and confirm that they are all.

Choosing and retrieving alternate. What an answer does not return is read from the header of the
retrieved file, and the header always decides (:mod:`qatrack_aria.retrieval.matching`). The lists
are confirmed (:mod:`qatrack_aria.retrieval.image_lists`) before a set is handed over.
"""

from __future__ import annotations

from typing import Sequence

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.finder import PAUSES, Finder
from qatrack_aria.dicom.uids import CT
from qatrack_aria.errors import (
    AmbiguousImagesError,
    ImagesNotFoundError,
    IncompleteRetrievalError,
    TooFewImagesError,
)
from qatrack_aria.retrieval import date_windows, doubts, messages, selection
from qatrack_aria.retrieval.date_windows import EVER, Days
from qatrack_aria.retrieval.image_lists import ImageLists, WiderSearchNeeded
from qatrack_aria.retrieval.listed_images import ListedImages, is_outdated
from qatrack_aria.retrieval.matching import match_image
from qatrack_aria.retrieval.session_end import SessionEnd
from qatrack_aria.retrieval.sessions import GAP, uids
from qatrack_aria.retrieval.stacks import require_stack
from qatrack_aria.retrieval.task import Task
from qatrack_aria.retrieval.transfer import Transfer

#: How often the images are listed again before giving up.
MOST_ROUNDS = 20


class ImageSearch:
    """The search for the images of one request.

    Parameters
    ----------
    task : Task
        The retrieval.
    plan_uids : frozenset of str
        SOP Instance UIDs of the plans that match.
    finder, transfer : Finder, Transfer
        List the images, and retrieve them.

    Attributes
    ----------
    chosen : list of ImageRef
        The images that match, as far as is known by now.
    """

    def __init__(
        self,
        task: Task,
        plan_uids: frozenset[str],
        finder: Finder,
        transfer: Transfer,
    ) -> None:
        self._peer, self._request = task.peer, task.request
        self._plan_uids = plan_uids
        self._finder = finder
        self._transfer = transfer
        self._session_end = SessionEnd(task)
        self._lists = ImageLists(task, plan_uids, finder)
        self.chosen: list[ImageRef] = []
        self._claimed: set[str] = set()  # images that were of the set by the answers

    @property
    def listed(self) -> ListedImages:
        """What is known of the images by now."""
        return self._lists.images

    @property
    def is_final(self) -> bool:
        """Whether the session of the chosen images is over."""
        return self._session_end.established

    def find(self, retrieve: bool) -> list[ImageRef]:
        """Find the images.

        Parameters
        ----------
        retrieve : bool
            Retrieve what is not in the archive, match every image by its header, and confirm that
            none is missing. Otherwise images that may match are returned too.

        Raises
        ------
        AriaError
            None match, or it is uncertain which ones do, or that they are all.
        """
        # The whole history at once where the node does not search by day, and where several plans
        # match: the images of one may be older than the days that hold the other's.
        by_day = self._finder.relational and len(self._plan_uids) <= 1
        windows = date_windows.windows(self._request) if by_day else [EVER]
        resumed = self._lists.resume(windows) if retrieve else None
        found = self._search(resumed, retrieve) if resumed else []
        for days in () if found else windows:
            if days != EVER and not self._finder.by_days.supported:
                continue
            if days != windows[0] and not self._lists.may_hold_newest(days):
                continue
            try:
                self._lists.begin(days, widest=days in windows[-2:])
                found = self._search(days, retrieve)
            finally:
                self._lists.save()
            if found:
                break
        if found:
            return found
        raise ImagesNotFoundError(
            messages.no_images(self._peer, self._request, list(self.listed), self._plan_uids)
        )

    def _search(self, days: Days, retrieve: bool) -> list[ImageRef]:
        try:
            return self._confirmed_set(days) if retrieve else self._choose(days, retrieve)
        except WiderSearchNeeded:
            return []

    # --- certainty ----------------------------------------------------------------------------

    def _confirmed_set(self, days: Days) -> list[ImageRef]:
        """Choose and retrieve until two queries in a row agree, and the session is over."""
        pauses = iter(PAUSES)
        for _ in range(MOST_ROUNDS):
            try:
                found, failure = self._choose(days, retrieve=True), None
            except (AmbiguousImagesError, TooFewImagesError) as error:
                found, failure = [], error  # of a short list, perhaps
            if not found and failure is None and days != EVER:
                return []  # searched more widely
            days = self._days_of(found, days)
            if self._lists.agree(days, found):
                if failure is not None:
                    raise failure
                if not found or not self._session_end.wait(found):
                    if self._request.modality == CT:
                        self._lists.require_counted(found)
                        require_stack(found, self._request)
                    return found
            elif not self._lists.repeat(days):
                pause = next(pauses, None)
                if pause is None:
                    raise self._finder.lists_differ("images")
                self._finder.wait(pause)
        raise IncompleteRetrievalError(
            f"Images: more and more images of {self._request.subject} arrive at "
            f"{self._peer} ({len(self.chosen)} so far): ask again when the last field is done, "
            "or say how many there will be by count=."
        )

    def _days_of(self, found: Sequence[ImageRef], days: Days) -> Days:
        """Return the days in which an image would belong to the set, or be newer."""
        if days == EVER or not found or not all(image.acquired for image in found):
            return days
        first = (min(image.moment for image in found) - GAP).date()
        return max(first, days[0]) if days[0] else first, days[1]

    # --- choosing and retrieving --------------------------------------------------------------

    def _choose(self, days: Days, retrieve: bool) -> list[ImageRef]:
        """Choose and retrieve in turns, until the headers of all chosen images match."""
        while True:
            wanted = selection.candidates(self.listed, self._request, self._plan_uids)
            self.chosen = wanted
            if self._lists.complete(wanted):
                continue
            if date_windows.may_begin_before(days[0], wanted, self._request):
                raise WiderSearchNeeded
            if all(match_image(i, self._request, self._plan_uids).matches for i in wanted):
                try:
                    wanted = self.chosen = self._settle()
                except TooFewImagesError:
                    excluded = self._excluded(wanted)
                    if not retrieve or not excluded:
                        raise
                    self._read_confirming(excluded, wanted)  # perhaps there are enough
                    continue
            missing = [image for image in wanted if not image.from_file]
            if not retrieve:
                return wanted
            excluded = self._excluded(wanted)
            if not missing and not excluded:
                self._require_agreement(wanted)
                return list({image.sop_uid: image for image in wanted}.values())
            self._claimed |= uids(missing)
            doubts.require_spelling(missing, self._request, self._peer)
            self._read_confirming(excluded, wanted, missing)

    def _excluded(self, wanted: Sequence[ImageRef]) -> list[ImageRef]:
        return selection.to_verify(wanted, self.listed, self._request, self._plan_uids)

    def _settle(self) -> list[ImageRef]:
        try:
            return selection.settle(list(self.listed), self._request, self._plan_uids)
        except AmbiguousImagesError:
            self._require_agreement(())  # a wrong answer may be the reason
            raise

    def _read(self, images: Sequence[ImageRef]) -> None:
        """Read the headers of images, from the archive where it agrees with the node."""
        known = self._transfer.headers(images)
        for image in images:
            header = known.get(image.sop_uid)
            old = image.sop_uid not in self._transfer.inbox.arrived
            if header and old and is_outdated(image, header):
                del known[image.sop_uid]  # corrected in ARIA since: retrieved again
        missing = [image for image in images if image.sop_uid not in known]
        self.listed.read(known)
        self.listed.read(self._transfer.retrieve(missing, self._lists.whole_series(missing)))

    def _read_confirming(
        self,
        excluded: Sequence[ImageRef],
        chosen: Sequence[ImageRef],
        missing: Sequence[ImageRef] = (),
    ) -> None:
        """Read the headers of images that only answers exclude, and of those still missing."""
        try:
            self._read([*missing, *excluded])
        except IncompleteRetrievalError as error:
            if set(error.missing) <= uids(excluded):
                raise messages.cannot_verify(excluded, chosen, error) from error
            raise

    def _require_agreement(self, chosen: Sequence[ImageRef]) -> None:
        contradictions = self.listed.contradictions(self._claimed | uids(chosen))
        doubts.require_agreement(contradictions, chosen, self._request, self._peer)
