"""Find the frames of reference that registrations relate to that of a plan.

A cone beam CT has a frame of reference of its own. What relates it to the planning CT is a spatial
registration (PS3.3 A.39), which ARIA keeps with the patient; whether it lists them is not known of
every site.
"""

from __future__ import annotations

import dataclasses
from typing import Sequence

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.finder import PAUSES, Finder
from qatrack_aria.dicom.uids import REG
from qatrack_aria.retrieval.sessions import uids
from qatrack_aria.retrieval.transfer import Transfer


def related_frames(finder: Finder, transfer: Transfer, frame: str) -> frozenset[str]:
    """Return a frame of reference, and those that a registration relates to it.

    Parameters
    ----------
    finder : Finder
        Lists the registrations of the patient.
    transfer : Transfer
        Retrieves those that are not in the archive.
    frame : str
        Frame of Reference UID.

    Raises
    ------
    QueryError, IncompleteRetrievalError
        They are not all known.
    """
    listed = _listed(finder)
    known = transfer.headers(listed)
    known.update(transfer.retrieve([one for one in listed if one.sop_uid not in known]))
    groups = [one.related or frozenset() for one in known.values()]
    return frozenset({frame}).union(*(group for group in groups if frame in group))


def _listed(finder: Finder) -> Sequence[ImageRef]:
    """List the registrations, until two lists in a row agree."""
    for pause in PAUSES:
        found = finder.images()
        if finder.confirms(None, None, uids(found)):
            return [dataclasses.replace(one, modality=REG) for one in found]
        finder.wait(pause)
    raise finder.lists_differ("registrations")
