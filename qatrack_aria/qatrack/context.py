"""What QATrack+ tells a composite test: who asks, for which unit and list, and as of when.

QATrack+ computes a list's composites again whenever somebody opens it, so "the latest images" are
those that were the latest when the session ended. Only ``UTILS.user`` and ``UTILS.unit`` are the
server's own; all of ``META`` comes from the browser.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from dataclasses import dataclass
from typing import Any, Mapping

from django.apps import apps
from django.utils import timezone
from django.utils.dateparse import parse_datetime

MAX_LENGTH = 150  # characters of a name that are kept
#: Attribute of ``UTILS``, of which each request has one, for the time of our first call.
SINCE = "_qatrack_aria_since"


@dataclass(frozen=True)
class CallContext:
    """One person's work on one test list.

    Attributes
    ----------
    user, unit, test_list : str
        Names, empty where they are not told.
    until : datetime.datetime, optional
        When the work was completed, as the clocks of the clinic show it (no time zone, like
        DICOM's times); ``None`` while it is under way. Something else that a browser posted is
        given as it is, for the request to refuse.
    spent : float
        Seconds since the first of the composites of this request asked for images: the web
        server's time limit is one for all of them.
    """

    user: str = ""
    unit: str = ""
    test_list: str = ""
    until: Any = None
    spent: float = 0.0


def read_context(utils: Any) -> CallContext:
    """Read QATrack+'s ``UTILS``; attributes that another version lacks are not missed."""
    if utils is None:
        return CallContext()
    return CallContext(
        user=_name(utils, "user", "username"),
        unit=_name(utils, "unit", "name"),
        test_list=_name(utils, "test_list", "name"),
        until=_until(utils),
        spent=_spent(utils),
    )


def minute(meta: Any, key: str) -> dt.datetime | None:
    """The minute that ``META`` tells for ``"work_started"`` or ``"work_completed"``.

    ``None`` if it does not, or if a browser posted something that QATrack+ could not read.
    """
    value = meta.get(key) if isinstance(meta, Mapping) else None
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        return None
    # Databases and time zones have no room at the ends of the calendar.
    return value.replace(second=0, microsecond=0) if 1900 <= value.year < 9000 else None


def clinic_time(moment: dt.datetime) -> dt.datetime:
    """A moment as the clocks of the clinic show it, in Django's time zone."""
    return timezone.localtime(moment).replace(tzinfo=None) if moment.tzinfo else moment


def clinic_day(moment: dt.datetime) -> dt.date:
    """The day of a moment in the clinic."""
    try:
        return clinic_time(moment).date()
    except (OverflowError, ValueError):  # at the very ends of the calendar
        return moment.date()


def saved_session(utils: Any) -> Any:
    """The saved session that is open for editing, if there is one.

    The page of a saved list posts when its work was completed only for users who may change that;
    when it was started it always posts, to the minute. A list that is opened anew in the same
    minute in which a saved one of the same unit was started is taken for that one.

    Returns
    -------
    TestListInstance or None
        A row of QATrack+'s.
    """
    meta = _get(utils, "meta")
    started, completed = minute(meta, "work_started"), minute(meta, "work_completed")
    if started is None:
        return None
    try:
        sessions = apps.get_model("qa", "TestListInstance").objects.filter(
            unit_test_collection__unit_id=utils.unit.pk,
            test_list_id=utils.test_list.pk,
            **_within_minute("work_started", started),
        )
        if completed is not None:
            sessions = sessions.filter(**_within_minute("work_completed", completed))
        return sessions.order_by("work_completed").last()
    except Exception:  # no QATrack+ here, another version of it, or whatever was given as utils
        return None


def _within_minute(field: str, start: dt.datetime) -> dict[str, dt.datetime]:
    return {f"{field}__gte": start, f"{field}__lt": start + dt.timedelta(minutes=1)}


def _spent(utils: Any) -> float:
    since = _get(utils, SINCE)
    if isinstance(since, float):
        return time.monotonic() - since
    with contextlib.suppress(Exception):  # whatever was given that takes no attribute
        setattr(utils, SINCE, time.monotonic())
    return 0.0


def _name(utils: Any, what: str, attribute: str) -> str:
    value = _get(_get(utils, what), attribute)
    return value[:MAX_LENGTH] if isinstance(value, str) else ""


def _get(thing: Any, attribute: str) -> Any:
    try:
        return getattr(thing, attribute, None)
    except Exception:  # a lazy object that the database did not give
        return None


def _until(utils: Any) -> Any:
    meta = _get(utils, "meta")
    value = meta.get("work_completed") if isinstance(meta, Mapping) else None
    if value is None or value == "":
        saved = saved_session(utils)
        value = saved.work_completed if saved is not None and not saved.in_progress else None
    return None if value is None else _end_of_minute(value)


def _end_of_minute(value: Any) -> Any:
    moment = value
    if isinstance(value, str) and len(value) < 50:
        try:
            moment = parse_datetime(value.strip())
        except ValueError:
            return value
    if not isinstance(moment, dt.datetime):
        return value
    try:
        # QATrack+ shows and posts whole minutes: the session ended some time in that minute.
        return clinic_time(moment).replace(second=59, microsecond=999999)
    except (OverflowError, ValueError):
        return value
