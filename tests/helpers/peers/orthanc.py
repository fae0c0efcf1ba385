"""Orthanc, a DICOM server that answers relationally and can C-MOVE lists of images."""

from __future__ import annotations

import json
import ssl
import urllib.request
from typing import Any, Iterable, Mapping

from pydicom.dataset import Dataset

from tests.helpers.peers.scu import echo, store
from tests.helpers.peers.server import HOST, Server, find_program, free_port


class Orthanc(Server):
    """Orthanc on a free loopback port.

    ``modalities`` are the applications it may send to: ``{ae_title: (host, port)}``. With
    ``strict=True`` it serves only those, called by its own AE title; otherwise anybody.
    ``c_get=False`` refuses C-GET. ``settings`` go into Orthanc's own configuration as they are,
    such as ``{"LimitFindResults": 5}`` or ``{"SynchronousCMove": False}``. With ``tls``, what the
    tests themselves call it with, it sends over TLS too; its certificates are ``settings``.
    """

    def __init__(
        self,
        ae_title: str = "ORTHANC",
        modalities: Mapping[str, tuple[str, int]] | None = None,
        c_get: bool = True,
        strict: bool = False,
        settings: Mapping[str, Any] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__()
        self.ae_title = ae_title
        self.modalities = dict(modalities or {})
        self.c_get = c_get
        self.strict = strict
        self.settings = dict(settings or {})
        self.tls = tls
        self.http_port = 0

    def store(self, datasets: Iterable[Dataset]) -> None:
        store(self.port, self.ae_title, datasets, self.tls)

    def set_peer(self, ae_title: str, host: str, port: int) -> None:
        """Make ``ae_title`` known, or move it to another address."""
        peer = {"AET": ae_title, "Host": host, "Port": port, "UseDicomTls": self.tls is not None}
        self._rest("PUT", f"/modalities/{ae_title}", peer)

    def clear(self) -> None:
        """Delete every instance."""
        patients = self._rest("GET", "/patients")
        if patients:
            self._rest("POST", "/tools/bulk-delete", {"Resources": patients})

    def prepare(self) -> None:
        self._program = find_program("Orthanc", "orthanc")

    def command(self) -> list[str]:
        self.http_port = free_port()
        configuration = {
            "DicomAet": self.ae_title,
            "DicomPort": self.port,
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "StorageDirectory": str(self.directory / "db"),
            "IndexDirectory": str(self.directory / "db"),
            "SyncStorageArea": False,
            "SaveJobs": False,
            "Locale": "C",
            "DicomModalities": {
                ae_title: [ae_title, host, port]
                for ae_title, (host, port) in self.modalities.items()
            },
            "DicomCheckCalledAet": self.strict,
            "DicomAlwaysAllowFind": not self.strict,
            "DicomAlwaysAllowMove": not self.strict,
            "DicomAlwaysAllowGet": self.c_get and not self.strict,
            # Plans of a Halcyon are of a private SOP class.
            "UnknownSopClassAccepted": True,
            **self.settings,
        }
        path = self.directory / "orthanc.json"
        path.write_text(json.dumps(configuration))
        return [self._program, str(path)]

    def is_ready(self) -> bool:
        return echo(self.port, self.ae_title, self.tls)

    def _rest(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"http://{HOST}:{self.http_port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        # Not through a proxy that the environment may name.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as response:
            answer = response.read()
        return json.loads(answer) if answer else None
