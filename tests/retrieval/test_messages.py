"""Why no image matches, in one sentence."""

from __future__ import annotations

import datetime as dt
from typing import Any

from qatrack_aria.retrieval.messages import explain_none
from qatrack_aria.retrieval.request import Request
from tests.helpers.datasets import KV, LABEL, PATIENT, PLAN_UID, TAKEN, series_refs

PLANS = frozenset({PLAN_UID})
DAY = dt.timedelta(days=1)


def request(**options: Any) -> Request:
    return Request.parse(PATIENT, options.pop("plan", LABEL), **options)


def test_a_patient_without_images_is_explained() -> None:
    assert explain_none([], request(), PLANS) == "the node lists no RT Image of this patient"


def test_images_of_other_plans_only_are_explained() -> None:
    images = series_refs("1", 1, 2, plan_uids=frozenset({"1.2.9"}))

    assert explain_none(images, request(), PLANS) == (
        "2 images seen, none of which references this plan"
    )


def test_images_that_do_not_match_are_counted_by_reason_with_their_days() -> None:
    kv = series_refs("1", 1, 2, acquired=TAKEN - DAY, **KV)
    dose = series_refs("2", 3, image_type=("ORIGINAL", "PRIMARY", "PORTAL", "ACQUIRED_DOSE"))
    of_another_plan = series_refs("3", 4, 5, plan_uids=frozenset({"1.2.9"}))

    explanation = explain_none(kv + dose + of_another_plan, request(), PLANS)

    assert explanation == (
        "3 images of 2026-11-19 to 2026-11-20 reference this plan, 2 kV, 1 PORTAL\\ACQUIRED_DOSE; "
        "you asked for PORTAL"
    )


def test_one_reason_for_all_images_is_given_once() -> None:
    asked = request(date=TAKEN - DAY, machine="TB1")

    assert explain_none(series_refs("1", 1, 2), asked, PLANS) == (
        "2 images of 2026-11-20 reference this plan, all 2 are of another day; "
        "you asked for PORTAL of 2026-11-19 on TB1"
    )


def test_images_of_the_other_plans_are_not_mistaken_for_all_of_this_plan() -> None:
    kv = series_refs("1", 1, 2, **KV)
    of_another_plan = series_refs("3", 4, 5, plan_uids=frozenset({"1.2.9"}))

    assert explain_none(kv + of_another_plan, request(), PLANS) == (
        "2 images of 2026-11-20 reference this plan, all 2 are kV; you asked for PORTAL"
    )


def test_images_whose_plan_is_unknown_may_reference_this_one() -> None:
    answers = series_refs("1", 1, 2, plan_uids=None, from_file=False, **KV)

    assert explain_none(answers, request(), PLANS) == (
        "2 images of 2026-11-20 may reference this plan, all 2 are kV; you asked for PORTAL"
    )


def test_a_single_undated_image_is_explained() -> None:
    image = series_refs("1", 1, acquired=None)

    assert explain_none(image, request(date=TAKEN), PLANS) == (
        "1 image references this plan, 1 without a date of acquisition; "
        "you asked for PORTAL of 2026-11-20"
    )
