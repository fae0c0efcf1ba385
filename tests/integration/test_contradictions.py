"""Where answers, files and archive contradict each other, no smaller set comes silently."""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any, Callable

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from qatrack_aria import fetch_images, images_from
from qatrack_aria.errors import (
    AmbiguousImagesError,
    AmbiguousPlanError,
    AriaError,
    ImagesNotFoundError,
    IncompleteRetrievalError,
)
from qatrack_aria.simulator import find as simulated_find
from qatrack_aria.simulator import phantom
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz

MINUTE = dt.timedelta(minutes=1)
YESTERDAY = NOON - DAY


@pytest.fixture
def answers_altered(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the simulator's answers about one image say something else than its file."""
    answer = simulated_find.find

    def install(image: Any, change: Callable[[Any], None]) -> None:
        def find(*arguments: Any) -> Any:
            for ds in answer(*arguments):
                if ds.get("SOPInstanceUID") == image.SOPInstanceUID:
                    ds = copy.deepcopy(ds)
                    change(ds)
                yield ds

        monkeypatch.setattr(simulated_find, "find", find)

    return install


def fetch(**options: Any) -> Any:
    return fetch_images("aria", PATIENT, "WL", max_age=0, **options)


def reference(*plans: Any) -> Any:
    items = []
    for one in plans:
        item = Dataset()
        item.ReferencedSOPClassUID = one.SOPClassUID
        item.ReferencedSOPInstanceUID = one.SOPInstanceUID
        items.append(item)
    return Items(items)


# --- an answer says yes, the file says no -----------------------------------------------------


def other_machine(ds: Any) -> None:
    ds.RadiationMachineName = ds.StationName = "TB9"


def other_type(ds: Any) -> None:
    ds.ImageType = ["ORIGINAL", "PRIMARY", "PORTAL", "ACQUIRED_DOSE"]


def other_day(ds: Any) -> None:
    ds.AcquisitionDate = ds.ContentDate = f"{YESTERDAY - 3 * DAY:%Y%m%d}"


def kv(ds: Any) -> None:
    ds.PrimaryDosimeterUnit, ds.RTImageLabel = "MINUTE", "KV"
    ds.ExposureSequence[0].KVP = "75"


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (other_machine, r"machine 'TrueBeam1' in the answer, 'TB9' in the file"),
        (other_type, r"image type .*PORTAL in the answer, .*ACQUIRED_DOSE in the file"),
        (other_day, r"time .* in the answer, .* in the file"),
        (kv, r"unit MU in the answer, MINUTE in the file"),
    ],
)
def test_a_file_that_contradicts_its_answer_is_an_error_that_names_both(
    serve: Any, change: Any, names: str
) -> None:
    wl = plan()
    images = winston_lutz(wl, YESTERDAY, count=4, machine="TrueBeam1")

    def on_send(ds: Any) -> Any:
        if ds.SOPInstanceUID == images[1].SOPInstanceUID:
            change(ds)
        return ds

    serve(wl, images, on_send=on_send)
    for _ in range(2):  # the archive keeps the file
        with pytest.raises(AmbiguousImagesError, match=names):
            fetch(machine="TrueBeam1")
    three = uids([images[0], *images[2:]])
    assert uids(fetch(machine="TrueBeam1", count=3)) == three


def test_a_file_of_another_series_than_the_node_lists_is_an_error(serve: Any) -> None:
    wl = plan()
    images = winston_lutz(wl, YESTERDAY, count=4)

    def on_send(ds: Any) -> Any:
        if ds.SOPInstanceUID == images[1].SOPInstanceUID:
            ds.SeriesInstanceUID = "1.2.3.4.5"
        return ds

    serve(wl, images, on_send=on_send)
    with pytest.raises(AmbiguousImagesError, match=r"series .*, 1\.2\.3\.4\.5 in the file"):
        fetch()
    assert uids(fetch(count=4)) == uids(images)


# --- an answer says no, the file says yes -----------------------------------------------------


def says_other_machine(ds: Any) -> None:
    if "RadiationMachineName" in ds:
        ds.RadiationMachineName = "TB9"


def says_other_type(ds: Any) -> None:
    if "ImageType" in ds:
        ds.ImageType = ["ORIGINAL", "PRIMARY", "PORTAL", "ACQUIRED_DOSE"]


def says_kv(ds: Any) -> None:
    if "PrimaryDosimeterUnit" in ds:
        ds.PrimaryDosimeterUnit = "MINUTE"


