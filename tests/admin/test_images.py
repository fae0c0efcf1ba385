"""The page with the pictures of a retrieval, and the pictures themselves."""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from qatrack_aria import rendering
from qatrack_aria.admin import images as pages
from qatrack_aria.conf import conf
from qatrack_aria.models import Retrieval
from qatrack_aria.retrieval.service import fetch
from tests.helpers.aria import PATIENT, plan, winston_lutz
from tests.helpers.browsing import YESTERDAY, images_address, shown

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed: no pictures")
SCRIPT = "<script>alert(1)</script>"


def of(serve: Any, node: Any, **attributes: Any) -> Retrieval:
    """The row of one image with some attributes of its own."""
    wl = plan()
    images = winston_lutz(wl, YESTERDAY, count=1)
    for keyword, value in attributes.items():
        setattr(images[0], keyword, value)
    serve(wl, images)
    fetch(node.name, PATIENT, "WL")
    return Retrieval.objects.get()


def text(client: Client, row: Retrieval, **asked: Any) -> str:
    answer = client.get(images_address(row), asked)
    assert answer.status_code == 200
    return answer.content.decode()


def picture(client: Client, row: Retrieval, place: int = 1, **asked: Any) -> Any:
    answer = client.get(f"{images_address(row)}{place}.png", asked)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "image/png"
    return Image.open(io.BytesIO(answer.content))


# --- what is shown --------------------------------------------------------------------------------


def test_each_image_has_its_angles_time_machine_energy_and_distance(
    viewer: Client, fetched: Retrieval
) -> None:
    page = text(viewer, fetched)
    assert page.count("<figure>") == 8
    assert page.count('loading="lazy"') == 8
    day = f"{YESTERDAY:%Y-%m-%d %H:%M}:35"
    for expected in ("90°", "270°", day, "TB1", "6 MV", "1500 mm", "MV_1"):
        assert expected in page


def test_a_small_picture_is_drawn_as_on_the_contact_sheet(
    viewer: Client, fetched: Retrieval
) -> None:
    first = sorted(Path(fetched.folder).iterdir())[0]
    seen = picture(viewer, fetched)
    assert seen.tobytes() == rendering.draw_thumbnail(first, seen.width).tobytes()


def test_a_picture_in_full_size_has_every_pixel(viewer: Client, fetched: Retrieval) -> None:
    first = sorted(Path(fetched.folder).iterdir())[0]
    seen = picture(viewer, fetched, full=1)
    assert seen.size == (64, 64)
    assert seen.tobytes() == rendering.draw_image(first).tobytes()


def test_radiation_is_bright_and_dark_as_on_film_if_one_likes(
    viewer: Client, fetched: Retrieval
) -> None:
    bright, dark = (picture(viewer, fetched, full=1, **film) for film in ({}, {"film": 1}))
    beside = (25, 32)  # in the field, beside the ball
    assert bright.getpixel(beside) > 200 > 50 > bright.getpixel((0, 0))
    assert dark.getpixel(beside) < 50 < 200 < dark.getpixel((0, 0))
    assert "?full=1&amp;film=1" in text(viewer, fetched, film=1)


@pytest.mark.parametrize("angle", ["1e308", "-1e300", "", "0.0000001", "720.4"])
def test_an_angle_that_makes_no_sense_breaks_nothing(
    viewer: Client, serve: Any, node: Any, angle: str
) -> None:
    row = of(serve, node, GantryAngle=angle, RTImageSID=angle)
    assert "<figure>" in text(viewer, row)


@pytest.mark.parametrize("keyword", ["RTImageLabel", "RadiationMachineName", "ImageComments"])
def test_no_text_of_a_file_is_more_than_text(
    viewer: Client, serve: Any, node: Any, keyword: str
) -> None:
    page = text(viewer, of(serve, node, **{keyword: SCRIPT}))
    assert SCRIPT not in page
    assert (shown(SCRIPT) in page) is (keyword != "ImageComments")


def test_no_name_of_a_person_is_shown(viewer: Client, fetched: Retrieval) -> None:
    page = text(viewer, fetched)
    assert "PHANTOM" not in page
    assert "FAKE_STAFF_LOGIN" not in page


def test_a_damaged_file_leaves_the_others_be(viewer: Client, fetched: Retrieval) -> None:
    first = sorted(Path(fetched.folder).iterdir())[0]
    first.unlink()
    first.write_bytes(b"damaged")
    page = text(viewer, fetched)
    assert "cannot be read" in page
    assert page.count("MV_") == 7
    for size in ({}, {"full": 1}):  # it says so in its place
        assert picture(viewer, fetched, **size).getpixel((0, 0)) == 232


def test_a_file_that_is_gone_is_missed(viewer: Client, fetched: Retrieval) -> None:
    sorted(Path(fetched.folder).iterdir())[0].unlink()
    assert "1 of the 8 images are no longer in the folder" in text(viewer, fetched)


# --- many images ----------------------------------------------------------------------------------


def test_a_thousand_images_are_shown_some_at_a_time(viewer: Client, fetched: Retrieval) -> None:
    first = sorted(Path(fetched.folder).iterdir())[0]
    for number in range(1000 - 8):
        os.link(first, first.with_name(f"30000101-000000_{number:04d}.dcm"))
    page = text(viewer, fetched)
    assert page.count("<figure>") == pages.ON_A_PAGE
    assert "Images 1 to 48 of 1000" in page
    last = text(viewer, fetched, page=21)
    assert "Images 961 to 1000 of 1000" in last
    assert 'start="961"' in last
    assert picture(viewer, fetched, 1000).width == 360


