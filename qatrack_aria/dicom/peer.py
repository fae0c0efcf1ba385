"""The configuration of one node, in DICOM's words."""

from __future__ import annotations

from dataclasses import dataclass

C_MOVE = "C-MOVE"
C_GET = "C-GET"
STUDY_ROOT = "STUDY"
PATIENT_ROOT = "PATIENT"


@dataclass(frozen=True)
class Tls:
    """The TLS files of one node, all in PEM.

    Attributes
    ----------
    ca_file : str
        Certificates of the trusted authorities; empty for those that the system trusts.
    certificate_file, key_file : str
        Our certificate, with the intermediate ones, and its key; the key may be in the same file.
    check_host : bool
        Whether the node's certificate must name the host.
    """

    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    check_host: bool = True


@dataclass(frozen=True)
class Peer:
    """A node's addresses and titles, its query and retrieve methods, and the limit of each wait.

    Hosts are names or IPv4 or IPv6 addresses, times are in seconds. `character_set` is the Specific
    Character Set of our queries. With `stable_answers` 0, a session that may still be under way is
    accepted.
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
        """Host and port, an IPv6 address in brackets."""
        host = f"[{self.remote_host}]" if ":" in self.remote_host else self.remote_host
        return f"{host}:{self.remote_port}"
