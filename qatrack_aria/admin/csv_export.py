"""Export the filtered list of retrievals as CSV for a spreadsheet."""

from __future__ import annotations

import csv
import re
from typing import Any, Iterator

from django.http import StreamingHttpResponse
from django.utils import timezone

from qatrack_aria.models import Retrieval

#: Fields that are left out: keys, and those that only a page can show.
LEFT_OUT = ("id", "node", "timeline")
FIELDS = tuple(f.name for f in Retrieval._meta.concrete_fields if f.name not in LEFT_OUT)
#: A spreadsheet takes a text that begins like this for a formula; some also in full width.
SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
#: Where a formula begins: at the beginning of a cell, and within it after whatever separates cells
#: where the spreadsheet runs. White space and quotation marks before the sign are dropped.
FORMULA = re.compile(rf"(\A|[,;|\t\r\n])(?=[\s\"]*[{SIGNS}])|\A(?=[\t\r\n])")


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
    for started, *others in rows.values_list(*FIELDS).iterator(chunk_size=500):
        local = timezone.localtime(started).strftime("%Y-%m-%d %H:%M:%S")
        yield writer.writerow([local, *map(_harmless, others)])


def _harmless(value: Any) -> Any:
    """Disarm formulas: any user can post a text that an administrator then opens."""
    return FORMULA.sub(r"\g<0>'", value) if isinstance(value, str) else value