@pytest.mark.parametrize("page", ["0", "-1", "99", "x", "١"])
def test_a_page_that_is_not_there_is_the_nearest(
    viewer: Client, fetched: Retrieval, page: str
) -> None:
    assert text(viewer, fetched, page=page).count("<figure>") == 8


def test_the_page_asks_the_database_as_often_for_one_image_as_for_many(
    viewer: Client, fetched: Retrieval
) -> None:
    costs = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            text(viewer, fetched)
        costs.append(len(queries))
        for file in sorted(Path(fetched.folder).iterdir())[1:]:
            file.unlink()
    assert costs[0] == costs[1] <= 6


# --- for the browser ------------------------------------------------------------------------------


def test_a_picture_that_a_browser_has_is_not_drawn_again(
    viewer: Client, fetched: Retrieval, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{images_address(fetched)}1.png"
    first = viewer.get(address)
    assert first["Cache-Control"] == "private, no-cache"
    assert first["X-Content-Type-Options"] == "nosniff"
    monkeypatch.delattr(rendering, "draw_thumbnail")
    again = viewer.get(address, HTTP_IF_NONE_MATCH=first["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again["Cache-Control"] == "private, no-cache"


def test_each_way_of_drawing_has_a_tag_of_its_own(viewer: Client, fetched: Retrieval) -> None:
    ways = [{}, {"full": 1}, {"film": 1}, {"full": 1, "film": 1}]
    tags = {viewer.get(f"{images_address(fetched)}1.png", way)["ETag"] for way in ways}
    tags.add(viewer.get(f"{images_address(fetched)}2.png")["ETag"])
    assert len(tags) == 5


def test_without_pillow_the_page_says_what_to_install(
    viewer: Client, fetched: Retrieval, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    assert "pip install" in text(viewer, fetched)
    assert viewer.get(f"{images_address(fetched)}1.png").status_code == 503


# --- who may, and what ----------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "status"), [("arianode", 403), ("retrieval", 200)])
def test_only_who_may_see_retrievals_sees_their_images(
    staff: Any, fetched: Retrieval, model: str, status: int
) -> None:
    client = staff(model)
    for address in (images_address(fetched), f"{images_address(fetched)}1.png"):
        assert client.get(address).status_code == status


def test_nobody_sees_them_without_logging_in(client: Client, fetched: Retrieval) -> None:
    for address in (images_address(fetched), f"{images_address(fetched)}1.png"):
        assert client.get(address).status_code == 302


@pytest.mark.parametrize("place", [0, 9, 10**9])
def test_an_image_that_is_not_there(viewer: Client, fetched: Retrieval, place: int) -> None:
    assert viewer.get(f"{images_address(fetched)}{place}.png").status_code == 404


def test_a_retrieval_that_is_not_there(viewer: Client, fetched: Retrieval) -> None:
    fetched.pk = 999
    assert viewer.get(images_address(fetched)).status_code == 404
    assert viewer.get(f"{images_address(fetched)}1.png").status_code == 404


def refused(client: Client, row: Retrieval, says: str) -> None:
    page = text(client, row)
    assert says in page
    assert "<figure>" not in page
    assert client.get(f"{images_address(row)}1.png").status_code == 404


def test_a_patient_who_is_not_allowed_any_more_is_not_shown(
    viewer: Client, fetched: Retrieval, node: Any
) -> None:
    type(node).objects.update(allowed_patients="QA_OTHER")
    refused(viewer, fetched, "is not among the patients")


def test_images_of_a_node_that_is_gone_are_not_shown(
    viewer: Client, fetched: Retrieval, node: Any
) -> None:
    node.delete()
    refused(viewer, fetched, "has been removed")


def test_a_set_that_was_removed_says_so_and_leads_to_the_node(
    viewer: Client, fetched: Retrieval, node: Any
) -> None:
    shutil.rmtree(fetched.folder)
    refused(viewer, fetched, "sets are removed after 7 days")
    assert f"/arianode/{node.pk}/browse/?patient={PATIENT}" in text(viewer, fetched)


@pytest.mark.parametrize(
    "folder", ["/etc", "sets", "sets/other", "instances/ab", "sets/../../outside"]
)
def test_no_folder_but_that_of_a_set_is_shown(
    viewer: Client, fetched: Retrieval, folder: str
) -> None:
    """Whoever can write a row must not read files by it."""
    Retrieval.objects.update(folder=str(conf.ARCHIVE / folder))
    refused(viewer, fetched, "is not an image set in")


def test_a_retrieval_that_came_to_nothing_says_so(viewer: Client, fetched: Retrieval) -> None:
    Retrieval.objects.update(folder="")
    refused(viewer, fetched, "has no images")


def test_a_set_of_another_place_is_none(viewer: Client, fetched: Retrieval, tmp_path: Path) -> None:
    elsewhere = tmp_path / Path(fetched.folder).name
    shutil.copytree(fetched.folder, elsewhere)
    Retrieval.objects.update(folder=str(elsewhere))
    refused(viewer, fetched, "is not an image set in")
    inside = conf.ARCHIVE / "sets" / "20260101-000000-00000000"
    inside.symlink_to(elsewhere)
    Retrieval.objects.update(folder=str(inside))
    refused(viewer, fetched, "is not an image set in")


def test_the_record_leads_to_the_images_it_has(viewer: Client, fetched: Retrieval) -> None:
    address = images_address(fetched)
    change = address.replace("/images/", "/change/")
    assert address in viewer.get(change).content.decode()
    Retrieval.objects.update(folder="")
    assert address not in viewer.get(change).content.decode()
