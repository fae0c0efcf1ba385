"""``manage.py check_aria``: each step of the connection test, passed and failed."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any, Iterator

import pytest

from qatrack_aria import fetch_images
from qatrack_aria.dicom import association
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.models import Retrieval
from qatrack_aria.retrieval import lock
from qatrack_aria.retrieval.lock import hold_destination
from qatrack_aria.storage.archive import Archive
from tests.helpers.aria import PATIENT, command, plan, uids, winston_lutz
from tests.helpers.peers.server import free_port

WITH_IMAGES = ("--patient", PATIENT, "--plan", "WL")


def check(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    return command("check_aria", *arguments)


def steps(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and steps of the one node."""
    code, out, _ = check(*arguments, "--json")
    (outcome,) = json.loads(out)["nodes"]
    return code, outcome["steps"]


def broken(step: str, code: int, *arguments: str) -> str:
    """The message of the step that fails, which is the last; all before it hold."""
    ended, taken = steps(*arguments)
    assert [one["passed"] for one in taken] == [True] * (len(taken) - 1) + [False]
    assert (taken[-1]["step"], ended) == (step, code)
    assert "\n" not in taken[-1]["message"]
    return str(taken[-1]["message"])


@pytest.fixture
def aria(serve: Any) -> Any:
    wl = plan()
    return serve(wl, winston_lutz(wl))


def test_a_node_that_works_passes_every_step(aria: Any) -> None:
    code, taken = steps("aria", *WITH_IMAGES)
    assert code == 0
    assert {one["passed"] for one in taken} == {True}
    assert [one["step"] for one in taken] == [
        "settings",
        "name",
        "connection",
        "association",
        "C-ECHO",
        "services",
        "destination",
        "local port",
        "plan and images",
        "image retrieval",
    ]
    assert "plan WL" in taken[-2]["message"]
    assert "8 images" in taken[-2]["message"]


def test_a_person_reads_a_line_for_each_step(aria: Any) -> None:
    code, out, _ = check()
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "aria:"
    assert all(line.startswith("  ok ") for line in lines[1:])
    assert len(lines) == 1 + 8


def test_one_image_arrives_each_time_and_no_other_is_moved(aria: Any) -> None:
    check("aria", *WITH_IMAGES)
    check("aria", *WITH_IMAGES)
    assert len(aria.operations("C-STORE")) == 2
    assert not Retrieval.objects.exists()


def test_c_get_needs_no_port_of_ours(aria: Any, node: Any) -> None:
    node.retrieve_method = "C-GET"
    node.save()
    code, taken = steps("aria", *WITH_IMAGES)
    assert code == 0
    assert "local port" not in [one["step"] for one in taken]


# --- what is typed ----------------------------------------------------------------------------


def test_a_node_that_is_not_there(node: Any) -> None:
    code, _, err = check("arya")
    assert code == 2
    assert "did you mean 'aria'" in err


def test_a_patient_without_a_plan(node: Any) -> None:
    code, _, err = check("aria", "--patient", PATIENT)
    assert code == 2
    assert "Give both --patient and --plan" in err


def test_no_node_at_all(db: None) -> None:
    code, _, err = check()
    assert code == 2
    assert "add one in the admin" in err


def test_several_nodes_end_with_the_worst(aria: Any, node: Any) -> None:
    node.pk, node.name, node.remote_port = None, "other", free_port()
    node.save()
    code, out, _ = check()
    assert code == 7
    assert "aria:" in out
    assert "other:" in out


# --- each step breaks -------------------------------------------------------------------------


def test_settings_that_cannot_be(node: Any) -> None:
    type(node).objects.update(remote_port=70000)
    assert "remote_port" in broken("settings", 9, "aria")


def test_a_patient_that_is_not_allowed(node: Any) -> None:
    said = broken("settings", 6, "aria", "--patient", "ZZ1", "--plan", "WL")
    assert "not among the patients" in said


