"""Verify a value of ``images.summary`` after it went through a database and a browser."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Mapping

from qatrack_aria.dicom.attributes import PlanRef
from qatrack_aria.dicom.uids import valid_uid
from qatrack_aria.errors import RequestError, WaitingError
from qatrack_aria.retrieval.option_values import MAX_COUNT, MAX_LENGTH
from qatrack_aria.retrieval.signature import FIELD, require_signature

MAX_TEXT = 10_000_000  # characters: more than a summary of MAX_COUNT images has


@dataclass(frozen=True)
class Provenance:
    """The parts of a summary that are needed to find the same images again.

    Attributes
    ----------
    digests : tuple of str
        The SHA-256 of each file, in the order of `sop_uids`.
    signature : str
        The signature, which stands for the whole summary.
    """

    node: str
    patient_id: str
    plan: str
    course: str
    plan_uid: str
    sop_uids: tuple[str, ...]
    digests: tuple[str, ...]
    request: Mapping[str, Any]
    signature: str

    @classmethod
    def parse(cls, summary: Any) -> Provenance:
        """Check a summary.

        Raises
        ------
        WaitingError
            The summary is empty.
        RequestError
            It is invalid, was edited, or is not of this site.
        """
        try:
            return cls._read(_decode(summary))
        except (KeyError, TypeError, ValueError, IndexError, RecursionError) as error:
            raise RequestError(
                f"Summary: this is not a value of images.summary ({type(error).__name__}): store "
                "it whole, as the result of a composite test. Nothing was opened."
            ) from error

    @classmethod
    def _read(cls, given: Any) -> Provenance:
        if not isinstance(given, dict):
            raise TypeError("not an object of JSON")
        require_signature(given)
        request, images = given["request"], given["images"]
        uids = tuple(image["sop_uid"] for image in images)
        if not 0 < len(uids) <= MAX_COUNT or not all(valid_uid(uid) for uid in uids):
            raise ValueError("not a list of images")
        return cls(
            node=_short(given["node"]),
            patient_id=_short(request["patient_id"]),
            plan=_short(given["plan_label"] or request.get("plan", "")),
            course=_short(given["course"]),
            plan_uid=_short(given["plan_uid"]),
            sop_uids=uids,
            digests=tuple(_short(image["sha256"]) for image in images),
            request=dict(request),
            signature=given[FIELD],
        )

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
