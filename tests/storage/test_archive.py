"""What is in the archive is whole, and is what it says; anything else never gets there."""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO, Callable

import pydicom
import pytest
from pydicom.dataset import Dataset

from qatrack_aria.dicom.inbox import ReceivedInstance, UnacceptableInstance
from qatrack_aria.dicom.uids import IMAGE_CLASSES, PLAN_CLASSES, VARIAN_PLAN_CLASSES
from qatrack_aria.errors import ArchiveError
from qatrack_aria.storage import archive as archive_module
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.digests import beside, digest_of
from qatrack_aria.storage.filesystem import remove_file
from tests.helpers import datasets
from tests.helpers.datasets import PATIENT

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


@pytest.fixture
def image() -> Dataset:
    return datasets.image()


def files(archive: Archive) -> list[Path]:
    """Everything that lies in the archive or on its way there."""
    return [path for path in archive.root.rglob("*") if path.is_file()]


# --- filing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("explicit", [False, True], ids=["implicit VR", "explicit VR"])
def test_an_instance_is_filed_byte_by_byte_as_it_came(
    archive: Archive, image: Dataset, explicit: bool
) -> None:
    incoming = datasets.incoming(image, explicit=explicit)

    datasets.file_in(archive, incoming, PATIENT)

    assert archive.path(image.SOPInstanceUID).read_bytes().endswith(incoming.data)


def test_a_filed_instance_can_be_read_by_anybody_who_reads_dicom(
    archive: Archive, image: Dataset
) -> None:
    datasets.file_in(archive, datasets.incoming(image), PATIENT)

    read = pydicom.dcmread(archive.path(image.SOPInstanceUID))
    assert read == image
    assert read.file_meta.MediaStorageSOPInstanceUID == image.SOPInstanceUID
    assert read.file_meta.MediaStorageSOPClassUID == image.SOPClassUID
    assert read.file_meta.FileMetaInformationGroupLength > 0  # PS3.10 wants it


def test_the_header_of_a_filed_instance_is_known(archive: Archive, image: Dataset) -> None:
    datasets.file_in(archive, datasets.incoming(image), PATIENT)

    header = archive.header(image.SOPInstanceUID, PATIENT)

    assert header is not None
    assert header.SOPInstanceUID == image.SOPInstanceUID


@pytest.mark.parametrize("sop_class", [None, *VARIAN_PLAN_CLASSES])
def test_a_plan_is_filed_too(archive: Archive, sop_class: str | None) -> None:
    plan = datasets.plan(**({"SOPClassUID": sop_class} if sop_class else {}))

    datasets.file_in(archive, datasets.incoming(plan), PATIENT)

    assert archive.header(plan.SOPInstanceUID, PATIENT) is not None


