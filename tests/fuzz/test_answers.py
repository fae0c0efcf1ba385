"""C-FIND answers of every kind: what comes of them is sane and can be shown, or a named error."""

from __future__ import annotations

import datetime as dt
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR
from pynetdicom.dsutils import decode, encode

from qatrack_aria.dicom import values
from qatrack_aria.dicom.attributes import ImageRef, PlanRef, image_ref, plan_ref
from qatrack_aria.dicom.character_sets import CHOICES, decode_texts
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.dicom.plain_answers import plain_answer
from qatrack_aria.dicom.queries import IMAGE_KEYS, PLAN_KEYS
from qatrack_aria.errors import AriaError
from qatrack_aria.retrieval import messages, selection
from qatrack_aria.retrieval.request import Request
from tests.fuzz.conftest import fuzz, tried
from tests.fuzz.spoiling import TAGS, WORDS, element, elements, spoilt
from tests.helpers import datasets
from tests.helpers.datasets import PATIENT

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

PEER = Peer("aria", "VMSDBD", "127.0.0.1", 104, "QATRACK", "", 11112)
REQUESTS = [
    Request.parse(PATIENT, "WL", **options)
    for options in ({}, {"machine": "TB1"}, {"date": "2026-11-20"}, {"select": "all"})
]
PLANS = frozenset({datasets.PLAN_UID})
SETS = ("ISO_IR 192", "ISO_IR 100", "\\ISO 2022 IR 87", "GB18030")


def answer() -> Any:
    """One as a server would give it."""
    ds = datasets.image()
    del ds.PixelData
    return ds


ANSWER = datasets.encoded(answer())


def listed(implicit: bool, undefined: bool) -> bytes:
    """One that has what the search asks for, and no more."""
    ds = answer()
    for one in list(ds):
        if one.keyword not in (*IMAGE_KEYS, *PLAN_KEYS, "PatientID", "SpecificCharacterSet"):
            del ds[one.tag]
    ds.RTPlanLabel, ds.StudyID, ds.RTPlanDate, ds.RTPlanTime = "WL", "C1", "20261120", "0830"
    ds["ReferencedRTPlanSequence"].is_undefined_length = undefined
    for item in ds.ReferencedRTPlanSequence:
        item.is_undefined_length_sequence_item = undefined
    return bytes(encode(ds, implicit, True) or b"")


LISTED = {
    listed(implicit, undefined): implicit
    for implicit in (True, False)
    for undefined in (True, False)
}
listed_answers = st.one_of(
    *(
        (st.just(data) | spoilt(data, most=2)).map(lambda data, implicit=implicit: (data, implicit))
        for data, implicit in LISTED.items()
    )
)


@st.composite
def well_formed(draw: Any) -> tuple[bytes, bool]:
    """Values of any kind, each with the value representation of the dictionary."""
    tags = draw(st.lists(st.sampled_from(sorted(TAGS.values())), unique=True, min_size=1))
    value = st.sampled_from(WORDS) | st.text("09:.-+\\ A\0", max_size=20).map(str.encode)
    pairs = [(tag, dictionary_VR(tag)) for tag in sorted(tags)]
    return b"".join(
        element(*pair, draw(value)) for pair in pairs if pair[1] not in NOT_PLAIN
    ), False


#: Value representations that are left to pydicom, or have items.
NOT_PLAIN = ("PN", "SQ")
answers = elements().map(lambda data: (data, False)) | spoilt(ANSWER).map(lambda data: (data, True))


def read(data: bytes, implicit: bool, character_set: str) -> Any:
    """As it is read from the wire; nothing where that fails, which counts as a hole in the list."""
    try:
        ds = decode(io.BytesIO(data), implicit, True)
    except Exception:
        return None
    decode_texts(ds, character_set)
    return ds


@fuzz(100)
@given(answers, st.sampled_from([name for name, _ in CHOICES]))
def test_a_text_that_stands_as_it_was_read_is_what_conversion_makes_of_it(given_, character_set):
    tried["texts of answers"] += 1
    data, implicit = given_
    ours, converted = read(data, implicit, character_set), read(data, implicit, character_set)
    if ours is None:
        return
    for one in converted:
        assert one.tag in ours
    for keyword in TAGS:
        assert values.texts(ours, keyword) == values.texts(converted, keyword), keyword


@fuzz(300)
@given(well_formed() | listed_answers | answers, st.sampled_from([name for name, _ in CHOICES]))
def test_an_answer_that_is_read_without_pydicom_says_what_pydicom_makes_of_it(given_, set_):
    tried["answers read without pydicom"] += 1
    data, implicit = given_
    plain, converted = plain_answer(data, implicit), read(data, implicit, set_)
    if plain is None:
        return
    tried["of them plain"] += 1
    assert image_ref(plain) == image_ref(converted)
    assert plan_ref(plain) == plan_ref(converted)
    for keyword in TAGS:
        assert values.texts(plain, keyword) == values.texts(converted, keyword), keyword


def texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [text for one in value for text in texts(one)] if isinstance(value, list) else []


def check(ref: Any, kind: Any) -> None:
    note = json.loads(json.dumps(ref.to_json()))
    for text in (part for value in note.values() for part in texts(value)):
        assert text.isprintable()
        assert len(text) <= 65
    assert len(ref.sop_uid) <= 65
    if ref.from_file:
        assert repr(kind.from_json(note)) == repr(ref)
    if kind is ImageRef and ref.acquired is not None:
        assert ref.acquired.year > dt.MINYEAR + 1000


def line(message: str) -> None:
    assert message.isprintable()
    assert len(message) < 5000


def test_plans_and_images_are_read_or_not_known():
    @fuzz(100)
    @given(answers, st.sampled_from(SETS), st.booleans())
    def parse(encoded, character_set, from_file):
        tried["C-FIND answers"] += 1
        ds = read(*encoded, character_set)
        if ds is not None:
            check(image_ref(ds, from_file=from_file), ImageRef)
            check(plan_ref(ds, from_file=from_file), PlanRef)

    parse()


def test_lists_of_them_are_chosen_from_and_explained():
    @fuzz(30)
    @given(st.lists(answers, min_size=1, max_size=4), st.sampled_from(REQUESTS), st.booleans())
    def choose(many, request, from_file):
        tried["lists of C-FIND answers"] += 1
        found = [ds for one in many for ds in [read(*one, "ISO_IR 192")] if ds is not None]
        images = [image_ref(ds, from_file=from_file) for ds in found]
        plans = [plan_ref(ds, from_file=from_file) for ds in found]
        uids = PLANS | {uid for image in images for uid in image.plan_uids or ()}
        line(messages.no_images(PEER, request, images, uids))
        line(messages.no_plan(PEER, request, plans, []))
        wanted = selection.candidates(images, request, uids)
        try:
            selection.require_one_plan(plans, request)
            if wanted:
                line(" ".join(messages.remarks(wanted, images, request, uids)))
                selection.to_verify(wanted, images, request, uids)
            selection.settle(images, request, uids)
        except AriaError as error:
            line(str(error))

    choose()
