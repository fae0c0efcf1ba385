"""Names of people appear nowhere, and nothing of a data set can play tricks where it is shown."""

from __future__ import annotations

import json
import logging
import re
import socket
from pathlib import Path
from typing import Any, Callable

import pytest
from django.utils.html import escape
from pydicom import Sequence
from pydicom.dataset import Dataset

from qatrack_aria import fetch_images
from qatrack_aria.dicom.attributes import plan_ref
from qatrack_aria.errors import AriaError
from qatrack_aria.models import Retrieval
from tests.dicom.test_storage_scp import store
from tests.helpers import wire
from tests.helpers.aria import PATIENT, plan, winston_lutz
from tests.helpers.open_port import image
from tests.helpers.waiting import until
from tests.integration.test_traps import answers_altered

__all__ = ["answers_altered"]

RETRIEVALS = "/admin/qatrack_aria/retrieval/"
#: No other text holds it, in whatever spelling.
NAME = "Zzyzxova^Quenby"
CANARY = re.compile("zzyzxova|quenby", re.IGNORECASE)
PEOPLE = (
    *("PatientName", "OperatorsName", "ReferringPhysicianName", "PerformingPhysicianName"),
    *("PhysiciansOfRecord", "RequestingPhysician", "ReviewerName", "OtherPatientNames"),
)
#: For a browser, for a terminal and for a log file; all are Short Strings.
MARKUP = "<x-evil>"
NASTY = f"{MARKUP}\x1b[2J\n\r"


def planted(ds: Dataset) -> Dataset:
    """With names of people, and what nobody hopes for in texts that are not looked for."""
    for keyword in PEOPLE:
        setattr(ds, keyword, NAME)
    for keyword in ("StationName", "StudyDescription", "RTImageLabel", "InstitutionName"):
        setattr(ds, keyword, NASTY)
    if "RadiationMachineName" in ds:
        ds.RadiationMachineName = NASTY
    ds.StudyID = NASTY
    return ds


def with_names(answer: Dataset, asked: Dataset) -> Dataset:
    """Of a server that returns more than was asked for."""
    answer.PatientName = answer.OperatorsName = NAME
    return answer


class World:
    """A plan with images, all planted, at a simulated ARIA that does something to them."""

    def __init__(self, serve: Callable[..., Any], node: Any) -> None:
        self.serve = serve
        self.node = node
        self.plan = planted(plan())
        self.images = [planted(image) for image in winston_lutz(self.plan, count=2)]

    def has(self, *more: Dataset, **behaviour: Any) -> None:
        self.serve(self.plan, self.images, *map(planted, more), **behaviour)


def all_is_well(world: World) -> dict[str, Any]:
    world.has()
    return {}


def no_such_plan(world: World) -> dict[str, Any]:
    world.has(*(plan(f"{MARKUP}{number}\n") for number in range(3)))
    return {"plan": "OTHER"}


def two_plans(world: World) -> dict[str, Any]:
    world.has(plan())
    return {}


def another_course(world: World) -> dict[str, Any]:
    world.has()
    return {"course": "C1"}


def another_machine(world: World) -> dict[str, Any]:
    world.has()
    return {"machine": "TB9"}


def of_another_type(world: World) -> dict[str, Any]:
    for ds in world.images:
        ds.ImageType = ["ORIGINAL", "PRIMARY", MARKUP + "\n", NASTY]
    world.has()
    return {}


def of_another_patient(world: World) -> dict[str, Any]:
    def change(ds: Dataset) -> Dataset:
        ds.PatientID = NAME
        return ds

    world.has(on_send=change)
    return {}


def damaged(world: World) -> dict[str, Any]:
    def change(ds: Dataset) -> Dataset:
        del ds.PixelData
        return ds

    world.has(on_send=change)
    return {}


def lost(world: World) -> dict[str, Any]:
    world.has(silent_losses=frozenset({str(world.images[0].SOPInstanceUID)}))
    return {}


def broken_off(world: World) -> dict[str, Any]:
    world.has(abort_after=1)
    return {}


def strangers_call(world: World) -> dict[str, Any]:
    where = world.node.local_host, world.node.local_port

    def before_each(ds: Dataset) -> Dataset:
        with socket.create_connection(where, 10) as sock:
            sock.sendall(wire.associate_rq(str(ds.SOPClassUID), calling=MARKUP.encode()))
            sock.recv(100)
        return ds

    world.has(on_send=before_each, silent_losses=frozenset({str(world.images[0].SOPInstanceUID)}))
    return {}


