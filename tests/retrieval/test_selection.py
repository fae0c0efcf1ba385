"""Which images and which plan are meant, and when choosing would be guessing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.uids import VARIAN_PLAN_CLASSES
from qatrack_aria.errors import AmbiguousImagesError, AmbiguousPlanError
from qatrack_aria.retrieval.matching import (
    exclusion_reasons,
    match_image,
    match_plan,
    short_image_type,
)
from qatrack_aria.retrieval.messages import explain_none
from qatrack_aria.retrieval.request import Request
from qatrack_aria.retrieval.selection import choose, require_one_plan, require_unambiguous
from tests.helpers.datasets import LABEL, PATIENT, PLAN_UID, TAKEN, image_ref, plan_ref

PLANS = frozenset({PLAN_UID})
DAY = dt.timedelta(days=1)
KV = {"dose_unit": "MINUTE"}


def request(**options: Any) -> Request:
    return Request.parse(PATIENT, options.pop("plan", LABEL), **options)


def series(name: str, *numbers: int, **changes: Any) -> list[ImageRef]:
    """Images of one series; their numbers give the order of acquisition, in seconds."""
    return [image_ref(number, series_uid=f"1.2.3.{name}", **changes) for number in numbers]


def chosen(images: list[ImageRef], **options: Any) -> list[ImageRef]:
    """What is handed over of images whose headers are known."""
    asked = request(**options)
    images_meant = choose(images, asked, PLANS)
    require_unambiguous(images_meant, images, asked, PLANS)
    return images_meant


# --- plans ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "options", "meant"),
    [
        pytest.param({}, {}, True, id="its label"),
        pytest.param({"label": "WL2"}, {}, False, id="another label"),
        pytest.param({"label": "wl"}, {}, False, id="label in other case"),
        pytest.param({"label": None}, {}, None, id="label unknown"),
        pytest.param({"label": ""}, {}, False, id="label absent"),
        pytest.param({}, {"course": "C1"}, True, id="its course"),
        pytest.param({}, {"course": "C2"}, False, id="another course"),
        pytest.param({"course": None}, {"course": "C1"}, None, id="course unknown"),
        pytest.param({"course": ""}, {"course": "C1"}, False, id="course absent"),
        pytest.param({"label": "WL2"}, {"plan": "1.2.246.352.71.5.1"}, True, id="its UID"),
        pytest.param({}, {"plan": "1.2.246.352.71.5.2"}, False, id="another UID"),
    ],
)
def test_a_plan_is_meant_by_its_label_and_course_or_by_its_uid(
    changes: dict[str, Any], options: dict[str, Any], meant: bool | None
) -> None:
    assert match_plan(plan_ref(**changes), request(**options)) is meant


@pytest.mark.parametrize("sop_class", VARIAN_PLAN_CLASSES)
def test_a_halcyon_plan_is_a_plan(sop_class: str) -> None:
    plan = plan_ref(sop_class=sop_class, modality="", from_file=True)

    assert match_plan(plan, request()) is True


def test_a_file_that_is_no_plan_is_not_meant() -> None:
    dose = plan_ref(sop_class="1.2.840.10008.5.1.4.1.1.481.2", modality="RTDOSE", from_file=True)

    assert match_plan(dose, request()) is False


def test_one_plan_of_the_label_is_certain() -> None:
    require_one_plan([plan_ref()], request())


def test_two_plans_of_one_label_are_listed_instead_of_guessed() -> None:
    plans = [plan_ref(course="C2", sop_uid="1.2.4"), plan_ref(course="C1", sop_uid="1.2.3")]

    with pytest.raises(AmbiguousPlanError, match=r"2 plans .* C1, .*1\.2\.3.* C2, .*1\.2\.4"):
        require_one_plan(plans, request())


def test_a_plan_without_a_course_can_be_listed() -> None:
    plans = [plan_ref(course=None, sop_uid="1.2.4"), plan_ref(course="C1", sop_uid="1.2.3")]

    with pytest.raises(AmbiguousPlanError, match="no course given"):
        require_one_plan(plans, request())


# --- one image --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "options", "reason"),
    [
        ({"patient_id": "QA_TB2"}, {}, "of another patient"),
        ({"patient_id": None}, {}, "of another patient"),
        ({"plan_uids": frozenset({"1.2.9"})}, {}, "of another plan or of none"),
        ({"plan_uids": frozenset()}, {}, "of another plan or of none"),
        ({}, {"date": TAKEN - DAY}, "of another day"),
        ({"acquired": None}, {"date": TAKEN}, "without a date of acquisition"),
        ({"acquired": None}, {"until": TAKEN}, "without a date of acquisition"),
        ({}, {"until": TAKEN}, "acquired after the session"),
        ({}, {"until": TAKEN, "date": TAKEN}, "acquired after the session"),
        ({}, {"until": TAKEN + DAY, "date": TAKEN - DAY}, "of another day"),
        ({}, {"machine": "TB2"}, "of machine TB1"),
        ({}, {"machine": "tb1"}, "of machine TB1"),
        ({"machines": frozenset()}, {"machine": "TB1"}, "of an unnamed machine"),
        (KV, {}, "kV"),
        ({"dose_unit": "", "peak_kv": 100.0}, {}, "kV"),
        ({"image_type": ("ORIGINAL", "PRIMARY", "PORTAL", "ACQUIRED_DOSE")}, {}, "PORTAL\\ACQ"),
        ({"image_type": ("DERIVED", "SECONDARY", "PORTAL")}, {}, "DERIVED\\SECONDARY\\PORTAL"),
        ({"image_type": ("ORIGINAL", "PRIMARY")}, {}, "ORIGINAL\\PRIMARY"),
        ({"image_type": ()}, {}, ""),
    ],
)
def test_an_image_that_is_not_meant_is_left_behind_with_a_reason(
    changes: dict[str, Any], options: dict[str, Any], reason: str
) -> None:
    verdict = match_image(image_ref(**changes), request(**options), PLANS)

    assert verdict.matches is False
    assert verdict.reason.startswith(reason)


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        pytest.param({}, {}, id="as asked"),
        pytest.param({"plan_uids": frozenset({"1.2.9", PLAN_UID})}, {}, id="of two plans"),
        pytest.param({}, {"date": TAKEN}, id="of that day"),
        pytest.param({"acquired": None}, {}, id="undated"),
        pytest.param({}, {"until": TAKEN + dt.timedelta(seconds=1)}, id="of that instant"),
        pytest.param(
            {"machines": frozenset({"BUNKER2", "TB1"})}, {"machine": "TB1"}, id="of two names"
        ),
        pytest.param(KV, {"kv": True}, id="kV wanted"),
        pytest.param({"dose_unit": ""}, {}, id="another maker's"),
    ],
)
def test_an_image_that_fits_is_meant(changes: dict[str, Any], options: dict[str, Any]) -> None:
    assert match_image(image_ref(**changes), request(**options), PLANS).matches is True


@pytest.mark.parametrize(
    ("unknown", "options"),
    [
        ("plan_uids", {}),
        ("acquired", {}),
        ("acquired", {"date": TAKEN}),
        ("acquired", {"until": TAKEN}),
        ("machines", {"machine": "TB1"}),
        ("dose_unit", {}),
        ("image_type", {}),
    ],
)
def test_what_an_answer_does_not_tell_leaves_the_verdict_open(
    unknown: str, options: dict[str, Any]
) -> None:
    answer = image_ref(**{unknown: None}, from_file=False)

    assert match_image(answer, request(**options), PLANS).matches is None


@pytest.mark.parametrize(
    ("unknown", "options"), [("machines", {}), ("dose_unit", {"kv": True}), ("peak_kv", {})]
)
def test_what_was_not_asked_need_not_be_known(unknown: str, options: dict[str, Any]) -> None:
    answer = image_ref(**{unknown: None}, from_file=False)

    assert match_image(answer, request(**options), PLANS).matches is True


def test_one_known_mismatch_settles_it_whatever_else_is_open() -> None:
    """Such an image is not fetched only to be thrown away."""
    answer = image_ref(plan_uids=None, image_type=None, from_file=False, **KV)

    assert match_image(answer, request(), PLANS).matches is False


# --- the set ----------------------------------------------------------------------------------


def test_the_newest_series_is_meant() -> None:
    old, new = series("1", 1, 2, 3), series("2", 11, 12)

    assert chosen(old + new) == new


def test_all_of_the_series_is_meant_also_across_midnight() -> None:
    evening = series("1", 1, 2)
    after_midnight = series("1", 3, acquired=TAKEN + DAY)

    assert chosen(evening + after_midnight) == evening + after_midnight


def test_a_kv_image_in_the_series_is_left_behind() -> None:
    mv, kv = series("1", 1, 2), series("1", 3, **KV)

    assert chosen(mv + kv) == mv


def test_a_newer_series_of_kv_images_does_not_hide_the_mv_images() -> None:
    mv, kv = series("1", 1, 2), series("2", 3, **KV)

    assert chosen(mv + kv) == mv


def test_kv_images_alone_can_be_asked_for() -> None:
    mv, kv = series("1", 1, 2), series("1", 3, 4, **KV)
    assert chosen([*mv, *kv], kv="only") == kv


def test_one_series_can_be_asked_for() -> None:
    older, newer = series("1", 1, 2), series("2", 3)
    assert chosen([*older, *newer], series="1.2.3.1") == older
    assert choose([*older, *newer], request(series="1.2.3.3"), PLANS) == []


def test_a_single_image_of_the_series_that_was_asked_for_is_certain() -> None:
    single = series("1", 1)
    images = [*single, *series("2", 2)]
    asked = request(series="1.2.3.1")
    require_unambiguous(single, images, asked, PLANS)


def test_all_of_the_newest_day_can_be_meant() -> None:
    yesterday = series("1", 1, acquired=TAKEN - DAY)
    morning, evening = series("2", 1, 2), series("3", 11)

    assert chosen(yesterday + morning + evening, select="day") == morning + evening


def test_everything_can_be_meant() -> None:
    images = series("1", 1, acquired=TAKEN - DAY) + series("2", 1, 2) + series("3", 3)

    assert chosen(images, select="all") == images


def test_a_date_chooses_the_newest_series_of_that_day() -> None:
    asked_day = series("1", 1, 2, acquired=TAKEN - DAY)
    later = series("2", 1, 2)

    assert chosen(asked_day + later, date=TAKEN - DAY) == asked_day


def test_a_later_series_does_not_hide_the_one_of_the_session() -> None:
    """Last month's list, opened again, gives last month's images."""
    of_the_session, later = series("1", 1, 2), series("2", 11, 12)

    until = TAKEN + dt.timedelta(seconds=5)
    assert chosen(of_the_session + later, until=until) == of_the_session


def test_equal_series_uids_in_two_studies_are_two_series() -> None:
    old, new = series("1", 1, 2, study_uid="1.2.3.8"), series("1", 11, 12, study_uid="1.2.3.9")

    assert chosen(old + new) == new


def test_nothing_meant_chooses_nothing() -> None:
    assert choose(series("1", 1, 2, **KV), request(), PLANS) == []


def test_an_answer_without_a_date_has_to_be_looked_at_before_anything_is_ranked() -> None:
    dated = series("1", 1, 2)
    untold = series("2", 3, acquired=None, from_file=False)

    assert choose(dated + untold, request(), PLANS) == untold


def test_images_that_may_be_meant_are_chosen_to_be_looked_at() -> None:
    old = series("1", 1, 2)
    may_be_kv = series("2", 3, dose_unit=None, from_file=False)

    assert choose(old + may_be_kv, request(), PLANS) == may_be_kv


# --- when choosing would be guessing ----------------------------------------------------------


@pytest.mark.parametrize("names", ["12", "123"])
def test_single_images_of_one_day_may_belong_together(names: str) -> None:
    """Some imagers open a series for every image."""
    images = [image for name in names for image in series(name, int(name))]

    with pytest.raises(
        AmbiguousImagesError, match=rf"{len(names) - 1} more series .* select='day'"
    ):
        chosen(images)


@pytest.mark.parametrize("options", [{"select": "series"}, {"count": 1}])
def test_who_says_what_is_meant_gets_the_single_image(options: dict[str, Any]) -> None:
    images = [image for name in "123" for image in series(name, int(name))]

    assert chosen(images, **options) == images[-1:]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(series("1", 1, acquired=TAKEN - DAY), id="of another day"),
        pytest.param(series("1", 1, 2), id="in a longer series"),
        pytest.param(series("1", 1, **KV), id="kV"),
    ],
)
def test_a_single_image_beside_other_images_is_certain(other: list[ImageRef]) -> None:
    newest = series("2", 11)

    assert chosen(other + newest) == newest


def test_a_single_image_is_certain() -> None:
    assert chosen(series("1", 1)) == series("1", 1)


@pytest.mark.parametrize(
    "options", [{"date": TAKEN}, {"select": "day"}, {"until": TAKEN + DAY}], ids=str
)
def test_an_undated_image_in_the_series_of_a_day_is_not_silently_left_out(
    options: dict[str, Any],
) -> None:
    images = series("1", 1, 2) + series("1", 3, acquired=None)

    with pytest.raises(AmbiguousImagesError, match="1 of the images"):
        chosen(images, **options)


@pytest.mark.parametrize(
    "options", [{"date": TAKEN}, {"select": "day"}, {"until": TAKEN + DAY}], ids=str
)
def test_an_undated_kv_image_in_the_series_does_no_harm(options: dict[str, Any]) -> None:
    mv, kv = series("1", 1, 2), series("1", 3, acquired=None, **KV)

    assert chosen(mv + kv, **options) == mv


def test_an_undated_image_in_another_series_does_not_stop_a_date() -> None:
    dated, undated = series("1", 1, 2), series("2", 3, acquired=None)

    assert chosen(dated + undated, date=TAKEN) == dated


@pytest.mark.parametrize("options", [{}, {"select": "series"}, {"select": "day"}])
def test_of_two_undated_series_nobody_knows_the_newest(options: dict[str, Any]) -> None:
    images = series("1", 1, 2, acquired=None) + series("2", 3, acquired=None)

    with pytest.raises(AmbiguousImagesError, match="3 of the images"):
        chosen(images, **options)


@pytest.mark.parametrize("options", [{}, {"select": "day"}, {"select": "all"}])
def test_one_undated_series_alone_is_certain(options: dict[str, Any]) -> None:
    images = series("1", 1, 2, acquired=None)

    assert chosen(images, **options) == images


def test_who_wants_everything_gets_the_undated_images_too() -> None:
    images = series("1", 1, 2) + series("2", 3, acquired=None)

    assert chosen(images, select="all") == images


def test_a_mere_look_does_not_call_images_undated_that_the_server_tells_nothing_of() -> None:
    """dcmqrscp returns no dates: whether the images have any is seen when they are fetched."""
    answers = [i for n in "12" for i in series(n, int(n), acquired=None, from_file=False)]

    assert chosen(answers) == answers


# --- in words ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image_type", "name"),
    [
        (("ORIGINAL", "PRIMARY", "PORTAL"), "PORTAL"),
        (("ORIGINAL", "PRIMARY", "PORTAL", "ACQUIRED_DOSE"), "PORTAL\\ACQUIRED_DOSE"),
        (("ORIGINAL", "PRIMARY"), "ORIGINAL\\PRIMARY"),
        (("DERIVED", "SECONDARY", "DRR"), "DERIVED\\SECONDARY\\DRR"),
        ((), ""),
    ],
)
def test_an_image_type_is_named_as_one_says_it(image_type: tuple[str, ...], name: str) -> None:
    assert short_image_type(image_type) == name


def test_images_left_out_are_sorted_by_the_reason() -> None:
    mv, kv = series("1", 1), series("1", 2, 3, **KV)

    assert exclusion_reasons(mv + kv, request(), PLANS) == {"kV": kv}


def test_no_image_at_all_is_said_so() -> None:
    assert explain_none([], request(), PLANS) == "the node lists no RT Image of this patient"


def test_images_of_other_plans_only_are_said_to_be_so() -> None:
    images = series("1", 1, 2, plan_uids=frozenset({"1.2.9"}))

    assert explain_none(images, request(), PLANS) == (
        "2 images seen, none of which references this plan"
    )


def test_why_no_image_of_the_plan_is_meant_is_said_with_numbers_and_days() -> None:
    kv = series("1", 1, 2, acquired=TAKEN - DAY, **KV)
    dose = series("2", 3, image_type=("ORIGINAL", "PRIMARY", "PORTAL", "ACQUIRED_DOSE"))
    of_another_plan = series("3", 4, 5, plan_uids=frozenset({"1.2.9"}))

    explanation = explain_none(kv + dose + of_another_plan, request(), PLANS)

    assert explanation == (
        "3 images of 2026-11-19 to 2026-11-20 reference this plan, 2 kV, 1 PORTAL\\ACQUIRED_DOSE; "
        "you asked for PORTAL"
    )


def test_one_reason_for_all_images_is_said_to_hold_for_all() -> None:
    asked = request(date=TAKEN - DAY, machine="TB1")

    assert explain_none(series("1", 1, 2), asked, PLANS) == (
        "2 images of 2026-11-20 reference this plan, all 2 are of another day; "
        "you asked for PORTAL of 2026-11-19 on TB1"
    )


def test_images_of_the_other_plans_are_not_mistaken_for_all_of_this_plan() -> None:
    kv = series("1", 1, 2, **KV)
    of_another_plan = series("3", 4, 5, plan_uids=frozenset({"1.2.9"}))

    assert explain_none(kv + of_another_plan, request(), PLANS) == (
        "2 images of 2026-11-20 reference this plan, all 2 are kV; you asked for PORTAL"
    )


def test_images_whose_plan_is_not_told_are_not_said_to_be_of_another() -> None:
    answers = series("1", 1, 2, plan_uids=None, from_file=False, **KV)

    assert explain_none(answers, request(), PLANS) == (
        "2 images of 2026-11-20 may reference this plan, all 2 are kV; you asked for PORTAL"
    )


def test_a_single_undated_image_is_explained() -> None:
    image = series("1", 1, acquired=None)

    assert explain_none(image, request(date=TAKEN), PLANS) == (
        "1 image references this plan, 1 without a date of acquisition; "
        "you asked for PORTAL of 2026-11-20"
    )
