"""Sign summaries with the site's secret key: a browser keeps them, and any user can post one.

The signature is an HMAC-SHA-256. Django's own signer takes another hash function in each of its
series, so that moving QATrack+ to a newer Django would end the use of all summaries; this one stays
the same. It names its key by a few digits: a summary whose key is gone is then not taken for one
that was edited.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any, Iterator, Mapping

from django.conf import settings

from qatrack_aria.errors import RequestError

FIELD = "signature"
SALT = b"qatrack_aria.summary."
KEY_DIGITS = 8


def signed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a summary with its signature.

    Parameters
    ----------
    content : mapping
        The summary, in JSON's types.
    """
    key = next(_keys())
    return {**content, FIELD: f"{_name(key)}:{_mac(key, content)}"}


def require_signature(summary: Mapping[str, Any]) -> None:
    """Require that a summary is as this site has signed it.

    Parameters
    ----------
    summary : mapping
        The summary; a database and a browser may have changed the order of its keys, and the
        writing of its numbers.

    Raises
    ------
    RequestError
        It has no signature, its key is gone, or it was edited.
    """
    given = summary.get(FIELD)
    if not isinstance(given, str) or not given:
        raise RequestError(
            "Summary: it has no signature: an earlier version made it, or it was edited. Fetch the "
            "images again. Nothing was opened."
        )
    name, _, mac = given.partition(":")
    keys = [key for key in _keys() if _same(_name(key), name)]
    if not keys:
        raise RequestError(
            "Summary: it was signed with a secret key that this site does not have any more, or at "
            "another site: fetch the images again, or let the administrator add the former "
            "SECRET_KEY to SECRET_KEY_FALLBACKS. Nothing was opened."
        )
    content = {key: value for key, value in summary.items() if key != FIELD}
    if not any(_same(_mac(key, content), mac) for key in keys):
        raise RequestError(
            "Summary: it is not as it was signed: it was edited, and the set may be wrong or "
            "partial. Fetch the images again. Nothing was opened."
        )


def _keys() -> Iterator[bytes]:
    """Yield the site's secret key, then those that it replaces (a setting of Django 4.1)."""
    for key in (settings.SECRET_KEY, *getattr(settings, "SECRET_KEY_FALLBACKS", ())):
        yield key if isinstance(key, bytes) else str(key).encode()


def _name(key: bytes) -> str:
    return _hmac(key, b"name")[:KEY_DIGITS]


def _mac(key: bytes, content: Mapping[str, Any]) -> str:
    text = json.dumps(_canonical(content), sort_keys=True, allow_nan=False)
    return _hmac(key, b"content." + text.encode())


def _hmac(key: bytes, message: bytes) -> str:
    return hmac.new(SALT + key, message, hashlib.sha256).hexdigest()


def _canonical(value: Any) -> Any:
    """Return a value of JSON as every JSON library writes it: JavaScript knows no 8.0, only 8."""
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode("utf-8", "replace"))
