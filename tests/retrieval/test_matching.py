"""Whether a plan or an image matches a request, is unknown, or does not match and why."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from qatrack_aria.dicom.uids import VARIAN_PLAN_CLASSES
from qatrack_aria.retrieval.matching import (
    exclusion_reasons,
    match_image,
    match_plan,
    short_image_type,
)
from qatrack_aria.retrieval.request import Request
from tests.helpers.datasets import (
    KV,
    LABEL,
    PATIENT,
    PLAN_UID,
    TAKEN,
    image_ref,
    plan_ref,
    series_refs,
)

PLANS = frozenset({PLAN_UID})
DAY = dt.timedelta(days=1)


def request(**options: Any) -> Request:
    return Request.parse(PATIENT, options.pop("plan", LABEL), **options)


@pytest.mark.parametrize(
    ("changes", "options", "matches"),
    [
        pytest.param({}, {}, True, id="its label"),
        pytest.param({"label": "WL2"}, {}, False, id="another label"),
        pytest.param({"label": "wl"}, {}, False, id="label in other case"),
        pytest.param({"label": None}, {}, None, id="label unknown"),
        pytest.param({"label": ""}, {}, False, id="label absent"),
        pytest.param({"label": "Wochentl."}, {"plan": "Wöchentl."}, None, id="a letter lost"),
        pytest.param({"label": "W?chentl."}, {"plan": "Wöchentl."}, None, id="a letter as ?"),
        pytest.param({"label": "Tagl."}, {"plan": "Wöchentl."}, False, id="other letters"),
        pytest.param({"label": "Wochentl"}, {"plan": "Wöchentl."}, False, id="another end"),
        pytest.param(
            {"label": "Wochentl.", "from_file": True},
            {"plan": "Wöchentl."},
            False,
            id="no such letter in the file",
        ),
        pytest.param({"course": "Marz"}, {"course": "März"}, None, id="a letter of the course"),
        pytest.param({}, {"course": "C1"}, True, id="its course"),
        pytest.param({}, {"course": "C2"}, False, id="another course"),
        pytest.param({"course": None}, {"course": "C1"}, None, id="course unknown"),
        pytest.param({"course": ""}, {"course": "C1"}, False, id="course absent"),
        pytest.param({"label": "WL2"}, {"plan": "1.2.246.352.71.5.1"}, True, id="its UID"),
        pytest.param({}, {"plan": "1.2.246.352.71.5.2"}, False, id="another UID"),
    ],
)
def test_a_plan_matches_by_its_label_and_course_or_by_its_uid(
    changes: dict[str, Any], options: dict[str, Any], matches: bool | None
) -> None:
    assert match_plan(plan_ref(**changes), request(**options)) is matches


@pytest.mark.parametrize("sop_class", VARIAN_PLAN_CLASSES)
def test_a_halcyon_plan_is_a_plan(sop_class: str) -> None:
    plan = plan_ref(sop_class=sop_class, modality="", from_file=True)

    assert match_plan(plan, request()) is True


def test_a_file_that_is_not_a_plan_does_not_match() -> None:
    dose = plan_ref(sop_class="1.2.840.10008.5.1.4.1.1.481.2", modality="RTDOSE", from_file=True)

    assert match_plan(dose, request()) is False


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
        ({"machines": frozenset()}, {"machine": "TB1"}, "of an unnamed machine"),
        (KV, {}, "kV"),
        ({"dose_unit": "", "peak_kv": 100.0}, {}, "kV"),
        ({"image_type": ("ORIGINAL", "PRIMARY", "PORTAL", "ACQUIRED_DOSE")}, {}, "PORTAL\\ACQ"),
        ({"image_type": ("DERIVED", "SECONDARY", "PORTAL")}, {}, "DERIVED\\SECONDARY\\PORTAL"),
        ({"image_type": ("ORIGINAL", "PRIMARY")}, {}, "ORIGINAL\\PRIMARY"),
        ({"image_type": ()}, {}, ""),
    ],
)
def test_an_image_that_does_not_match_has_a_reason(
    changes: dict[str, Any], options: dict[str, Any], reason: str
) -> None:
    match = match_image(image_ref(**changes), request(**options), PLANS)

    assert match.matches is False
    assert match.reason.startswith(reason)


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
        pytest.param({}, {"machine": "tb1"}, id="in other capitals"),
        pytest.param({"patient_id": PATIENT.lower()}, {}, id="patient ID in other capitals"),
        pytest.param({"dose_unit": ""}, {}, id="another maker's"),
    ],
)
def test_an_image_with_all_requested_attributes_matches(
    changes: dict[str, Any], options: dict[str, Any]
) -> None:
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
def test_an_attribute_that_an_answer_lacks_leaves_the_match_unknown(
    unknown: str, options: dict[str, Any]
) -> None:
    answer = image_ref(**{unknown: None}, from_file=False)

    assert match_image(answer, request(**options), PLANS).matches is None


@pytest.mark.parametrize(
    ("unknown", "options"), [("machines", {}), ("dose_unit", {"kv": True}), ("peak_kv", {})]
)
def test_an_attribute_that_was_not_requested_need_not_be_known(
    unknown: str, options: dict[str, Any]
) -> None:
    answer = image_ref(**{unknown: None}, from_file=False)

    assert match_image(answer, request(**options), PLANS).matches is True


def test_one_known_mismatch_decides_whatever_else_is_unknown() -> None:
    """Such an image is not fetched only to be thrown away."""
    answer = image_ref(plan_uids=None, image_type=None, from_file=False, **KV)

    assert match_image(answer, request(), PLANS).matches is False


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
def test_an_image_type_is_named_without_its_usual_values(
    image_type: tuple[str, ...], name: str
) -> None:
    assert short_image_type(image_type) == name


def test_images_left_out_are_grouped_by_reason() -> None:
    mv, kv = series_refs("1", 1), series_refs("1", 2, 3, **KV)

    assert exclusion_reasons(mv + kv, request(), PLANS) == {"kV": kv}
