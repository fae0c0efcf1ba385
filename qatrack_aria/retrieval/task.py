"""What one retrieval is about, for all that take part in it."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, TypeVar

from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.dicom.uids import RTIMAGE
from qatrack_aria.retrieval.request import Request
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.in_time import in_time

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Task:
    """One retrieval.

    Attributes
    ----------
    request, peer : Request, Peer
        What is wanted, and the node.
    archive : Archive
        Where the images are filed.
    deadline : Deadline
        The time allowed.
    clock_ahead : float
        Seconds by which the clocks of the imagers are ahead of ours.
    """

    request: Request
    peer: Peer
    archive: Archive
    deadline: Deadline
    clock_ahead: float

    @property
    def about_patient(self) -> list[Any]:
        """What is the same for all requests of a patient's images of one modality."""
        modality = [] if self.request.modality == RTIMAGE else [self.request.modality]
        return [self.request.patient_id, self.peer, *modality]

    def on_disk(self, work: Callable[[], T]) -> T:
        """Do some work in the archive by the deadline; see :func:`in_time`."""
        return in_time(self.deadline, self.archive.root, work)
