"""A node sends an image twice: the same one is welcome, another one under its UID is not."""

from __future__ import annotations

import copy
from typing import Any, Callable

import pytest
from pydicom.dataset import Dataset

from qatrack_aria import fetch_images
from qatrack_aria.conf import conf
from qatrack_aria.dicom.part10 import same_content
from qatrack_aria.errors import AmbiguousImagesError
from qatrack_aria.models import Retrieval
from qatrack_aria.simulator import find as simulated_find
from qatrack_aria.simulator import retrieve
from qatrack_aria.simulator.index import Index
from tests.helpers import datasets
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz

Change = Callable[[Dataset], None]


def nothing(ds: Dataset) -> None:
    """An operation that is asked for again brings what has come before."""


def the_moment_of_export(ds: Dataset) -> None:
    """ARIA writes another one each time."""
    ds.InstanceCreationDate, ds.InstanceCreationTime = "20261129", "120000"


def one_pixel(ds: Dataset) -> None:
    ds.PixelData = ds.PixelData[:-2] + b"\x12\x34"


def the_gantry(ds: Dataset) -> None:
    ds.GantryAngle = 271.3


def one_byte_more(ds: Dataset) -> None:
    ds.RTImageDescription = "corrected"


@pytest.fixture
def send_again(monkeypatch: pytest.MonkeyPatch) -> Callable[[Change], None]:
    """Have the simulated ARIA send each image a second time, changed."""

    def changed(change: Change) -> None:
        send = retrieve._sub_operation

        def send_both(dataset: Dataset, behaviour: Any, store: Any) -> int:
            status = send(dataset, behaviour, store)
            other = copy.deepcopy(dataset)
            change(other)
            send(other, behaviour, store)
            return status

        monkeypatch.setattr(retrieve, "_sub_operation", send_both)

    return changed


@pytest.mark.parametrize("method", ["C-MOVE", "C-GET"])
@pytest.mark.parametrize("change", [nothing, the_moment_of_export], ids=lambda c: c.__name__)
def test_the_same_image_twice_is_one_image(
    serve: Any, node: Any, send_again: Any, change: Change, method: str
) -> None:
    node.retrieve_method = method
    node.save()
    wl = plan()
    mine = winston_lutz(wl, count=3)
    serve(wl, mine)
    send_again(change)

    images = fetch_images("aria", PATIENT, "WL")

    assert uids(images) == uids(mine)
    assert Retrieval.objects.get().refused == 0


@pytest.mark.parametrize("method", ["C-MOVE", "C-GET"])
@pytest.mark.parametrize(
    "change", [one_pixel, the_gantry, one_byte_more], ids=lambda change: change.__name__
)
def test_another_image_under_the_uid_is_an_error_that_names_it(
    serve: Any, node: Any, send_again: Any, change: Change, method: str
) -> None:
    node.retrieve_method = method
    node.save()
    wl = plan()
    mine = winston_lutz(wl, count=1)
    uid = str(mine[0].SOPInstanceUID)
    aria = serve(wl, mine)
    send_again(change)

    with pytest.raises(AmbiguousImagesError, match=f"has sent the instance {uid} twice"):
        fetch_images("aria", PATIENT, "WL")

    statuses = [store.status for store in aria.operations("C-STORE")]
    assert statuses[:2] == [0x0000, 0xA900]
    # Which is right is unknown, so neither is kept for the next fetch.
    assert list((conf.ARCHIVE / "instances").rglob(f"{uid}*")) == []
    assert list((conf.ARCHIVE / "sets").iterdir()) == []


def test_the_other_one_may_come_first(serve: Any) -> None:
    wl = plan()
    mine = winston_lutz(wl, count=2)
    other = copy.deepcopy(mine[1])
    one_pixel(other)
    serve(wl, mine, extra=[other])

    with pytest.raises(AmbiguousImagesError, match=str(other.SOPInstanceUID)):
        fetch_images("aria", PATIENT, "WL")


@pytest.fixture
def hold_in_another_series(monkeypatch: pytest.MonkeyPatch) -> Callable[[Dataset], None]:
    """Have the simulated ARIA hold a second instance of a UID, in a series of its own."""

    def hold(twin: Dataset) -> None:
        other = Index()
        other.add([twin])
        find, select = simulated_find.find, retrieve.select

        def find_both(index: Any, *asked: Any) -> Any:
            yield from find(index, *asked)
            yield from find(other, *asked)

        def select_both(index: Any, identifier: Dataset) -> Any:
            found = [*select(index, identifier), *select(other, identifier)]
            return [ds for ds in found if ds.SeriesInstanceUID == identifier.SeriesInstanceUID]

        monkeypatch.setattr(simulated_find, "find", find_both)
        monkeypatch.setattr(retrieve, "select", select_both)

    return hold


@pytest.mark.parametrize("change", [nothing, the_gantry], ids=lambda c: c.__name__)
@pytest.mark.parametrize("select", ["session", "day", "all"])
def test_an_image_that_is_listed_in_two_series_has_to_be_the_same_in_both(
    serve: Any, hold_in_another_series: Any, change: Change, select: str
) -> None:
    wl = plan()
    mine = winston_lutz(wl, NOON - DAY, count=3)
    twin = copy.deepcopy(mine[1])
    twin.SeriesInstanceUID = "1.2.3.4.5"
    change(twin)
    serve(wl, mine)
    hold_in_another_series(twin)
    for _ in range(2):  # the archive keeps the image
        if change is nothing:
            fetched = fetch_images("aria", PATIENT, "WL", select=select, max_age=0)
            assert uids(fetched) == uids(mine)
        else:
            with pytest.raises(AmbiguousImagesError, match=r"has sent the instance .* twice"):
                fetch_images("aria", PATIENT, "WL", select=select, max_age=0)


@pytest.mark.parametrize(
    ("change", "same"),
    [(nothing, True), (the_moment_of_export, True), (one_pixel, False), (the_gantry, False)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_content_is_compared_whatever_its_transfer_syntax(
    tmp_path: Any, change: Change, same: bool
) -> None:
    one = datasets.image()
    other = copy.deepcopy(one)
    change(other)
    contents = []
    for number, (ds, explicit) in enumerate([(one, False), (other, True)]):
        ds.file_meta.TransferSyntaxUID = f"1.2.840.10008.1.2{'.1' if explicit else ''}"
        contents.append(datasets.save(ds, tmp_path / f"{number}.dcm").read_bytes())

    assert same_content(*contents) is same


def test_what_cannot_be_read_is_not_the_same() -> None:
    assert not same_content(b"", b"")
