"""Read QATrack+'s context of a composite test: the user, the unit, the list and the session time.

QATrack+ computes a list's composites again whenever somebody opens it, so the newest images are
those that were the newest when the session ended. Only ``UTILS.user`` and ``UTILS.unit`` come from
the server; all of ``META`` comes from the browser.
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
#: Attribute of ``UTILS`` for the time of our first call; each web request has its own ``UTILS``.
SINCE = "_qatrack_aria_since"


@dataclass(frozen=True)
class CallContext:
    """One person's work on one test list.

    Attributes
    ----------
    user, unit, test_list : str
        Names; empty where unknown.
    until : datetime.datetime, optional
        When the work was completed, in the local time of the clinic (without a time zone, like
        DICOM's times); ``None`` while it is under way. An invalid value that a browser posted is
        kept as it is, so that the request refuses it.
    spent : float
        Seconds since the first composite test of this web request fetched images: all of them
        share the web server's time limit.
    """

    user: str
    unit: str
    test_list: str
    until: Any
    spent: float


def read_context(utils: Any) -> CallContext:
    """Read QATrack+'s ``UTILS``; attributes that a version lacks are left empty."""
    return CallContext(
        user=_name(utils, "user", "username"),
        unit=_name(utils, "unit", "name"),
        test_list=_name(utils, "test_list", "name"),
        until=_until(utils),
        spent=_spent(utils),
    )


def minute(meta: Any, key: str) -> dt.datetime | None:
    """Return the minute of ``"work_started"`` or ``"work_completed"`` in ``META``.

    ``None`` if it is absent, or if QATrack+ could not read what a browser posted.
    """
    value = meta.get(key) if isinstance(meta, Mapping) else None
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        return None
    # Databases and time zones fail at the ends of the calendar.
    return value.replace(second=0, microsecond=0) if 1900 <= value.year < 9000 else None


def clinic_time(moment: dt.datetime) -> dt.datetime:
    """Return a moment in the local time of the clinic, Django's time zone."""
    return timezone.localtime(moment).replace(tzinfo=None) if moment.tzinfo else moment


def clinic_moment(local: dt.datetime) -> dt.datetime:
    """Return the moment at which the clocks of the clinic show a local time.

    Of an hour that comes twice, the second pass; a time that is left out is read as if it were not.
    """
    zone = timezone.get_current_timezone()
    localize = getattr(zone, "localize", None)  # of pytz, which Django before 4 uses
    if localize is not None:
        return localize(local, is_dst=False)
    return local.replace(tzinfo=zone, fold=1)


def clinic_day(moment: dt.datetime) -> dt.date:
    """Return the day of a moment in the local time of the clinic."""
    try:
        return clinic_time(moment).date()
    except (OverflowError, ValueError):  # at the ends of the calendar
        return moment.date()


def saved_session(utils: Any) -> Any:
    """Return the saved session that is open for editing, if there is one.

    The page of a saved list posts the end of the work only for users who may change it. It always
    posts the start, to the minute. So a new list is mistaken for a saved one of the same unit that
    was started in the same minute.

    Returns
    -------
    TestListInstance or None
        The row of QATrack+.
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
    except Exception:  # no QATrack+ here, another version of it, or invalid utils
        return None


def _within_minute(field: str, start: dt.datetime) -> dict[str, dt.datetime]:
    return {f"{field}__gte": start, f"{field}__lt": start + dt.timedelta(minutes=1)}


def _spent(utils: Any) -> float:
    since = _get(utils, SINCE)
    if isinstance(since, float):
        return time.monotonic() - since
    with contextlib.suppress(Exception):  # an object that accepts no attributes
        setattr(utils, SINCE, time.monotonic())
    return 0.0


def _name(utils: Any, what: str, attribute: str) -> str:
    value = _get(_get(utils, what), attribute)
    return value[:MAX_LENGTH] if isinstance(value, str) else ""


def _get(thing: Any, attribute: str) -> Any:
    try:
        return getattr(thing, attribute, None)
    except Exception:  # a lazy object whose database query failed
        return None


def _until(utils: Any) -> Any:
    meta = _get(utils, "meta")
    value = meta.get("work_completed") if isinstance(meta, Mapping) else None
    if value is None or value == "":
        saved = saved_session(utils)
        value = saved.work_completed if saved is not None and not saved.in_progress else None
    return None if value is None else end_of_minute(value)


def end_of_minute(value: Any) -> Any:
    """Return the end of the minute that QATrack+ posts, in the local time of the clinic.

    An invalid value is returned as it is, so that the request refuses it.
    """
    moment = value
    if isinstance(value, str) and len(value) < 50:
        try:
            moment = parse_datetime(value.strip())
        except ValueError:
            return value
    if not isinstance(moment, dt.datetime):
        return value
    try:
        local = clinic_time(moment)
        # In the second pass of an hour that comes twice, the clocks have shown all of it before.
        if moment.tzinfo and clinic_time(moment - dt.timedelta(hours=1)) == local:
            local = local.replace(minute=59)
        # QATrack+ posts whole minutes, and the session ended at some time in that minute.
        return local.replace(second=59, microsecond=999999)
    except (OverflowError, ValueError):
        return value
