"""The RT Plan of a set, whose file is read when its beams are asked for."""

from __future__ import annotations

import dataclasses
from typing import Callable, Sequence

from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.dicom.rt_plan import Beam, RtPlan
from qatrack_aria.errors import IncompleteRetrievalError
from qatrack_aria.retrieval.archived_plans import with_beam
from qatrack_aria.retrieval.beams import require_beams


class Plan(PlanRef):
    """The RT Plan that all images of a set reference.

    Label, course, date and UIDs are what the node lists. Approval and beams are in the plan's file
    only. It is fetched when one of them is first asked for, and kept: it is fetched again when the
    node lists another date or label, and after a day. Without that file, the names of beams are
    unknown, and so are the energy and the fluence mode where an image does not have them; angles,
    monitor units and beam numbers are in the images.
    """

    _load: Callable[[], RtPlan | None]

    @classmethod
    def of(cls, ref: PlanRef, load: Callable[[], RtPlan | None]) -> Plan:
        """Make the plan of a set.

        Parameters
        ----------
        ref : PlanRef
            As the node lists it.
        load : callable
            Returns what its file says; ``None`` if that is not known here.
        """
        plan = cls(**{field.name: getattr(ref, field.name) for field in dataclasses.fields(ref)})
        object.__setattr__(plan, "_load", load)
        return plan

    @property
    def approval(self) -> str:
        """Approval Status, such as ``"APPROVED"``; empty if the plan has none.

        Raises
        ------
        AriaError
            The plan cannot be fetched.
        """
        return self._file.approval

    @property
    def beams(self) -> tuple[Beam, ...]:
        """The beams in the plan's order; raises as :attr:`approval` does."""
        return self._file.beams

    def require_beams(self, names: Sequence[str | int]) -> None:
        """Require that each name, or number, is that of one beam; raises an AriaError."""
        require_beams(self._file, self.label or self.sop_uid, names)

    def complete(self, image: ImageRef) -> ImageRef:
        """Return an image with its beam; raises as :attr:`approval` does."""
        return with_beam(image, {self.sop_uid: self._file})

    @property
    def _file(self) -> RtPlan:
        found: RtPlan | None = self.__dict__.get("_read") or self._load()
        if found is None:
            raise IncompleteRetrievalError(
                f"Plan: the file of plan {self} is not here, so its beams are unknown: fetch the "
                "images again.",
                [self.sop_uid],
            )
        object.__setattr__(self, "_read", found)
        return found
