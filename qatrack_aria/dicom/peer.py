"""Whom we talk to, and how; the words for it are DICOM's."""

from __future__ import annotations

from dataclasses import dataclass

C_MOVE = "C-MOVE"
C_GET = "C-GET"
STUDY_ROOT = "STUDY"
PATIENT_ROOT = "PATIENT"


@dataclass(frozen=True)
class Tls:
    """The files of one node, all in PEM.

    Attributes
    ----------
    ca_file : str
        Certificates of the authorities to believe; empty for those that the system believes.
    certificate_file, key_file : str
        Our certificate, with those between it and the authority, and its key; the key may be in
        the same file.
    check_host : bool
        Whether the node's certificate must name the host that we call.
    """

    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    check_host: bool = True


@dataclass(frozen=True)
class Peer:
    """Who is called, how, and how long each wait may be.

    Hosts are names or IPv4 or IPv6 addresses, times are seconds. `character_set` is the Specific
    Character Set of what we ask, `stable_answers` how often a list that may be growing must come
    out the same again.
    """

    name: str
    remote_ae_title: str
    remote_host: str
    remote_port: int
    local_ae_title: str
    local_host: str
    local_port: int
    retrieve_method: str = C_MOVE
    query_model: str = STUDY_ROOT
    extra_hosts: tuple[str, ...] = ()
    tls: Tls | None = None
    character_set: str = "ISO_IR 192"
    stable_answers: int = 0
    connect_timeout: float = 5.0
    response_timeout: float = 100.0
    quiet_timeout: float = 60.0
    grace: float = 5.0

    def __str__(self) -> str:
        return f"node '{self.name}' ({self.remote_ae_title} at {self.where})"

    @property
    def where(self) -> str:
        """Host and port as one writes them."""
        host = f"[{self.remote_host}]" if ":" in self.remote_host else self.remote_host
        return f"{host}:{self.remote_port}"
