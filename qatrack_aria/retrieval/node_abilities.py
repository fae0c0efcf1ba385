"""Keep what a node has turned out to be able to do, from one retrieval to the next."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
from pathlib import Path
from typing import Any

from qatrack_aria.conf import conf
from qatrack_aria.dicom.abilities import Abilities
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.errors import AriaError
from qatrack_aria.models import AriaNode
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.filesystem import disk_error, hashed_name
from qatrack_aria.storage.notes import read_note, write_note


def load_abilities(archive: Archive, peer: Peer) -> Abilities:
    """Return what is known of a node as it is configured now."""
    return Abilities(read_note(_path(archive, peer)))


def abilities_of(node: AriaNode) -> dict[str, dict[str, Any]]:
    """Return what is known of a node, by name, in JSON's types; nothing if its archive is gone."""
    with contextlib.suppress(AriaError):
        archive = Archive(conf.ARCHIVE, node.character_set, node.name, node.source)
        found = load_abilities(archive, node.peer()).findings
        return {
            name: {
                "value": finding.value,
                "evidence": finding.evidence,
                "at": dt.datetime.fromtimestamp(finding.at).isoformat(" ", "minutes"),
            }
            for name, finding in found.items()
        }
    return {}


def save_abilities(archive: Archive, peer: Peer, abilities: Abilities) -> None:
    """Keep what was found, if anything was."""
    if abilities.changed:
        write_note(_path(archive, peer), abilities.to_note())


def forget(node: AriaNode) -> None:
    """Forget all that was learned of a node: what it can do, and what it has listed.

    The images in the archive stay there.

    Raises
    ------
    ArchiveError
        The archive cannot be reached, or the files cannot be removed.
    """
    archive = Archive(conf.ARCHIVE, node.character_set, node.name, node.source)
    try:
        shutil.rmtree(archive.known)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise disk_error("remove", archive.known, error) from error


def _path(archive: Archive, peer: Peer) -> Path:
    return archive.known / f"{hashed_name(peer)}.node.json"
