"""Provide ``manage.py watch_aria``, which looks after the watches of the admin."""

from __future__ import annotations

import contextlib
import datetime as dt
import signal
import threading
from typing import Any, Iterator

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from qatrack_aria.management.exit_codes import exit_code_list, exit_on_failure
from qatrack_aria.management.output import show_log


class Stopped(BaseException):
    """The service was told to stop; what is under way ends as after any failure."""


class Command(BaseCommand):
    """Parse the arguments, look after the watches, say what is done."""

    help = (
        "Look for new acquisition sessions, and perform their test lists, as the watches in the "
        f"admin say, until stopped. Exit codes: {exit_code_list()}."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="look once at each watch that is due, and end"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be done; only list"
        )
        parser.add_argument(
            "--watch", action="append", default=[], metavar="NAME", help="only this watch"
        )
        parser.add_argument(
            "--since",
            metavar="DAY",
            help="past sessions since this day, like 2026-01-01, of the watch named by --watch",
        )
        parser.add_argument(
            "--per-hour",
            type=int,
            default=60,
            metavar="N",
            help="past sessions performed in an hour, at most (default: 60)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Look; a failure ends with its exit code and one line on stderr."""
        since = _day(options["since"], options["watch"])
        if not 1 <= options["per_hour"] <= 3600:
            raise CommandError("--per-hour takes a number from 1 to 3600.")
        verbosity = options["verbosity"]
        with exit_on_failure(self.stderr, verbosity), show_log(verbosity > 1, self.stderr):
            with _stoppable() as stop, contextlib.suppress(Stopped):
                self._look(options, since, stop)

    def _look(
        self, options: dict[str, Any], since: dt.datetime | None, stop: threading.Event
    ) -> None:
        # Imported here, so that --help does not load pynetdicom.
        from qatrack_aria.automation.look import Look
        from qatrack_aria.automation.service import active, look_at_all, only_one, serve

        names = options["watch"]
        watches = active(names)
        missing = sorted(set(names) - {watch.name for watch in watches})
        if missing:
            raise CommandError(
                f"There is no active watch {', '.join(map(repr, missing))} (in the admin under "
                "watches; its node must be active too)."
            )
        if options["dry_run"]:
            for watch in watches:
                Look(watch, self._say, since).preview()
            return
        with only_one():
            if since is not None:
                Look(watches[0], self._say, since, pause=3600 / options["per_hour"]).run()
            elif options["once"]:
                look_at_all(names, self._say)
            else:
                self._say(f"Looking after {len(watches)} watches; stop it with Ctrl-C.")
                serve(names, self._say, stop)

    def _say(self, line: str) -> None:
        self.stdout.write(f"{timezone.localtime():%Y-%m-%d %H:%M:%S} {line}")
        self.stdout.flush()


@contextlib.contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """End what is under way when the service is told to stop: transactions are rolled back."""
    stop = threading.Event()

    def end(*_: Any) -> None:
        if not stop.is_set():
            stop.set()
            raise Stopped

    names = [name for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), end) for name in names}
    try:
        yield stop
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def _day(text: str | None, names: list[str]) -> dt.datetime | None:
    if text is None:
        return None
    from qatrack_aria.qatrack.context import clinic_moment

    if len(names) != 1:
        raise CommandError("--since needs the name of one watch: --watch NAME.")
    try:
        return clinic_moment(dt.datetime.strptime(text, "%Y-%m-%d"))
    except ValueError:
        raise CommandError(f"--since {text}: give a day like 2026-01-01.") from None
