"""JSON of every kind, from a browser or the disk: a named error, or something that is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from qatrack_aria.dicom.peer import Peer
from qatrack_aria.errors import AriaError
from qatrack_aria.retrieval.answer_cache import AnswerCache
from qatrack_aria.retrieval.imageset import ImageSet
from qatrack_aria.retrieval.provenance import Provenance
from qatrack_aria.retrieval.request import Request, parse_deadline, parse_max_age
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.digests import digest_of
from qatrack_aria.storage.set_folder import LaidOut
from tests.fuzz.conftest import fuzz, tried
from tests.fuzz.spoiling import altered, json_values
from tests.helpers import datasets
from tests.helpers.datasets import PATIENT

PEER = Peer("aria", "VMSDBD", "127.0.0.1", 104, "QATRACK", "", 11112)


def image_set(folder: Any) -> ImageSet:
    file = folder / "1.dcm"
    file.write_bytes(b"one image")
    request = Request.parse(PATIENT, "WL").as_dict
    images = [datasets.image_ref()]
    laid_out = LaidOut(folder, images, [file], [digest_of(file)])
    return ImageSet(laid_out, node="aria", request=request, plan=datasets.plan_ref())


def one_line(error: AriaError) -> None:
    assert str(error).isprintable()
    assert len(str(error)) < 1000


def test_requests():
    """Whatever passes is safe in a query."""

    @fuzz(30)
    @given(st.lists(json_values, min_size=11, max_size=11))
    def parse(given_values):
        tried["requests"] += 1
        patient, plan, image_type, date, count, machine, course, select, kv, *seconds = given_values
        try:
            parse_deadline(seconds[0])
            parse_max_age(seconds[1])
        except AriaError as error:
            one_line(error)
        try:
            request = Request.parse(
                patient,
                plan,
                image_type,
                date=date,
                count=count,
                machine=machine,
                course=course,
                select=select,
                kv=kv,
            )
        except AriaError as error:
            one_line(error)
        else:
            assert json.dumps(request.as_dict)
            assert not set("*?\\\n") & set(request.patient_id + request.plan)

    parse()


def test_texts_of_a_request():
    """Each alone beside others that are right, so that it is reached."""

    @fuzz(100)
    @given(json_values | st.text(max_size=70), st.sampled_from(["patient", "plan", "machine"]))
    def parse(text, where):
        tried["texts of a request"] += 1
        known = {"patient": PATIENT, "plan": "WL", "machine": "TB1", where: text}
        try:
            request = Request.parse(known["patient"], known["plan"], machine=known["machine"])
        except AriaError as error:
            one_line(error)
        else:
            for part in (request.patient_id, request.plan, request.machine or "TB1"):
                assert part.isprintable()
                assert 0 < len(part) <= 64
                assert not set("*?\\") & set(part)

    parse()


def test_summaries(tmp_path):
    right = image_set(tmp_path).summary

    @fuzz(100)
    @given(altered(right) | json_values)
    def parse(summary):
        tried["summaries"] += 1
        try:
            parsed = Provenance.parse(summary)
        except AriaError as error:
            one_line(error)
        else:
            assert parsed.sop_uids == tuple(image["sop_uid"] for image in right["images"])
            assert parsed.node == right["node"]

    parse()


def test_notes_of_a_set_and_what_is_remembered(tmp_path):
    """The files are our own; one that was damaged is as good as none."""
    cache = AnswerCache(Archive(tmp_path / "archive"), PEER, Request.parse(PATIENT, "WL"))
    cache.put(image_set(tmp_path), 1)
    right = json.loads(cache._path.read_text(encoding="utf-8"))

    @fuzz(100)
    @given(altered(right) | json_values)
    def get(note):
        tried["remembered answers"] += 1
        cache._path.write_text(json.dumps(note), encoding="utf-8")
        answer = cache.get(60)
        if answer is not None and answer.images is not None:
            assert answer.images.files
            assert all(Path(file).is_file() for file in answer.images)
        elif answer is not None:
            assert isinstance(answer.failure, AriaError)

    get()