@pytest.mark.parametrize("change", [says_other_machine, says_other_type, says_kv])
@pytest.mark.parametrize("position", [0, 1, 3])
def test_an_answer_that_excludes_an_image_has_to_be_confirmed_by_its_file(
    serve: Any, answers_altered: Any, change: Any, position: int
) -> None:
    wl = plan()
    images = winston_lutz(wl, YESTERDAY, count=4, machine="TrueBeam1")
    serve(wl, images)
    answers_altered(images[position], change)
    with pytest.raises(AmbiguousImagesError, match="in the answer"):
        fetch(machine="TrueBeam1")
    assert len(fetch(machine="TrueBeam1", count=3)) == 3


@pytest.mark.parametrize("change", [says_other_machine, says_other_type])
def test_an_image_in_a_series_of_its_own_is_confirmed_by_its_file_too(
    serve: Any, answers_altered: Any, change: Any
) -> None:
    wl = plan()
    images = winston_lutz(wl, YESTERDAY, count=3, machine="TrueBeam1")
    last = winston_lutz(wl, YESTERDAY + 3 * MINUTE, count=1, machine="TrueBeam1")[0]
    serve(wl, images, last)
    answers_altered(last, change)
    for options in ({}, {"select": "session"}, {"select": "all"}):
        with pytest.raises(AmbiguousImagesError):
            fetch(machine="TrueBeam1", **options)


def of_another_month(ds: Any) -> None:
    for keyword in ("AcquisitionDate", "ContentDate"):
        if keyword in ds:
            setattr(ds, keyword, f"{YESTERDAY - 30 * DAY:%Y%m%d}")


def of_the_early_morning(ds: Any) -> None:
    for keyword in ("AcquisitionTime", "ContentTime"):
        if keyword in ds:
            setattr(ds, keyword, "060000")


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (of_another_month, {"select": "session"}),
        (of_another_month, {"select": "day"}),
        (of_another_month, {"date": YESTERDAY.date()}),
        (of_the_early_morning, {"select": "session"}),
    ],
)
@pytest.mark.parametrize("position", [0, 3])
def test_a_time_that_excludes_an_image_of_the_series_has_to_be_confirmed_by_its_file(
    serve: Any, answers_altered: Any, change: Any, options: Any, position: int
) -> None:
    wl = plan()
    images = winston_lutz(wl, YESTERDAY, count=4)
    serve(wl, images)
    answers_altered(images[position], change)
    with pytest.raises(AmbiguousImagesError, match=r"time .* in the answer, .* in the file"):
        fetch(**options)
    assert len(fetch(count=3, **options)) == 3


def test_an_earlier_session_of_the_series_is_not_of_the_set_by_its_files_either(
    serve: Any,
) -> None:
    wl = plan()
    images, earlier = (winston_lutz(wl, day, count=2) for day in (YESTERDAY, NOON - 40 * DAY))
    for image in earlier:
        image.SeriesInstanceUID = images[0].SeriesInstanceUID
    aria = serve(wl, images, earlier)
    for options in ({"select": "session"}, {"select": "day"}, {"date": YESTERDAY.date()}):
        assert uids(fetch(**options)) == uids(images)
    assert len(aria.operations("C-STORE")) == 4


@pytest.mark.parametrize("position", [0, 1, 3])
def test_an_answer_may_name_the_first_of_two_plans_only(
    serve: Any, answers_altered: Any, position: int
) -> None:
    wl, other = plan(), plan("OTHER")
    images = winston_lutz(wl, YESTERDAY, count=4)
    images[position].ReferencedRTPlanSequence = reference(other, wl)

    def first_only(ds: Any) -> None:
        if ds.get("ReferencedRTPlanSequence"):
            ds.ReferencedRTPlanSequence = ds.ReferencedRTPlanSequence[:1]

    serve(wl, other, images)
    answers_altered(images[position], first_only)
    for count in (None, 4, (4, 4)):
        assert uids(fetch(count=count)) == uids(images)


def test_an_image_beside_the_set_that_cannot_be_moved_is_named(serve: Any) -> None:
    """The node says that it is kV, and does not give it away."""
    wl = plan()
    images = winston_lutz(wl, YESTERDAY, count=4)
    setup = phantom.kv(wl, YESTERDAY + MINUTE, like=images[0], full_size=False)
    serve(wl, images, setup, unmovable=frozenset(uids(setup)))
    with pytest.raises(IncompleteRetrievalError, match=r"1 beside the 4 that match .* count="):
        fetch()
    assert uids(fetch(count=4)) == uids(images)


