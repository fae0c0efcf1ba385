"""Look once for the sessions of a watch, fetch those that are new, and perform their lists."""

from __future__ import annotations

import datetime as dt
import json
import time
from typing import Callable, Iterable

from django.utils import timezone

from qatrack_aria.automation import mail, performing
from qatrack_aria.automation.checking import problems
from qatrack_aria.automation.counting import IMAGES, Counts
from qatrack_aria.automation.listing import (
    Listing,
    Session,
    digest_of,
    list_sessions,
    request_of,
    session_of,
)
from qatrack_aria.automation.performing import InProgressError, PerformedByPersonError
from qatrack_aria.errors import AriaError, ConfigurationError, SessionUnderWayError
from qatrack_aria.models import Retrieval, Watch, WatchedSession, WatchState
from qatrack_aria.qatrack.context import clinic_time, end_of_minute
from qatrack_aria.retrieval.imageset import ImageSet
from qatrack_aria.retrieval.job import Caller
from qatrack_aria.retrieval.service import fetch
from qatrack_aria.retrieval.sessions import GAP, LEAST_SILENCE, silence_needed

#: Days before the last look in which a session may have been filed late.
LATE = dt.timedelta(days=14)
#: Hours in which the whole history is listed once, if nothing is found by days.
WHOLE_EVERY = 6
#: A session that ended so long ago is fetched at leisure; before, people may want the same images.
FRESH = dt.timedelta(minutes=10)
#: The longest wait before a session is tried again, and how long it is.
LONGEST_PAUSE, GIVEN_UP = dt.timedelta(hours=1), dt.timedelta(hours=24)
#: Attempts at what waiting does not mend by itself.
MOST_ATTEMPTS = 3

#: Takes one line for people.
Say = Callable[[str], None]


