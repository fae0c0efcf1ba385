"""Patient IDs and labels that are not plain ASCII, in every way in which servers write them."""

from __future__ import annotations

from typing import Any, Iterator

import pytest
from pydicom.dataset import Dataset

from qatrack_aria import fetch_images
from qatrack_aria.dicom import character_sets
from qatrack_aria.dicom.character_sets import CHOICES, can_encode, decode_texts
from qatrack_aria.dicom.identifier import identifier
from qatrack_aria.errors import PlanNotFoundError, RequestError
from tests.conftest import start
from tests.helpers.aria import plan, uids, winston_lutz
from tests.helpers.peers.orthanc import Orthanc

KANJI = "\\ISO 2022 IR 87"
WORDS = [
    ("ISO_IR 192", "QA_Prüf-山田"),
    ("ISO_IR 100", "QA_Prüf"),
    ("ISO_IR 101", "QA_Łódź"),
    ("ISO_IR 144", "QA_Жук"),
    ("ISO_IR 126", "QA_Λέων"),
    (KANJI, "QA_山田"),
    ("GB18030", "QA_王"),
]
LABELS = {word: word[3:] for _, word in WORDS}


def in_set(ds: Any, character_set: str) -> Any:
    """The data set as a server of that character set has it."""
    ds.SpecificCharacterSet = character_set.split("\\")
    return ds


@pytest.fixture
def patient(node: Any, request: Any) -> Any:
    """Give the node a character set, and return a patient ID of that set."""
    node.character_set, word = request.param
    node.save()
    return word


@pytest.fixture(scope="module")
def running() -> Iterator[Orthanc]:
    """Orthanc answers in one character set of its own, and writes '?' for what it does not have."""
    yield from start(Orthanc(settings={"DefaultEncoding": "Utf8"}))


@pytest.fixture
def unicode_orthanc(running: Orthanc, node: Any) -> Orthanc:
    running.clear()
    return pointed_at(running, node)


def pointed_at(server: Orthanc, node: Any) -> Orthanc:
    server.set_peer(node.local_ae_title, node.local_host, node.local_port)
    node.remote_port, node.remote_ae_title = server.port, server.ae_title
    node.save()
    return server


# --- with a real server -----------------------------------------------------------------------


@pytest.mark.parametrize("patient", WORDS, ids=[c for c, _ in WORDS], indirect=True)
def test_patients_and_labels_in_letters_of_all_sets_are_found(
    patient: str, node: Any, unicode_orthanc: Orthanc
) -> None:
    label = LABELS[patient]
    mine, other = plan(label, patient), plan("other", patient)
    images, others = winston_lutz(mine), winston_lutz(other)
    unicode_orthanc.store(
        [in_set(ds, node.character_set) for ds in (mine, other, *images, *others)]
    )
    assert uids(fetch_images("aria", patient, label)) == uids(images)


@pytest.mark.parametrize("patient", [("ISO_IR 144", "QA_Жук")], indirect=True)
def test_a_server_that_answers_in_letters_that_it_does_not_have_is_reported(
    patient: str, node: Any, orthanc: Orthanc
) -> None:
    """Nobody would look for a character set where a plan is said not to be there."""
    mine = in_set(plan("WL", patient), node.character_set)
    pointed_at(orthanc, node).store([mine])
    with pytest.raises(PlanNotFoundError, match="answers are of another patient ID, or of none"):
        fetch_images("aria", patient, "WL")


@pytest.mark.parametrize("patient", [("ISO_IR 100", "QA_Prüf")], indirect=True)
def test_a_server_that_does_not_say_its_character_set_is_read_in_that_of_the_node(
    patient: str, serve: Any
) -> None:
    mine = plan("Prüf", patient)
    images = winston_lutz(mine)
    for ds in (mine, *images):
        del ds.SpecificCharacterSet  # pydicom then writes ISO 8859-1
    serve(mine, images)
    assert uids(fetch_images("aria", patient, "Prüf")) == uids(images)


# --- before anything is sent ------------------------------------------------------------------


@pytest.mark.parametrize("field", ["patient ID", "plan label"])
@pytest.mark.parametrize("patient", [("ISO_IR 100", "QA_TB1")], indirect=True)
def test_a_letter_that_the_set_does_not_have_is_an_error_and_no_wildcard(
    patient: str, serve: Any, field: str
) -> None:
    """It would go out as '?', and find the plans of others."""
    sim = serve(plan("WL"))
    asked = ("QA_Жук", "WL") if field == "patient ID" else (patient, "Жук")
    with pytest.raises(RequestError, match=f"the {field} .* cannot be written in ISO_IR 100"):
        fetch_images("aria", *asked)
    assert sim.log == []


def test_no_identifier_can_be_built_with_such_a_letter() -> None:
    with pytest.raises(ValueError, match="cannot be written in ISO_IR 100"):
        identifier("IMAGE", {"PatientID": "Жук"}, character_set="ISO_IR 100")


def test_plain_letters_are_sent_without_a_character_set() -> None:
    """The simplest that every server understands."""
    ds = identifier("IMAGE", {"PatientID": "QA_TB1"}, character_set=KANJI)
    assert "SpecificCharacterSet" not in ds


@pytest.mark.parametrize(
    ("patient", "wildcard"),
    [
        (("ISO_IR 13", "QA_日"), "pydicom writes ? for what is not half-width"),
        (("ISO_IR 13", "QA_ｱ"), "nor does it write katakana after Latin letters"),
        (("ISO_IR 13", "QA_¥"), "the sign of the yen is the backslash"),
        ((KANJI, "QA_本"), "K and a backslash"),
        ((KANJI, "QA_Э"), "' and ?"),
        ((KANJI, "QA_И"), "' and *"),
        (("GB18030", "QA_\u2010"), "A9 and a backslash"),
    ],
    indirect=["patient"],
)
def test_a_letter_whose_bytes_hold_a_wildcard_is_not_sent(
    patient: str, wildcard: str, serve: Any
) -> None:
    sim = serve(plan("WL", "QA_X"))
    with pytest.raises(RequestError, match="without the bytes of a wildcard") as raised:
        fetch_images("aria", patient, "WL")
    assert "\n" not in str(raised.value)
    assert sim.log == [], wildcard


