"""``manage.py simulate_aria``."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

if not settings.configured:  # alone, without the settings of the other tests
    settings.configure()

from qatrack_aria.management.commands import simulate_aria
from qatrack_aria.simulator import Simulator, phantom
from tests import ROOT
from tests.simulator.client import find


class Served:
    """Where the command says that it listens."""

    host = "127.0.0.1"

    def __init__(self, line: str) -> None:
        self.port = int(line.split(f"{self.host}:")[1].split(";")[0])


@pytest.fixture
def run(monkeypatch):
    """Run the command; while it serves, call `meanwhile` with the address it has printed."""

    def run(*arguments, meanwhile=lambda served: None):
        command = simulate_aria.Command()
        out = io.StringIO()
        monkeypatch.setattr(command, "wait", lambda: meanwhile(Served(out.getvalue())))
        call_command(command, "--port", "0", *arguments, stdout=out)
        return out.getvalue().splitlines()

    return run


def test_it_says_where_it_listens_and_what_it_is_asked(run):
    lines = run(
        "--small",
        meanwhile=lambda served: find(served, "IMAGE", PatientID="QA_TB1", RTPlanLabel="PF"),
    )
    assert lines[0].startswith("VMSDBD serves 7")
    assert lines[1:] == [
        "C-FIND IMAGE QATRACK SpecificCharacterSet=ISO_IR 192, PatientID=QA_TB1, "
        "RTPlanLabel=PF: 1 found, status 0x0000"
    ]


def test_it_serves_the_files_of_a_folder(run, tmp_path):
    phantom.save(phantom.plan("QA_MINE", "MINE"), tmp_path)
    (tmp_path / "notes.txt").write_text("no DICOM")
    answers = []
    run(
        "--dir",
        str(tmp_path),
        meanwhile=lambda served: answers.extend(find(served, "IMAGE", RTPlanLabel="")[0]),
    )
    assert [answer.RTPlanLabel for answer in answers] == ["MINE"]


def test_it_serves_the_phantom_beside_a_folder(run, tmp_path):
    phantom.save(phantom.plan("QA_MINE", "MINE"), tmp_path)
    answers = []
    run(
        "--small",
        "--with-phantom",
        "--dir",
        str(tmp_path),
        meanwhile=lambda served: answers.extend(find(served, "PATIENT", "PATIENT")[0]),
    )
    assert {"QA_MINE", "QA_TB1"} <= {answer.PatientID for answer in answers}


def test_it_takes_a_behaviour(run):
    answers = []
    run(
        "--small",
        "--behaviour",
        "answer_limit=2",
        meanwhile=lambda served: answers.append(find(served, "IMAGE")[1]),
    )
    assert answers == [0xB001]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "0.0.0.0"], "loopback"),
        (["--host", "192.168.1.5"], "loopback"),
        (["--peer", "QATRACK"], "expected AE:HOST:PORT"),
        (["--peer", "QATRACK:127.0.0.1:x"], "expected AE:HOST:PORT"),
        (["--behaviour", "nonsense"], "unknown behaviour"),
        (["--dir", "/no/such/folder"], "no such folder"),
    ],
)
def test_a_wrong_option_is_explained_in_one_line(run, arguments, message):
    with pytest.raises(CommandError, match=message) as error:
        run("--small", *arguments)
    assert "\n" not in str(error.value)


def test_a_folder_without_dicom_files_is_an_error(run, tmp_path):
    with pytest.raises(CommandError, match="no DICOM files"):
        run("--dir", str(tmp_path))


def test_a_taken_port_is_an_error(run):
    with Simulator() as other:
        with pytest.raises(CommandError, match=f"cannot listen on 127.0.0.1:{other.port}"):
            run("--small", "--port", str(other.port))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(how):
    script = (
        "from django.conf import settings; settings.configure()\n"
        "from django.core.management import call_command\n"
        "from qatrack_aria.management.commands.simulate_aria import Command\n"
        "call_command(Command(), '--small', '--port', '0')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=str(ROOT),
        # Into a pipe, where Python does not write line by line of itself.
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""},
        # A test run in the background of a shell ignores Ctrl-C, and would hand that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stdout.readline().startswith(b"VMSDBD serves")
        process.send_signal(how)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, b"")
