"""Export the filtered list of retrievals as CSV for a spreadsheet."""

from __future__ import annotations

import csv
from typing import Any, Iterable, Iterator

from django.http import StreamingHttpResponse
from django.utils import timezone

from qatrack_aria.models import Retrieval

#: Fields that are left out: keys, and those that only a page can show.
LEFT_OUT = ("id", "node", "timeline")
FIELDS = tuple(f.name for f in Retrieval._meta.concrete_fields if f.name not in LEFT_OUT)
#: A spreadsheet reads a text that begins with one of these as a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """A file that returns each line to its writer, for csv."""

    def write(self, line: str) -> str:
        return line


def as_csv(rows: Any) -> StreamingHttpResponse:
    """Stream retrievals as CSV, without loading all of them at once.

    Parameters
    ----------
    rows : QuerySet
        The retrievals, in their order in the file.
    """
    answer = StreamingHttpResponse(_lines(rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="retrievals.csv"'
    return answer


def _lines(rows: Any) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield "\ufeff"  # without it, a spreadsheet assumes the local character set
    yield writer.writerow(FIELDS)
    for values in rows.values_list(*FIELDS).iterator(chunk_size=500):
        yield writer.writerow(_cells(values))


def _cells(values: Iterable[Any]) -> list[Any]:
    started, *others = values
    local = timezone.localtime(started).strftime("%Y-%m-%d %H:%M:%S")
    return [local, *map(_harmless, others)]


def _harmless(value: Any) -> Any:
    """Disarm formulas: any user can post a text that an administrator then opens."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value
