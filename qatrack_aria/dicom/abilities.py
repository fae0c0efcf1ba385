"""What a node has turned out to be able to do, with the evidence.

Nothing of it is assumed: a way that is not known to fail is tried, and each finding is forgotten
after a day, so that a server that has changed is noticed.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple, Union

from qatrack_aria.phrases import gettext_noop as _

#: Seconds for which a finding counts.
LASTING = 24 * 3600

RELATIONAL = "relational"
DATES = "dates"
SERIES_LISTS = "series_lists"
MOVE_LISTS = "move_lists"
COUNTS = "counts"
SERIES_COUNTS = "series_counts"
PLAN_KEY = "plan_key"
ALL_KEYS = "all_keys"
SLICE_KEYS = "slice_keys"
LIMIT = "answer_limit"
LABEL = "exact_label"
PATIENT = "exact_patient_id"

#: What each of them says, for people.
TITLES = {
    RELATIONAL: _("queries without the UIDs of the levels above"),
    DATES: _("Content Date and Acquisition Date as keys"),
    SERIES_LISTS: _("a list of Series Instance UIDs as a key"),
    MOVE_LISTS: _("a list of SOP Instance UIDs in one C-MOVE or C-GET"),
    COUNTS: _("numbers of series and instances of a study"),
    SERIES_COUNTS: _("number of instances of a series"),
    PLAN_KEY: _("the plan's UID as a key for images"),
    ALL_KEYS: _("Radiation Machine Name and Primary Dosimeter Unit as return keys"),
    SLICE_KEYS: _("Series Description and Station Name as return keys for CT images"),
    LIMIT: _("answers after which a list is cut"),
    LABEL: _("longest plan label found by an exact match"),
    PATIENT: _("longest patient ID found by an exact match"),
}

Value = Union[bool, int]


class Finding(NamedTuple):
    """One finding.

    Attributes
    ----------
    value : bool or int
        Whether the node is able to do it, or a number.
    evidence : str
        What was seen; it names no patient.
    at : float
        When, in seconds since 1970.
    """

    value: Value
    evidence: str
    at: float


class Abilities:
    """What is known of one node.

    Attributes
    ----------
    findings : dict of str to Finding
        By the names above.
    changed : bool
        Whether anything was found since these were made.
    """

    def __init__(self, note: Any = None) -> None:
        self.findings: dict[str, Finding] = {
            name: Finding(*finding) for name, finding in (note or {}).items() if name in TITLES
        }
        self.changed = False

    def get(self, name: str) -> Value | None:
        """Return the value of a finding; ``None`` if there is none, or only an old one."""
        finding = self.findings.get(name)
        if finding is None or not 0 <= time.time() - finding.at <= LASTING:
            return None
        return finding.value

    def learn(self, name: str, value: Value, evidence: str) -> None:
        """Note a finding; the same one again only when the last is half forgotten."""
        known = self.findings.get(name)
        now = time.time()
        if known is None or known.value != value or not 0 <= now - known.at <= LASTING / 2:
            self.findings[name] = Finding(value, evidence, now)
            self.changed = True

    def learn_longest(self, name: str, length: int, evidence: str) -> None:
        """Note a number if it is greater than what is known."""
        known = self.get(name)
        if known is None or length > known:
            self.learn(name, length, evidence)

    def to_note(self) -> dict[str, Any]:
        """Return all findings in JSON's types."""
        return {name: list(finding) for name, finding in self.findings.items()}
