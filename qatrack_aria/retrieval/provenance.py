"""Verify a value of ``images.summary`` after it went through a database and a browser."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Mapping

from qatrack_aria.dicom.attributes import PlanRef
from qatrack_aria.dicom.uids import valid_uid
from qatrack_aria.errors import RequestError, WaitingError
from qatrack_aria.retrieval.options import MAX_COUNT, MAX_LENGTH

MAX_TEXT = 10_000_000  # characters: more than a summary of MAX_COUNT images has


def checksum(summary: Mapping[str, Any]) -> str:
    """Return a checksum that shows whether a summary was edited.

    It proves nothing, since anyone can compute it: the files are verified again.
    """
    content = {key: value for key, value in summary.items() if key != "check"}
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Provenance:
    """The parts of a summary that are needed to find the same images again."""

    node: str
    patient_id: str
    plan: str
    course: str
    plan_uid: str
    sop_uids: tuple[str, ...]
    digests: tuple[str, ...]
    request: Mapping[str, Any]

    @classmethod
    def parse(cls, summary: Any) -> Provenance:
        """Check a summary.

        Raises
        ------
        WaitingError
            The summary is empty.
        RequestError
            It is invalid or was edited.
        """
        given = _decode(summary)
        try:
            request = given["request"]
            uids = tuple(image["sop_uid"] for image in given["images"])
            digests = tuple(_short(image["sha256"]) for image in given["images"])
            texts = [
                _short(value)
                for value in (
                    given["node"],
                    request["patient_id"],
                    given["plan_label"] or request["plan"],
                    given["course"],
                    given["plan_uid"],
                )
            ]
            edited = given["check"] != checksum(given)
        except (KeyError, TypeError, ValueError, IndexError, RecursionError) as error:
            raise RequestError(
                f"Summary: this is not a value of images.summary ({type(error).__name__}): store "
                "it whole, as the result of a composite test. Nothing was opened."
            ) from error
        if not 0 < len(uids) <= MAX_COUNT or not all(valid_uid(uid) for uid in uids):
            raise RequestError(
                "Summary: its images are not a list of SOP Instance UIDs: store images.summary "
                "without changes. Nothing was opened."
            )
        if edited:
            raise RequestError(
                f"Summary: it does not describe the {len(uids)} images that were handed over: it "
                "was edited, and the set may be wrong or partial. Fetch the images again. Nothing "
                "was opened."
            )
        node, patient_id, plan, course, plan_uid = texts
        return cls(node, patient_id, plan, course, plan_uid, uids, digests, dict(request))

    @property
    def plan_ref(self) -> PlanRef:
        """The plan, as far as the summary identifies it."""
        return PlanRef(self.patient_id, "", "", self.plan_uid, label=self.plan, course=self.course)


def _decode(summary: Any) -> Any:
    """Return the summary in JSON's types; QATrack+ keeps that of a string composite as text."""
    if summary is None or (isinstance(summary, (str, dict)) and not summary):
        raise WaitingError(
            "Waiting for the summary: the test that keeps it is empty. Nothing was opened."
        )
    if isinstance(summary, str) and len(summary) <= MAX_TEXT:
        try:
            return json.loads(summary)
        except (ValueError, RecursionError):
            pass  # not JSON: the caller refuses it
    return summary


def _short(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_LENGTH or not value.isprintable():
        raise ValueError("not a short text")
    return value
