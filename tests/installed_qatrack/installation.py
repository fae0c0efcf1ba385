"""An installed QATrack+, run with this app and with data of its own in a temporary folder.

Two processes of QATrack+'s interpreter: its web server, and a console through which tests set
things up and look at what came of them. So none of QATrack+ is needed in the tests' own process.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.helpers.peers.server import HOST, PeerFailed, Server

REPOSITORY = Path(__file__).resolve().parents[2]
INSIDE = Path(__file__).resolve().parent / "inside"
PASSWORD = "aria-trial"


class Installation(Server):
    """An installed QATrack+ as a server for tests.

    Parameters
    ----------
    root : pathlib.Path
        The folder of QATrack+'s ``manage.py``; nothing in it is changed.
    python : pathlib.Path
        The interpreter that has what QATrack+ needs, and what this app needs.
    """

    def __init__(self, root: Path, python: Path) -> None:
        super().__init__()
        self.root = root
        self.python = python
        self._console: subprocess.Popen[str] | None = None
        self._log_begins = 0

    @classmethod
    def from_environment(cls) -> Installation:
        """The one that QATRACK_ROOT and QATRACK_PYTHON name."""
        root = Path(os.environ["QATRACK_ROOT"]).resolve()
        folder = "Scripts" if sys.platform == "win32" else "bin"
        beside = root.parent / "venv" / folder / "python"
        python = Path(os.environ.get("QATRACK_PYTHON") or beside)
        for file, variable in ((root / "manage.py", "QATRACK_ROOT"), (python, "QATRACK_PYTHON")):
            if not file.is_file():
                raise PeerFailed(f"there is no {file}: correct {variable}")
        return cls(root, python)

    # --- the web server -----------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{HOST}:{self.port}"

    def prepare(self) -> None:
        self._open_console()
        self.ask("set_up", root=str(self.root), password=PASSWORD)

    def command(self) -> list[str]:
        # --insecure: it serves its scripts and styles itself, without DEBUG.
        options = [f"{HOST}:{self.port}", "--noreload", "--insecure"]
        return [*self._with_environment(), str(self.root / "manage.py"), "runserver", *options]

    def requests(self, beginning: str) -> int:
        """How many that begin so, as ``POST /qc/composite/``, the server has had in this test."""
        with (self.directory / "log.txt").open("rb") as log:
            log.seek(self._log_begins)
            return log.read().count(f'"{beginning}'.encode())

    # --- the console --------------------------------------------------------------------------

    def ask(self, function: str, **arguments: Any) -> Any:
        """Call one of the functions in ``inside/clinic.py`` within QATrack+."""
        console = self._console
        assert console is not None
        assert console.stdin is not None
        assert console.stdout is not None
        console.stdin.write(json.dumps([function, arguments]) + "\n")
        console.stdin.flush()
        line = console.stdout.readline()
        if not line:
            raise PeerFailed(f"QATrack+'s console ended:\n{self.log()}")
        answer = json.loads(line)
        if "error" in answer:
            raise PeerFailed(f"{function} failed in QATrack+:\n{answer['error']}")
        return answer["value"]

    def manage(self, *arguments: str) -> str:
        """Run ``manage.py`` and return what it printed."""
        done = subprocess.run(
            [*self._with_environment(), str(self.root / "manage.py"), *arguments],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise PeerFailed(f"manage.py {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def clean(self) -> None:
        """Leave nothing of the last test: no lists, no nodes, no files."""
        self.ask("clean")
        self._log_begins = (self.directory / "log.txt").stat().st_size
        shutil.rmtree(self.archive, ignore_errors=True)
        for file in self.uploads():
            file.unlink()

    # --- the files ----------------------------------------------------------------------------

    @property
    def archive(self) -> Path:
        """The folder of received images."""
        return self.directory / "archive"

    def forget(self) -> None:
        """As if so much time had gone by that no answer is remembered."""
        shutil.rmtree(self.archive / "answers", ignore_errors=True)

    def uploads(self) -> list[Path]:
        """All files under QATrack+'s upload folder."""
        folder = self.directory / "media" / "uploads"
        return sorted(path for path in folder.rglob("*") if path.is_file())

    def _with_environment(self) -> list[str]:
        path = os.pathsep.join(map(str, (INSIDE, REPOSITORY, self.root)))
        return [
            "env",
            f"PYTHONPATH={path}",
            "DJANGO_SETTINGS_MODULE=trial_settings",
            f"QATRACK_TRIAL={self.directory}",
            "PYTHONDONTWRITEBYTECODE=1",
            str(self.python),
        ]

    def _open_console(self) -> None:
        (self.directory / "logs").mkdir()
        (self.directory / "media").mkdir()
        with (self.directory / "log.txt").open("ab") as log:
            self._console = subprocess.Popen(
                [*self._with_environment(), str(INSIDE / "console.py")],
                cwd=self.directory,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                universal_newlines=True,
            )

    def _remove_directory(self) -> None:
        console, self._console = self._console, None
        if console is not None:
            console.communicate()  # the end of its input is the end of it
        super()._remove_directory()
