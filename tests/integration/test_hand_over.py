"""What was proved when it arrived is proved again whenever it is handed over."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import Any, Callable

import pytest

from qatrack_aria import fetch_images, images_from
from qatrack_aria.conf import conf
from qatrack_aria.errors import (
    ArchiveError,
    IncompleteRetrievalError,
    PatientNotAllowedError,
    RequestError,
)
from qatrack_aria.models import AriaNode, Retrieval
from qatrack_aria.retrieval import hand_over
from qatrack_aria.simulator import Simulator
from qatrack_aria.storage import digests
from qatrack_aria.storage.pending_file import PendingFile
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz
from tests.helpers.standin.fixtures import clock as clock


@pytest.fixture
def wl() -> Any:
    return plan()


@pytest.fixture
def irradiated(wl: Any) -> list[Any]:
    return winston_lutz(wl, NOON - DAY, count=3)  # over: the answer is kept


@pytest.fixture
def sim(serve: Any, wl: Any, irradiated: list[Any]) -> Simulator:
    aria: Simulator = serve(wl, irradiated)
    return aria


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the pixels of a small image lie beyond the beginning of its file, as real ones do."""
    monkeypatch.setattr(digests, "BEGINNING", 1000)


def fetch(**options: Any) -> Any:
    return fetch_images("aria", PATIENT, "WL", **options)


def moves(sim: Simulator) -> int:
    return len(sim.operations("C-STORE"))


def archived(uid: str) -> Path:
    (path,) = (conf.ARCHIVE / "instances").rglob(f"{uid}.dcm")
    return path


def write(path: str | Path, content: bytes) -> None:
    """As root does, for whom read-only files are writable."""
    os.chmod(path, 0o600)
    Path(path).write_bytes(content)


def rot(path: str | Path, place: int = -7) -> None:
    """One bit falls over; neither the length nor the date changes."""
    state = os.stat(path)
    content = bytearray(Path(path).read_bytes())
    content[place] ^= 1
    write(path, bytes(content))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def contents(images: Any) -> list[bytes]:
    return [Path(file).read_bytes() for file in images]


# --- rot --------------------------------------------------------------------------------------


def place_of(images: Any, value: bytes) -> int:
    return Path(images.files[1]).read_bytes().index(value)


@pytest.mark.parametrize(
    "value",
    [b"", b"PORTAL", b"QA_TB1", b"RTIMAGE", b"MU"],
    ids=["a pixel", "the image type", "the patient", "the modality", "the unit"],
)
def test_an_image_that_has_rotted_in_the_archive_is_fetched_again(
    sim: Simulator, irradiated: list[Any], value: bytes
) -> None:
    images = fetch()
    before, stored = contents(images), moves(sim)
    place = place_of(images, value) if value else -7
    rot(archived(images.images[1].sop_uid), place)

    again = fetch(max_age=0)

    assert contents(again) == before
    assert moves(sim) == stored + 1
    assert again.summary["images"] == images.summary["images"]


def test_all_rotten_images_are_fetched_again_in_one_go(sim: Simulator, large: None) -> None:
    """What their headers do not show is found when they are laid out; the record says so."""
    images = fetch()
    for image in images.images:
        rot(archived(image.sop_uid))

    assert contents(fetch(max_age=0)) == contents(images)
    assert len(sim.operations("C-MOVE")) == 2
    row = Retrieval.objects.first()
    timeline = json.loads(row.timeline)
    assert (row.status, timeline.get("stopped_at", "")) == ("done", "")
    assert timeline["remarks"] == [{"code": "repaired", "number": 3}]


