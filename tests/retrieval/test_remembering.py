"""Results that are kept: for the same code, images, arguments, outside values and versions."""

from __future__ import annotations

import os
import sys
import textwrap
import time
import types
from pathlib import Path
from typing import Any

import pytest

from qatrack_aria import fetch_images
from qatrack_aria.errors import ArchiveError, RequestError
from qatrack_aria.retrieval.remembering import remove_old
from qatrack_aria.storage.archive import Archive
from tests.helpers.aria import DAY, NOON, PATIENT, plan, winston_lutz

COUNTING = """
def analyse(images, factor=2):
    calls.append(1)
    return {"number": factor * len(images)}
"""


@pytest.fixture
def images(serve):
    wl = plan()
    serve(wl, winston_lutz(wl, count=2), winston_lutz(wl, NOON - DAY, count=3))
    return fetch_images("aria", PATIENT, "WL")


calls: list[int] = []


@pytest.fixture(autouse=True)
def no_calls():
    calls.clear()


def procedure(text: str, **outside: Any) -> Any:
    """The function that a composite test defines, as QATrack+ runs it."""
    # `calls` is reached through a module, whose values are not part of what is asked.
    text = textwrap.dedent(text).replace("calls.append", "tests.calls.append")
    context = {"tests": sys.modules[__name__], **outside}
    exec(compile(text, "__QAT+COMP_x", "exec"), context)
    return context["analyse"]


def test_the_same_question_is_computed_once(images):
    results = [images.remember("n", procedure(COUNTING)) for _ in range(3)]
    assert results == [{"number": 4}] * 3
    assert len(calls) == 1


def test_another_set_of_the_same_images_has_the_same_result(images):
    images.remember("n", procedure(COUNTING))
    again = fetch_images("aria", PATIENT, "WL", count=2)
    assert again.path != images.path
    assert again.remember("n", procedure(COUNTING)) == {"number": 4}
    assert len(calls) == 1


def test_other_images_are_another_question(images):
    images.remember("n", procedure(COUNTING))
    older = fetch_images("aria", PATIENT, "WL", date=(NOON - DAY).date())
    assert older.remember("n", procedure(COUNTING)) == {"number": 6}


@pytest.mark.parametrize(
    "change",
    [
        {"args": (3,)},
        {"name": "m"},
        {"text": COUNTING.replace("factor * len", "factor + len")},
        {"text": COUNTING.replace("factor=2", "factor=3")},
    ],
    ids=str,
)
def test_another_question_is_computed_anew(images, change):
    images.remember("n", procedure(COUNTING))
    name, text, args = (
        change.get(key, known) for key, known in (("name", "n"), ("text", COUNTING), ("args", ()))
    )
    images.remember(name, procedure(text), *args)
    assert len(calls) == 2


OUTSIDE = """
def analyse(images):
    calls.append(1)
    return diameter * len(images)
"""


def test_a_value_from_outside_is_part_of_the_question(images):
    found = [images.remember("n", procedure(OUTSIDE, diameter=d)) for d in (5, 6, 5)]
    assert found == [10, 12, 10]
    assert len(calls) == 2


def test_so_is_a_function_from_outside(images):
    text = "def half(n):\n    return n / {}\n\ndef analyse(images):\n    return half(len(images))\n"
    assert images.remember("n", procedure(text.format(2))) == 1
    assert images.remember("n", procedure(text.format(4))) == 0.5


def test_so_is_the_version_of_a_library(images, monkeypatch):
    images.remember("n", procedure(COUNTING))
    newer = types.ModuleType("pylinac")
    newer.__version__ = "99"
    monkeypatch.setitem(sys.modules, "pylinac", newer)
    images.remember("n", procedure(COUNTING))
    assert len(calls) == 2


def test_an_attribute_is_nothing_from_outside(images):
    text = "def analyse(images):\n    return len(images.images)\n"
    assert images.remember("n", procedure(text, images=images)) == 2


def test_what_cannot_be_told_from_outside_is_refused(images):
    with pytest.raises(RequestError, match="uses 'diameter', of object, from outside"):
        images.remember("n", procedure(OUTSIDE, diameter=object()))


@pytest.mark.parametrize("result", ["{1, 2}", "float('nan')", "images", "b'x'", "'x' * 2**21"])
def test_a_result_that_is_not_json_is_refused(images, result):
    with pytest.raises(RequestError, match="Remember"):
        images.remember("n", procedure(f"def analyse(images):\n    return {result}\n"))


def test_numbers_of_numpy_are_numbers(images):
    numpy = pytest.importorskip("numpy")
    text = "def analyse(images):\n    return {'n': numpy.float64(1.5), 'all': numpy.arange(2)}\n"
    expected = {"n": 1.5, "all": [0, 1]}
    assert images.remember("n", procedure(text, numpy=numpy)) == expected


@pytest.mark.parametrize("function", [len, "analyse", None, lambda *_: 1])
def test_only_a_function_of_the_test_is_remembered(images, function):
    if getattr(function, "__name__", "") == "<lambda>":
        assert images.remember("n", function) == 1
        return
    with pytest.raises(RequestError, match="no function"):
        images.remember("n", function)


def test_an_analysis_that_fails_is_not_remembered(images):
    failing = procedure("def analyse(images):\n    calls.append(1)\n    return 1 / 0\n")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            images.remember("n", failing)
    assert len(calls) == 2


def test_images_that_were_changed_are_not_analysed(images):
    with open(images.files[0], "ab") as file:
        file.write(b"x")
    with pytest.raises(ArchiveError):
        images.remember("n", procedure(COUNTING))
    assert calls == []


@pytest.mark.parametrize("spoilt", [b"", b"{}", b'abc\n{"result": 5}'])
def test_a_result_that_was_spoilt_is_computed_anew(images, spoilt, settings):
    images.remember("n", procedure(COUNTING))
    (kept,) = Archive(_root(settings)).results.iterdir()
    kept.write_bytes(spoilt)
    assert images.remember("n", procedure(COUNTING)) == {"number": 4}
    assert len(calls) == 2


def test_results_are_removed_when_their_sets_are(images, settings):
    images.remember("n", procedure(COUNTING))
    archive = Archive(_root(settings))
    (kept,) = archive.results.iterdir()
    remove_old(archive, 7)
    assert kept.exists()
    os.utime(kept, (0, time.time() - 8 * 86400))
    remove_old(archive, 7)
    assert not kept.exists()


def _root(settings: Any) -> Path:
    return Path(settings.QATRACK_ARIA_ARCHIVE)
