"""The filtered list of retrievals as a table for a spreadsheet."""

from __future__ import annotations

import csv
from typing import Any, Iterable, Iterator

from django.http import StreamingHttpResponse
from django.utils import timezone

from qatrack_aria.models import Retrieval

#: Columns of the model that are left out: keys, and what only a page can show.
LEFT_OUT = ("id", "node", "timeline")
FIELDS = tuple(f.name for f in Retrieval._meta.concrete_fields if f.name not in LEFT_OUT)
#: A spreadsheet takes a text that begins with one of these for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """Hands each line on, where csv wants a file."""

    def write(self, line: str) -> str:
        return line


def as_csv(rows: Any) -> StreamingHttpResponse:
    """Send rows of :class:`~qatrack_aria.models.Retrieval`, few of them in memory at a time.

    Parameters
    ----------
    rows : QuerySet
        In the order in which they are sent.
    """
    answer = StreamingHttpResponse(_lines(rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="retrievals.csv"'
    return answer


def _lines(rows: Any) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield "\ufeff"  # or a spreadsheet reads it in the character set of its country
    yield writer.writerow(FIELDS)
    for values in rows.values_list(*FIELDS).iterator(chunk_size=500):
        yield writer.writerow(_cells(values))


def _cells(values: Iterable[Any]) -> list[Any]:
    started, *others = values
    local = timezone.localtime(started).strftime("%Y-%m-%d %H:%M:%S")
    return [local, *map(_harmless, others)]


def _harmless(value: Any) -> Any:
    """Anybody who is logged in can post a text, which an administrator then opens."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value