def test_an_archive_that_cannot_be_made(node: Any, settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    settings.QATRACK_ARIA_ARCHIVE = str(tmp_path / "file" / "archive")
    assert "cannot make" in broken("settings", 9, "aria")


def test_a_name_that_nobody_has(node: Any) -> None:
    node.remote_host = "aria.invalid"
    node.save()
    assert "check its spelling" in broken("name", 7, "aria")


def test_a_port_where_nothing_listens(node: Any) -> None:
    assert "Connection refused" in broken("connection", 7, "aria")


@pytest.fixture
def mute(node: Any) -> Iterator[None]:
    """A port that takes connections and hangs up."""
    with socket.create_server(("127.0.0.1", node.remote_port)) as listener:

        def hang_up() -> None:
            while True:
                try:
                    listener.accept()[0].close()
                except OSError:
                    return

        thread = threading.Thread(target=hang_up)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_port_that_is_no_dicom_service(mute: None) -> None:
    assert "is this port a DICOM service" in broken("association", 7, "aria")


def test_a_service_that_does_not_trust_us(aria: Any) -> None:
    aria.peers.clear()
    assert "trusted application entities" in broken("association", 6, "aria")


def test_a_service_that_is_called_by_another_name(aria: Any, node: Any) -> None:
    node.remote_ae_title = "NOBODY"
    node.save()
    assert "correct the node's remote AE title" in broken("association", 6, "aria")


def test_a_service_that_is_too_busy(aria: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(association, "BUSY_PAUSES", ())
    aria.behaviour = type(aria.behaviour)(busy_calls=9)
    assert "ask again in a minute" in broken("association", 8, "aria")


def test_a_service_without_c_get(serve: Any, node: Any) -> None:
    serve(plan(), c_get=False)
    node.retrieve_method = "C-GET"
    node.save()
    assert "choose another query model or retrieve method" in broken("services", 6, "aria")


def test_another_retrieval_that_is_under_way(
    aria: Any, node: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken, it is not waited for here; the steps before it have all the time that they need."""
    monkeypatch.setattr(lock, "_acquire", lambda taken, *others: taken.acquire(timeout=0))
    archive = Archive(Path(settings.QATRACK_ARIA_ARCHIVE))
    with hold_destination(archive, node.peer(), Deadline(10), "the night shift"):
        assert "the night shift" in broken("destination", 8, "aria")


def test_our_port_in_other_hands(aria: Any, node: Any) -> None:
    with socket.create_server(("127.0.0.1", node.local_port)):
        assert "another program may use the port" in broken("local port", 9, "aria")


def test_a_plan_that_is_not_there(aria: Any) -> None:
    said = broken("plan and images", 3, "aria", "--patient", PATIENT, "--plan", "WK")
    assert "it lists 'WL'" in said


def test_a_plan_without_images(serve: Any) -> None:
    serve(plan())
    assert "no images match" in broken("plan and images", 3, "aria", *WITH_IMAGES)


def test_success_and_nothing_came(serve: Any) -> None:
    """The service knows another address for our AE title: the case that costs people days."""
    wl = plan()
    images = winston_lutz(wl)
    serve(wl, images, silent_losses=frozenset(uids(images)))
    said = broken("image retrieval", 4, "aria", *WITH_IMAGES)
    assert "it knows another address or port for our AE title" in said


def test_what_a_node_can_do_is_in_the_outcome(aria: Any) -> None:
    fetch_images("aria", PATIENT, "WL")
    _, out, _ = check("--json")
    (outcome,) = json.loads(out)["nodes"]
    assert outcome["abilities"]["relational"]["value"] is True
    assert outcome["abilities"]["counts"]["value"] is False
    assert set(outcome["abilities"]["dates"]) == {"value", "evidence", "at"}


def test_a_report_answers_questions_and_names_nobody(aria: Any, node: Any, tmp_path: Path) -> None:
    file = tmp_path / "report.txt"
    code, out, _ = check("aria", *WITH_IMAGES, "--report", str(file))
    assert code == 0
    assert "questions" in out
    text = file.read_text(encoding="utf-8")
    for line in (
        "images in the study of their plan: yes",
        "a list of SOP Instance UIDs in one C-MOVE or C-GET: yes",
        "the plan's UID as a key: matched",
        "Series Date at SERIES level: empty",
        "RadiationMachineName as a return key: filled in 8 of 8 answers",
        "GantryAngle as a key: matched",
        "C-GET: offered",
    ):
        assert line in text
    secret = (
        PATIENT,
        "WL",
        "127.0.0.1",
        "VMSDBD",
        "QATRACK",
        "TB1",
        str(node.remote_port),
        "1.2.8",
    )
    assert not [word for word in secret if word in text.replace("qatrack_aria", "")]


def test_a_report_is_written_of_a_node_that_does_not_answer(node: Any, tmp_path: Path) -> None:
    file = tmp_path / "report.txt"
    code, _, _ = check("aria", "--report", str(file))
    assert code == 7
    assert "NO  connection" in file.read_text(encoding="utf-8")


def test_a_report_that_cannot_be_written_is_an_error(aria: Any, tmp_path: Path) -> None:
    code, _, err = check("aria", "--report", str(tmp_path / "none" / "report.txt"))
    assert code == 2
    assert "give another FILE" in err
