"""Record every retrieval in the database; a failure to record never stops the retrieval.

QATrack+ does not log what composite tests do: these rows are the only trace.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import time
from typing import Any, Iterator

from django.db import Error, transaction
from django.db.models import F
from django.utils import timezone

from qatrack_aria.errors import AriaError, Outcome, WaitingError
from qatrack_aria.models import Retrieval
from qatrack_aria.retrieval.timeline import Timeline
from qatrack_aria.text import safe_repr, storable

#: The key of the request of a row that did not call the node: an earlier result was opened again.
REOPENED = "reopened"
#: Refused calls within this time are one row if these fields are the same.
REFUSED_TOGETHER = dt.timedelta(minutes=1)
ALIKE = (
    "source",
    "user",
    "unit",
    "test_list",
    "node_name",
    "patient_id",
    "plan",
    "message",
)

logger = logging.getLogger("qatrack_aria")


class Record:
    """One retrieval and its row in the database.

    Parameters
    ----------
    **known : Any
        Fields of :class:`Retrieval` that are known from the start; long values are truncated.

    Attributes
    ----------
    row : Retrieval
        Filled in while the retrieval runs; in the database from :meth:`begin` on.
    timeline : Timeline
        The steps.
    repeats : int or None
        Primary key of the row whose answer was repeated; 0 if it has no row.
    success : Outcome
        The outcome if nothing fails.
    """

    def __init__(self, **known: Any) -> None:
        self.row = Retrieval(started=timezone.now(), status=Outcome.RUNNING.value)
        self.know(**known)
        self.timeline = Timeline()
        self.repeats: int | None = None
        self.success = Outcome.DONE
        self._started = time.monotonic()

    def know(self, **known: Any) -> None:
        """Fill in fields that have become known; long values are truncated."""
        for name, value in known.items():
            setattr(self.row, name, _truncate(value, Retrieval._meta.get_field(name).max_length))

    def begin(self) -> None:
        """Save the row now, so that it exists if the process is killed."""
        self._save()

    def repeat(self, row: int | None) -> None:
        """Count a repeated answer in the row of the first one."""
        self.repeats = row or 0

    def finish(self, outcome: Outcome) -> None:
        """Save the outcome."""
        row = self.row
        row.status, row.seconds = outcome.value, time.monotonic() - self._started
        row.started = row.started if row.pk else timezone.now() - dt.timedelta(seconds=row.seconds)
        self._save()
        logger.info(
            "retrieval from %s: %s, %d found, %d moved, %d bytes, %.1f s",
            row.node_name,
            row.status,
            row.found,
            row.moved,
            row.bytes,
            row.seconds,
        )

    def _save(self) -> None:
        row = self.row
        row.timeline = self.timeline.as_json()
        row.folder, row.message = storable(row.folder)[:500], storable(row.message)
        with _tolerant():
            row.save(update_fields=_fields_without_counts() if row.pk else None)


@contextlib.contextmanager
def recorded(**known: Any) -> Iterator[Record]:
    """Record what happens in the block, however it ends.

    A test that is not filled in yet leaves no row, nor does a repeated answer. A call that is
    refused before anything is sent is counted in the row of one that was refused alike within the
    last minute: QATrack+ repeats it at every changed field.

    Parameters
    ----------
    **known : Any
        As for :class:`Record`; the request is not checked yet.
    """
    record = Record(**known)
    outcome: Outcome | None = Outcome.FAILED
    try:
        yield record
        outcome = record.success
    except WaitingError:
        outcome = None
        raise
    except AriaError as error:
        outcome, record.row.message = error.outcome, str(error)
        raise
    except BaseException as error:
        record.row.message = f"{type(error).__name__}: {error}"
        raise
    finally:
        if record.repeats is not None:
            _count_repeat(record.repeats)
        elif outcome is not None and not _count_refusal(record.row, outcome):
            record.finish(outcome)


def _count_repeat(row: int) -> None:
    with _tolerant():
        Retrieval.objects.filter(pk=row).update(repeats=F("repeats") + 1)


def _count_refusal(row: Retrieval, outcome: Outcome) -> bool:
    """Count a refused call in the row of another that was refused alike; ``False`` if none was."""
    if row.pk is not None or outcome == Outcome.DONE:
        return False
    alike = {name: storable(getattr(row, name)) for name in ALIKE}
    with _tolerant():
        since = timezone.now() - REFUSED_TOGETHER
        rows = Retrieval.objects.filter(**alike, status=outcome.value, started__gte=since)
        first = rows.order_by("started").values_list("pk", flat=True).first()
        return bool(Retrieval.objects.filter(pk=first).update(times=F("times") + 1))
    return False


def request_json(request: Any) -> str:
    """Return a request as text for its row."""
    return json.dumps(dict(request))


def _fields_without_counts() -> list[str]:
    # Another process may have repeated this answer, and counted it, by now.
    fields = [f.name for f in Retrieval._meta.concrete_fields if not f.primary_key]
    return [name for name in fields if name not in ("repeats", "times")]


@contextlib.contextmanager
def _tolerant() -> Iterator[None]:
    """Write to the database; a failure must not stop the retrieval or the web request."""
    try:
        # A savepoint: the transaction of the request continues if this fails.
        with transaction.atomic():
            yield
    except Error as error:
        # Its text may hold the whole row, with a patient ID and a user name.
        logger.warning("the record of a retrieval could not be written: %s", type(error).__name__)


def _truncate(value: Any, length: int) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else safe_repr(value)
    return storable(text[: 2 * length])[:length]
