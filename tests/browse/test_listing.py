"""What a node holds of a patient: plans, and their images day by day, as a retrieval sees them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from qatrack_aria import fetch_images
from qatrack_aria.browse.groups import ImageGroup
from qatrack_aria.browse.listing import PlanImages, list_plan_images, list_plans
from qatrack_aria.errors import (
    InactiveNodeError,
    NodeUnreachableError,
    PatientNotAllowedError,
    PlanNotFoundError,
    QueryError,
    RequestError,
    WaitingError,
)
from qatrack_aria.retrieval.date_windows import EVER
from qatrack_aria.retrieval.options import OPTIONS
from qatrack_aria.retrieval.service import fetch
from qatrack_aria.simulator import phantom
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz
from tests.helpers.browsing import YESTERDAY
from tests.helpers.peers.server import HOST

HOUR = dt.timedelta(hours=1)


def of(node: Any, one: Any, *days: Any) -> PlanImages:
    return list_plan_images(node, PATIENT, str(one.SOPInstanceUID), *days)


def rows(found: PlanImages) -> list[ImageGroup]:
    return [batch for _, batches in found.days for batch in batches]


def taken(node: Any, group: ImageGroup) -> list[str]:
    """Click on Fetch; what comes."""
    assert group.request is not None
    asked: Any = group.request
    options = {option.name: getattr(asked, option.name) for option in OPTIONS}
    return uids(fetch(node.name, PATIENT, asked.plan, asked.image_type, **options))


def listed(group: ImageGroup) -> list[str]:
    return sorted(image.sop_uid for image in group.images)


def unmixed(wl: Any) -> tuple[list[Any], list[Any]]:
    """Two series of one day."""
    return winston_lutz(wl, YESTERDAY), winston_lutz(wl, YESTERDAY + HOUR, count=4)


# --- plans ------------------------------------------------------------------------------------


def test_plans_are_listed_by_label_with_course_date_and_status(node: Any, world: Any) -> None:
    shown = [(one.ref.label, one.ref.course, one.status) for one in list_plans(node, PATIENT)]
    assert shown == [
        ("DAILY", "C1", "APPROVED"),
        ("DAILY", "C2", "APPROVED"),
        ("PF", "C1", "APPROVED"),
        ("WL", "C1", "APPROVED"),
    ]
    assert {one.ref.created for one in list_plans(node, PATIENT)} == {NOON - 30 * DAY}


@pytest.mark.parametrize(
    "behaviour",
    [
        {"empty_return_keys": frozenset({"ApprovalStatus"})},
        {"unreturned_keys": frozenset({"ApprovalStatus"})},
        {"relational": False},
    ],
    ids=["key trips it", "key is not served", "level by level"],
)
def test_a_node_that_does_not_tell_the_status_still_lists_the_plans(
    node: Any, serve: Any, behaviour: Any
) -> None:
    serve(plan("WL"), **behaviour)
    assert [(one.ref.label, one.status) for one in list_plans(node, PATIENT)] == [("WL", "")]


def test_the_list_of_plans_costs_three_queries_and_moves_nothing(node: Any, world: Any) -> None:
    list_plans(node, PATIENT)
    assert [done.kind for done in world.aria.log] == ["C-FIND"] * 3


@pytest.mark.parametrize(
    ("patient", "error"),
    [
        ("SECRET", PatientNotAllowedError),
        ("", WaitingError),
        ("QA_*", RequestError),
        ("QA_\x00", RequestError),
        ("QA_" + "1" * 70, RequestError),
    ],
)
def test_what_must_not_be_asked_is_not_sent(
    node: Any, world: Any, patient: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        list_plans(node, patient)
    assert world.aria.log == []


def test_a_letter_that_the_node_would_take_for_a_wildcard_is_not_sent(
    node: Any, world: Any
) -> None:
    node.character_set = "ISO_IR 100"
    with pytest.raises(RequestError, match="cannot be written"):
        list_plans(node, "QA_山")
    assert world.aria.log == []


def test_a_node_that_is_switched_off_is_not_asked(node: Any, world: Any) -> None:
    node.is_active = False
    with pytest.raises(InactiveNodeError):
        list_plans(node, PATIENT)
    assert world.aria.log == []


def test_a_node_that_is_down_is_named(node: Any) -> None:
    with pytest.raises(NodeUnreachableError, match="nothing answers"):
        list_plans(node, PATIENT)


def test_a_node_that_refuses_to_list_plans_is_named(node: Any, serve: Any) -> None:
    serve(plan("WL"), answer_limit=0)
    with pytest.raises(QueryError):
        list_plans(node, PATIENT)


# --- a plan's images --------------------------------------------------------------------------


def test_images_are_listed_by_day_the_newest_first(node: Any, world: Any) -> None:
    found = of(node, world.wl)
    assert [day for day, _ in found.days] == [(NOON - ago * DAY).date() for ago in (1, 8)]
    shown = [(len(b.images), list(b.image_type), b.machine, b.beam) for b in found.days[0][1]]
    assert shown == [
        (8, ["PORTAL"], "TB1", "MV"),
        (1, ["PORTAL"], "TB1", "kV"),
        (2, ["PORTAL", "ACQUIRED_DOSE"], "TB1", "MV"),
    ]


def test_no_image_of_another_plan_is_listed(node: Any, world: Any) -> None:
    (row,) = rows(of(node, world.daily[1]))
    assert len(row.images) == 1
    assert rows(of(node, world.daily[0])) == []


def test_a_plan_that_the_patient_does_not_have_is_none(node: Any, world: Any) -> None:
    with pytest.raises(PlanNotFoundError, match="go back"):
        list_plan_images(node, PATIENT, "1.2.3.4.5")


def test_what_is_in_the_archive_is_known(node: Any, world: Any) -> None:
    fetch(node.name, PATIENT, "WL", count=8)
    newest = [image.SOPInstanceUID for image in world.days[0][:8]]
    assert of(node, world.wl).here == set(newest)


# --- days -------------------------------------------------------------------------------------


def test_days_without_an_end_leave_older_images_out(node: Any, world: Any) -> None:
    days = ((NOON - 5 * DAY).date(), None)
    found = of(node, world.wl, days)
    assert found.searched == days
    assert [day for day, _ in found.days] == [YESTERDAY.date()]


def test_where_these_days_have_none_all_are_listed(node: Any, world: Any) -> None:
    found = of(node, world.wl, (NOON.date(), None))
    assert found.searched == EVER
    assert len(found.days) == 2


@pytest.mark.parametrize("ignored", [frozenset(), frozenset({"ContentDate", "AcquisitionDate"})])
def test_one_day_is_that_day_alone_even_where_the_node_ignores_dates(
    node: Any, serve: Any, ignored: Any
) -> None:
    wl = plan()
    serve(wl, winston_lutz(wl, YESTERDAY), winston_lutz(wl), ignored_keys=ignored)
    day = YESTERDAY.date()
    assert [d for d, _ in of(node, wl, (day, day)).days] == [day]
    before = (NOON - 9 * DAY).date()
    assert of(node, wl, (before, before)).days == []


def test_the_first_of_the_days_is_listed_whole_or_not_at_all(node: Any, serve: Any) -> None:
    """Acquired before midnight and filed after it: by its Content Date alone it would be found."""
    wl = plan()
    images = winston_lutz(wl, dt.datetime.combine(YESTERDAY.date(), dt.time(23, 58)))
    late = winston_lutz(wl, dt.datetime.combine(NOON.date(), dt.time(1)))
    for image in images[2:4]:
        image.ContentDate = NOON.strftime("%Y%m%d")
    serve(wl, images, late)
    found = of(node, wl, (NOON.date(), None))
    assert [day for day, _ in found.days] == [NOON.date()]


# --- what a button says is what comes ---------------------------------------------------------


def test_each_row_brings_exactly_its_images(node: Any, world: Any) -> None:
    for row in rows(of(node, world.wl)):
        assert row.is_certain
        assert row.request.count == len(row.images)
        assert taken(node, row) == listed(row)


def test_the_older_of_two_series_of_a_day_is_fetched_alone(node: Any, serve: Any) -> None:
    wl = plan()
    older, newer = unmixed(wl)
    serve(wl, older, newer)
    first, second = rows(of(node, wl))
    assert taken(node, first) == uids(older)
    assert taken(node, second) == uids(newer)


def test_a_series_of_two_days_is_fetched_day_by_day(node: Any, serve: Any) -> None:
    wl = plan()
    images = winston_lutz(wl, dt.datetime.combine(YESTERDAY.date(), dt.time(23, 58)))
    serve(wl, images)
    found = rows(of(node, wl))
    assert len(found) == 2
    assert sorted(uid for row in found for uid in taken(node, row)) == uids(images)


def test_images_of_two_machines_on_one_day_are_distinguished(node: Any, serve: Any) -> None:
    wl = plan()
    one = winston_lutz(wl, YESTERDAY, machine="TB1")
    two = winston_lutz(wl, YESTERDAY + HOUR, machine="TB2")
    serve(wl, one, two)
    first, second = rows(of(node, wl))
    assert taken(node, first) == uids(one)
    assert taken(node, second) == uids(two)


def test_of_two_plans_with_one_label_the_right_one_is_fetched(node: Any, world: Any) -> None:
    (row,) = rows(of(node, world.daily[1]))
    assert row.request is not None
    assert row.request.course == "C2"
    assert taken(node, row) == listed(row)


def test_plans_of_one_label_and_course_are_listed_by_uid(node: Any, serve: Any) -> None:
    one, two = plan("WL"), plan("WL")
    serve(one, winston_lutz(one, YESTERDAY), two, winston_lutz(two, YESTERDAY))
    (row,) = rows(of(node, two))
    assert row.request is not None
    assert row.request.plan == str(two.SOPInstanceUID)
    assert taken(node, row) == listed(row)


@pytest.mark.parametrize("label", ["A*", "A\\B", "a\x1bb", "", "  "])
def test_a_label_that_no_request_can_hold_is_replaced_by_the_uid(
    node: Any, serve: Any, label: str
) -> None:
    odd = plan("WL")
    odd.RTPlanLabel = label
    serve(odd, winston_lutz(odd, YESTERDAY))
    (row,) = rows(of(node, odd))
    assert taken(node, row) == listed(row)


def test_fewer_images_than_were_listed_are_an_error(node: Any, world: Any) -> None:
    row = of(node, world.wl).days[0][1][0]
    assert row.fields["count"] == 8


@pytest.mark.parametrize(
    "unreturned",
    ["ReferencedRTPlanSequence", "PrimaryDosimeterUnit", "ImageType", "RadiationMachineName"],
)
def test_what_a_node_does_not_tell_fetching_finds_out(
    node: Any, serve: Any, unreturned: str
) -> None:
    wl, other = plan(), plan("OTHER")
    mine = winston_lutz(wl, YESTERDAY)
    serve(wl, mine, other, winston_lutz(other, YESTERDAY), unreturned_keys=frozenset({unreturned}))
    found = rows(of(node, wl))
    row = next(row for row in found if set(listed(row)) == set(uids(mine)))
    assert row.of_plan is (unreturned != "ReferencedRTPlanSequence")
    assert taken(node, row) == uids(mine)


def test_what_is_fetched_to_find_out_leaves_out_nothing_of_the_row(node: Any, serve: Any) -> None:
    wl = plan()
    older, newer = unmixed(wl)
    serve(wl, older, newer, unreturned_keys=frozenset({"ReferencedRTPlanSequence"}))
    first, _ = rows(of(node, wl))
    assert not first.is_certain
    assert taken(node, first) == uids(older)


def test_images_whose_day_is_unknown_are_a_group_of_their_own(node: Any, serve: Any) -> None:
    wl = plan()
    dates = frozenset({"AcquisitionDate", "ContentDate"})
    images = winston_lutz(wl, YESTERDAY)
    serve(wl, images, unreturned_keys=dates)
    ((day, (row,)),) = of(node, wl, (NOON.date(), None)).days
    assert day is None
    assert taken(node, row) == uids(images)


def test_images_of_the_future_have_no_button_but_a_reason(node: Any, serve: Any) -> None:
    wl = plan()
    serve(wl, winston_lutz(wl, NOON + 40 * DAY))
    (row,) = rows(of(node, wl))
    assert row.request is None
    assert "in the future" in row.error


@pytest.mark.parametrize("behaviour", [{"relational": False}, {"uid_lists": False}])
def test_a_server_of_another_kind_is_browsed_alike(node: Any, serve: Any, behaviour: Any) -> None:
    wl = plan()
    images = winston_lutz(wl, YESTERDAY)
    serve(wl, images, **behaviour)
    (row,) = rows(of(node, wl, ((NOON - 14 * DAY).date(), None)))
    assert taken(node, row) == uids(images)


def test_an_orthanc_is_browsed_alike(node: Any, orthanc: Any) -> None:
    wl = plan()
    images = winston_lutz(wl, YESTERDAY)
    orthanc.store([wl, *images, *winston_lutz(wl, YESTERDAY - 3 * DAY)])
    orthanc.set_peer("QATRACK", HOST, node.local_port)
    node.remote_port, node.remote_ae_title = orthanc.port, orthanc.ae_title
    node.save()
    ((one),) = list_plans(node, PATIENT)
    assert one.ref.label == "WL"
    newest = rows(of(node, wl))[0]
    assert taken(node, newest) == uids(images)


# --- composite code ---------------------------------------------------------------------------


def result_of(code: str) -> list[str]:
    """Compute the procedure as QATrack+ does."""
    context: dict[str, Any] = {"UTILS": None, "fetch_images": fetch_images}
    exec(code, context)
    return sorted(image["sop_uid"] for image in context["result"]["images"])


def test_the_code_of_a_type_brings_its_newest_images(node: Any, world: Any) -> None:
    portal, dose = of(node, world.wl).codes
    assert (portal.image_type, dose.image_type) == ("PORTAL", "PORTAL\\ACQUIRED_DOSE")
    assert '"WL", "portal", utils=UTILS)' in portal.text
    assert result_of(portal.text) == uids(world.days[0][:8])
    assert result_of(dose.text) == uids(world.dose)


def test_the_code_names_the_course_where_the_label_is_not_unique(node: Any, world: Any) -> None:
    (code,) = of(node, world.daily[1]).codes
    assert 'course="C2"' in code.text
    assert len(result_of(code.text)) == 1


def test_the_code_takes_the_session_where_every_image_is_a_series(node: Any, serve: Any) -> None:
    wl = plan()
    images = winston_lutz(wl, YESTERDAY, series_per_image=True)
    serve(wl, images)
    (code,) = of(node, wl).codes
    assert 'select="session"' in code.text
    assert result_of(code.text) == uids(images)


def test_the_code_of_kv_images_asks_for_them(node: Any, serve: Any) -> None:
    wl = plan()
    images = phantom.kv(wl, YESTERDAY, full_size=False, count=3)
    serve(wl, images)
    (code,) = of(node, wl).codes
    assert 'kv="only"' in code.text
    assert result_of(code.text) == uids(images)


@pytest.mark.parametrize("label", ["it's", 'so "called"', "x\"); __import__('os')", "n{1}"])
def test_a_label_stays_one_string_of_the_code(node: Any, serve: Any, label: str) -> None:
    odd = plan(label)
    images = winston_lutz(odd, YESTERDAY)
    serve(odd, images)
    (code,) = of(node, odd).codes
    assert result_of(code.text) == uids(images)
