"""Support composite tests that were written for pynetdicom_wrapper's class.

``from qatrack_aria.compat import PynetdicomWrapper`` replaces the old import;
``docs/moving-over.md`` lists the changes. New tests use :func:`qatrack_aria.fetch_images`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Any

from qatrack_aria.composite import fetch_images
from qatrack_aria.errors import ArchiveError, RequestError
from qatrack_aria.models import AriaNode
from qatrack_aria.retrieval.imageset import ImageSet
from qatrack_aria.retrieval.service import find_plan
from qatrack_aria.storage.output import others_in, write_all
from qatrack_aria.text import error_reason


@dataclass
class AEConfig:
    """AE title, host and port of one side."""

    aet: str
    ip: str
    port: int


def _of_default_node(side: str) -> AEConfig:
    node = AriaNode.objects.named()
    return AEConfig(*(getattr(node, f"{side}_{name}") for name in ("ae_title", "host", "port")))


def _part(side: str, name: str) -> Any:
    """Return a property for an attribute of the class's first versions, such as ``remote_aet``."""

    def write(wrapper: PynetdicomWrapper, value: Any) -> None:
        setattr(getattr(wrapper, side), name, value)

    return property(attrgetter(f"{side}.{name}"), write)


class PynetdicomWrapper:
    """The newest series of a plan, from the default node.

    Parameters
    ----------
    pat_id, plan_name : str
        Patient ID and RT Plan Label.

    Attributes
    ----------
    local_conf, remote_conf : AEConfig
        Those of the default node. Other values select the node of the admin that is configured
        with them.
    """

    def __init__(self, pat_id: str = "", plan_name: str = "") -> None:
        self.pat_id = pat_id
        self.plan_name = plan_name
        self._uids: tuple[str, str] | None = None

    @cached_property
    def local_conf(self) -> Any:
        """Our side; that of the default node, unless it is set."""
        return _of_default_node("local")

    @cached_property
    def remote_conf(self) -> Any:
        """The side of the service; that of the default node, unless it is set."""
        return _of_default_node("remote")

    local_aet = _part("local_conf", "aet")
    local_ip = _part("local_conf", "ip")
    local_port = _part("local_conf", "port")
    remote_aet = _part("remote_conf", "aet")
    remote_ip = _part("remote_conf", "ip")
    remote_port = _part("remote_conf", "port")

    @property
    def plan_uid(self) -> str:
        """SOP Instance UID of the plan, which is queried at the first access."""
        return self._plan_uids()[0]

    @property
    def study_uid(self) -> str:
        """Study Instance UID of the plan."""
        return self._plan_uids()[1]

    def get_plan_uids(self, pat_id: str, plan_name: str) -> tuple[str, str]:
        """Choose a patient and a plan.

        Returns
        -------
        tuple of (str, str)
            SOP Instance UID and Study Instance UID of the plan.

        Raises
        ------
        AriaError
            There is no such plan, or more than one.
        """
        self.pat_id, self.plan_name, self._uids = pat_id, plan_name, None
        return self._plan_uids()

    def get_series(
        self, path: Any, imagetype: Any, seriesdate: Any = None, ignore_kV: bool = True
    ) -> str:
        """Fetch the newest series of the plan into a folder.

        Parameters
        ----------
        path : path-like
            The folder; it may hold only earlier copies of the same images.
        imagetype : str
            An image type such as ``"ORIGINAL\\\\PRIMARY\\\\PORTAL"``, or a preset.
        seriesdate : date, optional
            The day of acquisition.
        ignore_kV : bool
            Leave kV images out.

        Returns
        -------
        str
            Date and time of acquisition, ``YYYYMMDDHHMMSS.FFFFFF``.

        Raises
        ------
        AriaError
            As for :func:`qatrack_aria.fetch_images`.
        """
        images = fetch_images(
            self._node(),
            self.pat_id,
            self.plan_name,
            imagetype,
            date=seriesdate,
            kv=not ignore_kV,
        )
        _copy(images, Path(path))
        return images.datetime

    def get_latest_series(
        self,
        path: Any,
        imagetype: Any,
        ignore_kV: bool = True,
        plan_uid: str = "",
        study_uid: str = "",
    ) -> str:
        """Fetch as :meth:`get_series` does; the class's first versions had this name."""
        if plan_uid:
            self.plan_name = plan_uid
        return self.get_series(path, imagetype, ignore_kV=ignore_kV)

    def _plan_uids(self) -> tuple[str, str]:
        if self._uids is None:
            plan = find_plan(self._node(), self.pat_id, self.plan_name)
            self._uids = plan.sop_uid, plan.study_uid
        return self._uids

    def _node(self) -> str | None:
        """Return the name of the node with these settings; ``None`` for the default one."""
        if not {"local_conf", "remote_conf"} & vars(self).keys():
            return None
        local, remote = self.local_conf, self.remote_conf
        nodes = AriaNode.objects.filter(
            is_active=True,
            remote_ae_title=str(remote.aet),
            remote_host=str(remote.ip),
            remote_port=remote.port,
            local_ae_title=str(local.aet),
            local_port=local.port,
        ).order_by("-is_default", "name")
        node = nodes.first()
        if node is None:
            raise RequestError(
                f"Node: local_conf and remote_conf name '{remote.aet}' at "
                f"{remote.ip}:{remote.port}, called as '{local.aet}' with port "
                f"{local.port}, and no ARIA node of the admin is configured so: add one, or leave "
                "them out to use the default node. Nothing was sent."
            )
        return node.name


def _copy(images: ImageSet, folder: Path) -> None:
    """Copy the images under the old names, their SOP Instance UIDs, and never mix two sets."""
    names = [f"{image.sop_uid}.dcm" for image in images.images]
    try:
        others = others_in(folder, names) if folder.exists() else []
    except OSError as error:
        raise ArchiveError(
            f"Output: cannot look into {folder} ({error_reason(error)}): use another folder."
        ) from error
    if others:
        raise RequestError(
            f"Output: {folder} holds {len(others)} other files ({others[0]}, …), and an "
            "analysis of the folder would mix them with the images: use an empty folder."
        )
    write_all(folder, zip(names, images.contents()))
