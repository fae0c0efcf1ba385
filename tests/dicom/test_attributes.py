"""What headers say, whatever is missing, empty, odd or cut short in them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import struct
from pathlib import Path
from typing import Any, Callable

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from qatrack_aria.dicom.acquisition import acquisition
from qatrack_aria.dicom.attributes import READ, image_ref, plan_ref
from qatrack_aria.dicom.beam_quality import described_quality
from qatrack_aria.dicom.part10 import PREAMBLE, UnreadableError, read_file
from qatrack_aria.dicom.uids import RT_IMAGE_STORAGE, RT_PLAN_STORAGE, valid_uid
from qatrack_aria.dicom.values import text
from qatrack_aria.simulator import phantom
from tests.helpers import datasets
from tests.helpers.datasets import PATIENT, TAKEN


def item(**values: Any) -> Dataset:
    return datasets.change(Dataset(), values)


# --- images -----------------------------------------------------------------------------------


def test_an_image_tells_whose_it_is_and_when_where_and_how_it_was_taken() -> None:
    plan = datasets.plan()
    taken = phantom.winston_lutz(plan, TAKEN, False, count=1, machine="TB7")[0]

    ref = image_ref(taken, from_file=True)

    assert dataclasses.asdict(ref) == {
        "patient_id": PATIENT,
        "study_uid": taken.StudyInstanceUID,
        "series_uid": taken.SeriesInstanceUID,
        "sop_uid": taken.SOPInstanceUID,
        "modality": "RTIMAGE",
        "image_type": ("ORIGINAL", "PRIMARY", "PORTAL"),
        "plan_uids": frozenset({plan.SOPInstanceUID}),
        "acquired": TAKEN,
        "machines": frozenset({"TB7"}),
        "dose_unit": "MU",
        "peak_kv": 6000.0,
        "acquired_on": None,
        "saved": None,
        "described": "MV",
        "acquisition": dataclasses.asdict(acquisition(taken)),
        "beam": None,
        "description": "",
        "frame": taken.FrameOfReferenceUID,
        "related": None,
        "slice": None,
        "from_file": True,
    }


def test_what_an_answer_leaves_out_is_not_known() -> None:
    """A server may not return the key although the image has the attribute."""
    ref = image_ref(Dataset())

    values = (ref.image_type, ref.plan_uids, ref.acquired, ref.machines, ref.dose_unit, ref.is_kv)
    assert values == (None,) * 6


def test_what_a_file_leaves_out_is_absent() -> None:
    ref = image_ref(Dataset(), from_file=True)

    values = (ref.image_type, ref.plan_uids, ref.acquired, ref.machines, ref.dose_unit, ref.is_kv)
    assert values == ((), frozenset(), None, frozenset(), "", False)


def test_an_empty_value_in_an_answer_is_not_known_either() -> None:
    answer = item(
        ImageType="",
        ReferencedRTPlanSequence=Sequence(),
        AcquisitionDate="",
        RadiationMachineName="",
        PrimaryDosimeterUnit="",
    )

    assert image_ref(answer) == image_ref(Dataset())


def test_a_plan_reference_without_a_uid_is_none() -> None:
    ref = image_ref(item(ReferencedRTPlanSequence=Sequence([Dataset()])), from_file=True)

    assert ref.plan_uids == frozenset()


def test_an_image_of_two_plans_names_both() -> None:
    references = [item(ReferencedSOPInstanceUID=uid) for uid in ("1.2.3", "1.2.4")]

    ref = image_ref(item(ReferencedRTPlanSequence=Sequence(references)))

    assert ref.plan_uids == {"1.2.3", "1.2.4"}


def test_the_station_names_the_machine_where_nothing_else_does() -> None:
    """The other way round a request would find in files what it does not find in answers."""
    both = image_ref(item(RadiationMachineName="TB1", StationName="BUNKER2"))
    station = image_ref(item(RadiationMachineName="", StationName="BUNKER2"))

    assert (both.machines, station.machines) == ({"TB1"}, {"BUNKER2"})


def test_padding_does_not_count() -> None:
    """Values have an even length: text is padded with a space, by some with NUL."""
    ref = image_ref(item(PatientID="QA ", StationName="TB1\0", ImageType=["ORIGINAL ", "DRR "]))

    assert (ref.patient_id, ref.machine, ref.image_type) == ("QA", "TB1", ("ORIGINAL", "DRR"))


@pytest.mark.parametrize("machine_type", ["truebeam", "clinac", "ias3"])
def test_every_generation_of_imager_is_read(machine_type: str) -> None:
    """An aS500 has no acquisition date, an aS1000 names no character set."""
    images = phantom.winston_lutz(datasets.plan(), TAKEN, False, machine_type=machine_type, count=1)

    ref = image_ref(images[0], from_file=True)

    assert (ref.patient_id, ref.acquired, ref.is_kv) == (PATIENT, TAKEN, False)


class ReadingsNoted(Dataset):
    """A data set that notes the tags of the elements that are read from it."""

    tags: set[Any]

    def get_item(self, key: Any, **options: Any) -> Any:
        self.tags.add(Tag(key))
        return super().get_item(key, **options)

    def get(self, key: Any, default: Any = None) -> Any:
        self.tags.add(Tag(key))
        return super().get(key, default)


def test_each_attribute_that_is_read_of_a_file_is_kept_when_the_file_is_read() -> None:
    """One that is dropped would read as absent, and the image or plan as one without it."""
    image = phantom.winston_lutz(datasets.plan(), TAKEN, False, count=1)[0]
    slices = phantom.ct_series(PATIENT, TAKEN, slices=1)
    noted = [ReadingsNoted(ds) for ds in (Dataset(), image, datasets.plan(), *slices)]
    for ds in noted:
        ds.__dict__["tags"] = set()

        image_ref(ds, from_file=True)
        plan_ref(ds, from_file=True)

    read = set().union(*(ds.tags for ds in noted))
    assert read == READ - {Tag("SpecificCharacterSet")}


def test_reading_a_file_keeps_all_that_its_image_is_made_of(tmp_path: Path) -> None:
    image = phantom.winston_lutz(datasets.plan(), TAKEN, False, count=1)[0]

    kept = read_file(phantom.save(image, tmp_path))

    assert image_ref(kept, from_file=True) == image_ref(image, from_file=True)


# --- date and time ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "time", "when"),
    [
        ("20261120", "083015.123456", dt.datetime(2026, 11, 20, 8, 30, 15, 123456)),
        ("20261120", "083015.5", dt.datetime(2026, 11, 20, 8, 30, 15, 500000)),
        ("20261120", "083015", dt.datetime(2026, 11, 20, 8, 30, 15)),
        ("20261120", "0830", dt.datetime(2026, 11, 20, 8, 30)),
        ("20261120", "08", dt.datetime(2026, 11, 20, 8)),
        pytest.param("20261120", "235960", dt.datetime(2026, 11, 20, 23, 59, 59), id="leap second"),
        # A day without its time would rank before all others of that day.
        ("20261120", "", None),
        ("20261120", "lunch", None),
        ("20261120", "246000", None),
        ("00010101", "0830", None),
        ("20260229", "0830", None),
        ("2026", "0830", None),
        ("", "0830", None),
        ("soon", "0830", None),
    ],
)
# pydicom warns of what is no date; that is the point here.
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_date_and_time_is_read_as_far_as_it_makes_sense(
    date: str, time: str, when: dt.datetime | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.IGNORE)

    assert image_ref(item(AcquisitionDate=date, AcquisitionTime=time)).acquired == when


def test_a_file_without_a_time_is_of_its_day() -> None:
    ref = image_ref(item(AcquisitionDate="20261120", AcquisitionTime=""), from_file=True)

    assert ref.acquired is None
    assert ref.day == dt.date(2026, 11, 20)


def test_the_content_time_of_the_same_day_stands_in_for_the_acquisition_time() -> None:
    dates = {"AcquisitionDate": "20261120", "ContentDate": "20261120", "ContentTime": "083000"}

    assert image_ref(item(**dates)).acquired == TAKEN


def test_without_an_acquisition_date_the_content_date_counts() -> None:
    ref = image_ref(item(AcquisitionDate="", ContentDate="20261120", ContentTime="083000"))

    assert ref.acquired == TAKEN


def test_the_dates_of_study_series_and_export_do_not_count() -> None:
    """A study can be weeks old, and an instance is created when it is exported."""
    dated = item(StudyDate="20261120", SeriesDate="20261120", InstanceCreationDate="20261120")

    assert image_ref(dated, from_file=True).acquired is None


def test_dates_are_read_alike_where_pydicom_converts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """``pydicom.config.datetime_conversion`` belongs to the whole process."""
    monkeypatch.setattr(pydicom.config, "datetime_conversion", True)

    assert image_ref(item(AcquisitionDate="20261120", AcquisitionTime="083000")).acquired == TAKEN


# --- kV or MV ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "peak_kv", "described", "is_kv"),
    [
        ("MU", None, "", False),
        ("MU", 6000.0, "MV", False),
        ("mu", 2500.0, "", False),
        ("MINUTE", None, "", True),
        ("minute", 75.0, "kV", True),
        ("", 100.0, "", True),
        ("", 6000.0, "", False),
        ("", 1000.0, "", False),
        ("", 6.0, "", False),  # written in MV
        ("", 700.0, "", False),  # neither an X-ray tube's nor an accelerator's
        ("", 0.0, "", False),
        ("", None, "", False),
        ("", None, "kV", True),
        ("MINUTE", None, "MV", None),  # an IAS2 writes that unit always
        ("MINUTE", 18000.0, "", None),
        ("MU", 75.0, "kV", None),  # exported by MOSAIQ
        ("MU", 100.0, "", None),
    ],
)
def test_a_file_tells_kv_by_all_its_signs(
    unit: str, peak_kv: float | None, described: str, is_kv: bool | None
) -> None:
    ref = datasets.image_ref(dose_unit=unit, peak_kv=peak_kv, described=described)

    assert ref.is_kv is is_kv


@pytest.mark.parametrize(
    ("words", "described"),
    [
        (" 18MV, 240MU/min", "MV"),
        ("MV_1_1a", "MV"),
        ("KV", "kV"),
        ("kV and MV", ""),
        ("6 MV FFF", "MV"),
        ("MVision", ""),
        ("", ""),
    ],
)
def test_label_and_description_may_name_the_energy(words: str, described: str) -> None:
    assert described_quality(words) == described


def test_an_answer_without_a_unit_leaves_kv_open() -> None:
    assert datasets.image_ref(dose_unit=None, peak_kv=100.0, from_file=False).is_kv is None


@pytest.mark.parametrize("voltage", ["", None, ["100", "120"]])
def test_a_voltage_that_is_no_number_tells_nothing(voltage: Any) -> None:
    exposure = Dataset()
    exposure.KVP = voltage

    assert image_ref(item(ExposureSequence=Sequence([exposure]))).peak_kv is None


# --- plans ------------------------------------------------------------------------------------


def test_a_plan_tells_its_label_course_and_date() -> None:
    plan = datasets.plan()

    ref = plan_ref(plan)

    assert dataclasses.asdict(ref) == {
        "patient_id": PATIENT,
        "study_uid": plan.StudyInstanceUID,
        "series_uid": plan.SeriesInstanceUID,
        "sop_uid": plan.SOPInstanceUID,
        "sop_class": RT_PLAN_STORAGE,
        "modality": "RTPLAN",
        "label": "WL",
        "course": "C1",
        "created": dt.datetime(2026, 1, 15, 9, 30),
        "from_file": False,
    }


@pytest.mark.parametrize(("from_file", "unknown"), [(False, None), (True, "")])
def test_a_plan_without_a_label_has_none_only_in_a_file(
    from_file: bool, unknown: str | None
) -> None:
    ref = plan_ref(datasets.plan(RTPlanLabel="", StudyID=""), from_file=from_file)

    assert (ref.label, ref.course) == (unknown, unknown)


def test_a_plan_is_distinguished_in_words() -> None:
    ref = datasets.plan_ref(created=dt.datetime(2026, 1, 15, 9, 30))

    assert str(ref) == f"WL (course C1, 2026-01-15 09:30, UID {datasets.PLAN_UID})"


def test_a_plan_without_label_course_and_date_has_words_too() -> None:
    ref = datasets.plan_ref(label=None, course="")

    assert str(ref) == f"? (no course given, no date given, UID {datasets.PLAN_UID})"


# --- nonsense ---------------------------------------------------------------------------------


def test_a_label_in_another_alphabet_is_read() -> None:
    plan = phantom.plan("患者", "Prüfung", specific_character_set="ISO_IR 192")
    answer = pydicom.dcmread(wrapped(datasets.encoded(plan)), force=True)

    ref = plan_ref(answer)

    assert (ref.patient_id, ref.label) == ("患者", "Prüfung")


def wrapped(data: bytes) -> pydicom.filebase.DicomBytesIO:
    return pydicom.filebase.DicomBytesIO(data)


@pytest.mark.parametrize(
    ("vr", "value"),
    [
        ("US", 5),
        ("FD", 2.5),
        ("OB", b"QA"),
        ("PN", "QA^TB1"),
        ("SQ", [Dataset()]),
        ("US", [5, 6]),
    ],
)
@pytest.mark.parametrize("keyword", ["PatientID", "ImageType", "AcquisitionDate", "StationName"])
def test_an_attribute_of_a_wrong_type_stops_nothing(keyword: str, vr: str, value: Any) -> None:
    """With explicit VR, the sender says of which type a value is."""
    odd = datasets.image()
    del odd[keyword]
    odd.add_new(keyword, vr, value)

    assert image_ref(odd, from_file=True).sop_uid == odd.SOPInstanceUID


@pytest.mark.parametrize("keyword", ["ReferencedRTPlanSequence", "ExposureSequence"])
def test_a_sequence_that_is_none_stops_nothing(keyword: str) -> None:
    odd = datasets.image()
    del odd[keyword]
    odd.add_new(keyword, "LO", "nonsense")

    assert image_ref(odd, from_file=True).sop_uid == odd.SOPInstanceUID


@pytest.mark.parametrize("value", [b"abc", b"\xff\xff", b"1" * 5000])
# What pydicom thinks of the value is not what is tested.
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_number_that_is_none_stops_nothing(value: bytes) -> None:
    exposure = b"\x18\x00\x60\x00" + struct.pack("<L", len(value)) + value
    answer = pydicom.dcmread(
        wrapped(
            b"\x02\x30\x30\x00"  # (3002,0030) Exposure Sequence
            + struct.pack("<L", len(exposure) + 8)
            + b"\xfe\xff\x00\xe0"
            + struct.pack("<L", len(exposure))
            + exposure
        ),
        force=True,
    )

    assert image_ref(answer, from_file=True).is_kv is False


@pytest.mark.parametrize(
    ("value", "is_uid"),
    [
        ("1.2.840.10008.1.1", True),
        pytest.param("1.2.03", True, id="leading zero, seen in the field"),
        ("1." + "2" * 62, True),
        ("1." + "2" * 63, False),
        ("", False),
        ("1", False),
        ("1.", False),
        (".1", False),
        ("1..2", False),
        ("1.2 ", False),
        ("1.2\n", False),
        ("1.2\0", False),
        ("../../x", False),
        ("..\\..\\x", False),
        ("C:1.2", False),
        ("1.2/3", False),
        ("NUL", False),
        ("１.２", False),
        ("1.2.3.dcm", False),
        (None, False),
        (1.2, False),
        (b"1.2", False),
        (["1.2"], False),
    ],
)
def test_only_digits_and_dots_make_a_uid(value: Any, is_uid: bool) -> None:
    """It becomes a file name: nothing in it may lead to another folder."""
    assert valid_uid(value) is is_uid


# --- files ------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return datasets.save(datasets.image(), tmp_path / "image.dcm")


def test_the_header_of_a_whole_file_is_read_without_its_pixels(file: Path) -> None:
    header = read_file(file)

    assert (header.PatientID, "PixelData" in header) == (PATIENT, False)


def test_a_missing_file_is_no_damaged_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "none.dcm")


def test_a_disk_that_fails_is_no_damaged_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else an image would be thrown away because a network drive hiccuped."""

    def fail(*args: Any, **options: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(pydicom, "dcmread", fail)

    with pytest.raises(OSError, match="Input/output error"):
        read_file(file)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\0" * 4096, id="zeros"),
        pytest.param(b"<html>502 Bad Gateway</html>" * 10, id="html"),
        pytest.param(PREAMBLE, id="preamble only"),
        pytest.param(PREAMBLE + b"\xff" * 512, id="garbage after the preamble"),
        pytest.param(PREAMBLE + b"\x02\0\x10\0UI\xff\xff1.2", id="length beyond the end"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_no_dicom_file_is_not_readable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(content)

    with pytest.raises(UnreadableError):
        read_file(path)


@pytest.mark.slow
@pytest.mark.parametrize("explicit", [False, True], ids=["implicit VR", "explicit VR"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_image_cut_short_anywhere_is_not_readable(tmp_path: Path, explicit: bool) -> None:
    data = as_received(datasets.image(), explicit)
    path = tmp_path / "image.dcm"
    in_header = range(len(data) - 2 * 64 * 64)
    taken_for_whole = []
    for length in [*in_header, *range(len(in_header), len(data), 997), len(data) - 1]:
        path.write_bytes(data[:length])
        try:
            read_file(path)
        except UnreadableError:
            continue
        taken_for_whole.append(length)

    assert taken_for_whole == []


def as_received(ds: Dataset, explicit: bool = False) -> bytes:
    """A file as the archive writes it."""
    incoming = datasets.incoming(ds, explicit=explicit)
    meta = b"".join(
        element + b"UI" + struct.pack("<H", len(value)) + value
        for element, uid in [
            (b"\x02\0\x02\0", incoming.sop_class),
            (b"\x02\0\x03\0", incoming.sop_uid),
            (b"\x02\0\x10\0", incoming.transfer_syntax),
        ]
        for value in [uid.encode() + b"\0" * (len(uid) % 2)]
    )
    group_length = b"\x02\0\0\0UL\4\0" + struct.pack("<L", len(meta))
    return PREAMBLE + group_length + meta + incoming.data


@pytest.mark.slow
@pytest.mark.parametrize("undefined_length", [False, True])
@pytest.mark.parametrize("explicit", [False, True], ids=["implicit VR", "explicit VR"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_plan_cut_short_anywhere_is_never_taken_for_another_plan(
    tmp_path: Path, explicit: bool, undefined_length: bool
) -> None:
    """Half of a label could be another plan's label."""
    plan = datasets.plan(RTPlanLabel="WL_TB1_2026")
    plan["BeamSequence"].is_undefined_length = undefined_length
    data = as_received(plan, explicit)
    path = tmp_path / "plan.dcm"
    labels = set()
    for length in range(len(data) - 1500, len(data) + 1):
        path.write_bytes(data[:length])
        try:
            labels.add(plan_ref(read_file(path)).label)
        except UnreadableError:
            continue

    assert labels <= {None, "WL_TB1_2026"}


def test_a_plan_needs_no_pixels(tmp_path: Path) -> None:
    path = datasets.save(datasets.plan(), tmp_path / "plan.dcm")

    assert read_file(path).RTPlanLabel == "WL"


def without_pixels(ds: Dataset) -> None:
    del ds.PixelData


def without_rows(ds: Dataset) -> None:
    del ds.Rows


def with_half_of_the_pixels(ds: Dataset) -> None:
    ds.PixelData = ds.PixelData[: len(ds.PixelData) // 2]


def with_empty_pixels(ds: Dataset) -> None:
    ds.PixelData = b""


def with_more_frames_than_pixels(ds: Dataset) -> None:
    ds.NumberOfFrames = 2


def with_no_rows(ds: Dataset) -> None:
    ds.Rows = 0


def with_only_the_class_in_the_data_set(ds: Dataset) -> None:
    del ds.Rows, ds.PixelData
    ds.file_meta.MediaStorageSOPClassUID = "1.2.3"


def with_only_the_class_in_the_meta_information(ds: Dataset) -> None:
    del ds.Rows, ds.PixelData, ds.SOPClassUID
    ds.file_meta.MediaStorageSOPClassUID = RT_IMAGE_STORAGE


@pytest.mark.parametrize(
    "damage",
    [
        without_pixels,
        without_rows,
        with_half_of_the_pixels,
        with_empty_pixels,
        with_more_frames_than_pixels,
        with_no_rows,
        with_only_the_class_in_the_data_set,
        with_only_the_class_in_the_meta_information,
    ],
)
def test_an_image_without_all_of_its_pixels_is_not_readable(
    tmp_path: Path, damage: Callable[[Dataset], None]
) -> None:
    image = datasets.image()
    image.preamble = b"\0" * 128
    damage(image)
    path = tmp_path / "image.dcm"
    pydicom.dcmwrite(path, image)

    with pytest.raises(UnreadableError, match="pixel data"):
        read_file(path)


def test_the_first_of_several_values_counts() -> None:
    assert text(item(StationName=["TB1", "TB2"]), "StationName") == "TB1"
