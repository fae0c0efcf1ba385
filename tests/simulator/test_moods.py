"""Short lists and late changes, as a client meets them."""

from __future__ import annotations

import pytest

from qatrack_aria.simulator import Behaviour

from .client import find, get, move


def listed(sim, image):
    """The SOP Instance UIDs that a C-FIND lists of an image's series, and its final status."""
    answers, status = find(sim, "IMAGE", SeriesInstanceUID=image.SeriesInstanceUID)
    assert status == 0x0000
    return [answer.SOPInstanceUID for answer in answers]


def all_of(images):
    return [image.SOPInstanceUID for image in images]


@pytest.mark.parametrize(("which", "rest"), [("first", slice(1, None)), ("last", slice(0, -1))])
def test_one_answer_is_left_out_once_with_success(sim, behave, monday, which, rest):
    behave(short_from=2, short_answer=which)
    assert listed(sim, monday[0]) == all_of(monday)
    assert listed(sim, monday[0]) == all_of(monday)[rest]
    assert listed(sim, monday[0]) == all_of(monday)


def test_a_given_answer_is_left_out_where_it_would_be_listed(sim, behave, monday, tuesday):
    behave(short_from=1, short_answer=str(monday[3].SOPInstanceUID))
    assert listed(sim, tuesday[0]) == all_of(tuesday)
    assert listed(sim, monday[0]) == all_of(monday[:3] + monday[4:])
    assert listed(sim, monday[0]) == all_of(monday)
    assert sim.moods.left_out == [(2, monday[3].SOPInstanceUID)]


def test_only_queries_of_a_level_or_with_a_key_may_count(sim, behave, monday):
    behave(short_from=1, short_level="IMAGE", short_keys=frozenset({"PatientID"}))
    assert len(find(sim, "SERIES", PatientID="QA_TB1")[0]) == 3
    assert listed(sim, monday[0]) == all_of(monday)
    assert len(find(sim, "IMAGE", PatientID="QA_TB1")[0]) == 11


def test_every_third_list_may_be_short(sim, behave, monday):
    behave(short_every=3)
    assert [len(listed(sim, monday[0])) for _ in range(6)] == [8, 8, 7, 8, 8, 7]


def test_lists_may_be_short_by_chance_and_the_same_seed_repeats_it(sim, behave, monday):
    counts = []
    for _ in range(2):
        behave(short_percent=50, short_seed=4)
        counts.append([listed(sim, monday[0]) for _ in range(12)])
    assert counts[0] == counts[1]
    assert {len(uids) for uids in counts[0]} == {7, 8}


def test_answers_may_be_changed_by_a_function(sim, behave, monday):
    asked = []

    def twice(number, identifier, answers):
        asked.append((number, identifier.QueryRetrieveLevel))
        return answers + answers[:1]

    behave(on_answer=twice)
    assert listed(sim, monday[0]) == all_of(monday + monday[:1])
    assert asked == [(1, "IMAGE")]


def test_an_image_may_appear_and_another_vanish(sim, behave, monday, receiver):
    new, old = (str(image.SOPInstanceUID) for image in monday[6:8])
    behave(late_from=2, appearing=frozenset({new}), vanishing=frozenset({old}))
    move(sim, "IMAGE", SOPInstanceUID=new)
    assert receiver.datasets == []
    assert listed(sim, monday[0]) == [*all_of(monday[:6]), old]
    assert listed(sim, monday[0]) == [*all_of(monday[:6]), new]
    move(sim, "IMAGE", SOPInstanceUID=[new, old])
    assert [str(ds.SOPInstanceUID) for ds in receiver.datasets] == [new]


def test_an_attribute_may_be_corrected_in_answers_and_files(sim, behave, monday):
    uid = str(monday[0].SOPInstanceUID)
    behave(late_from=2, corrected=frozenset({f"{uid}:AcquisitionDate=20251104"}))
    question = {"PatientID": "QA_TB1", "AcquisitionDate": "20251104"}
    assert len(find(sim, "IMAGE", **question)[0]) == 3
    assert len(find(sim, "IMAGE", **question)[0]) == 4
    assert monday[0].AcquisitionDate == "20251103"
    _, images = get(sim, "IMAGE", SOPInstanceUID=uid)
    assert [image.AcquisitionDate for image in images] == ["20251104"]


def test_another_behaviour_begins_anew(sim, behave, monday):
    behave(late_from=1, vanishing=frozenset(all_of(monday)))
    assert listed(sim, monday[0]) == []
    behave(late_from=None)
    assert listed(sim, monday[0]) == all_of(monday)


def test_the_command_line_knows_these_switches():
    assert Behaviour.from_options(
        ["short_from=3", "short_answer=last", "short_level=IMAGE", "corrected=1.2:ImageType=A"]
    ) == Behaviour(
        short_from=3,
        short_answer="last",
        short_level="IMAGE",
        corrected=frozenset({"1.2:ImageType=A"}),
    )
