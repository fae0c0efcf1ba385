"""DCMTK's dcmqrscp, the strict peer: hierarchical queries, few return keys."""

from __future__ import annotations

import shutil
from typing import Iterable, Mapping

from pydicom.dataset import Dataset

from tests.helpers.peers.scu import echo, store
from tests.helpers.peers.server import Server, find_program

CONFIGURATION = """\
MaxPDUSize = 131072
MaxAssociations = 16
HostTable BEGIN
{hosts}
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
{ae_title} {archive} RW (1000, 1024mb) ANY
AETable END
"""


class Dcmqrscp(Server):
    """dcmqrscp on a free loopback port: patient root, study root, C-MOVE and C-GET.

    ``peers`` are the C-MOVE destinations: ``{ae_title: (host, port)}``. ``options`` are added to
    the command line, such as ``["--disable-get"]`` or ``["--no-patient-root"]``. It takes no
    private SOP classes.
    """

    def __init__(
        self,
        ae_title: str = "DCMQRSCP",
        peers: Mapping[str, tuple[str, int]] | None = None,
        options: Iterable[str] = (),
    ) -> None:
        super().__init__()
        self.ae_title = ae_title
        self.peers = dict(peers or {})
        self.options = list(options)

    def store(self, datasets: Iterable[Dataset]) -> None:
        store(self.port, self.ae_title, datasets)

    def set_peer(self, ae_title: str, host: str, port: int) -> None:
        """Make ``ae_title`` known, or move it to another address."""
        self.peers[ae_title] = (host, port)
        # It reads its configuration only when it starts; the archive stays.
        self.stop()
        self.start()

    def clear(self) -> None:
        """Delete every instance."""
        self.stop()
        shutil.rmtree(self.directory / "archive")
        self.start()

    def prepare(self) -> None:
        self._program = find_program("dcmqrscp", "dcmtk")

    def command(self) -> list[str]:
        archive = self.directory / "archive"
        archive.mkdir(exist_ok=True)
        hosts = "\n".join(
            f"host{number} = ({ae_title}, {host}, {port})"
            for number, (ae_title, (host, port)) in enumerate(self.peers.items())
        )
        path = self.directory / "dcmqrscp.cfg"
        path.write_text(CONFIGURATION.format(hosts=hosts, ae_title=self.ae_title, archive=archive))
        return [self._program, "--config", str(path), *self.options, str(self.port)]

    def is_ready(self) -> bool:
        return echo(self.port, self.ae_title)
