"""QATrack+'s test lists on units: which there are, what is in them, and who may perform them.

QATrack+'s models are looked up by name, so that the app also works without QATrack+.
"""

from __future__ import annotations

import dataclasses
import tokenize
from typing import Any, Collection, Sequence

from django.apps import apps

#: QATrack+'s types of tests (``qatrack.qa.models``): those that it fills in by itself, and uploads.
CONSTANT, UPLOAD = "constant", "upload"
COMPOSITES = ("composite", "scomposite")


def is_installed() -> bool:
    """Return whether QATrack+ is installed here."""
    return apps.is_installed("qatrack.qa")


def model(name: str) -> Any:
    """Return a model of QATrack+'s ``qa``."""
    return apps.get_model("qa", name)


@dataclasses.dataclass(frozen=True)
class ListTest:
    """One test of a list.

    Attributes
    ----------
    slug : str
        Its macro name.
    type : str
        QATrack+'s type.
    procedure : str
        The text of a composite test.
    """

    slug: str
    type: str
    procedure: str

    @property
    def is_composite(self) -> bool:
        """Whether QATrack+ calculates it."""
        return self.type in COMPOSITES

    @property
    def needs_person(self) -> bool:
        """Whether only a person can fill it in."""
        return not self.is_composite and self.type != CONSTANT


class UnitCollection:
    """A test list, or a cycle of them, on a unit.

    Parameters
    ----------
    row : UnitTestCollection
        The row of QATrack+.

    Attributes
    ----------
    row : UnitTestCollection
        The same.
    """

    def __init__(self, row: Any) -> None:
        self.row = row

    @classmethod
    def find(cls, key: int | None) -> UnitCollection | None:
        """Return the one with that key, if it exists."""
        if key is None or not is_installed():
            return None
        rows = model("UnitTestCollection").objects.select_related("unit", "content_type")
        row = rows.filter(pk=key).first()
        return None if row is None or row.tests_object is None else cls(row)

    def __str__(self) -> str:
        return f"{self.row.unit.name}: {self.row.tests_object.name}"

    @property
    def is_cycle(self) -> bool:
        """Whether it is a cycle, of which each day has a list."""
        return self.row.content_type.model == "testlistcycle"

    @property
    def days(self) -> int:
        """The number of lists; 1 if it is no cycle."""
        return len(self.row.tests_object)

    @property
    def is_in_use(self) -> bool:
        """Whether it is active, on a unit that is."""
        return bool(self.row.active and self.row.unit.active)

    def day(self, wanted: int | None) -> int:
        """Return the day that is performed, from 0: the wanted one, or the one that is next."""
        if not self.is_cycle:
            return 0
        return int(self.row.next_list()[0] or 0) if wanted is None else wanted - 1

    def test_list(self, day: int) -> Any:
        """Return the list of a day, from 0; QATrack+'s row."""
        return self.row.get_list(day=day)[1]

    def tests(self, day: int) -> list[ListTest]:
        """Return all tests of the list of a day, those of its sublists too."""
        fields = "slug", "type", "calculation_procedure"
        rows = self.test_list(day).all_tests().values_list(*fields)
        return [ListTest(slug, type_, procedure or "") for slug, type_, procedure in rows]

    def is_visible_to(self, user: Any) -> bool:
        """Return whether it is shown to a group of the user."""
        groups = self.row.visible_to.values_list("pk", flat=True)
        return bool(user.groups.filter(pk__in=groups).exists())


def choices() -> list[tuple[int, str]]:
    """Return the key and the name of each active test list on a unit, sorted by the unit."""
    if not is_installed():
        return []
    rows = model("UnitTestCollection").objects.filter(active=True, unit__active=True)
    named = rows.order_by("unit__number", "name").values_list("pk", "unit__name", "name")
    return [(pk, f"{unit}: {name}") for pk, unit, name in named]


def statuses() -> list[tuple[int, str]]:
    """Return the key and the name of each status that a test can have."""
    if not is_installed():
        return []
    return list(model("TestInstanceStatus").objects.order_by("pk").values_list("pk", "name"))


def dependents(tests: Sequence[ListTest], slugs: Collection[str]) -> set[str]:
    """Return the composite tests whose procedures use one of these tests, directly or not."""
    names = {test.slug: _names(test.procedure) for test in tests if test.is_composite}
    found = set(slugs)
    while True:
        more = {slug for slug, used in names.items() if used & found} - found
        if not more:
            return found - set(slugs)
        found |= more


def _names(procedure: str) -> set[str]:
    """Return the names that a procedure uses, as QATrack+ tells them."""
    from qatrack.qa.utils import tokenize_composite_calc

    try:
        return set(tokenize_composite_calc(procedure))
    except (SyntaxError, tokenize.TokenError):  # it fails when it is calculated, too
        return set()
