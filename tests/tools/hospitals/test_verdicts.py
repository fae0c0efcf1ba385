"""The judge is not blind: it tells a wrong, a partial and a failed answer from a right one."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from qatrack_aria.errors import AmbiguousImagesError, ImagesNotFoundError, QueryError
from qatrack_aria.simulator import phantom
from tools.hospitals import run, verdicts
from tools.hospitals.run import Case
from tools.hospitals.summary import Summary
from tools.hospitals.verdicts import Verdict

from .worlds import due, error, image, plan, sets

WL = plan()
MORNING = [image(WL, f"07:{minute}") for minute in (30, 31, 32)]
OTHER = image(WL, "07:40", series="2")
ALL = sets(MORNING)
HELD = {str(ds.SOPInstanceUID): ds for ds in [*MORNING, OTHER]}


@pytest.fixture
def judged(tmp_path):
    """Hand over some images, and return the verdict."""

    def judge(images: list[Dataset], expected=ALL) -> str:
        files = [str(phantom.save(ds, tmp_path)) for ds in images]
        return verdicts.of_files(files, expected, HELD).kind

    return judge


def test_all_of_the_images_are_right(judged):
    assert judged(MORNING) == "right"


def test_one_image_too_many_is_wrong(judged):
    assert judged([*MORNING, OTHER]) == "wrong"


def test_other_images_are_wrong(judged):
    assert judged([OTHER]) == "wrong"


def test_one_image_less_is_partial(judged):
    assert judged(MORNING[:2]) == "partial"


def test_a_set_is_wrong_where_there_must_be_an_error(judged):
    assert judged(MORNING, error("AmbiguousImagesError")) == "wrong"


def test_a_session_under_way_is_partial(judged):
    assert judged(MORNING, error("IncompleteRetrievalError")) == "partial"


def test_another_order_is_wrong(judged):
    assert judged(MORNING[::-1]) == "wrong"


def test_an_image_that_is_there_twice_is_wrong(judged):
    assert judged([*MORNING, MORNING[2]]) == "wrong"


def test_other_pixels_are_wrong(judged):
    spoilt = image(WL, "07:32", SOPInstanceUID=MORNING[2].SOPInstanceUID)
    spoilt.file_meta.MediaStorageSOPInstanceUID = spoilt.SOPInstanceUID
    assert judged([*MORNING[:2], spoilt]) == "wrong"


@pytest.mark.parametrize(
    ("raised", "expected", "kind"),
    [
        (AmbiguousImagesError("…"), error("AmbiguousImagesError"), "right error"),
        (AmbiguousImagesError("…"), error("AmbiguousError"), "right error"),
        (AmbiguousImagesError("…"), sets(MORNING), "needless error"),
        (ImagesNotFoundError("…"), error("AmbiguousImagesError"), "needless error"),
        (QueryError("…"), sets(MORNING), "needless error"),
        (KeyError("…"), error("AmbiguousImagesError"), "crash"),
        (RecursionError("…"), sets(MORNING), "crash"),
    ],
)
def test_errors_are_right_needless_or_crashes(raised, expected, kind):
    ours = raised.__class__.__module__ == "qatrack_aria.errors"
    assert verdicts.of_error(raised, expected, False, ours).kind == kind


def test_where_a_node_contradicts_its_files_an_error_is_right():
    verdict = verdicts.of_error(AmbiguousImagesError("…"), sets(MORNING), True, True)
    assert verdict.kind == "right error"


def test_reasons_are_counted_without_names_and_numbers():
    one, two = (
        verdicts.of_error(QueryError(f"C-FIND: '{name}' failed"), sets(MORNING), False, True)
        for name in ("A", "B")
    )
    assert one.reason == two.reason == "QueryError: C-FIND: '…' failed"


def test_the_summary_says_all_in_a_line():
    summary = Summary()
    request = run.Request("QA_TB1", "WL")
    for kind in ("right", "right error", "wrong", "partial", "crash", "needless error"):
        verdict = Verdict(kind, "because")
        summary.add(Case(request, "", due([WL, *MORNING]), verdict, "python …", [], []))
    assert summary.line == "requests 6, wrong 1, partial 1, crashes 1, needless errors 1"
    assert summary.reasons == "  1 × because"
    assert [case.verdict.kind for case in summary.bad] == ["wrong", "partial", "crash"]