# pydicom warns of the zero.
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_uid_with_a_leading_zero_is_filed(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are wrong, and seen in the field."""
    monkeypatch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.IGNORE)
    image = datasets.image(SOPInstanceUID="1.2.03.4")
    incoming = datasets.incoming(image)
    monkeypatch.undo()

    datasets.file_in(archive, incoming, PATIENT)

    assert archive.header("1.2.03.4", PATIENT) is not None


def test_an_instance_sent_twice_is_there_once(archive: Archive, image: Dataset) -> None:
    datasets.file_in(archive, datasets.incoming(image), PATIENT)
    datasets.file_in(archive, datasets.incoming(image), PATIENT)

    path = archive.path(image.SOPInstanceUID)
    assert sorted(files(archive)) == [path, beside(path)]


def test_an_instance_is_in_the_archive_only_when_it_was_checked(
    archive: Archive, image: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    there_too_early = []
    check = archive_module.read_checked

    def looking(path: Path, *args: Any) -> Dataset:
        there_too_early.append(archive.path(image.SOPInstanceUID).exists())
        return check(path, *args)

    monkeypatch.setattr(archive_module, "read_checked", looking)
    datasets.file_in(archive, datasets.incoming(image), PATIENT)

    assert there_too_early == [False]


def test_two_that_file_the_same_instance_at_once_do_not_disturb_each_other(
    archive: Archive, image: Dataset
) -> None:
    incoming = datasets.incoming(image)
    together = threading.Barrier(4)
    failures = []

    def file() -> None:
        together.wait()
        try:
            for _ in range(10):
                datasets.file_in(Archive(archive.root), incoming, PATIENT)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=file) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    path = archive.path(image.SOPInstanceUID)
    assert sorted(files(archive)) == [path, beside(path)]


@posix_only
def test_nobody_else_may_look_into_the_archive(archive: Archive, image: Dataset) -> None:
    datasets.file_in(archive, datasets.incoming(image), PATIENT)

    folders = [archive.root, *(path for path in archive.root.rglob("*") if path.is_dir())]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


@posix_only
def test_a_filed_instance_is_read_only(archive: Archive, image: Dataset) -> None:
    datasets.file_in(archive, datasets.incoming(image), PATIENT)

    mode = archive.path(image.SOPInstanceUID).stat().st_mode
    assert stat.S_IMODE(mode) == 0o400


@posix_only
def test_a_folder_that_the_site_has_made_keeps_its_permissions(tmp_path: Path) -> None:
    """A group of administrators may be meant to read it."""
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive").chmod(0o750)

    Archive(tmp_path / "archive")

    assert stat.S_IMODE((tmp_path / "archive").stat().st_mode) == 0o750


# --- names ------------------------------------------------------------------------------------


def test_paths_are_short_enough_for_windows(archive: Archive) -> None:
    """It ends at 260 characters, and QATrack+ sites put the archive deep."""
    path = beside(archive.path("1." + "2" * 62))

    assert len(str(path.relative_to(archive.root))) < 100


HOSTILE_UIDS = [
    "",
    ".",
    "..",
    "../../etc/passwd",
    "..\\..\\x",
    "/etc/passwd",
    "C:\\x",
    "\\\\host\\share",
    "1.2\0.3",
    "1.2\n",
    "1.2/../3",
    "NUL",
    "1.2:stream",
    "1." + "2" * 63,
    "1" * 10_000_000,
    "\ud800",
]


@pytest.mark.parametrize("uid", HOSTILE_UIDS, ids=lambda uid: repr(uid[:20]))
def test_what_is_no_uid_becomes_no_file_name(archive: Archive, uid: str) -> None:
    with pytest.raises(ArchiveError, match="not a SOP Instance UID; nothing was filed") as caught:
        archive.path(uid)

    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("uid", HOSTILE_UIDS, ids=lambda uid: repr(uid[:20]))
def test_what_is_no_uid_is_not_here(archive: Archive, uid: str) -> None:
    assert archive.header(uid, PATIENT) is None


@pytest.mark.parametrize("uid", HOSTILE_UIDS, ids=lambda uid: repr(uid[:20]))
def test_what_is_no_uid_is_not_filed(archive: Archive, image: Dataset, uid: str) -> None:
    with pytest.raises(ArchiveError):
        datasets.file_in(archive, datasets.incoming(image, sop_uid=uid), PATIENT)

    assert files(archive) == []


# --- what is turned away ----------------------------------------------------------------------


def cut_in_the_header(incoming: ReceivedInstance) -> ReceivedInstance:
    return incoming._replace(data=incoming.data[:300])


def cut_before_the_pixels(incoming: ReceivedInstance) -> ReceivedInstance:
    return incoming._replace(data=incoming.data[: -2 * 64 * 64 - 8])


def cut_in_the_pixels(incoming: ReceivedInstance) -> ReceivedInstance:
    return incoming._replace(data=incoming.data[:-1])


def empty(incoming: ReceivedInstance) -> ReceivedInstance:
    return incoming._replace(data=b"")


def garbage(incoming: ReceivedInstance) -> ReceivedInstance:
    return incoming._replace(data=b"\xff" * 4096)


def web_page(incoming: ReceivedInstance) -> ReceivedInstance:
    return incoming._replace(data=b"<html>" * 100)


def another_instance(incoming: ReceivedInstance) -> ReceivedInstance:
    return incoming._replace(data=datasets.incoming(datasets.image()).data)


def another_patient(incoming: ReceivedInstance) -> ReceivedInstance:
    stranger = datasets.image(SOPInstanceUID=incoming.sop_uid, PatientID="SECRET")
    return incoming._replace(data=datasets.encoded(stranger))


def no_patient(incoming: ReceivedInstance) -> ReceivedInstance:
    nobody = datasets.image(SOPInstanceUID=incoming.sop_uid, PatientID="")
    return incoming._replace(data=datasets.encoded(nobody))


def no_class(incoming: ReceivedInstance) -> ReceivedInstance:
    return incoming._replace(sop_class="")


def nonsense_class(incoming: ReceivedInstance) -> ReceivedInstance:
    return incoming._replace(sop_class="RT\0IMAGE" * 100)


def no_transfer_syntax(incoming: ReceivedInstance) -> ReceivedInstance:
    return incoming._replace(transfer_syntax="")


def nonsense_transfer_syntax(incoming: ReceivedInstance) -> ReceivedInstance:
    return incoming._replace(transfer_syntax="1.2.3")


@pytest.mark.parametrize(
    "change",
    [
        cut_in_the_header,
        cut_before_the_pixels,
        cut_in_the_pixels,
        empty,
        garbage,
        web_page,
        another_instance,
        another_patient,
        no_patient,
        no_class,
        nonsense_class,
        no_transfer_syntax,
        nonsense_transfer_syntax,
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_not_whole_or_not_what_was_announced_is_not_filed(
    archive: Archive, image: Dataset, change: Callable[[ReceivedInstance], ReceivedInstance]
) -> None:
    with pytest.raises(UnacceptableInstance):
        datasets.file_in(archive, change(datasets.incoming(image)), PATIENT)

    assert files(archive) == []


def another_class(ds: Dataset) -> None:
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"


def another_modality(ds: Dataset) -> None:
    ds.Modality = "CT"


def two_patients(ds: Dataset) -> None:
    ds.PatientID = f"{PATIENT}\\PAT_9"


def two_images(ds: Dataset) -> None:
    ds.SOPInstanceUID = [ds.SOPInstanceUID, "1.2.3"]


def two_series(ds: Dataset) -> None:
    ds.SeriesInstanceUID = [ds.SeriesInstanceUID, "1.2.3"]


def a_negative_number_of_frames(ds: Dataset) -> None:
    ds.NumberOfFrames = -1


def no_pixels(ds: Dataset) -> None:
    del ds.PixelData


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (another_class, "class 'CT Image Storage' instead of 'RT Image Storage'"),
        (another_modality, "modality 'CT' instead of 'RTIMAGE'"),
        (two_patients, "2 values of PatientID, where one belongs"),
        (two_images, "2 values of SOPInstanceUID"),
        (two_series, "2 values of SeriesInstanceUID"),
        (a_negative_number_of_frames, "NumberOfFrames is '?-1"),
        (no_pixels, "no pixel data"),
    ],
)
@pytest.mark.parametrize("announced", [False, True], ids=["unannounced", "announced"])
@pytest.mark.parametrize("explicit", [False, True], ids=["implicit VR", "explicit VR"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_no_portal_image_is_refused_under_the_right_uid(
    archive: Archive,
    image: Dataset,
    change: Callable[[Dataset], None],
    says: str,
    announced: bool,
    explicit: bool,
) -> None:
    uid, sop_class = str(image.SOPInstanceUID), str(image.SOPClassUID)
    change(image)
    arrived = datasets.incoming(image, explicit=explicit, sop_uid=uid)
    if not announced:
        arrived = arrived._replace(sop_class=sop_class)

    with pytest.raises(UnacceptableInstance, match=says):
        archive.receive(arrived, PATIENT, IMAGE_CLASSES)

    assert files(archive) == []


def test_a_plan_is_no_image_and_an_image_is_no_plan(archive: Archive, image: Dataset) -> None:
    plan = datasets.plan()

    with pytest.raises(UnacceptableInstance, match="'RT Plan Storage' instead of 'RT Image"):
        archive.receive(datasets.incoming(plan), PATIENT, IMAGE_CLASSES)
    with pytest.raises(UnacceptableInstance, match="'RT Image Storage' instead of 'RT Plan"):
        archive.receive(datasets.incoming(image), PATIENT, PLAN_CLASSES)

    datasets.file_in(archive, datasets.incoming(plan), PATIENT)
    assert archive.header(plan.SOPInstanceUID, PATIENT, IMAGE_CLASSES) is None
    assert archive.header(plan.SOPInstanceUID, PATIENT, PLAN_CLASSES) is not None


def test_another_class_than_the_announced_one_is_refused(archive: Archive, image: Dataset) -> None:
    arrived = datasets.incoming(image, sop_class=VARIAN_PLAN_CLASSES[0])

    with pytest.raises(UnacceptableInstance, match="instead of 'RT Image Storage'"):
        archive.receive(arrived, PATIENT)


def test_the_second_value_of_a_patient_id_is_not_shown(archive: Archive, image: Dataset) -> None:
    image.PatientID = f"{PATIENT}\\SECRET"

    with pytest.raises(UnacceptableInstance) as caught:
        archive.receive(datasets.incoming(image), PATIENT)

    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("modality", ["", "RTIMAGE ", None], ids=["empty", "padded", "absent"])
def test_a_modality_that_is_no_other_one_is_accepted(
    archive: Archive, image: Dataset, modality: str | None
) -> None:
    datasets.change(image, {"Modality": modality})

    datasets.file_in(archive, datasets.incoming(image), PATIENT)

    assert archive.header(image.SOPInstanceUID, PATIENT, IMAGE_CLASSES) is not None


def test_a_damaged_arrival_does_not_replace_the_instance_that_is_here(
    archive: Archive, image: Dataset
) -> None:
    incoming = datasets.incoming(image)
    datasets.file_in(archive, incoming, PATIENT)

    with pytest.raises(UnacceptableInstance):
        datasets.file_in(archive, cut_in_the_pixels(incoming), PATIENT)

    assert archive.header(image.SOPInstanceUID, PATIENT) is not None


def test_the_name_of_another_patient_is_not_shown(archive: Archive, image: Dataset) -> None:
    with pytest.raises(UnacceptableInstance) as caught:
        datasets.file_in(archive, another_patient(datasets.incoming(image)), PATIENT)

    assert "SECRET" not in str(caught.value)


# --- what is here -----------------------------------------------------------------------------


def test_an_instance_that_never_came_is_not_here(archive: Archive) -> None:
    assert archive.header("1.2.3", PATIENT) is None


def test_an_instance_of_another_patient_is_not_handed_out(archive: Archive, image: Dataset) -> None:
    datasets.file_in(archive, datasets.incoming(image), PATIENT)

    assert archive.header(image.SOPInstanceUID, "QA_TB2") is None


def overwrite(path: Path, content: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(content)


def truncated(content: bytes) -> bytes:
    return content[:-1]


def truncated_in_the_header(content: bytes) -> bytes:
    return content[:700]


def emptied(content: bytes) -> bytes:
    return b""


def zeroed(content: bytes) -> bytes:
    """What a power failure leaves on some file systems."""
    return b"\0" * len(content)


DAMAGES = pytest.mark.parametrize(
    "damage", [truncated, truncated_in_the_header, emptied, zeroed], ids=lambda f: f.__name__
)


def filed_an_hour_ago(archive: Archive, image: Dataset) -> Path:
    datasets.file_in(archive, datasets.incoming(image), PATIENT)
    path = archive.path(image.SOPInstanceUID)
    then = path.stat().st_mtime - 3600
    os.utime(path, (then, then))
    return path


def test_a_header_is_read_once_as_long_as_its_file_is_as_it_was(
    archive: Archive, image: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    filed_an_hour_ago(archive, image)
    header = archive.header(image.SOPInstanceUID, PATIENT)
    monkeypatch.setattr(archive_module, "read_file", None)

    assert archive.header(image.SOPInstanceUID, PATIENT) == header


@pytest.mark.parametrize("seen", [False, True], ids=["never read", "read before"])
@DAMAGES
def test_an_instance_damaged_since_is_not_handed_out(
    archive: Archive, image: Dataset, damage: Callable[[bytes], bytes], seen: bool
) -> None:
    path = filed_an_hour_ago(archive, image)
    if seen:
        assert archive.header(image.SOPInstanceUID, PATIENT) is not None
    overwrite(path, damage(path.read_bytes()))

    assert archive.header(image.SOPInstanceUID, PATIENT) is None
    assert files(archive) == []


@pytest.mark.parametrize("value", [b"PORTAL", b"MU", b"TB1", b"20261120"])
def test_a_header_is_not_believed_once_a_bit_of_it_has_changed(
    archive: Archive, image: Dataset, value: bytes
) -> None:
    """An image of another type, unit, machine or day would be left out without a word."""
    path = filed_an_hour_ago(archive, image)
    state = path.stat()
    content = bytearray(path.read_bytes())
    content[content.index(value)] ^= 1
    overwrite(path, bytes(content))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))

    assert archive.header(image.SOPInstanceUID, PATIENT) is None
    assert files(archive) == []


@DAMAGES
def test_an_instance_damaged_since_is_healed_by_the_next_transfer(
    archive: Archive, image: Dataset, damage: Callable[[bytes], bytes]
) -> None:
    datasets.file_in(archive, datasets.incoming(image), PATIENT)
    path = archive.path(image.SOPInstanceUID)
    overwrite(path, damage(path.read_bytes()))
    archive.header(image.SOPInstanceUID, PATIENT)

    datasets.file_in(archive, datasets.incoming(image), PATIENT)

    assert archive.header(image.SOPInstanceUID, PATIENT) is not None


def test_another_instance_under_the_name_is_not_handed_out(
    archive: Archive, image: Dataset
) -> None:
    other = datasets.image()
    for instance in (image, other):
        datasets.file_in(archive, datasets.incoming(instance), PATIENT)
        assert archive.header(instance.SOPInstanceUID, PATIENT) is not None
    os.replace(archive.path(other.SOPInstanceUID), archive.path(image.SOPInstanceUID))

    assert archive.header(image.SOPInstanceUID, PATIENT) is None


def test_a_disk_that_cannot_be_read_is_no_reason_to_remove_the_instance(
    archive: Archive, image: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets.file_in(archive, datasets.incoming(image), PATIENT)

    def fail(path: Path, character_set: str) -> Dataset:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(archive_module, "read_file", fail)
    with pytest.raises(ArchiveError, match=r"cannot read .* \(Input/output error\)"):
        archive.header(image.SOPInstanceUID, PATIENT)

    assert archive.path(image.SOPInstanceUID).exists()


# --- when the disk refuses --------------------------------------------------------------------


def test_a_file_where_the_archive_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("")

    with pytest.raises(ArchiveError, match=r"cannot make .*archive"):
        Archive(tmp_path / "archive")


def test_a_file_above_the_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ArchiveError, match=r"cannot make .*archive"):
        Archive(tmp_path / "file" / "archive")


def test_a_file_where_a_folder_of_instances_should_be_is_named(
    archive: Archive, image: Dataset
) -> None:
    folder = archive.path(image.SOPInstanceUID).parent
    folder.parent.mkdir()
    folder.write_text("")

    with pytest.raises(ArchiveError, match="Archive: cannot make"):
        datasets.file_in(archive, datasets.incoming(image), PATIENT)


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.ENOSPC, "free some space on that disk"),
        (errno.EDQUOT, "raise the quota"),
        (errno.EROFS, "choose another folder by QATRACK_ARIA_ARCHIVE"),
        (errno.EACCES, r"let the account that runs QATrack\+ write there"),
    ],
)
def test_a_disk_that_refuses_is_named_with_its_cure(
    archive: Archive,
    image: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    cure: str,
) -> None:
    def refuse(*args: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(archive_module, "_write", refuse)

    with pytest.raises(ArchiveError, match=rf"cannot write .* \({os.strerror(number)}\): {cure}"):
        datasets.file_in(archive, datasets.incoming(image), PATIENT)


def test_a_disk_that_fills_up_half_way_leaves_nothing_behind(
    archive: Archive, image: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_up(file: BinaryIO, incoming: ReceivedInstance) -> None:
        file.write(incoming.data[:1000])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archive_module, "_write", fill_up)
    with pytest.raises(ArchiveError):
        datasets.file_in(archive, datasets.incoming(image), PATIENT)

    assert files(archive) == []


# --- what others left behind ------------------------------------------------------------------


def partial(archive: Archive, age: float) -> Path:
    path = archive.incoming / "abc.part"
    path.write_bytes(b"half")
    then = path.stat().st_mtime - age
    os.utime(path, (then, then))
    path.chmod(0o400)
    return path


def test_what_a_killed_process_left_half_written_is_removed(archive: Archive) -> None:
    path = partial(archive, age=2 * 3600)

    Archive(archive.root)

    assert not path.exists()


def test_what_another_process_is_still_writing_is_left_alone(archive: Archive) -> None:
    path = partial(archive, age=60)

    Archive(archive.root)

    assert path.exists()


def test_a_file_can_be_discarded_though_it_is_read_only(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    path.chmod(0o400)

    remove_file(path)

    assert not path.exists()


def test_a_file_that_is_gone_can_be_discarded(tmp_path: Path) -> None:
    remove_file(tmp_path / "none")

    assert not (tmp_path / "none").exists()


def test_folders_above_the_archive_are_made_too(tmp_path: Path) -> None:
    assert Archive(tmp_path / "qatrack" / "aria").incoming.is_dir()


# --- handing over -----------------------------------------------------------------------------


@pytest.fixture
def filed(archive: Archive, image: Dataset) -> Path:
    """The file of an instance in the archive."""
    datasets.file_in(archive, datasets.incoming(image), PATIENT)
    return archive.path(image.SOPInstanceUID)


def damage(path: Path) -> None:
    """Change the last byte of a file."""
    path.chmod(0o600)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_a_copy_is_handed_over_with_its_digest(
    archive: Archive, image: Dataset, filed: Path, tmp_path: Path
) -> None:
    target = tmp_path / "copy.dcm"

    digest = archive.copy(image.SOPInstanceUID, target)

    assert target.read_bytes() == filed.read_bytes()
    assert digest == archive.digest(image.SOPInstanceUID) == digest_of(filed)


def test_of_a_damaged_instance_neither_a_copy_nor_the_instance_stays(
    archive: Archive, image: Dataset, filed: Path, tmp_path: Path
) -> None:
    damage(filed)
    target = tmp_path / "copy.dcm"

    assert archive.copy(image.SOPInstanceUID, target) is None

    assert not target.exists()
    assert not filed.exists()
    assert not beside(filed).exists()


@pytest.mark.parametrize("lost", ["the file", "its record", "both"])
def test_an_instance_that_is_not_all_here_has_no_digest_and_no_copy(
    archive: Archive, image: Dataset, filed: Path, tmp_path: Path, lost: str
) -> None:
    if lost != "its record":
        remove_file(filed)
    if lost != "the file":
        remove_file(beside(filed))

    assert archive.digest(image.SOPInstanceUID) is None
    assert archive.copy(image.SOPInstanceUID, tmp_path / "copy.dcm") is None


def test_a_folder_of_a_set_that_is_gone_is_no_reason_to_fetch_again(
    archive: Archive, image: Dataset, filed: Path, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        archive.copy(image.SOPInstanceUID, tmp_path / "gone" / "copy.dcm")

    assert filed.exists()


@pytest.mark.parametrize(
    ("changes", "explicit", "held"),
    [
        pytest.param({}, False, True, id="the same"),
        pytest.param({}, True, True, id="in another transfer syntax"),
        pytest.param({"RTImageLabel": "other"}, False, False, id="with another label"),
    ],
)
def test_an_instance_that_comes_again_is_held_if_its_content_is_the_same(
    archive: Archive,
    image: Dataset,
    filed: Path,
    changes: dict[str, Any],
    explicit: bool,
    held: bool,
) -> None:
    again = datasets.incoming(datasets.change(image, changes), explicit=explicit)

    assert archive.holds(again) is held


def test_an_instance_that_never_came_is_not_held(archive: Archive, image: Dataset) -> None:
    assert not archive.holds(datasets.incoming(image))


@pytest.mark.parametrize("what", ["sop_class", "transfer_syntax"])
@pytest.mark.parametrize("uid", ["", "1.2.x", "1..2"])
def test_an_instance_without_a_valid_class_or_transfer_syntax_is_not_filed(
    archive: Archive, image: Dataset, what: str, uid: str
) -> None:
    with pytest.raises(UnacceptableInstance) as error:
        archive.receive(datasets.incoming(image, **{what: uid}), PATIENT)

    assert error.value.reason.code == "no_class"
    assert files(archive) == []