def test_a_disk_that_spoils_all_that_is_written_to_it_is_named(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = PendingFile.commit

    def commit_and_spoil(pending: PendingFile) -> None:
        commit(pending)
        rot(pending._path)

    monkeypatch.setattr(PendingFile, "commit", commit_and_spoil)

    with pytest.raises(IncompleteRetrievalError, match=r"3 images .* differ from what was filed"):
        fetch()
    assert list((conf.ARCHIVE / "sets").iterdir()) == []


@pytest.mark.parametrize("beginning", [1 << 18, 1000], ids=["small", "large"])
def test_a_rotten_image_is_not_opened_again(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, beginning: int
) -> None:
    monkeypatch.setattr(digests, "BEGINNING", beginning)
    images = fetch()
    summary, damaged = images.summary, images.images[1].sop_uid
    rot(archived(damaged))

    with pytest.raises(IncompleteRetrievalError, match=f"1 of 3 images .*{damaged}") as caught:
        images_from(summary)
    assert caught.value.missing == (damaged,)

    fetch(max_age=0)
    assert images_from(summary).summary["images"] == summary["images"]


def test_an_image_that_was_fetched_anew_with_other_content_is_not_opened_as_the_earlier_one(
    sim: Simulator, irradiated: list[Any]
) -> None:
    """It was corrected in ARIA since."""
    summary = fetch().summary
    irradiated[1].RTImageLabel = "corrected"
    archived(str(irradiated[1].SOPInstanceUID)).unlink()
    fetch(max_age=0)

    with pytest.raises(IncompleteRetrievalError, match=r"1 of 3 images .* with other content"):
        images_from(summary)


def test_an_image_that_was_moved_to_another_plan_in_aria_is_not_opened_as_one_of_the_earlier(
    sim: Simulator, irradiated: list[Any]
) -> None:
    summary = fetch().summary
    moved, other = irradiated[1], plan("OTHER")
    sim.add([other])
    moved.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID = other.SOPInstanceUID
    archived(str(moved.SOPInstanceUID)).unlink()
    fetch_images("aria", PATIENT, "OTHER", max_age=0)

    with pytest.raises(RequestError, match="do not reference the plan"):
        images_from(summary)


def test_an_image_that_lost_its_digests_is_fetched_again(sim: Simulator) -> None:
    """As those do that an earlier version has filed."""
    images = fetch()
    for record in (conf.ARCHIVE / "instances").rglob("*.sha256"):
        record.unlink()

    with pytest.raises(IncompleteRetrievalError, match="3 of 3 images"):
        images_from(images.summary)
    assert fetch(max_age=0).moved == 3


def test_the_archive_of_an_earlier_version_is_not_read(sim: Simulator) -> None:
    """It did not tell the nodes apart."""
    images = fetch()
    for image in images.images:
        path = archived(image.sop_uid)
        former = conf.ARCHIVE / "instances" / path.parent.name
        former.mkdir(exist_ok=True)
        for file in (path, path.with_suffix(".sha256")):
            shutil.move(str(file), str(former / file.name))

    assert fetch(max_age=0).moved == 3


# --- what one composite does, and the next one gets -------------------------------------------


def test_what_a_composite_saves_into_its_image_reaches_nobody_else(sim: Simulator) -> None:
    images = fetch()
    before = contents(images)
    write(images.files[0], b"cropped")

    assert contents(fetch()) == before
    assert contents(images_from(fetch(max_age=0).summary)) == before


def add_a_file(folder: Path, first: Path) -> None:
    (folder / "result.dcm").write_bytes(first.read_bytes())


def add_a_folder(folder: Path, first: Path) -> None:
    (folder / "results").mkdir()


def remove_a_file(folder: Path, first: Path) -> None:
    first.chmod(0o600)
    first.unlink()


def rename_a_file(folder: Path, first: Path) -> None:
    first.rename(folder / "first.dcm")


def change_a_pixel(folder: Path, first: Path) -> None:
    rot(first)  # and gives it its old date


def replace_a_file(folder: Path, first: Path) -> None:
    state = first.stat()
    (folder / "new").write_bytes(first.read_bytes()[:-1] + b"!")
    os.replace(folder / "new", first)
    os.utime(first, ns=(state.st_atime_ns, state.st_mtime_ns))


def put_a_link_in_its_place(folder: Path, first: Path) -> None:
    other = folder.parent / "other"
    shutil.copy2(str(first), str(other))
    first.unlink()
    first.symlink_to(other)


@pytest.mark.parametrize(
    "change",
    [
        add_a_file,
        add_a_folder,
        remove_a_file,
        rename_a_file,
        change_a_pixel,
        replace_a_file,
        put_a_link_in_its_place,
    ],
    ids=lambda change: change.__name__,
)
@pytest.mark.parametrize("reopened", [False, True], ids=["fetched", "reopened"])
def test_a_folder_that_a_composite_has_changed_is_not_the_next_ones(
    sim: Simulator, change: Callable[[Path, Path], None], reopened: bool
) -> None:
    summary = fetch().summary
    images = images_from(summary) if reopened else fetch()
    before, asked = contents(images), len(sim.log)
    change(Path(images.path), Path(images.files[0]))

    again = images_from(summary) if reopened else fetch()

    assert again.path != images.path
    assert contents(again) == before
    assert sorted(os.listdir(again.path)) == [Path(file).name for file in again]
    assert len(sim.log) == asked  # from the archive
    # The one after it gets the new folder, which nobody has changed.
    assert (images_from(summary) if reopened else fetch()).path == again.path


def test_a_folder_laid_out_anew_makes_the_answer_no_younger(sim: Simulator, clock: Any) -> None:
    images = fetch()
    clock.now += 50
    add_a_file(Path(images.path), Path(images.files[0]))
    fetch()
    asked = len(sim.log)
    clock.now += 11

    fetch()

    assert len(sim.log) > asked


def test_a_changed_folder_and_a_rotten_archive_ask_the_node(sim: Simulator, large: None) -> None:
    images = fetch()
    before = contents(images)
    write(images.files[0], b"cropped")
    rot(archived(images.images[0].sop_uid))

    assert contents(fetch()) == before


def test_an_unchanged_folder_is_handed_over_without_reading_its_files(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Digests of 26 MB take 60 ms, and QATrack+ asks again at every changed field."""
    first = fetch()
    monkeypatch.delattr(hand_over, "lay_out")  # which reads them
    assert fetch().files == first.files


# --- the node it came from --------------------------------------------------------------------


def second_node(node: AriaNode, **changes: Any) -> AriaNode:
    fields = {f.name: getattr(node, f.name) for f in AriaNode._meta.concrete_fields}
    fields.pop("id")
    return AriaNode.objects.create(**{**fields, "name": "clinical", "is_default": False, **changes})


def test_an_image_of_a_test_system_is_not_handed_over_as_the_clinical_nodes(
    sim: Simulator, node: AriaNode, irradiated: list[Any]
) -> None:
    """A copy of the clinical database has the same UIDs."""
    fetch()
    second_node(node)
    irradiated[1].RTImageLabel = "clinical"

    images = fetch_images("clinical", PATIENT, "WL")

    assert images.moved == 3
    assert b"clinical" in Path(images.files[1]).read_bytes()


def test_an_image_of_the_service_that_a_node_stood_for_before_is_fetched_again(
    sim: Simulator, serve: Any, wl: Any, irradiated: list[Any]
) -> None:
    """A node is tried with a test system, and given the clinical address then."""
    fetch()
    irradiated[1].RTImageLabel = "clinical"
    serve(wl, irradiated)  # at another port

    images = fetch(max_age=0)

    assert images.moved == 3
    assert b"clinical" in Path(images.files[1]).read_bytes()


def test_an_earlier_result_is_opened_though_the_nodes_address_was_corrected(
    sim: Simulator, node: AriaNode
) -> None:
    images = fetch()
    node.remote_host = "localhost"
    node.save()

    assert uids(images_from(images.summary)) == uids(images)


def test_a_summary_opens_nothing_through_a_node_that_did_not_fetch_it(
    sim: Simulator, node: AriaNode
) -> None:
    images = fetch()
    second_node(node)
    images._node = "clinical"  # as a summary that was forged does
    summary = images.summary

    with pytest.raises(IncompleteRetrievalError, match="3 of 3 images"):
        images_from(summary)


def test_what_one_summary_says_of_its_plan_is_not_said_of_the_next(sim: Simulator) -> None:
    """They name the same images, and one of the two was forged."""
    honest = fetch()
    summary = honest.summary
    honest.plan = dataclasses.replace(honest.plan, label="FORGED", course="C9")
    images_from(honest.summary)

    plan = images_from(summary).plan

    assert (plan.label, plan.course) == (summary["plan_label"], summary["course"])


def test_an_earlier_result_says_of_its_images_what_their_files_say(sim: Simulator) -> None:
    images = fetch()

    assert images_from(images.summary).images == images.images


def test_an_earlier_result_names_its_plan_as_the_file_does_where_the_node_lists_no_labels(
    serve: Any, wl: Any, irradiated: list[Any]
) -> None:
    serve(wl, irradiated, unreturned_keys=frozenset({"RTPlanLabel"}))
    images = fetch()

    assert images_from(images.summary).plan == images.plan


def test_a_summary_opens_nothing_once_its_node_does_not_allow_the_patient(
    sim: Simulator, node: AriaNode
) -> None:
    images = fetch()
    images_from(images.summary)  # which would be remembered
    node.allowed_patients = "QA_OTHER"
    node.save()

    with pytest.raises(PatientNotAllowedError):
        images_from(images.summary)


def test_a_renamed_node_fetches_its_images_again(sim: Simulator, node: AriaNode) -> None:
    fetch()
    node.name = "varian"
    node.save()

    assert fetch_images("varian", PATIENT, "WL").moved == 3


def test_the_summary_can_be_kept_and_opened(sim: Simulator) -> None:
    images = fetch()

    assert uids(images_from(json.dumps(images.summary))) == uids(images)
    write(images.files[0], b"cropped")
    with pytest.raises(ArchiveError, match="was changed after it was handed over"):
        _ = images.summary