def uids_of_nonsense(world: World) -> dict[str, Any]:
    for ds in world.images:
        ds.SeriesInstanceUID = f"../{MARKUP}\n{NASTY}"
    world.has()
    return {}


def unreachable(world: World) -> dict[str, Any]:
    return {}


SCENES = (
    *(all_is_well, no_such_plan, two_plans, another_course, another_machine, of_another_type),
    *(of_another_patient, damaged, lost, broken_off, strangers_call),
    *(uids_of_nonsense, unreachable),
)


@pytest.fixture(params=SCENES, ids=[scene.__name__ for scene in SCENES])
def texts(
    request: Any,
    serve: Any,
    node: Any,
    settings: Any,
    answers_altered: Any,
    caplog: Any,
    recwarn: Any,
    capfd: Any,
) -> dict[str, str]:
    """All that a retrieval says, by where it says it; everything is logged that can be."""
    answers_altered(with_names)
    for name in ("", "qatrack_aria", "pynetdicom", "pydicom"):
        caplog.set_level(logging.DEBUG, name)
    options = request.param(World(serve, node))
    said = {}
    try:
        images = fetch_images("aria", PATIENT, options.pop("plan", "WL"), deadline=20, **options)
    except AriaError as error:
        said["message"] = str(error)
    else:
        said["message"] = images.status
        said["summary"] = json.dumps(images.summary)
    archive = Path(settings.QATRACK_ARIA_ARCHIVE)
    lines = [(record.name, record.getMessage()) for record in caplog.records]
    said["row"] = repr(vars(Retrieval.objects.get()))
    said["log"] = "\n".join(line for _, line in lines)
    said["our log"] = "\v".join(line for name, line in lines if name.startswith("qatrack_aria"))
    said["warnings"] = "\n".join(str(warning.message) for warning in recwarn)
    said["terminal"] = "".join(capfd.readouterr())
    said["paths"] = "\n".join(str(path.relative_to(archive)) for path in archive.rglob("*"))
    said["notes"] = "\n".join(path.read_text("utf-8") for path in archive.rglob("*.json"))
    return said


def pages(client: Any) -> list[str]:
    """The admin's list of retrievals, and that of the last."""
    row = Retrieval.objects.get()
    paths = (RETRIEVALS, f"{RETRIEVALS}{row.pk}/change/")
    return [client.get(path).content.decode() for path in paths]


def test_names_of_people_appear_nowhere(texts: dict[str, str], admin_client: Any) -> None:
    texts["pages"] = "".join(pages(admin_client))
    for where, text in texts.items():
        assert not CANARY.search(text), where


def test_texts_of_data_sets_play_no_tricks(texts: dict[str, str], admin_client: Any) -> None:
    """On a terminal, in a log, in a path, or in a browser."""
    assert texts["message"].isprintable()
    assert len(texts["message"]) < 1500
    assert all(line.isprintable() for line in texts["our log"].split("\v"))
    assert re.fullmatch(r"[\w./+=-]*", texts["paths"].replace("\n", ""), re.ASCII)
    for html in pages(admin_client):
        assert MARKUP not in html
        assert "\x1b" not in html
    assert escape(texts["message"]) in html


def test_an_answer_that_hides_a_name_in_another_attribute_does_not_bring_it_out() -> None:
    """A sequence, or a Person Name, in the place of a label."""
    inner, ds = Dataset(), Dataset()
    inner.PatientName = NAME
    ds.add_new(0x300A0002, "SQ", Sequence([inner]))
    ds.add_new(0x00200010, "PN", NAME)
    plan_of_it = plan_ref(ds)
    assert (plan_of_it.label, plan_of_it.course) == (None, None)


def test_an_image_that_cannot_be_read_is_not_quoted(port: Any) -> None:
    """A number of frames that is a name: pydicom's error repeats it."""
    ds = image()
    ds.add_new(0x00280008, "LO", NAME)
    port.inbox.expect([ds.SOPInstanceUID])
    with pytest.warns(UserWarning, match="Invalid value"):
        assert store(port.peer, ds) == [0xA900]
    assert port.inbox.refused == [
        "an image that arrived damaged: its header describes no pixel data: NumberOfFrames is no "
        "number, where one positive number belongs"
    ]


def test_what_a_caller_calls_itself_is_shown_as_text(port: Any) -> None:
    with port.connect() as sock:
        sock.sendall(wire.associate_rq("1.2", calling=b"<b>EVIL</b>"))
        assert until(lambda: port.inbox.refused)
    assert "'<b>EVIL</b>'" in port.inbox.refused[0]
