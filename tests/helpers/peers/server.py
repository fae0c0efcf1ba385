"""What the peers have in common: a real server process that lives in a temporary directory."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

HOST = "127.0.0.1"
START_SECONDS = 30
STOP_SECONDS = 10


class PeerMissing(Exception):
    """A server program is not on this machine; the message names the Debian package."""

    def __init__(self, program: str, package: str) -> None:
        super().__init__(f"{program} not found: apt-get install {package}")


class PeerFailed(Exception):
    """A server did not start, or refused what a test gave it."""


def find_program(name: str, package: str) -> str:
    # pynetdicom puts programs of the same names as DCMTK's beside the interpreter; and Debian keeps
    # some servers in /usr/sbin, which only root has on its PATH.
    ours = {str(Path(sys.executable).parent), str(Path(sys.prefix) / "bin")}
    places = [one for one in os.environ.get("PATH", "").split(os.pathsep) if one not in ours]
    program = shutil.which(name, path=os.pathsep.join([*places, "/usr/sbin"]))
    if program is None:
        raise PeerMissing(name, package)
    return program


#: Holds the ports that were given out last, so that no other process of tests takes them before
#: their servers do. On Linux those can listen nevertheless, as all of them set SO_REUSEADDR.
_kept: deque[socket.socket] = deque()
KEPT = 64


def free_port() -> int:
    """A port that nobody listens on, below those that a system gives to outgoing connections.

    One of those could be in use again by the time it is needed: the tests of several
    environments run at once.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        holder = socket.socket()
        try:
            holder.bind((HOST, port))
        except OSError:
            holder.close()
            continue
        if sys.platform == "linux":
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _kept.append(holder)
        else:
            holder.close()
        if len(_kept) > KEPT:
            _kept.popleft().close()
        return port


def accepts_connections(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((HOST, port)) == 0


class Server:
    """A context manager around one process; subclasses say how to start it and when it is ready."""

    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        self.port = 0
        self.directory = Path()
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Write what the process needs into ``self.directory``; called once."""

    def command(self) -> list[str]:
        """Write the configuration for ``self.port`` and return the command line."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        return accepts_connections(self.port)

    def __enter__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="qatrack-aria-peer-"))
        try:
            self.prepare()
            self.start()
        except BaseException:
            self._remove_directory()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            self.stop()
        finally:
            self._remove_directory()

    def start(self) -> None:
        # Another process can take a free port before the server does: then try the next one.
        for attempts_left in (2, 1, 0):
            self.port = self.port or free_port()
            self._launch()
            if self._wait_until_ready():
                return
            self.stop()
            self.port = 0
            if not attempts_left:
                raise PeerFailed(f"{type(self).__name__} did not start:\n{self.log()}")

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(self.stop_signal)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            # Children that the server forked, and the server itself if it would not listen.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def log(self) -> str:
        return (self.directory / "log.txt").read_text(errors="replace")[-4000:]

    def _launch(self) -> None:
        # The server goes when the test process does, however that dies. Its own process group
        # keeps a Ctrl-C meant for the tests from reaching it before they have cleaned up.
        setpriv = shutil.which("setpriv")
        guard = [setpriv, "--pdeathsig", self.stop_signal.name[3:]] if setpriv else []
        with (self.directory / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                [*guard, *self.command()],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait_until_ready(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while self._process is not None and self._process.poll() is None:
            if self.is_ready():
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return False

    def _remove_directory(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
