"""What is handed over: exactly these images, in a folder of their own that lasts."""

from __future__ import annotations

import dataclasses
import datetime as dt
import errno
import hashlib
import json
import os
import re
import shutil
import stat
import sys
import zipfile
from pathlib import Path
from typing import Any, Callable

import pytest
from pydicom.dataset import Dataset

from qatrack_aria.dicom.attributes import ImageRef, image_ref, plan_ref
from qatrack_aria.errors import ArchiveError, RequestError
from qatrack_aria.retrieval.imageset import ImageSet
from qatrack_aria.simulator import phantom
from qatrack_aria.storage import copying, set_folder
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.digests import beside
from qatrack_aria.storage.output import require_empty
from qatrack_aria.storage.set_folder import DamagedError, lay_out, prune, remove_set
from tests.helpers import datasets
from tests.helpers.datasets import PATIENT, TAKEN

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
DAY = 86400


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


@pytest.fixture
def plan() -> Dataset:
    return datasets.plan()


@pytest.fixture
def refs(archive: Archive, plan: Dataset) -> list[ImageRef]:
    """Three images of the plan, filed."""
    images = phantom.winston_lutz(plan, TAKEN, False, count=3)
    for image in images:
        datasets.file_in(archive, datasets.incoming(image), PATIENT)
    return [image_ref(image, from_file=True) for image in images]


def image_set(archive: Archive, images: list[ImageRef], plan: Dataset, **options: Any) -> ImageSet:
    request = {"patient_id": PATIENT, "plan": "WL"}
    described = {"node": "aria", "request": request, "plan": plan_ref(plan), **options}
    return ImageSet(lay_out(archive, images), **described)


@pytest.fixture
def images(archive: Archive, refs: list[ImageRef], plan: Dataset) -> ImageSet:
    return image_set(archive, refs, plan, moved=2)


def fails(number: int) -> Any:
    def refuse(*args: Any, **options: Any) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


# --- laying out -------------------------------------------------------------------------------


def test_the_folder_holds_the_images_and_nothing_else(
    images: ImageSet, archive: Archive, refs: list[ImageRef]
) -> None:
    contents = {path.read_bytes() for path in Path(images.path).iterdir()}

    assert contents == {archive.path(ref.sop_uid).read_bytes() for ref in refs}
    assert len(list(Path(images.path).iterdir())) == len(images) == 3


def test_the_files_are_in_the_order_of_acquisition(
    archive: Archive, refs: list[ImageRef], plan: Dataset
) -> None:
    """By their names, too: analyses list the folder themselves."""
    images = image_set(archive, list(reversed(refs)), plan)

    assert [image.sop_uid for image in images.images] == [ref.sop_uid for ref in refs]
    assert images.files == sorted(images.files) == list(images)


def test_two_images_of_one_instant_are_two_files(
    archive: Archive, refs: list[ImageRef], plan: Dataset
) -> None:
    same = [datasets.image_ref(sop_uid=ref.sop_uid, acquired=TAKEN) for ref in refs]

    assert len(set(image_set(archive, same, plan).files)) == 3


def test_two_sets_of_the_same_images_do_not_share_a_folder(
    archive: Archive, refs: list[ImageRef], plan: Dataset
) -> None:
    first, second = image_set(archive, refs, plan), image_set(archive, refs, plan)
    remove_set(Path(first.path))

    assert [Path(file).exists() for file in second] == [True] * 3


def test_nothing_that_an_analysis_does_to_the_files_reaches_the_archive(
    images: ImageSet, archive: Archive, refs: list[ImageRef]
) -> None:
    """QATrack+'s own container runs as root, who may write into read-only files."""
    original = archive.path(refs[0].sop_uid)
    before = original.read_bytes()

    os.chmod(images.files[0], 0o600)
    with open(images.files[0], "r+b") as file:
        file.write(b"changed")

    assert not os.path.samefile(images.files[0], original)
    assert original.read_bytes() == before