# --- the same thing, written in another way ---------------------------------------------------


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("ImageType", ["ORIGINAL", "PRIMARY", "PORTAL", ""]),
        ("ImageType", ["ORIGINAL", "PRIMARY", "Portal"]),
        ("PrimaryDosimeterUnit", "mu"),
        ("RadiationMachineName", "TRUEBEAM1 "),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_capitals_and_padding_make_no_difference(serve: Any, keyword: str, value: Any) -> None:
    wl = plan()
    images = winston_lutz(wl, YESTERDAY, count=4, machine="TrueBeam1")
    setattr(images[2], keyword, value)
    serve(wl, images)
    assert uids(fetch(machine="truebeam1")) == uids(images)


def test_a_patient_id_in_other_capitals_is_never_left_out_without_a_word(
    serve: Any, answers_altered: Any
) -> None:
    wl = plan()
    images = winston_lutz(wl, YESTERDAY, count=4)

    def other_capitals(ds: Any) -> None:
        ds.PatientID = PATIENT.lower()

    serve(wl, images)
    answers_altered(images[2], other_capitals)
    with pytest.raises(AriaError, match=f"'{PATIENT.lower()}', you asked for '{PATIENT}'"):
        fetch()


def test_a_label_that_is_composed_in_another_way_is_the_same_label(serve: Any) -> None:
    wl = plan("Wo\u0308chentlich")
    images = winston_lutz(wl, YESTERDAY, count=2)
    serve(wl, images)
    fetched = fetch_images("aria", PATIENT, "W\u00f6chentlich", max_age=0)
    assert uids(fetched) == uids(images)


def test_a_patient_id_that_is_composed_in_another_way_is_the_same_id(serve: Any) -> None:
    """The server finds it although it is sent as it was typed."""
    wl = plan(patient="QA_Mu\u0308ller")
    images = winston_lutz(wl, YESTERDAY, count=2)
    serve(wl, images, ignored_keys=frozenset({"PatientID"}))
    for _ in range(2):  # the archive has them
        fetched = fetch_images("aria", "QA_M\u00fcller", "WL", max_age=0)
        assert uids(fetched) == uids(images)
    assert uids(images_from(fetched.summary)) == uids(images)


# --- the archive and the node -----------------------------------------------------------------


def test_dates_that_were_corrected_in_aria_since_are_believed(serve: Any) -> None:
    """The imager's clock was wrong: the images that seemed to be the newest are a year old."""
    wl = plan()
    wrong, newest = winston_lutz(wl, YESTERDAY, count=2), winston_lutz(wl, NOON - 2 * DAY, count=2)
    serve(wl, wrong, newest)
    assert uids(fetch()) == uids(wrong)
    for image in wrong:
        image.AcquisitionDate = image.ContentDate = f"{NOON - 365 * DAY:%Y%m%d}"
    assert uids(fetch()) == uids(newest)
    day = (NOON - 365 * DAY).date()
    again = fetch(date=day)
    assert uids(again) == uids(wrong)
    assert again.acquired.date() == day


def test_a_day_without_a_time_that_was_corrected_in_aria_since_is_believed(serve: Any) -> None:
    wl = plan()
    images = winston_lutz(wl, YESTERDAY, count=1)
    images[0].AcquisitionTime = images[0].ContentTime = ""
    serve(wl, images)
    assert uids(fetch(date=YESTERDAY.date())) == uids(images)
    images[0].AcquisitionDate = images[0].ContentDate = f"{YESTERDAY - 30 * DAY:%Y%m%d}"
    with pytest.raises(ImagesNotFoundError):
        fetch(date=YESTERDAY.date())


def test_a_label_of_which_the_server_loses_a_letter_is_read_from_the_file(
    serve: Any, answers_altered: Any
) -> None:
    """Latin-1 has no combining diaeresis: Orthanc lists such a label without it."""
    first, second = plan("Wöchentlich", course="C1"), plan("Wo\u0308chentlich", course="C2")
    images = winston_lutz(first, YESTERDAY, count=2), winston_lutz(second, YESTERDAY, count=2)

    def without_the_letter(ds: Any) -> None:
        if "RTPlanLabel" in ds:
            ds.RTPlanLabel = "Wochentlich"

    serve(first, second, *images)
    answers_altered(second, without_the_letter)
    with pytest.raises(AmbiguousPlanError):
        fetch_images("aria", PATIENT, "Wöchentlich", max_age=0)
    found = fetch_images("aria", PATIENT, "Wöchentlich", course="C2", max_age=0)
    assert uids(found) == uids(images[1])


