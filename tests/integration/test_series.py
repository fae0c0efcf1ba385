"""CT series: the newest whole scan of a patient, or an error with the reason."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Sequence

import pydicom
import pytest
from pydicom.uid import generate_uid

from qatrack_aria import fetch_images, fetch_series, images_from
from qatrack_aria.errors import (
    AmbiguousImagesError,
    ImagesNotFoundError,
    IncompleteRetrievalError,
    PlanNotFoundError,
    RequestError,
    TooFewImagesError,
)
from qatrack_aria.models import Retrieval
from qatrack_aria.simulator import phantom
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz

MINUTE = dt.timedelta(minutes=1)


def scan(acquired: dt.datetime = NOON, **options: Any) -> list[Any]:
    return phantom.ct_series(PATIENT, acquired, **options)


def fetch(**options: Any) -> Any:
    return fetch_series("aria", PATIENT, **{"max_age": 0, **options})


def heights(files: Sequence[str]) -> list[float]:
    return [float(pydicom.dcmread(file).ImagePositionPatient[2]) for file in files]


@pytest.mark.parametrize("relational", [True, False], ids=["relational", "by level"])
def test_the_newest_scan_is_handed_over_in_the_order_of_its_slices(
    serve: Any, relational: bool
) -> None:
    newest = scan()
    serve(scan(NOON - DAY), newest, scan(NOON - 2 * DAY), plan(), relational=relational)

    images = fetch()

    assert uids(images) == uids(newest)
    assert heights(images.files) == sorted(heights(images.files))
    assert uids([str(file) for file in Path(images.path).iterdir()]) == uids(newest)
    assert images.status.startswith("20 images of CT series 'CBCT', acquired")
    assert images.machine == "TB1"


def test_a_scan_of_last_year_is_found(serve: Any) -> None:
    old = scan(NOON - 400 * DAY)
    serve(old)
    assert uids(fetch()) == uids(old)


def test_it_is_fetched_once_and_opened_again_from_its_summary(serve: Any) -> None:
    newest = scan()
    sim = serve(newest)
    images = fetch()
    assert len(sim.operations("C-STORE")) == 20
    assert fetch().moved == 0
    assert uids(images_from(images.summary)) == uids(newest)
    row = Retrieval.objects.order_by("pk").first()
    assert (row.plan, row.found, row.moved) == ("CT", 20, 20)
    assert "CT" in row.request


@pytest.mark.parametrize(
    ("options", "number"),
    [
        ({"description": "cbct pelvis"}, 0),
        ({"description": "CBCT*"}, 1),
        ({"protocol": "Head"}, 1),
        ({"machine": "TB2"}, 2),
        ({"date": NOON - DAY}, 2),
        ({"count": (15, 15)}, 3),
    ],
)
def test_a_scan_by_what_it_is(serve: Any, options: Any, number: int) -> None:
    scans = [
        scan(NOON - 120 * MINUTE, description="CBCT Pelvis"),
        scan(NOON - 60 * MINUTE, description="CBCT Head", protocol="Head"),
        scan(NOON - DAY, description="Planning", machine="TB2"),
        scan(NOON, description="Planning", slices=15),
    ]
    serve(*scans)
    assert uids(fetch(**options)) == uids(scans[number])


@pytest.mark.parametrize("hidden", [{"SeriesDescription"}, {"SeriesDescription", "StationName"}])
def test_a_description_that_the_node_does_not_return_is_read_from_the_files(
    serve: Any, hidden: set[str]
) -> None:
    wanted = scan(NOON - 60 * MINUTE, description="CBCT Head")
    serve(wanted, scan(), unreturned_keys=frozenset(hidden))
    assert uids(fetch(description="CBCT Head")) == uids(wanted)


@pytest.mark.parametrize("hidden", [set(), {"FrameOfReferenceUID"}], ids=["returned", "not"])
def test_the_ct_of_a_plan_has_its_frame_of_reference(serve: Any, hidden: set[str]) -> None:
    wl, planning, cone_beam = plan(), scan(NOON - 3 * DAY), scan()
    for ds in planning:
        ds.FrameOfReferenceUID = wl.FrameOfReferenceUID
    serve(wl, planning, cone_beam, unreturned_keys=frozenset(hidden))
    assert uids(fetch()) == uids(cone_beam)
    assert uids(fetch(plan="WL")) == uids(planning)
    with pytest.raises(PlanNotFoundError, match="no plan 'XX'"):
        fetch(plan="XX")


@pytest.mark.parametrize("relational", [True, False], ids=["relational", "by level"])
def test_a_cone_beam_ct_that_is_registered_to_the_plan(serve: Any, relational: bool) -> None:
    wl, planning, cone_beam = plan(), scan(NOON - 3 * DAY), scan(NOON - DAY)
    other = scan()
    for ds in planning:
        ds.FrameOfReferenceUID = wl.FrameOfReferenceUID
    related = phantom.registration(wl.FrameOfReferenceUID, cone_beam[0])
    apart = phantom.registration(generate_uid(), other[0])
    serve(wl, planning, cone_beam, other, related, apart, relational=relational)
    assert uids(fetch(plan="WL")) == uids(planning)
    assert uids(fetch(plan="WL", registered=True)) == uids(cone_beam)
    assert uids(fetch(plan="WL", registered=True, date=NOON - 3 * DAY)) == uids(planning)


def test_a_registration_that_cannot_be_moved_leaves_unknown_what_is_related(serve: Any) -> None:
    wl, cone_beam = plan(), scan()
    related = phantom.registration(wl.FrameOfReferenceUID, cone_beam[0])
    serve(wl, cone_beam, related, unmovable=frozenset({str(related.SOPInstanceUID)}))
    with pytest.raises(IncompleteRetrievalError, match="1 of 1 images did not arrive"):
        fetch(plan="WL", registered=True)


def test_a_scan_that_is_not_there_is_an_error_that_says_what_is(serve: Any) -> None:
    serve(scan())
    said = (
        r"CT images 'Head'.*: 20 images .* seen, all 20 are of series description CBCT; you asked"
    )
    with pytest.raises(ImagesNotFoundError, match=f"{said} for CT of series description Head"):
        fetch(description="Head")
    with pytest.raises(TooFewImagesError, match=r"20 images .* found for CT images, you"):
        fetch(count=60)


def test_a_patient_without_a_scan(serve: Any) -> None:
    wl = plan()
    serve(wl, winston_lutz(wl))
    with pytest.raises(ImagesNotFoundError, match="for CT images of patient"):
        fetch()


# --- what is not one whole scan ---------------------------------------------------------------


def test_slices_missing_between_others_are_an_error(serve: Any) -> None:
    slices = scan(slices=40)
    serve(slices[:20] + slices[25:])
    with pytest.raises(IncompleteRetrievalError, match=r"5 slices are missing between 18\.0"):
        fetch()


def test_slices_missing_at_an_end_are_missed_where_the_node_counts_them(serve: Any) -> None:
    slices = scan(slices=40)
    serve(slices, counts=True, on_answer=_without(slices[35:]))
    with pytest.raises(IncompleteRetrievalError, match="and lists 35"):
        fetch()


def _without(hidden: list[Any]) -> Any:
    gone = {str(ds.SOPInstanceUID) for ds in hidden}

    def answers(number: int, identifier: Any, found: list[Any]) -> list[Any]:
        return [one for one in found if str(one.get("SOPInstanceUID", "")) not in gone]

    return answers


def test_slices_missing_at_an_end_are_missed_by_a_count(serve: Any) -> None:
    serve(scan(slices=40)[:35])
    with pytest.raises(TooFewImagesError):
        fetch(count=40)


def test_a_localizer_is_left_out_and_mentioned(serve: Any) -> None:
    slices = scan()
    localizer = scan(slices=1, like=slices[0], orientation=("1", "0", "0", "0", "0", "-1"))
    localizer[0].ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    serve(slices, localizer)
    images = fetch()
    assert uids(images) == uids(slices)
    assert "Left out of the same series: 1 localizers" in images.status


@pytest.mark.parametrize("first", [-20.0, -19.0], ids=["same places", "interleaved"])
def test_two_scans_in_one_series_are_an_error(serve: Any, first: float) -> None:
    slices = scan()
    serve(slices, scan(first=first, scan=2, like=slices[0]))
    with pytest.raises(AmbiguousImagesError, match="two scans in one series"):
        fetch()


def test_the_same_place_twice_in_one_acquisition_is_an_error(serve: Any) -> None:
    slices = scan()
    serve(slices, scan(slices=1, like=slices[0]))
    with pytest.raises(AmbiguousImagesError, match=r"two lie at -20\.0 mm"):
        fetch()


def test_two_series_of_the_same_minute_are_an_error_that_names_the_way_out(serve: Any) -> None:
    scans = scan(), scan(description="CBCT again")
    serve(*scans)
    with pytest.raises(AmbiguousImagesError, match="lie in several series and have one time"):
        fetch()
    assert uids(fetch(description="CBCT")) == uids(scans[0])
    assert uids(fetch(series=str(scans[1][0].SeriesInstanceUID))) == uids(scans[1])


@pytest.mark.parametrize(
    ("keyword", "value", "message"),
    [
        ("ImagePositionPatient", None, "1 have no position"),
        ("ImageOrientationPatient", ["1", "0", "0", "0", "0.9", "0.436"], "differ in their orien"),
        ("PixelSpacing", ["15", "15"], "differ in their pixel spacing"),
        ("FrameOfReferenceUID", "1.2.3", "differ in their frame"),
    ],
)
def test_slices_that_do_not_fit_together_are_an_error(
    serve: Any, keyword: str, value: Any, message: str
) -> None:
    slices = scan()
    if value is None:
        del slices[7][keyword]
    else:
        setattr(slices[7], keyword, value)
    serve(slices)
    with pytest.raises(AmbiguousImagesError, match=message):
        fetch()


def test_a_slice_that_cannot_be_moved_leaves_no_set(serve: Any) -> None:
    slices = scan()
    serve(slices, unmovable=frozenset({str(slices[3].SOPInstanceUID)}))
    with pytest.raises(IncompleteRetrievalError, match="1 of 20 images did not arrive"):
        fetch()


def test_a_tilted_scan_is_whole(serve: Any) -> None:
    tilted = scan(orientation=("1", "0", "0", "0", "0.9848", "0.1736"))
    serve(tilted)
    assert uids(fetch()) == uids(tilted)


# --- RT Images of no plan ---------------------------------------------------------------------


def test_rt_images_of_no_plan_by_machine_or_label(serve: Any) -> None:
    wl = plan()
    planned, free = winston_lutz(wl), winston_lutz(wl, NOON - 60 * MINUTE, count=3)
    for image in free:
        del image.ReferencedRTPlanSequence
        image.RTImageLabel = "Service"
        image.SeriesInstanceUID = free[0].SeriesInstanceUID
    serve(wl, planned, free)
    assert uids(fetch(modality="RTIMAGE", machine="TB1")) == uids(free)
    assert uids(fetch(modality="RTIMAGE", label="serv*")) == uids(free)
    assert uids(fetch_images("aria", PATIENT, "WL")) == uids(planned)
    with pytest.raises(RequestError, match="need a machine or a label"):
        fetch(modality="RTIMAGE")


def test_what_is_no_request_is_refused_before_anything_is_sent(serve: Any) -> None:
    sim = serve(scan())
    for options in ({"modality": "MR"}, {"description": "a\\b"}, {"count": 0}):
        with pytest.raises(RequestError):
            fetch(**options)
    assert not sim.operations("C-FIND")
