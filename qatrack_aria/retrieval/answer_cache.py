"""Keep the last answers on disk, so that a repeated request costs nothing in any process.

QATrack+ computes all composites of a list at every changed field and caches none of them. So images
are kept for a minute, and a failure for a few seconds: long enough that three composites of one
list do not wait three times. All callers get the same folder, as long as it is proved that none of
them has changed it; then its images are laid out anew.

Ages are told by the clock of the disk, which all hosts share.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

from qatrack_aria import errors
from qatrack_aria.errors import AriaError, IncompleteRetrievalError
from qatrack_aria.retrieval.imageset import ImageSet
from qatrack_aria.retrieval.record import Record
from qatrack_aria.retrieval.request import MAX_AGE
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.filesystem import (
    entries_older_than,
    hashed_name,
    now_on_disk,
    remove_file,
    replace_text,
)
from qatrack_aria.storage.set_folder import DamagedError, folder_state, lay_out

FAILURE_AGE = 5.0  # s
#: Seconds by which two callers may differ that were allowed the same: they measure what passed.
SAME = 1.0


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
        self._archive = archive
        self._path = archive.answers / f"{hashed_name(asked)}.json"

    def get(self, max_age: float, allowed: float = 0.0) -> Answer | None:
        """Return the last answer that still holds.

        Parameters
        ----------
        max_age : float
            Seconds for which an answer may be repeated.
        allowed : float
            Seconds that the caller may take. A failure of one that was allowed less is not
            repeated: more time might have helped.

        Returns
        -------
        Answer or None
            Its images lie in an unchanged folder; ``None`` if the node has to be asked.
        """
        try:
            written = self._path.stat().st_mtime_ns
            note = json.loads(self._path.read_text(encoding="utf-8"))
            if not self._is_fresh(
                written, min(max_age, FAILURE_AGE if "error" in note else max_age)
            ):
                return None
            if "error" in note:
                in_time = allowed <= note["allowed"] + SAME
                return Answer(None, _failure(note), note["row"]) if in_time else None
            images = ImageSet.from_json(note["set"])
            if not _is_unchanged(images, note["folder"]):
                images = images.moved_to(lay_out(self._archive, images.images))
                if images.digests != note["set"]["digests"]:
                    return None
                self._put(images, note["row"], written)
            return Answer(images, None, note["row"])
        except (OSError, ValueError, KeyError, TypeError, DamagedError):
            return None  # absent or unusable: the node is queried again

    def put(self, images: ImageSet, row: int | None) -> None:
        """Keep an answer."""
        self._put(images, row)

    def put_failure(self, failure: AriaError, row: int | None, allowed: float = 0.0) -> None:
        """Keep a failure of a caller that was allowed so many seconds."""
        missing = list(getattr(failure, "missing", ()))
        note = {"error": type(failure).__name__, "message": str(failure), "missing": missing}
        self._write({**note, "allowed": allowed, "row": row})

    def _is_fresh(self, written: int, max_age: float) -> bool:
        if max_age <= 0:
            return False
        age = now_on_disk(self._path.parent) - written / 1e9
        if age < 0:
            remove_file(self._path)  # else it would be fresh once that time has come
        return 0 <= age < max_age

    def _put(self, images: ImageSet, row: int | None, written: int | None = None) -> None:
        with contextlib.suppress(OSError):  # its files have been removed
            state = folder_state(Path(images.path))
            self._write({"set": images.to_json(), "folder": state, "row": row}, written)

    def _write(self, note: dict[str, Any], written: int | None = None) -> None:
        # The cache is optional: a full disk is reported where files must be written.
        replace_text(self._path, json.dumps(note), written)


def _is_unchanged(images: ImageSet, state: Any) -> bool:
    try:
        return folder_state(Path(images.path)) == state
    except OSError:
        return False  # it was removed


def _failure(note: dict[str, Any]) -> AriaError:
    kind: type[AriaError] = getattr(errors, note["error"], AriaError)
    if issubclass(kind, IncompleteRetrievalError):
        return kind(note["message"], note["missing"])
    return kind(note["message"])


def remove_expired(archive: Archive) -> None:
    """Remove the answers that are too old to be repeated."""
    for path in entries_older_than(archive.answers, MAX_AGE):
        remove_file(path)


def repeated(answer: Answer | None, record: Record) -> ImageSet | None:
    """Return the images of an earlier answer, or raise its failure, and count that.

    ``None`` if there is no answer.
    """
    if answer is None:
        return None
    record.repeat(answer.row)
    if answer.failure is not None:
        raise answer.failure
    return answer.images