@pytest.mark.parametrize(
    ("character_set", "text"),
    [
        ("ISO_IR 13", "ﾔﾏﾀﾞ"),
        (KANJI, "QA_山田"),
        ("GB18030", "QA_王"),
        ("ISO_IR 192", "日本-Э\u2010"),
    ],
)
def test_the_other_letters_of_these_sets_are_sent(character_set: str, text: str) -> None:
    assert can_encode(text, character_set)


@pytest.mark.parametrize(("character_set", "name"), CHOICES, ids=[name for name, _ in CHOICES])
def test_nothing_that_is_sent_in_any_set_holds_a_wildcard(character_set: str, name: str) -> None:
    """Each letter of the Basic Multilingual Plane, as pydicom writes it."""
    from pydicom.charset import convert_encodings, decode_string, encode_string

    encodings = convert_encodings(character_set.split("\\"))
    for letter in filter(str.isprintable, map(chr, range(0x80, 0x10000))):
        if can_encode(letter, character_set):
            raw = encode_string(letter, encodings)
            assert not set(raw) & set(b"?*\\"), letter
            assert decode_string(raw, encodings, set()) == letter


def test_our_own_wildcard_after_a_letter_of_another_alphabet_is_sent() -> None:
    """A long patient ID is asked for by its beginning."""
    ds = identifier("IMAGE", {"PatientID": "QA_山田*"}, character_set=KANJI)
    assert ds.PatientID == "QA_山田*"


# --- answers that do not say whose they are ---------------------------------------------------

SILENT = {"unreturned_keys": frozenset({"PatientID"}), "ignored_keys": frozenset({"PatientID"})}
SOMEBODY = "SOMEBODY"


@pytest.mark.parametrize(
    "patient",
    [("ISO_IR 192", "QA_TB1"), ("ISO_IR 192", "QA_Жук"), ("ISO_IR 192", "QA_" + "1" * 20)],
    ids=["plain", "Cyrillic", "long"],
    indirect=True,
)
@pytest.mark.parametrize("relational", [True, False])
def test_plan_labels_of_somebody_else_are_not_shown(
    patient: str, serve: Any, relational: bool
) -> None:
    """A server that lists everybody's plans, and does not say whose they are."""
    serve(plan("Prostate", SOMEBODY), relational=relational, **SILENT)
    with pytest.raises(PlanNotFoundError) as raised:
        fetch_images("aria", patient, "WL")
    assert "Prostate" not in str(raised.value)


@pytest.mark.parametrize("patient", [("ISO_IR 192", "QA_TB1")], indirect=True)
def test_a_server_that_returns_no_patient_id_is_used_all_the_same(patient: str, serve: Any) -> None:
    """The files say whose they are."""
    wl = plan("WL", patient)
    images = winston_lutz(wl)
    serve(wl, images, unreturned_keys=frozenset({"PatientID"}))
    assert uids(fetch_images("aria", patient, "WL")) == uids(images)


@pytest.mark.parametrize("patient", [("ISO_IR 192", "QA_Жук")], indirect=True)
def test_after_a_letter_that_a_server_may_not_know_its_answer_has_to_say_whose_it_is(
    patient: str, serve: Any
) -> None:
    wl = plan("WL", patient)
    serve(wl, winston_lutz(wl), unreturned_keys=frozenset({"PatientID"}))
    with pytest.raises(PlanNotFoundError, match="answers are of another patient ID, or of none"):
        fetch_images("aria", patient, "WL")


# --- each set ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("character_set", "name"), CHOICES, ids=[name for name, _ in CHOICES])
def test_each_set_of_the_admin_holds_plain_letters(character_set: str, name: str) -> None:
    assert can_encode("QA_TB1-wl (2)", character_set)


@pytest.mark.parametrize(("character_set", "word"), WORDS, ids=[c for c, _ in WORDS])
def test_a_set_holds_its_own_letters_and_not_those_of_all(character_set: str, word: str) -> None:
    assert can_encode(word, character_set)
    assert can_encode("ü山Ж", character_set) is (character_set in ("ISO_IR 192", "GB18030"))


@pytest.mark.parametrize(("character_set", "word"), WORDS, ids=[c for c, _ in WORDS])
def test_a_text_that_came_without_a_set_is_read_in_that_of_the_node(
    character_set: str, word: str
) -> None:
    from pydicom.charset import convert_encodings, encode_string

    raw = encode_string(word, convert_encodings(character_set.split("\\")))
    ds = Dataset()
    ds.PatientID = raw.decode("iso8859")
    decode_texts(ds, character_set)
    assert ds.PatientID == word


def test_bytes_that_are_no_unicode_stay_as_they_were_read() -> None:
    ds = Dataset()
    ds.PatientID = "Prüf"  # read from a byte that cannot stand so in UTF-8
    decode_texts(ds, "ISO_IR 192")
    assert ds.PatientID == "Prüf"


def test_a_set_that_is_stated_is_believed() -> None:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.PatientID = "PrÃ¼f"
    decode_texts(ds, "ISO_IR 192")
    assert ds.PatientID == "PrÃ¼f"


def test_texts_come_without_the_cost_of_importing_pydicom() -> None:
    """The admin's list of sets is part of the start of QATrack+."""
    assert "pydicom" not in vars(character_sets)
