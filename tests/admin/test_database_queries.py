"""What a page of the admin costs: a fixed number of queries, however much it could show."""

from __future__ import annotations

from typing import Any, Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from qatrack_aria.models import AriaNode, Retrieval
from tests.admin.test_nodes import NODES, RETRIEVALS, STARTED


def nodes(number: int) -> None:
    there = AriaNode.objects.count()
    AriaNode.objects.bulk_create(
        AriaNode(name=f"aria {there + one}", remote_host="10.0.0.5", remote_port=104)
        for one in range(number)
    )


def retrievals(number: int) -> None:
    Retrieval.objects.bulk_create(
        Retrieval(started=STARTED, node_name=f"aria {one % 9}", status="done", message="x" * 300)
        for one in range(number)
    )


@pytest.fixture
def cost(admin_client: Client) -> Callable[[str], int]:
    """How many queries a page takes, once Django has looked up its content types."""

    def count(page: str) -> int:
        admin_client.get(page)
        with CaptureQueriesContext(connection) as asked:
            assert admin_client.get(page).status_code == 200
        return len(asked)

    return count


@pytest.mark.parametrize(
    ("page", "make", "many"),
    [(NODES, nodes, 60), (RETRIEVALS, retrievals, 10_000)],
    ids=["nodes", "retrievals"],
)
def test_a_list_costs_the_same_however_long_it_is(
    cost: Any, page: str, make: Callable[[int], None], many: int
) -> None:
    make(3)
    of_few = cost(page)
    make(many)
    assert cost(page) == of_few <= 12


@pytest.mark.parametrize(
    ("page", "make", "model"),
    [(NODES, nodes, AriaNode), (RETRIEVALS, retrievals, Retrieval)],
    ids=["node", "retrieval"],
)
def test_the_page_of_one_costs_the_same_however_many_others_there_are(
    cost: Any, page: str, make: Callable[[int], None], model: Any
) -> None:
    make(1)
    one = f"{page}{model.objects.get().pk}/change/"
    alone = cost(one)
    make(200)
    assert cost(one) == alone <= 6
