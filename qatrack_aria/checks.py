"""Find common mistakes in the setup of this app, for ``manage.py check``.

The checks create and change nothing, since they may run as another user than the web server. Few of
them are errors, because an error stops QATrack+'s own commands.
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
from django.utils.translation import gettext as _

from qatrack_aria.conf import conf
from qatrack_aria.dicom.transports import TRANSPORTS
from qatrack_aria.errors import ConfigurationError
from qatrack_aria.text import error_reason

#: File systems that lose their files when the machine restarts.
MEMORY_DISKS = ("tmpfs", "ramfs")


@register("qatrack_aria")
def check_archive(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Check that the archive has a valid path, can be written to, and is not temporary."""
    try:
        folder = conf.ARCHIVE
    except ConfigurationError as error:
        return [Error(str(error), id="qatrack_aria.E001")]
    return [*_unwritable(folder), *_short_lived(folder)]


@register("qatrack_aria")
def check_nodes(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Check the nodes against the time limit of the web server, and against each other."""
    from qatrack_aria.models import AriaNode

    try:
        limit = conf.SERVER_TIMEOUT
        nodes = list(AriaNode.objects.filter(is_active=True))
    except ConfigurationError as error:
        return [Error(str(error), id="qatrack_aria.E002")]
    except DatabaseError:  # before the first `migrate`, or where there is no database yet
        return []
    return [
        *_deadline_too_long(nodes, limit),
        *_different_ports(nodes),
        *_open_to_everyone(nodes),
    ]


# --- the archive ------------------------------------------------------------------------------


def _unwritable(folder: Path) -> Iterator[CheckMessage]:
    for place in _places(folder):
        try:
            # Permissions do not show everything (access control lists, full disks): try to write.
            tempfile.TemporaryFile(dir=place).close()
        except OSError as error:
            yield Warning(
                _("The archive cannot be written to: %(place)s (%(reason)s).")
                % {"place": place, "reason": error_reason(error)},
                hint=_(
                    "Let the user that runs QATrack+ write there, or set QATRACK_ARIA_ARCHIVE to "
                    "the full path of another folder. If another user ran this check, run it as "
                    "that one."
                ),
                id="qatrack_aria.W001",
            )


def _places(folder: Path) -> list[Path]:
    """Return the archive's folders, or the folder in which the archive would be created."""
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
            _(
                "The archive %s is on a disk for temporary files: the images, and the evidence of "
                "what was analysed, will be lost."
            )
            % folder,
            hint=_("Set QATRACK_ARIA_ARCHIVE to the full path of a folder that is backed up."),
            id="qatrack_aria.W002",
        )


def temporary_folders() -> list[str]:
    """Return the folders for temporary files."""
    return [os.path.realpath(place) for place in (tempfile.gettempdir(), "/tmp", "/var/tmp")]


def _in_memory(folder: Path) -> bool:
    """Return whether the folder is in memory according to Linux; false on other systems."""
    mounted: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines():
            _device, point, kind, *_rest = line.split()
            mounted[point] = kind
    kinds = (mounted[str(place)] for place in (folder, *folder.parents) if str(place) in mounted)
    return next(kinds, "") in MEMORY_DISKS


# --- the nodes --------------------------------------------------------------------------------


def _deadline_too_long(nodes: list[Any], limit: float) -> Iterator[CheckMessage]:
    for node in nodes:
        if node.deadline >= limit:
            yield Warning(
                _(
                    "The node '%(node)s' lets composite tests take %(deadline)g s, and the web "
                    "server ends a request after %(limit)g s: users would see no message."
                )
                % {"node": node.name, "deadline": node.deadline, "limit": limit},
                hint=_(
                    "Set the node's deadline in the admin below the web server's limit, by at "
                    "least the time that an analysis takes; or raise that limit, and set "
                    "QATRACK_ARIA_SERVER_TIMEOUT to it."
                ),
                id="qatrack_aria.W003",
            )


def _different_ports(nodes: list[Any]) -> Iterator[CheckMessage]:
    ports = defaultdict(list)
    for node in nodes:
        if TRANSPORTS[node.retrieve_method].uses_port:
            ports[node.local_ae_title].append(node)
    for title, sharing in ports.items():
        if len({node.local_port for node in sharing}) > 1:
            used = ", ".join(f"'{node.name}' {node.local_port}" for node in sharing)
            yield Warning(
                _(
                    "Nodes share the local AE title %(title)s and listen on different ports "
                    "(%(used)s): a service sends to the one port that it lists for an AE title."
                )
                % {"title": title, "used": used},
                hint=_(
                    "Give them the same port, or each an AE title of its own, and list those in "
                    "ARIA. Nodes of different services may need no change."
                ),
                id="qatrack_aria.W004",
            )


def _open_to_everyone(nodes: list[Any]) -> Iterator[CheckMessage]:
    for node in nodes:
        if node.allows_everyone:
            message, hint = everyone_allowed(node)
            # W005 compared the versions of libraries once.
            yield Warning(message, hint=hint, id="qatrack_aria.W006")


def everyone_allowed(node: Any) -> tuple[str, str]:
    """Return the warning of a node that allows every patient, and what to do about it."""
    message = _(
        "The node '%(node)s' allows the patients '%(pattern)s', that is, everyone: any user of "
        "QATrack+ can then fetch the images of any patient."
    ) % {"node": node.name, "pattern": node.allows_everyone}
    return message, _("List only the IDs of QA patients, such as QA_*, one pattern per line.")
