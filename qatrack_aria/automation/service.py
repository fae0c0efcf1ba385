"""Look after all active watches, one at a time, until told to stop."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import threading
from typing import Iterable, Iterator

from django.db import Error, close_old_connections
from django.utils import timezone
from filelock import FileLock, Timeout

from qatrack_aria.automation.counting import counts_of
from qatrack_aria.automation.look import Look, Say
from qatrack_aria.conf import conf
from qatrack_aria.errors import ArchiveError, AriaError, BusyError
from qatrack_aria.models import AriaNode, Watch, WatchState
from qatrack_aria.qatrack.context import clinic_time
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.filesystem import disk_error

logger = logging.getLogger("qatrack_aria")

#: Seconds between two checks whether a watch is due.
TICK = 5.0
#: The longest time between two looks at a node that does not answer.
SELDOM = dt.timedelta(hours=1)


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Hold the one place that there is for such a service, whoever starts a second.

    Raises
    ------
    BusyError
        Another one runs.
    """
    path = Archive(conf.ARCHIVE).locks / "watches.lock"
    lock = FileLock(str(path))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BusyError(
            "Watches: another watch_aria is running on this archive: let it work, or stop it first."
        ) from None
    except (OSError, NotImplementedError) as error:
        raise disk_error("lock", path, error) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.release()


def states_of(watches: Iterable[Watch]) -> dict[int, WatchState]:
    """Return what the last looks came to, by the keys of the watches that have looked."""
    return {state.watch_id: state for state in WatchState.objects.filter(watch__in=watches)}


def due(watches: list[Watch], now: dt.datetime) -> list[Watch]:
    """Return the watches whose time has come, the one that has waited longest first.

    A node that does not answer is asked less and less often.
    """
    states = states_of(watches)
    time_of_day = clinic_time(now).time()
    waiting = []
    for watch in watches:
        state = states.get(watch.pk)
        since = state.looked if state is not None else None
        failures = state.failures if state is not None else 0
        pause = dt.timedelta(minutes=watch.minutes) * 2 ** min(failures, 6)
        pause = max(min(pause, SELDOM), dt.timedelta(minutes=watch.minutes))
        has_come = since is None or since + pause <= now or since > now  # the clock was set back
        if has_come and watch.looks_at(time_of_day):
            waiting.append((since or dt.datetime.min.replace(tzinfo=now.tzinfo), watch))
    return [watch for _, watch in sorted(waiting, key=lambda one: one[0])]


def active(names: list[str]) -> list[Watch]:
    """Return the active watches, or those of them that are named."""
    watches = Watch.objects.filter(is_active=True, node__is_active=True)
    watches = watches.select_related("node", "user")
    return list(watches.filter(name__in=names) if names else watches)


def look_at_all(names: list[str], say: Say) -> None:
    """Look once for each watch that is due.

    One question to each node tells whether anything is new. A node that does not answer is not
    asked again in this round, so that the watches of others do not wait for it.
    """
    watches = due(active(names), timezone.now())
    for node in {watch.node_id: watch.node for watch in watches}.values():
        _look_at_node(node, [watch for watch in watches if watch.node_id == node.pk], say)


def _look_at_node(node: AriaNode, watches: list[Watch], say: Say) -> None:
    looks = [Look(watch, say) for watch in watches]
    try:
        counted = counts_of(node, {watch.patient_id for watch in watches})
    except AriaError as error:
        for look in looks:
            look.fail(error)
        return
    for watch, look in zip(watches, looks):
        try:
            look.run(counted.get(watch.patient_id))
        except Error:
            raise
        except Exception as error:  # none may keep the others from their looks
            logger.exception("a look of a watch failed")
            unexpected = f"Unexpected: {type(error).__name__}: the log has the details."
            look.fail(AriaError(unexpected))


def serve(names: list[str], say: Say, stop: threading.Event) -> None:
    """Look after the watches until `stop` is set; a failure of the database or disk is outlived."""
    while not stop.is_set():
        try:
            close_old_connections()
            look_at_all(names, say)
        except (Error, ArchiveError) as error:
            say(f"Watches: {type(error).__name__}: trying again in {TICK:g} s.")
        stop.wait(TICK)
