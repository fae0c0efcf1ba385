"""Keeping the record of an attempt, without ever losing the images over it.

QATrack+ logs nothing of what composite tests do: these rows are the only trace.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import time
from dataclasses import dataclass, field
from typing import Any, Iterator

from django.db import Error, transaction
from django.db.models import F
from django.utils import timezone

from qatrack_aria.errors import AriaError, Outcome, WaitingError
from qatrack_aria.models import AriaNode, Retrieval
from qatrack_aria.retrieval.timeline import Timeline
from qatrack_aria.text import safe_repr, storable

logger = logging.getLogger("qatrack_aria")


@dataclass
class Record:
    """What is known of an attempt so far; the fields are those of :class:`Retrieval`."""

    node_name: str
    patient_id: str
    plan: str
    source: str
    user: str
    unit: str = ""
    test_list: str = ""
    node: AriaNode | None = None
    request: dict[str, Any] = field(default_factory=dict)
    found: int = 0
    already_here: int = 0
    moved: int = 0
    refused: int = 0
    bytes: int = 0
    folder: str = ""
    message: str = ""
    story: Timeline = field(default_factory=Timeline)
    row: Retrieval | None = None
    repeats: int | None = None

    def begin(self) -> None:
        """Make the row now, so that one is there should the process be killed."""
        self.row = _save(Retrieval(started=timezone.now(), status=Outcome.RUNNING.value), self)

    def repeat(self, row: int | None) -> None:
        """The answer was given before: it is counted in the row that it left then."""
        self.repeats = row or 0


@contextlib.contextmanager
def recorded(
    node_name: Any,
    patient_id: Any,
    plan: Any,
    *,
    source: str,
    user: str,
    unit: str = "",
    test_list: str = "",
) -> Iterator[Record]:
    """Keep a row of everything that happens in the block, however it ends.

    No row is kept while a test is not filled in yet, nor for an answer that is only repeated.

    Parameters
    ----------
    node_name, patient_id, plan : Any
        As given, unchecked; what is too long is cut.
    source : str
        ``Retrieval.COMPOSITE`` or ``Retrieval.COMMAND``.
    user, unit, test_list : str
        Who asked, for which unit and on which test list of QATrack+; empty if not known.
    """
    asked = (_cut(node_name, 80), _cut(patient_id, 80), _cut(plan, 80))
    record = Record(*asked, source, _cut(user, 150), _cut(unit, 150), _cut(test_list, 150))
    started = time.monotonic()
    outcome: Outcome | None = Outcome.FAILED
    try:
        yield record
        outcome = Outcome.DONE
    except WaitingError:
        outcome = None
        raise
    except AriaError as error:
        outcome, record.message = error.outcome, str(error)
        raise
    except BaseException as error:
        record.message = f"{type(error).__name__}: {error}"
        raise
    finally:
        if record.repeats is not None:
            _count_repeat(record.repeats)
        elif outcome is not None:
            _finish(record, outcome, time.monotonic() - started)


def _count_repeat(row: int) -> None:
    with _harmless():
        Retrieval.objects.filter(pk=row).update(repeats=F("repeats") + 1)


def _finish(record: Record, outcome: Outcome, seconds: float) -> None:
    row = record.row or Retrieval(started=timezone.now() - dt.timedelta(seconds=seconds))
    row.status = outcome.value
    row.seconds = seconds
    _save(row, record)
    logger.info(
        "retrieval from %s: %s, %d found, %d moved, %d bytes, %.1f s",
        record.node_name,
        outcome.value,
        record.found,
        record.moved,
        record.bytes,
        seconds,
    )


def _save(row: Retrieval, record: Record) -> Retrieval | None:
    row.node = record.node
    row.node_name, row.source, row.user = record.node_name, record.source, record.user
    row.unit, row.test_list = record.unit, record.test_list
    row.patient_id, row.plan = record.patient_id, record.plan
    row.request = json.dumps(record.request)
    row.found, row.already_here, row.moved = record.found, record.already_here, record.moved
    row.refused, row.bytes = record.refused, record.bytes
    row.story = record.story.as_json()
    row.folder, row.message = storable(record.folder)[:500], storable(record.message)
    with _harmless():
        row.save(update_fields=_all_but_repeats() if row.pk else None)
        return row
    return None


def _all_but_repeats() -> list[str]:
    # Another process may have been answered from this retrieval, and have counted it, by now.
    fields = [f.name for f in Retrieval._meta.concrete_fields if not f.primary_key]
    return [name for name in fields if name != "repeats"]


@contextlib.contextmanager
def _harmless() -> Iterator[None]:
    """Write to the database, or not: it must break neither the images nor the web request."""
    try:
        # A savepoint: the transaction of the request goes on if this fails.
        with transaction.atomic():
            yield
    except Error as error:
        # Its text may hold the whole row, and so a patient ID and a login.
        logger.warning("the record of a retrieval could not be written: %s", type(error).__name__)


def _cut(value: Any, length: int) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else safe_repr(value)
    return storable(text[: 2 * length])[:length]
