"""Which form of a query is believed, from nodes that refuse some of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Callable

import pytest
from pydicom.dataset import Dataset

from qatrack_aria.dicom import queries
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.dicom.finder import Finder
from qatrack_aria.dicom.peer import Peer
from qatrack_aria.errors import QueryError
from qatrack_aria.phrases import Phrase, phrase
from tests.helpers import datasets
from tests.helpers.datasets import PATIENT

REFUSED = phrase("status", status="0xA900")
IMAGE = datasets.image()
Answers = Callable[[Dataset], "tuple[list[Dataset], Phrase | None]"]


@pytest.fixture
def finder() -> Finder:
    """Lists what a node has of the patient; the node is set by `answering`."""
    peer = Peer("aria", "VMSDBD", "127.0.0.1", 104, "QATRACK", "", 11112)
    session: Any = SimpleNamespace(peer=peer, deadline=Deadline(20), context=lambda kind: None)
    return Finder(session, PATIENT)


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answers], list[Dataset]]:
    """Let the node answer each query by a function; returns the list of queries."""

    def install(answers: Answers) -> list[Dataset]:
        asked: list[Dataset] = []

        def find(session: Any, query: Dataset, read: Any, most: int | None) -> Any:
            asked.append(query)
            found, problem = answers(query)
            return [read(answer) for answer in found], problem

        monkeypatch.setattr(queries, "find", find)
        return asked

    return install


def skips_levels(query: Dataset) -> bool:
    return query.QueryRetrieveLevel == "IMAGE" and not query.get("SeriesInstanceUID")


def test_a_node_that_refuses_every_form_of_the_query_is_named(
    finder: Finder, answering: Any
) -> None:
    answering(lambda query: ([], REFUSED))

    with pytest.raises(QueryError, match="does not list the images of patient 'QA_TB1' for any"):
        finder.images()


def test_a_list_that_was_cut_is_not_taken_for_none(finder: Finder, answering: Any) -> None:
    """With the fewest keys the node finds nothing; with more it lists a part."""
    cut = [IMAGE], phrase("limit")
    answering(lambda query: cut if "ImageType" in query else ([], None))

    with pytest.raises(QueryError, match="does not list the images"):
        finder.images()


def test_a_node_that_refuses_some_keys_and_has_nothing_lists_nothing(
    finder: Finder, answering: Any
) -> None:
    answering(lambda query: ([], REFUSED if "ImageType" in query else None))

    assert finder.images() == []


def test_level_by_level_all_keys_of_an_image_are_asked_for(finder: Finder, answering: Any) -> None:
    asked = answering(lambda query: ([], REFUSED) if skips_levels(query) else ([IMAGE], None))

    assert [image.sop_uid for image in finder.images()] == [IMAGE.SOPInstanceUID]
    assert all(keyword in asked[-1] for keyword in queries.IMAGE_KEYS)