class Look:
    """One look of a watch.

    Parameters
    ----------
    watch : Watch
        Whose look it is.
    say : callable
        Told what is done.
    since : datetime.datetime, optional
        Sessions since then, instead of those since the watch's own beginning.
    pause : float
        Seconds between two sessions, so that those of years do not keep others from their work.
    """

    def __init__(
        self, watch: Watch, say: Say, since: dt.datetime | None = None, pause: float = 0
    ) -> None:
        self._watch = watch
        self._say = say
        self._since = since or watch.since
        self._backfills = since is not None
        self._pause = pause
        self.state = WatchState.objects.get_or_create(watch=watch)[0]

    def run(self, counted: Counts | None = None) -> None:
        """Look, and note what came of it; a failure of the node or of the watch is noted too.

        Parameters
        ----------
        counted : dict, optional
            What the node has just counted of the patient: if that is as before, it is not asked.
        """
        state, now = self.state, timezone.now()
        try:
            _require_right(self._watch)
            listing = Listing({}, None) if self._is_known(counted) else self._list()
            self._note(listing.sessions)
            for number, row in enumerate(self._due(now)):
                if number:
                    time.sleep(self._pause)
                self._handle(row)
        except AriaError as error:
            self.fail(error)
            return
        # Only now: what a look that failed has seen is looked at again.
        state.counts = json.dumps(listing.counts or counted or {})
        state.failures, state.message, state.succeeded, state.looked = 0, "", now, now
        state.save()

    def _is_known(self, counted: Counts | None) -> bool:
        """Return whether there is nothing new, by what the node has just counted.

        Not every node that does not count matches patterns and dates: it is listed now and then.
        """
        if not counted or counted != json.loads(self.state.counts):
            return False
        return IMAGES not in counted or not self._is_whole_due()

    def _is_whole_due(self) -> bool:
        last, now = self.state.succeeded, timezone.now()
        return last is None or last.hour // WHOLE_EVERY != now.hour // WHOLE_EVERY

    def fail(self, error: AriaError) -> None:
        """Note that a look has failed."""
        state = self.state
        state.failures, state.message, state.looked = state.failures + 1, str(error), timezone.now()
        state.save()
        self._say(f"{self._watch}: {error}")

    def preview(self) -> None:
        """Say what a look would do; only lists."""
        try:
            _require_right(self._watch)
            listed = self._list(anew=True).sessions or []
        except AriaError as error:
            self._say(f"{self._watch}: {error}")
            return
        for session in listed:
            row = self._row_of(session)
            if row is None or row.is_open:
                verb = "perform" if self._watch.collection is not None else "fetch"
                self._say(f"{self._watch}: would {verb} {_described(session)}")
            else:
                self._say(f"{self._watch}: {_described(session)}: {row.state_label}")
        if not listed:
            self._say(f"{self._watch}: no session since {clinic_time(self._since):%Y-%m-%d %H:%M}")

    # --- which sessions there are -------------------------------------------------------------

    def _list(self, *, anew: bool = False) -> Listing:
        state = self.state
        counts = {} if anew or self._backfills else json.loads(state.counts)
        last, since = state.succeeded, self._since
        if last is not None and not self._backfills:
            since = max(since, last - LATE)
        listing = list_sessions(self._watch, since, counts, whole=self._is_whole_due())
        if listing.untimed and listing.sessions is not None:
            # Only their files tell when they were taken: fetch the newest.
            newest = session_of(self._fetch(None).images, self._watch.node.clock_ahead)
            if newest.first >= since:
                listing.sessions.append(newest)
        return listing

    def _note(self, listed: Iterable[Session] | None) -> None:
        for session in listed or ():
            row = self._row_of(session)
            if row is None:
                row = WatchedSession(watch=self._watch, first=session.first, last=session.last)
                self._say(f"{self._watch}: found {_described(session)}")
            elif row.listed == session.digest:
                continue
            elif row.state in (WatchedSession.PERFORMED, WatchedSession.BY_PERSON):
                if row.key and session.images > row.images:
                    self._grown(row, session)
                continue
            else:  # there are more images now
                row.state, row.attempts, row.retry = WatchedSession.WAITING, 0, None
                row.found = timezone.now()
            row.first, row.last = session.first, session.last
            row.listed, row.images = session.digest, session.images
            row.save()

    def _grown(self, row: WatchedSession, session: Session) -> None:
        """Note that images were listed after the list was performed."""
        message = (
            f"{session.images} images are listed now, {row.images} were there when the list was "
            "performed: look at them, and repeat it if they belong to it."
        )
        row.listed, row.message = session.digest, message
        row.save(update_fields=["listed", "message"])
        self._say(f"{row}: {message}")
        mail.tell(row)

    def _row_of(self, session: Session) -> WatchedSession | None:
        """Return the row of a session, which may have been listed with fewer images."""
        rows = WatchedSession.objects.filter(
            watch=self._watch, first__lte=session.last + GAP, last__gte=session.first - GAP
        )
        return rows.order_by("first").first()

    def _due(self, now: dt.datetime) -> list[WatchedSession]:
        rows = WatchedSession.objects.filter(
            watch=self._watch, state=WatchedSession.WAITING, first__gte=self._since
        )
        # A fetch would wait for the end of a session, and hold our port meanwhile.
        over = now - LEAST_SILENCE
        return [
            row
            for row in rows.order_by("first")
            if (row.retry is None or row.retry <= now) and (row.last <= over or self._watch.count)
        ]

    # --- what is done with them ---------------------------------------------------------------

    def _handle(self, row: WatchedSession) -> None:
        row.tried, row.attempts = timezone.now(), row.attempts + 1
        try:
            images = self._fetch(row.last)
            self._take(row, images)
        except PerformedByPersonError as error:
            row.state, row.message = WatchedSession.BY_PERSON, str(error)
            row.performed_as = error.key
        except AriaError as error:
            self._fail(row, error)
        row.save()
        self._say(f"{row}: {row.message}")

    def _fetch(self, last: dt.datetime | None) -> ImageSet:
        watch, node = self._watch, self._watch.node
        is_fresh = last is not None and timezone.now() - last < FRESH
        return fetch(
            node.name,
            watch.patient_id,
            watch.plan,
            watch.image_type,
            caller=Caller(Retrieval.WATCH, watch.name),
            deadline=node.deadline if is_fresh else node.command_deadline,
            until=None if last is None else end_of_minute(last),
            **watch.options,
        )

    def _take(self, row: WatchedSession, images: ImageSet) -> None:
        """Take the verified images of a session: keep them ready, or perform the list."""
        session = session_of(images.images, self._watch.node.clock_ahead)
        self._require_end(images, session)
        row.first, row.last, row.images = session.first, session.last, session.images
        row.listed = digest_of(images.images)
        row.retrieval = Retrieval.objects.filter(folder=images.path).order_by("-pk").first()
        row.key = performing.key_of(self._watch, images)
        if self._watch.collection is None:
            row.state, row.message = WatchedSession.READY, images.status
            return
        row.save()  # so that a performance that is cut short is found again by its key
        done = performing.perform(self._watch, images, session, self._following(row))
        row.state, row.performed_as = WatchedSession.PERFORMED, done.pk
        row.performed, row.message = timezone.now(), images.status

    def _require_end(self, images: ImageSet, session: Session) -> None:
        """Require that the session is over: some nodes are set up to hand over others too."""
        request = request_of(self._watch)
        silence = timezone.now() - session.last
        if silence < silence_needed(images.images) and not request.settles(session.images):
            raise SessionUnderWayError(
                f"Images: {session.images} of plan '{request.plan}', the newest "
                f"{silence.total_seconds():.0f} s old: the session may still be under way."
            )

    def _following(self, row: WatchedSession) -> dt.datetime | None:
        later = WatchedSession.objects.filter(watch=self._watch, first__gt=row.last)
        return later.order_by("first").values_list("first", flat=True).first()

    def _fail(self, row: WatchedSession, error: AriaError) -> None:
        """Note a failure: the session is tried again while that makes sense, then left."""
        now = timezone.now()
        row.message = str(error)
        if isinstance(error, SessionUnderWayError):
            row.attempts = 0  # nothing has failed
            return
        waits = isinstance(error, InProgressError) or error.outcome.may_succeed_later
        pause = dt.timedelta(minutes=self._watch.minutes) * 2 ** min(row.attempts - 1, 6)
        row.retry = now + min(pause, LONGEST_PAUSE)
        too_often = not waits and row.attempts >= MOST_ATTEMPTS
        if too_often or now - row.found > GIVEN_UP:
            row.state, row.retry = WatchedSession.LEFT, None
            mail.tell(row)


def _require_right(watch: Watch) -> None:
    wrong = problems(watch)
    if wrong:
        said = "; ".join(f"{field}: {why}" for field, why in wrong.items())
        raise ConfigurationError(
            f"Watch: '{watch}' cannot be used ({said}): correct it in the admin under watches. "
            "Nothing was sent."
        )


def _described(session: Session) -> str:
    first, last = clinic_time(session.first), clinic_time(session.last)
    return f"{session.images} images of {first:%Y-%m-%d %H:%M} to {last:%H:%M}"