@pytest.mark.parametrize(
    "within_the_kernel",
    [None, fails(errno.EXDEV), fails(errno.EOPNOTSUPP), fails(errno.ENOSYS), lambda *args: 0],
    ids=["unknown", "another disk", "not supported", "old kernel", "nothing copied"],
)
def test_a_disk_that_cannot_share_blocks_gets_copies(
    archive: Archive,
    refs: list[ImageRef],
    plan: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    within_the_kernel: Any,
) -> None:
    monkeypatch.setattr(os, "copy_file_range", within_the_kernel, raising=False)

    images = image_set(archive, refs, plan)

    originals = [archive.path(ref.sop_uid).read_bytes() for ref in refs]
    assert [Path(file).read_bytes() for file in images] == originals


def test_a_copy_that_breaks_off_within_the_kernel_is_made_anew(
    archive: Archive, refs: list[ImageRef], plan: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first_bytes_only(source: int, target: int, count: int, at: int, to: int) -> int:
        if at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return os.pwrite(target, b"?" * 100, to)

    monkeypatch.setattr(os, "copy_file_range", first_bytes_only, raising=False)

    images = image_set(archive, refs, plan)

    originals = [archive.path(ref.sop_uid).read_bytes() for ref in refs]
    assert [Path(file).read_bytes() for file in images] == originals


@posix_only
def test_the_files_are_read_only(images: ImageSet) -> None:
    """An analysis that writes into them by mistake would go on with what is no image."""
    assert {stat.S_IMODE(os.stat(file).st_mode) for file in images} == {0o400}


@posix_only
def test_the_folder_is_for_its_owner_only(images: ImageSet) -> None:
    assert stat.S_IMODE(os.stat(images.path).st_mode) == 0o700


def test_the_folder_outlives_the_set(archive: Archive, refs: list[ImageRef], plan: Dataset) -> None:
    folder = Path(image_set(archive, refs, plan).path)

    assert len(list(folder.iterdir())) == 3


def change_a_bit(path: Path, place: int) -> None:
    """As an old disk does: neither the length nor the date of the file changes."""
    state = path.stat()
    mode = stat.S_IMODE(state.st_mode)
    path.chmod(0o600)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    path.chmod(mode)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def vanish(path: Path) -> None:
    path.chmod(0o600)
    path.unlink()


def lose_its_digests(path: Path) -> None:
    vanish(beside(path))


def lose_half_of_its_digests(path: Path) -> None:
    beside(path).chmod(0o600)
    os.truncate(beside(path), 80)


@pytest.mark.parametrize(
    "happens",
    [
        vanish,
        lambda path: change_a_bit(path, 200),
        lambda path: change_a_bit(path, -1),
        lambda path: change_a_bit(path, 5),
        lambda path: os.truncate(path, path.stat().st_size - 2),
        lambda path: os.truncate(path, 0),
        lose_its_digests,
        lose_half_of_its_digests,
    ],
    ids=["gone", "header", "pixels", "preamble", "cut", "empty", "no digests", "half of them"],
)
def test_an_image_that_is_not_as_it_was_filed_is_not_handed_over(
    archive: Archive, refs: list[ImageRef], happens: Callable[[Path], None]
) -> None:
    path = archive.path(refs[2].sop_uid)
    path.chmod(0o600)
    happens(path)

    with pytest.raises(DamagedError) as caught:
        lay_out(archive, refs)

    assert caught.value.sop_uids == [refs[2].sop_uid]
    assert list(archive.sets.iterdir()) == []
    assert archive.header(refs[2].sop_uid, PATIENT) is None  # so it is fetched again


def test_all_damaged_images_are_named_at_once(archive: Archive, refs: list[ImageRef]) -> None:
    for ref in refs[1:]:
        change_a_bit(archive.path(ref.sop_uid), -1)

    with pytest.raises(DamagedError) as caught:
        lay_out(archive, refs)

    assert caught.value.sop_uids == [ref.sop_uid for ref in refs[1:]]


def test_a_disk_that_fills_up_leaves_no_partial_set(
    archive: Archive, refs: list[ImageRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "copy", fails(errno.ENOSPC))

    with pytest.raises(ArchiveError, match="No space left on device"):
        lay_out(archive, refs)

    assert list(archive.sets.iterdir()) == []


def test_a_file_where_the_sets_should_be_is_named(archive: Archive, refs: list[ImageRef]) -> None:
    archive.sets.rmdir()
    archive.sets.write_text("")

    with pytest.raises(ArchiveError, match="Archive: cannot make"):
        lay_out(archive, refs)


def test_paths_are_short_enough_for_windows(images: ImageSet, archive: Archive) -> None:
    assert len(os.path.relpath(images.files[0], archive.root)) < 90


def test_names_hold_no_character_that_windows_refuses(images: ImageSet, archive: Archive) -> None:
    names = os.path.relpath(images.files[0], archive.root).split(os.sep)

    assert all(re.fullmatch(r"[\w.-]+", name) for name in names)


# --- messages ----------------------------------------------------------------------------------


def test_the_set_is_as_old_as_its_newest_image(images: ImageSet) -> None:
    assert images.acquired == TAKEN + dt.timedelta(seconds=70)


def test_the_time_is_given_in_dicoms_form(images: ImageSet) -> None:
    assert images.datetime == "20261120083110.000000"


def test_the_status_is_one_line_for_people(images: ImageSet) -> None:
    assert images.status == ("3 images of plan 'WL', acquired 2026-11-20 08:30 to 08:31 on TB1.")


def test_a_single_image_is_not_called_images(archive: Archive, refs: list[ImageRef]) -> None:
    images = image_set(archive, refs[:1], datasets.plan(RTPlanLabel=""), remark="1 kV left out.")

    assert images.status.startswith("1 image of plan '1.2.826.")
    assert images.status.endswith(". 1 kV left out.")


def test_machines_are_listed_once(archive: Archive, refs: list[ImageRef], plan: Dataset) -> None:
    names = ({"TB2"}, {"TB1"}, {"TB2"})
    many = [
        datasets.image_ref(sop_uid=ref.sop_uid, machines=frozenset(name))
        for ref, name in zip(refs, names)
    ]

    assert image_set(archive, many, plan).machine == "TB1, TB2"


def test_a_machine_without_a_name_is_not_listed(
    archive: Archive, refs: list[ImageRef], plan: Dataset
) -> None:
    nameless = [datasets.image_ref(sop_uid=ref.sop_uid, machines=frozenset()) for ref in refs]

    assert " on " not in image_set(archive, nameless, plan).status


#: The images below, the signature by its effect in the tests of reopening a summary.
SHOWN_ELSEWHERE = ("images", "signature")


def test_the_summary_says_where_the_images_come_from(images: ImageSet, plan: Dataset) -> None:
    summary = images.summary

    assert {key: value for key, value in summary.items() if key not in SHOWN_ELSEWHERE} == {
        "node": "aria",
        "request": {"patient_id": PATIENT, "plan": "WL"},
        "plan_uid": plan.SOPInstanceUID,
        "plan_label": "WL",
        "course": "C1",
        "machine": "TB1",
        "acquired": "2026-11-20T08:31:10",
    }


def test_the_summary_names_each_image_by_its_uids_its_time_and_its_content(
    images: ImageSet, refs: list[ImageRef]
) -> None:
    content = Path(images.files[0]).read_bytes()

    assert images.summary["images"][0] == {
        "sop_uid": refs[0].sop_uid,
        "series_uid": refs[0].series_uid,
        "acquired": "2026-11-20T08:30:00",
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def test_the_summary_can_be_the_result_of_a_composite_test(images: ImageSet) -> None:
    """QATrack+ keeps a result as JSON."""
    assert json.loads(json.dumps(images.summary)) == images.summary


def test_no_staff_login_is_handed_over(images: ImageSet) -> None:
    shown = json.dumps(images.summary) + images.status + repr(images)

    assert phantom.OPERATOR not in shown


def undated(refs: list[ImageRef]) -> list[ImageRef]:
    return [datasets.image_ref(sop_uid=ref.sop_uid, acquired=None) for ref in refs]


def test_a_set_without_dates_does_not_make_one_up(
    archive: Archive, refs: list[ImageRef], plan: Dataset
) -> None:
    images = image_set(archive, undated(refs), plan)

    shown = (images.datetime, images.summary["acquired"], images.summary["images"][0]["acquired"])
    assert shown == ("", "", "")
    assert "3 images of plan 'WL', without a date on TB1" in images.status


@pytest.mark.parametrize(
    ("without", "says"),
    [
        ([1], "acquired 2026-11-20 08:30 to 08:31 and 2026-11-20 at an unknown time on TB1"),
        ([0, 1, 2], "acquired 2026-11-20 at an unknown time on TB1"),
    ],
)
def test_an_image_without_a_time_was_not_acquired_at_midnight(
    archive: Archive, plan: Dataset, refs: list[ImageRef], without: list[int], says: str
) -> None:
    some = [
        dataclasses.replace(ref, acquired=None, acquired_on=TAKEN.date()) if n in without else ref
        for n, ref in enumerate(refs)
    ]
    images = image_set(archive, some, plan)

    assert says in images.status
    latest = max((ref.acquired for ref in some if ref.acquired), default=dt.datetime.min)
    assert images.acquired == latest


def test_an_undated_image_lies_before_the_dated_ones(
    archive: Archive, refs: list[ImageRef], plan: Dataset
) -> None:
    images = image_set(archive, refs[:2] + undated(refs[2:]), plan)

    assert images.images[0].sop_uid == refs[2].sop_uid
    assert images.files == sorted(images.files)
    assert images.acquired == refs[1].acquired


# --- zip --------------------------------------------------------------------------------------


def test_the_images_can_be_packed_into_one_file(images: ImageSet, tmp_path: Path) -> None:
    target = images.zip(str(tmp_path / "images.zip"))

    with zipfile.ZipFile(target) as packed:
        contents = {name: packed.read(name) for name in packed.namelist()}
    assert contents == {Path(file).name: Path(file).read_bytes() for file in images}


def test_an_older_zip_file_is_replaced(images: ImageSet, tmp_path: Path) -> None:
    target = tmp_path / "images.zip"
    target.write_text("old")

    images.zip(str(target))

    assert zipfile.is_zipfile(target)


def test_a_zip_file_that_cannot_be_written_leaves_the_older_one(
    images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "images.zip"
    target.write_text("old")
    monkeypatch.setattr(zipfile.ZipFile, "writestr", fails(errno.ENOSPC))

    with pytest.raises(ArchiveError, match="No space left on device"):
        images.zip(str(target))

    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["images.zip"]
    assert target.read_text() == "old"


def test_a_zip_file_in_no_folder_is_named(images: ImageSet, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="Zip: cannot write"):
        images.zip(str(tmp_path / "none" / "images.zip"))


def test_a_folder_is_no_zip_file(images: ImageSet, tmp_path: Path) -> None:
    (tmp_path / "images.zip").mkdir()

    with pytest.raises(ArchiveError, match="Zip: cannot write"):
        images.zip(str(tmp_path / "images.zip"))


# --- copies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("existing", [True, False])
def test_the_images_can_be_copied_to_an_empty_or_a_new_folder(
    images: ImageSet, tmp_path: Path, existing: bool
) -> None:
    folder = tmp_path / "a" / "b"
    if existing:
        folder.mkdir(parents=True)

    copies = images.copy_to(folder)

    assert [copy.read_bytes() for copy in copies] == [Path(f).read_bytes() for f in images]
    assert sorted(folder.iterdir()) == copies


def test_a_copy_is_the_users_own(images: ImageSet, tmp_path: Path) -> None:
    copies = images.copy_to(tmp_path / "copies")

    copies[0].write_text("changed")

    assert Path(images.files[0]).read_bytes() != b"changed"


def test_a_folder_that_holds_something_is_refused(images: ImageSet, tmp_path: Path) -> None:
    (tmp_path / "old.dcm").write_text("")

    with pytest.raises(RequestError, match="is not empty"):
        images.copy_to(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(RequestError, match="is a file: name a folder"):
        require_empty(tmp_path / "file")


def test_a_folder_below_a_file_cannot_be_made(images: ImageSet, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ArchiveError, match="Output: cannot write"):
        images.copy_to(tmp_path / "file" / "copies")


def test_a_disk_that_fills_up_gets_no_partial_copy(
    images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def second_fails(path: Path, content: bytes) -> int:
        if path.name.startswith(Path(images.files[1]).name):
            write(path, content[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", second_fails)
    with pytest.raises(ArchiveError, match="No space left on device"):
        images.copy_to(tmp_path / "copies")

    assert list((tmp_path / "copies").iterdir()) == []


# --- changed by an analysis -------------------------------------------------------------------


def spoil(file: str) -> None:
    """As `ds.save_as(file)` in a composite test does."""
    os.chmod(file, 0o600)
    Path(file).write_bytes(Path(file).read_bytes()[:-2] + b"!!")


@pytest.mark.parametrize(
    "use",
    [
        lambda images, folder: images.summary,
        lambda images, folder: images.zip(str(folder / "images.zip")),
        lambda images, folder: images.copy_to(folder / "copies"),
        lambda images, folder: images.contact_sheet(str(folder / "sheet.png")),
    ],
    ids=["summary", "zip", "copies", "contact sheet"],
)
def test_an_image_that_was_changed_since_is_neither_certified_nor_passed_on(
    images: ImageSet, tmp_path: Path, use: Callable[[ImageSet, Path], Any]
) -> None:
    spoil(images.files[2])

    with pytest.raises(ArchiveError, match="was changed after it was handed over"):
        use(images, tmp_path)

    left = [path.name for path in tmp_path.iterdir() if path.name != "archive"]
    assert left in ([], ["copies"])
    assert list(tmp_path.glob("copies/*")) == []


# --- pruning ----------------------------------------------------------------------------------


def grow_old(folder: str, days: float) -> None:
    then = os.stat(folder).st_mtime - days * DAY
    os.utime(folder, (then, then))


def test_an_old_set_is_removed(images: ImageSet, archive: Archive) -> None:
    grow_old(images.path, 7.5)

    assert prune(archive, 7) == 1
    assert list(archive.sets.iterdir()) == []


def test_a_younger_set_is_kept(images: ImageSet, archive: Archive) -> None:
    grow_old(images.path, 6.5)

    assert prune(archive, 7) == 0
    assert [Path(file).exists() for file in images] == [True] * 3


def test_pruning_a_set_leaves_its_images_in_the_archive(
    images: ImageSet, archive: Archive, refs: list[ImageRef]
) -> None:
    grow_old(images.path, 8)
    prune(archive, 7)

    assert all(archive.header(ref.sop_uid, PATIENT) is not None for ref in refs)


def test_a_file_that_the_system_holds_on_to_is_removed_after_all(
    images: ImageSet, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows removes a read-only file only when it is made writable."""
    unlink = Path.unlink

    def as_on_windows(path: Path) -> None:
        if not path.stat().st_mode & stat.S_IWUSR:
            raise PermissionError(errno.EACCES, "Access is denied")
        unlink(path)

    monkeypatch.setattr(Path, "unlink", as_on_windows)
    grow_old(images.path, 8)

    assert prune(archive, 7) == 1


def test_what_somebody_put_into_an_old_set_is_kept(images: ImageSet, archive: Archive) -> None:
    note = Path(images.path, "notes.txt")
    note.write_text("Do not lose.")
    grow_old(images.path, 8)

    assert prune(archive, 7) == 0
    assert note.exists()


def test_a_stray_file_among_the_sets_is_left_alone(archive: Archive) -> None:
    (archive.sets / "stray").write_text("")
    grow_old(str(archive.sets / "stray"), 8)

    assert prune(archive, 7) == 0


def test_a_set_that_another_process_removes_meanwhile_does_no_harm(
    images: ImageSet, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow_old(images.path, 8)

    def removed_by_another(folder: Path) -> None:
        shutil.rmtree(folder)
        remove_set(folder)

    monkeypatch.setattr(set_folder, "remove_set", removed_by_another)
    prune(archive, 7)

    assert list(archive.sets.iterdir()) == []