@pytest.mark.parametrize("keyword", ["RadiationMachineName", "StationName"])
def test_a_machine_that_was_corrected_in_aria_since_is_believed(serve: Any, keyword: str) -> None:
    wl = plan()
    images = winston_lutz(wl, YESTERDAY, count=2, machine="TB1")
    if keyword == "StationName":
        for image in images:
            del image.RadiationMachineName
    serve(wl, images)
    fetch(machine="TB1")
    for image in images:
        setattr(image, keyword, "TB2")
    if keyword == "RadiationMachineName":
        assert uids(fetch(machine="TB2")) == uids(images)


def test_a_plan_that_was_taken_away_in_aria_since_is_believed(serve: Any) -> None:
    """The image was filed under both plans by mistake."""
    wl, other = plan(), plan("OTHER")
    images = winston_lutz(wl, YESTERDAY, count=4)
    images[2].ReferencedRTPlanSequence = reference(wl, other)
    serve(wl, other, images)
    assert uids(fetch()) == uids(images)
    images[2].ReferencedRTPlanSequence = reference(other)
    assert uids(fetch()) == uids([*images[:2], images[3]])


def test_files_are_of_the_series_that_aria_has_now(serve: Any) -> None:
    wl = plan()
    images = winston_lutz(wl, YESTERDAY, count=2)
    aria = serve(wl, images)
    fetch()
    for image in images:
        image.SeriesInstanceUID = "1.2.3.4.5"
    aria.replace([wl, *images])
    files = [pydicom.dcmread(file, stop_before_pixels=True) for file in fetch()]
    assert [ds.SeriesInstanceUID for ds in files] == [ds.SeriesInstanceUID for ds in images]


def test_the_order_is_that_of_the_times_that_aria_has_now(serve: Any) -> None:
    """They were exchanged, and lie within a minute."""
    wl = plan()
    images = winston_lutz(wl, YESTERDAY, count=2)
    serve(wl, images)
    fetch()
    for keyword in ("AcquisitionTime", "ContentTime"):
        times = [image[keyword].value for image in images]
        for image, time in zip(images, reversed(times)):
            image[keyword].value = time
    files = [pydicom.dcmread(file, stop_before_pixels=True) for file in fetch()]
    assert [ds.SOPInstanceUID for ds in files] == [ds.SOPInstanceUID for ds in images[::-1]]


def test_an_answer_without_fractions_of_a_second_moves_nothing_again(
    serve: Any, answers_altered: Any
) -> None:
    wl = plan()
    taken = YESTERDAY + dt.timedelta(seconds=5.25)
    images = winston_lutz(wl, taken, count=1)

    def shorter(ds: Any) -> None:
        for keyword in ("AcquisitionTime", "ContentTime"):
            if keyword in ds:
                setattr(ds, keyword, f"{taken:%H%M%S}")

    aria = serve(wl, images)
    answers_altered(images[0], shorter)
    for _ in range(2):
        assert uids(fetch()) == uids(images)
    assert len(aria.operations("C-MOVE")) == 1


# --- plans ------------------------------------------------------------------------------------


def test_any_valid_uid_names_a_plan(serve: Any) -> None:
    wl, twin = plan(course="C1"), plan(course="C2")
    wl.SOPInstanceUID = wl.file_meta.MediaStorageSOPInstanceUID = "2.25.1234"
    images = winston_lutz(wl, YESTERDAY, count=2)
    serve(wl, twin, images)
    assert uids(fetch_images("aria", PATIENT, "2.25.1234")) == uids(images)


def test_a_plan_that_cannot_be_moved_does_not_block_the_others(serve: Any) -> None:
    """The server tells no labels, so each plan has to be fetched to know its own."""
    wl, broken = plan(), plan("BROKEN")
    images = winston_lutz(wl, YESTERDAY, count=2)
    no_labels = frozenset({"RTPlanLabel"})
    lost = frozenset({str(broken.SOPInstanceUID)})
    sim = serve(wl, broken, images, unreturned_keys=no_labels, unmovable=lost)
    assert uids(fetch()) == uids(images)
    sim.add(winston_lutz(broken, YESTERDAY - MINUTE, count=1))
    with pytest.raises(AriaError, match="2 plans"):
        fetch()  # the other one may have the label too
