"""A PostgreSQL cluster of one's own, thrown away at the end."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from tests.helpers.peers.server import HOST, PeerFailed, PeerMissing, Server, find_program


class Postgres(Server):
    """PostgreSQL on a free loopback port; ``url`` names its empty database."""

    stop_signal = signal.SIGINT  # "fast": does not wait for clients to leave

    @property
    def url(self) -> str:
        return f"postgres://postgres@{HOST}:{self.port}/postgres"

    def prepare(self) -> None:
        self._binaries = find_binaries()
        self._as_user = [] if os.geteuid() else unprivileged(self.directory)
        initdb = [str(self._binaries / "initdb"), "--pgdata", str(self._data)]
        initdb += ["--username", "postgres", "--auth", "trust"]
        initdb += ["--encoding", "UTF8", "--no-locale", "--no-sync"]
        made = subprocess.run(
            [*self._as_user, *initdb],
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if made.returncode:
            raise PeerFailed(f"initdb failed:\n{made.stdout.decode(errors='replace')}")

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": "",
            # Nobody needs this data after a crash.
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
        }
        options = [option for name in settings for option in ("-c", f"{name}={settings[name]}")]
        return [*self._as_user, str(self._binaries / "postgres"), "-D", str(self._data), *options]

    def is_ready(self) -> bool:
        # It listens before it serves; the last line of this file tells when it does.
        try:
            return (self._data / "postmaster.pid").read_text().endswith("ready   \n")
        except OSError:
            return False

    @property
    def _data(self) -> Path:
        return self.directory / "data"


def find_binaries() -> Path:
    """Return the directory of the newest PostgreSQL: Debian keeps several apart, none on PATH."""
    debian = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if debian:
        return max(debian, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parts[-2])])
    initdb = shutil.which("initdb")
    if initdb is None:
        raise PeerMissing("initdb", "postgresql")
    return Path(initdb).resolve().parent


def unprivileged(directory: Path) -> list[str]:
    """Give ``directory`` to another user and return the command prefix to run as that user.

    PostgreSQL refuses to run as root.
    """
    import pwd  # not on Windows

    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        user = pwd.getpwnam("nobody")
    os.chown(directory, user.pw_uid, user.pw_gid)
    return [
        find_program("setpriv", "util-linux"),
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        # Changing the user would clear what was set before.
        "--pdeathsig=INT",
    ]
