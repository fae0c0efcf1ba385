"""Which results QATrack+ can send to a browser, and what a browser can read."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

DATETIME, DATE = "%d %b %Y %H:%M:%S", "%d %b %Y"


class Encoder(DjangoJSONEncoder):
    """QATrackJSONEncoder: Django's types, numpy's and pandas', ranges and sets; nothing else."""

    def default(self, value: Any) -> Any:
        # QATrackJSONEncoder asks numpy and pandas objects for plain ones by these methods. A UID
        # of pydicom is a str, which json itself takes.
        for method in ("tolist", "to_list", "to_dict"):
            convert = getattr(value, method, None)
            if callable(convert):
                return convert()
        if isinstance(value, (range, zip, set)):
            return list(value)
        # QATrackJSONEncoder writes dates as QATrack+'s own input formats, not as ISO 8601.
        if isinstance(value, dt.datetime):
            return value.strftime(DATETIME)
        if isinstance(value, dt.date):
            return value.strftime(DATE)
        # bytes, Path, dataclasses, image sets: TypeError.
        return super().default(value)


def as_sent(value: Any) -> str:
    """JSON as Django's JsonResponse writes it: NaN is let through, which JSON does not know."""
    return json.dumps(value, cls=Encoder, ensure_ascii=False)


def as_read_by_a_browser(text: str) -> Any:
    """JSON as a browser reads it; the ValueError of a NaN is jQuery's "parsererror"."""
    return json.loads(text, parse_constant=_no_json)


def _no_json(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
