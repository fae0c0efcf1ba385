"""Keep the last answers on disk, so that a repeated request costs nothing in any process.

QATrack+ computes all composites of a list at every changed field and caches none of them. So images
are kept for a minute, and a failure for a few seconds: long enough that three composites of one
list do not wait three times.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import time
from typing import Any

from qatrack_aria import errors
from qatrack_aria.errors import AriaError, IncompleteRetrievalError
from qatrack_aria.retrieval.imageset import ImageSet
from qatrack_aria.retrieval.request import MAX_AGE
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.filesystem import entries_older_than, partial_file, remove_file

FAILURE_AGE = 5.0  # s


@dataclasses.dataclass(frozen=True)
class Answer:
    """Images or a failure, and the row of their :class:`Retrieval`."""

    images: ImageSet | None
    failure: AriaError | None
    row: int | None


class AnswerCache:
    """The last answer to one request.

    Parameters
    ----------
    archive : Archive
        Holds the answers, so that all processes share them.
    *asked : Any
        The request, in JSON's types and dataclasses. It includes the node's configuration: a change
        of that ends the use of earlier answers.
    """

    def __init__(self, archive: Archive, *asked: Any) -> None:
        request = json.dumps(asked, sort_keys=True, default=dataclasses.asdict)
        name = hashlib.sha256(request.encode()).hexdigest()[:32]
        self._path = archive.answers / f"{name}.json"

    def get(self, max_age: float) -> Answer | None:
        """Return the last answer if it is younger than `max_age` seconds and its files exist."""
        try:
            note = json.loads(self._path.read_text(encoding="utf-8"))
            age = time.time() - note["at"]
            if "error" in note:
                if not 0 <= age < min(max_age, FAILURE_AGE):
                    return None
                return Answer(None, _failure(note), note["row"])
            if not 0 <= age < max_age:
                return None
            images = ImageSet.from_json(note["set"])
            if _sizes(images) != note["sizes"]:
                return None  # a power failure may have emptied a copy
            return Answer(images, None, note["row"])
        except (OSError, ValueError, KeyError, TypeError):
            return None  # absent or unusable: the node is queried again

    def put(self, images: ImageSet, row: int | None) -> None:
        """Keep an answer."""
        with contextlib.suppress(OSError):  # its files have been removed
            self._write({"set": images.to_json(), "sizes": _sizes(images), "row": row})

    def put_failure(self, failure: AriaError, row: int | None) -> None:
        """Keep a failure."""
        missing = list(getattr(failure, "missing", ()))
        note = {"error": type(failure).__name__, "message": str(failure), "missing": missing}
        self._write({**note, "row": row})

    def _write(self, note: dict[str, Any]) -> None:
        # The cache is optional: a full disk is reported where files must be written.
        with contextlib.suppress(OSError), partial_file(self._path.parent) as partial:
            partial.write_text(json.dumps({"at": time.time(), **note}), encoding="utf-8")
            os.replace(partial, self._path)


def _failure(note: dict[str, Any]) -> AriaError:
    kind: type[AriaError] = getattr(errors, note["error"], AriaError)
    if issubclass(kind, IncompleteRetrievalError):
        return kind(note["message"], note["missing"])
    return kind(note["message"])


def _sizes(images: ImageSet) -> list[int]:
    return [os.path.getsize(file) for file in images.files]


def remove_expired(archive: Archive) -> None:
    """Remove the answers that are too old to be repeated."""
    for path in entries_older_than(archive.answers, MAX_AGE):
        remove_file(path)
