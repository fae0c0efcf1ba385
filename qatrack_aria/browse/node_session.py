"""Open an association with a node for queries alone."""

from __future__ import annotations

import contextlib
from typing import Iterator

from qatrack_aria.conf import conf
from qatrack_aria.dicom.association import Session
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.models import AriaNode
from qatrack_aria.retrieval.lock import hold_destination
from qatrack_aria.retrieval.node_abilities import load_abilities, save_abilities
from qatrack_aria.storage.archive import Archive


@contextlib.contextmanager
def node_session(
    node: AriaNode, who: str, *, yields: bool = False
) -> Iterator[tuple[Session, Archive]]:
    """Hold the destination of a node, and open an association with it.

    Queries need no port of ours. But ARIA's longest-running client makes one query or move at a
    time, and people press buttons more often than composite tests query.

    Parameters
    ----------
    node : AriaNode
        The node to query.
    who, yields : str, bool
        See :func:`~qatrack_aria.retrieval.lock.hold_destination`.

    Raises
    ------
    AriaError
        As for a retrieval.
    """
    node.require_active()
    peer, archive = node.peer(), Archive(conf.ARCHIVE, node.character_set, node.name, node.source)
    deadline = Deadline(node.deadline)
    with hold_destination(archive, peer, deadline, who, yields=yields):
        with Session(peer, deadline) as session:
            session.abilities = load_abilities(archive, peer)
            yield session, archive
            save_abilities(archive, peer, session.abilities)
