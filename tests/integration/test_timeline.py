"""Each retrieval keeps a timeline; that of a failure shows how far it came."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from filelock import FileLock

from qatrack_aria import fetch_images, images_from
from qatrack_aria.conf import conf
from qatrack_aria.dicom import queries
from qatrack_aria.errors import (
    AmbiguousPlanError,
    AriaError,
    BusyError,
    ImagesNotFoundError,
    IncompleteRetrievalError,
    NodeUnreachableError,
    PlanNotFoundError,
)
from qatrack_aria.models import Retrieval
from qatrack_aria.phrases import read_phrase
from qatrack_aria.retrieval.service import find_plan, preview
from qatrack_aria.simulator import phantom
from qatrack_aria.storage.archive import Archive
from tests.helpers.aria import DAY, NOON, PATIENT, plan, winston_lutz


def timeline(row: Retrieval | None = None) -> dict:
    return json.loads((row or Retrieval.objects.first()).timeline)


def steps(kept: dict) -> list[str]:
    return [step["step"] for step in kept["steps"]]


def reasons(kept: dict, name: str) -> dict:
    return {read_phrase(entry["why"]): entry["number"] for entry in kept.get(name, [])}


def timeline_of_failure(kind: type[AriaError], **options) -> dict:
    with pytest.raises(kind):
        fetch_images("aria", PATIENT, "WL", **options)
    return timeline()


# --- a success --------------------------------------------------------------------------------


def test_a_success_is_recorded_completely(serve):
    wl = plan()
    images = winston_lutz(wl)
    serve(wl, images, winston_lutz(wl, NOON - DAY), phantom.kv(wl, NOON, like=images[0]))
    fetch_images("aria", PATIENT, "WL", count=8)
    kept = timeline()
    assert kept["node"].startswith("node 'aria' (VMSDBD at 127.0.0.1:")
    assert [(one["label"], one["uid"]) for one in kept["plans"]] == [("WL", wl.SOPInstanceUID)]
    assert reasons(kept, "left_out") == {"kV": 1, "not of the newest session": 8}
    assert kept["listed"] == 17
    assert kept["queries_in_all"] == len(kept["queries"]) > 1
    assert kept["queries"][0]["answers"] == 1
    (transfer,) = kept["transfers"]
    assert (transfer["service"], transfer["asked"], transfer["arrived"]) == ("C-MOVE", 8, 8)
    assert (transfer["status"], transfer["completed"], transfer["failed"]) == (0, 8, 0)
    assert "stopped_at" not in kept


def test_the_steps_add_up_to_the_whole(serve):
    wl = plan()
    serve(wl, winston_lutz(wl))
    fetch_images("aria", PATIENT, "WL")
    kept = timeline()
    assert steps(kept) == [
        "lock",
        "associate",
        "plan",
        "images",
        "check",
        "move",
        "lay_out",
        "release",
        "prune",
    ]
    spent = sum(step["seconds"] for step in kept["steps"])
    assert 0 < spent <= Retrieval.objects.get().seconds + 0.001


def test_a_rejection_is_recorded_with_its_reason(serve):
    wl = plan()
    stranger = winston_lutz(plan(patient="QA_OTHER"), count=1)
    serve(wl, winston_lutz(wl), extra=tuple(stranger))
    fetch_images("aria", PATIENT, "WL")
    assert list(reasons(timeline(), "refused")) == ["an instance that was not requested"]


def test_a_preview_records_what_it_found(serve):
    wl = plan()
    serve(wl, winston_lutz(wl))
    preview("aria", PATIENT, "WL")
    assert timeline()["listed"] == 8
    assert Retrieval.objects.get().status == "listed"
    assert "move" not in steps(timeline())


def test_a_plan_alone_is_recorded(serve):
    serve(plan())
    find_plan("aria", PATIENT, "WL")
    assert [one["label"] for one in timeline()["plans"]] == ["WL"]
    assert Retrieval.objects.get().status == "listed"


def test_images_that_are_opened_again_are_laid_out(serve):
    wl = plan()
    serve(wl, winston_lutz(wl))
    summary = fetch_images("aria", PATIENT, "WL").summary
    images_from(summary)
    assert steps(timeline()) == ["lay_out"]


def test_a_repeated_answer_leaves_the_timeline_as_it_is(serve):
    wl = plan()
    serve(wl, winston_lutz(wl, NOON - DAY))
    fetch_images("aria", PATIENT, "WL")
    before = Retrieval.objects.get().timeline
    fetch_images("aria", PATIENT, "WL")
    row = Retrieval.objects.get()
    assert (row.repeats, row.timeline) == (1, before)


def test_neither_patient_names_nor_staff_names_are_recorded(serve):
    wl = plan()
    images = winston_lutz(wl)
    serve(wl, images)
    utils = SimpleNamespace(user=SimpleNamespace(username="physicist"))
    fetch_images("aria", PATIENT, "WL", utils=utils)
    kept = Retrieval.objects.get().timeline
    for name in (phantom.OPERATOR, str(images[0].PatientName), "physicist"):
        assert name not in kept


def test_images_are_not_lost_when_the_report_fails(serve, monkeypatch):
    def broken(self):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("qatrack_aria.retrieval.workflow.Workflow.report", broken)
    wl = plan()
    serve(wl, winston_lutz(wl))
    assert len(fetch_images("aria", PATIENT, "WL")) == 8
    assert "move" in steps(timeline())


# --- failures ---------------------------------------------------------------------------------


def test_a_node_that_is_not_there_stops_it_while_calling(node):
    kept = timeline_of_failure(NodeUnreachableError)
    assert kept["stopped_at"] == "associate"
    assert "queries" not in kept


def test_a_plan_that_is_not_there_stops_it_while_finding_the_plan(serve):
    serve(plan("PF"))
    kept = timeline_of_failure(PlanNotFoundError)
    assert kept["stopped_at"] == "plan"
    assert kept["queries"][0]["answers"] == 1
    assert "plans" not in kept


def test_plans_of_the_same_label_are_all_recorded(serve):
    serve(plan(course="C1"), plan(course="C2"))
    kept = timeline_of_failure(AmbiguousPlanError)
    assert kept["stopped_at"] == "plan"
    assert sorted(one["course"] for one in kept["plans"]) == ["C1", "C2"]


def test_images_that_are_not_there_stop_it_while_finding_the_images(serve):
    wl = plan()
    serve(wl, phantom.kv(wl, NOON, like=winston_lutz(wl)[0]))
    kept = timeline_of_failure(ImagesNotFoundError)
    assert kept["stopped_at"] == "images"
    assert [one["label"] for one in kept["plans"]] == ["WL"]
    assert reasons(kept, "left_out") == {"kV": 1}


def test_images_that_do_not_arrive_stop_it_while_moving(serve):
    wl = plan()
    images = winston_lutz(wl)
    serve(wl, images, unmovable=frozenset({str(images[0].SOPInstanceUID)}))
    kept = timeline_of_failure(IncompleteRetrievalError)
    assert kept["stopped_at"] == "move"
    assert (kept["transfers"][0]["asked"], kept["transfers"][0]["arrived"]) == (8, 7)
    assert kept["transfers"][0]["status"] == 0xB000


def test_a_node_that_does_not_know_us_is_recorded_by_its_status(serve, node):
    wl = plan()
    serve(wl, winston_lutz(wl), trusted_only=False)
    node.local_ae_title = "NOBODY"
    node.save()
    kept = timeline_of_failure(AriaError)
    assert kept["transfers"][0]["status"] == 0xA801


def test_a_node_that_refuses_us_stops_it_while_calling(serve, node):
    serve(plan())
    node.local_ae_title = "NOBODY"
    node.save()
    assert timeline_of_failure(AriaError)["stopped_at"] == "associate"


def test_a_query_that_is_never_answered_is_recorded(serve, monkeypatch):
    """The node goes away between its answer and our next query."""
    wl = plan()
    simulator = serve(wl, winston_lutz(wl))
    asked = []

    def find(session, identifier, *how):
        asked.append(identifier)
        if len(asked) == 3:
            session.abort()
            simulator.__exit__(None, None, None)
        return real(session, identifier, *how)

    real = queries.find
    monkeypatch.setattr(queries, "find", find)
    kept = timeline_of_failure(NodeUnreachableError)
    assert kept["queries"][2]["problem"] == {"code": "unanswered"}
    assert kept["plans"]


def test_a_destination_that_is_taken_stops_it_while_waiting(serve, node):
    serve(plan())
    locks = Archive(conf.ARCHIVE, node.character_set).locks
    with FileLock(str(locks / f"port-{node.local_port}.lock")):
        kept = timeline_of_failure(BusyError, deadline=2)
    assert kept["stopped_at"] == "lock"
    assert steps(kept) == ["lock"]
    assert kept["steps"][0]["seconds"] >= 0.15


def test_a_request_that_is_invalid_has_an_empty_timeline(node):
    assert timeline_of_failure(AriaError, count="many") == {}
