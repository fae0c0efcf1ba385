"""``manage.py check``: the mistakes that people make when they set this app up.

Nothing is made or changed: the check may run under another account than the web server's. And
little is an error, which would keep QATrack+'s own commands from running.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any, Iterator

from django.core.checks import CheckMessage, Error, Warning, register
from django.db import Error as DatabaseError

from qatrack_aria.conf import conf
from qatrack_aria.dicom.transports import TRANSPORTS
from qatrack_aria.errors import ConfigurationError
from qatrack_aria.text import error_reason

#: Disks that are empty after the machine was started again.
MEMORY_DISKS = ("tmpfs", "ramfs")


@register("qatrack_aria")
def check_archive(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """The folder of received images is where it may be, can be written to, and will last."""
    try:
        folder = conf.ARCHIVE
    except ConfigurationError as error:
        return [Error(str(error), id="qatrack_aria.E001")]
    return [*_unwritable(folder), *_short_lived(folder)]


@register("qatrack_aria")
def check_nodes(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """The nodes of the database go together with the web server, and with each other."""
    from qatrack_aria.models import AriaNode

    try:
        limit = conf.SERVER_TIMEOUT
        nodes = list(AriaNode.objects.filter(is_active=True))
    except ConfigurationError as error:
        return [Error(str(error), id="qatrack_aria.E002")]
    except DatabaseError:  # before the first `migrate`, or where there is no database yet
        return []
    return [*_too_patient(nodes, limit), *_two_ports(nodes)]


# --- the archive ------------------------------------------------------------------------------


def _unwritable(folder: Path) -> Iterator[CheckMessage]:
    for place in _places(folder):
        try:
            # What a system tells about permissions is not the whole truth: trying is.
            tempfile.TemporaryFile(dir=place).close()
        except OSError as error:
            yield Warning(
                f"The archive cannot be written to: {place} ({error_reason(error)}).",
                hint="Let the account that runs QATrack+ write there, or set "
                "QATRACK_ARIA_ARCHIVE to the full path of another folder. (This check ran as "
                "another account? Run it as that one.)",
                id="qatrack_aria.W001",
            )


def _places(folder: Path) -> list[Path]:
    """The archive's folders, or where the archive would be made."""
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    if existing != folder:
        return [existing]
    try:
        return [folder, *(place for place in folder.iterdir() if place.is_dir())]
    except OSError:
        return [folder]


def _short_lived(folder: Path) -> Iterator[CheckMessage]:
    real = Path(os.path.realpath(folder))
    if any(str(place) in temporary_folders() for place in real.parents) or _in_memory(real):
        yield Warning(
            f"The archive {folder} is on a disk for temporary files: images, and the proof of "
            "what was analysed, will be gone one day.",
            hint="Set QATRACK_ARIA_ARCHIVE to the full path of a folder that is backed up.",
            id="qatrack_aria.W002",
        )


def temporary_folders() -> list[str]:
    """Where the system keeps temporary files."""
    return [os.path.realpath(place) for place in (tempfile.gettempdir(), "/tmp", "/var/tmp")]


def _in_memory(folder: Path) -> bool:
    """Whether Linux says so; elsewhere it is not known."""
    mounted: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines():
            _, point, kind, *_ = line.split()
            mounted[point] = kind
    kinds = (mounted[str(place)] for place in (folder, *folder.parents) if str(place) in mounted)
    return next(kinds, "") in MEMORY_DISKS


# --- the nodes --------------------------------------------------------------------------------


def _too_patient(nodes: list[Any], limit: float) -> Iterator[CheckMessage]:
    for node in nodes:
        if node.deadline >= limit:
            yield Warning(
                f"The node '{node.name}' lets composite tests take {node.deadline:g} s, and the "
                f"web server ends a request after {limit:g} s: users would see no message.",
                hint="Lower the node's deadline in the admin, below the web server's limit by the "
                "time that an analysis takes; or raise that limit, and say so by "
                "QATRACK_ARIA_SERVER_TIMEOUT.",
                id="qatrack_aria.W003",
            )


def _two_ports(nodes: list[Any]) -> Iterator[CheckMessage]:
    ports = defaultdict(list)
    for node in nodes:
        if TRANSPORTS[node.retrieve_method].uses_port:
            ports[node.local_ae_title].append(node)
    for title, sharing in ports.items():
        if len({node.local_port for node in sharing}) > 1:
            used = ", ".join(f"'{node.name}' {node.local_port}" for node in sharing)
            yield Warning(
                f"Nodes share the local AE title {title} and listen on different ports ({used}): "
                "a service sends to the one port that it lists for an AE title.",
                hint="Give them the same port, or each an AE title of its own, and list those in "
                "ARIA. Nodes of different services may be right as they are.",
                id="qatrack_aria.W004",
            )
