"""Images by the beams of their plan: it is fetched once, kept, and read again when it changes."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Any

import pytest

from qatrack_aria import fetch_images, images_from
from qatrack_aria.conf import conf
from qatrack_aria.errors import (
    AmbiguousImagesError,
    AmbiguousPlanError,
    ImagesNotFoundError,
    IncompleteRetrievalError,
    RequestError,
    TooFewImagesError,
)
from qatrack_aria.models import Retrieval
from qatrack_aria.simulator import Simulator, phantom
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz

BEAMS = ("Open", "PF G90", "PF G180", "PF G270")
ENERGIES = ("6X", "6X", "6X-FFF", "10X")


PLAN_SERIES = "1.2.246.352.71.2.1"


@pytest.fixture
def wl() -> Any:
    made = plan(beams=BEAMS, energies=ENERGIES)
    made.SeriesInstanceUID = PLAN_SERIES
    return made


@pytest.fixture
def taken(wl: Any) -> list[Any]:
    return winston_lutz(wl, count=4)


def fetch(**options: Any) -> Any:
    return fetch_images("aria", PATIENT, "WL", **{"max_age": 0, **options})


def plan_moves(sim: Simulator) -> int:
    """How often a plan was retrieved."""
    plans = [
        m for m in sim.operations("C-MOVE") if m.identifier["SeriesInstanceUID"] == PLAN_SERIES
    ]
    return len(plans)


def test_the_images_of_a_beam_alone(serve: Any, wl: Any, taken: list[Any]) -> None:
    sim = serve(wl, taken)
    images = fetch(beam="PF G90")
    assert uids(images) == uids([taken[1]])
    assert next(iter(images)).beam_name == "PF G90"
    assert uids(fetch(beam=["Open", 4])) == uids([taken[0], taken[3]])
    assert plan_moves(sim) == 1


def test_the_newest_images_of_a_beam_may_be_older_than_those_of_others(
    serve: Any, wl: Any, taken: list[Any]
) -> None:
    serve(wl, taken, winston_lutz(wl, NOON + dt.timedelta(hours=1), count=1))
    assert uids(fetch(beam="PF G180")) == uids([taken[2]])


def test_the_images_of_an_energy_alone(serve: Any, wl: Any, taken: list[Any]) -> None:
    sim = serve(wl, taken)
    assert uids(fetch(energy=6)) == uids(taken[:3])
    assert uids(fetch(energy=10, count=(1, 1))) == uids([taken[3]])
    assert plan_moves(sim) == 0  # the images say it
    assert uids(fetch(energy="6X")) == uids(taken[:2])
    assert uids(fetch(energy="6X-FFF", beam=3)) == uids([taken[2]])
    with pytest.raises(TooFewImagesError):
        fetch(energy="10X", count=2)


def test_what_does_not_match_is_listed(serve: Any, wl: Any, taken: list[Any]) -> None:
    serve(wl, taken[:2])
    with pytest.raises(
        ImagesNotFoundError, match=r"1 of beam Open, 1 of beam PF G90; .* of beam 4"
    ):
        fetch(beam=4)
    with pytest.raises(
        ImagesNotFoundError, match="all 2 are of 6 MV; you asked for PORTAL of ener"
    ):
        fetch(energy=15)
    with pytest.raises(RequestError, match=r"has no beam 'Opn'; its beams are Open \(number 1\)"):
        fetch(beam="Opn")


def test_two_beams_of_a_name_are_an_error(serve: Any) -> None:
    twins = plan(beams=("Open", "Open"))
    taken = winston_lutz(twins, count=2)
    serve(twins, taken)
    with pytest.raises(AmbiguousPlanError, match="numbers 1 and 2"):
        fetch(beam="Open")
    assert uids(fetch(beam=2)) == uids([taken[1]])


def test_an_image_without_a_beam_may_be_of_any(serve: Any, wl: Any, taken: list[Any]) -> None:
    del taken[2].ReferencedBeamNumber
    serve(wl, taken)
    with pytest.raises(AmbiguousImagesError, match=r"do not say of which beam .*beam number none"):
        fetch(beam="Open")
    assert uids(fetch(beam="Open", count=(1, 1))) == uids([taken[0]])


def test_the_plan_is_fetched_when_a_name_is_asked_for_and_kept(
    serve: Any, wl: Any, taken: list[Any]
) -> None:
    sim = serve(wl, taken)
    images = fetch()
    assert plan_moves(sim) == 0
    assert [image.beam_name for image in images] == list(BEAMS)
    assert [beam.number for beam in images.plan.beams] == [1, 2, 3, 4]
    assert (images.plan.label, images.plan.approval) == ("WL", "APPROVED")
    assert [image.beam_name for image in fetch()] == list(BEAMS)
    assert plan_moves(sim) == 1
    assert Retrieval.objects.filter(message__contains="read: 4 beams").count() == 1


def test_the_plan_is_read_again_when_the_node_lists_another_date_and_after_a_day(
    serve: Any, wl: Any, taken: list[Any]
) -> None:
    sim = serve(wl, taken)
    assert fetch().plan.approval == "APPROVED"

    wl.RTPlanTime = "101010"
    wl.BeamSequence[0].BeamName = "Renamed"
    sim.replace([wl, *taken])
    assert next(iter(fetch())).beam_name == "Renamed"
    assert plan_moves(sim) == 2

    wl.ApprovalStatus = "REJECTED"  # with the same date
    sim.replace([wl, *taken])
    assert fetch().plan.approval == "APPROVED"
    (file,) = Path(conf.ARCHIVE).rglob(f"{wl.SOPInstanceUID}.dcm")
    old = NOON.timestamp() - 2 * DAY.total_seconds()
    os.utime(file, (old, old))
    assert fetch().plan.approval == "REJECTED"


def test_a_plan_that_cannot_be_moved_leaves_names_unknown(
    serve: Any, wl: Any, taken: list[Any]
) -> None:
    serve(wl, taken, unmovable=frozenset({str(wl.SOPInstanceUID)}))
    images = fetch()
    assert [image.gantry for image in images] == [0, 90, 180, 270]
    assert uids(images.where(gantry=0)) == uids([taken[0]])
    for ask in (lambda: images.where(beam="Open"), lambda: fetch(beam="Open"), images.by_beam):
        with pytest.raises(IncompleteRetrievalError, match="1 of 1 plans did not arrive"):
            ask()


def test_images_that_are_opened_again_know_the_beams_if_the_plan_is_here(
    serve: Any, wl: Any, taken: list[Any]
) -> None:
    serve(wl, taken)
    images = fetch()
    again = images_from(images.summary)
    assert [image.gantry for image in again] == [0, 90, 180, 270]
    with pytest.raises(IncompleteRetrievalError, match="is not here, so its beams are unknown"):
        again.by_beam()
    assert list(images.by_beam()) == list(BEAMS)
    assert list(images_from(images.summary).by_beam()) == list(BEAMS)
    assert next(iter(images_from(fetch(beam="Open").summary))).beam_name == "Open"


def test_the_plan_of_a_halcyon_has_beams_too(serve: Any) -> None:
    halcyon = plan(sop_class=phantom.HALCYON_PLAN, beams=("Open",))
    taken = winston_lutz(halcyon, count=1)
    serve(halcyon, taken)
    assert fetch().one(beam="Open").beam_name == "Open"
