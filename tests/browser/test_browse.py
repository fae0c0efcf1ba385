"""From a node to a picture: every button pressed, with and without JavaScript."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from qatrack_aria.models import Retrieval
from tests.browser.conftest import Person, begins, exactly, node_address, of_wl
from tests.helpers.aria import PATIENT, plan
from tests.helpers.browsing import browse_address, images_address

# What the server's threads write, the test's own connection has to see.
pytestmark = pytest.mark.django_db(transaction=True)


def widths(person: Person) -> list[int]:
    """Of the pictures on a page, as far as they have come."""
    images = person.driver.find_elements("css selector", ".aria-images img")
    return [int(image.get_property("naturalWidth")) for image in images]


# --- the whole way --------------------------------------------------------------------------------


def test_from_a_node_to_a_picture_in_full_size(anyone: Person, node: Any) -> None:
    anyone.open(node_address(node))
    anyone.follow("Browse")
    anyone.find("#id_patient").send_keys(PATIENT)
    anyone.leave(anyone.find(".aria-ask [type=submit]").click)
    anyone.reads(".aria-table tbody th", ["DAILY", "DAILY", "PF", "WL"])
    anyone.follow("WL")
    anyone.reads(".aria-day + tr .aria-number", ["8", "8"])
    anyone.leave(anyone.find(".aria-fetch button").click)
    anyone.reads(".messagelist .success", begins("8 images of plan 'WL'"))
    captions = anyone.reads("figcaption", exactly(8))
    assert "G 90°" in " ".join(captions[1].replace("\xa0", " ").split())
    anyone.until(lambda: widths(anyone) == [360] * 8, lambda: f"widths: {widths(anyone)}")


def test_without_javascript_a_picture_opens_on_a_page_of_its_own(
    person: Person, fetched: Retrieval
) -> None:
    person.allow_scripts(False)
    person.open(images_address(fetched))
    person.leave(person.find("a.aria-image").click)
    assert person.driver.current_url.endswith("/1.png?full=1")
    person.until(lambda: person.find("img").get_property("naturalWidth") == 64)


def test_every_fetch_button_leads_to_as_many_images_as_it_says(
    anyone: Person, node: Any, world: Any
) -> None:
    for row in range(5):
        anyone.open(of_wl(node, world))
        says = anyone.reads(".aria-fetch button", exactly(5))[row]
        wanted = says.replace("Fetch", "").strip() or anyone.texts(".aria-number")[row]
        anyone.leave(anyone.driver.find_elements("css selector", ".aria-fetch button")[row].click)
        anyone.reads("figcaption", exactly(int(wanted)))


def test_going_back_shows_the_plan_again_and_sends_nothing_twice(
    anyone: Person, node: Any, world: Any, turn: Any
) -> None:
    anyone.open(of_wl(node, world))
    anyone.leave(anyone.find(".aria-fetch button").click)
    anyone.leave(anyone.driver.back)
    anyone.reads(".aria-fetch button", lambda texts: texts[:1] == ["Fetch"])
    anyone.leave(anyone.driver.refresh)
    anyone.reads(".aria-fetch button", lambda texts: texts[:1] == ["Fetch"])
    with turn:
        assert Retrieval.objects.count() == 1


def test_two_clicks_fetch_once(anyone: Person, node: Any, world: Any) -> None:
    from selenium.webdriver import ActionChains

    anyone.open(of_wl(node, world))
    button = anyone.find(".aria-fetch button")
    anyone.leave(ActionChains(anyone.driver).double_click(button).perform)
    anyone.reads("figcaption", exactly(8))
    assert len(world.aria.operations("C-STORE")) == 8


def test_a_failure_is_said_where_the_button_was(anyone: Person, node: Any, world: Any) -> None:
    anyone.open(of_wl(node, world))
    world.aria.peers["QATRACK"] = ("127.0.0.1", 1)
    anyone.leave(anyone.find(".aria-fetch button").click)
    anyone.reads(".messagelist .error", begins("Transfer:"))
    anyone.reads(".aria-fetch button", lambda texts: texts[:1] == ["Fetch"])


def test_a_period_and_a_day_are_chosen(anyone: Person, node: Any, world: Any) -> None:
    from selenium.webdriver.support.select import Select

    anyone.open(of_wl(node, world))
    anyone.reads(".aria-day", exactly(2))
    Select(anyone.find("#id_period")).select_by_visible_text("all images")
    anyone.leave(anyone.find(".aria-ask [type=submit]").click)
    anyone.reads(".aria-day", exactly(2))
    day = world.days[0][0].AcquisitionDate
    anyone.find("#id_day").send_keys(f"{day[4:6]}{day[6:]}{day[:4]}")
    anyone.leave(anyone.find(".aria-ask [type=submit]").click)
    anyone.reads(".aria-day", exactly(1))


def test_film_shows_the_same_images_dark(anyone: Person, fetched: Retrieval) -> None:
    anyone.open(images_address(fetched))
    anyone.follow("as on film")
    assert "film=1" in anyone.find(".aria-images img").get_attribute("src")
    anyone.follow("brighter")
    assert "film=1" not in anyone.find(".aria-images img").get_attribute("src")


def test_the_images_lead_back_to_the_plans(anyone: Person, fetched: Retrieval) -> None:
    anyone.open(images_address(fetched))
    anyone.follow("Browse the plans")
    anyone.reads(".aria-table tbody th", lambda texts: texts[-1:] == ["WL"])


def test_a_long_set_is_gone_through_page_by_page(anyone: Person, fetched: Retrieval) -> None:
    first = sorted(Path(fetched.folder).iterdir())[0]
    for number in range(60):
        os.link(first, first.with_name(f"30000101-000000_{number:03d}.dcm"))
    anyone.open(images_address(fetched))
    anyone.reads("figcaption", exactly(48))
    anyone.follow("Next images")
    anyone.reads("figcaption", exactly(20))
    anyone.follow("Previous images")
    anyone.reads("figcaption", begins("1."))


# --- better with JavaScript -----------------------------------------------------------------------


def test_a_picture_in_full_size_opens_above_the_page(person: Person, fetched: Retrieval) -> None:
    person.open(images_address(fetched))
    person.find("a.aria-image").click()
    person.reads("dialog p", begins("1."))
    person.until(lambda: person.find("dialog img").get_property("naturalWidth") == 64)
    buttons = {b.text: b for b in person.driver.find_elements("css selector", "dialog button")}
    buttons["Next"].click()
    person.reads("dialog p", begins("2."))
    assert person.find("dialog img").get_attribute("src").endswith("/2.png?full=1")
    buttons["Previous"].click()
    buttons["Previous"].click()
    person.reads("dialog p", begins("8."))
    buttons["Close"].click()
    person.reads("dialog", [])
    assert person.driver.current_url.endswith(images_address(fetched))


def test_pictures_are_gone_through_by_keyboard(person: Person, fetched: Retrieval) -> None:
    from selenium.webdriver.common.keys import Keys

    person.open(images_address(fetched))
    person.driver.execute_script("document.querySelector('a.aria-image').focus()")
    person.press(Keys.ENTER)
    person.reads("dialog p", begins("1."))
    person.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    person.reads("dialog p", begins("3."))
    person.press(Keys.ARROW_LEFT)
    person.reads("dialog p", begins("2."))
    person.press(Keys.ESCAPE)
    person.reads("dialog", [])
    person.has_focus("a.aria-image[href*='/2.png']")


def test_composite_code_is_copied(person: Person, node: Any, world: Any) -> None:
    person.may_copy()
    person.open(of_wl(node, world))
    person.copy(".aria-copy-button")
    person.open(browse_address(node))
    assert person.copied().startswith("from qatrack_aria import fetch_images")


def test_a_plan_is_found_in_a_long_list(person: Person, node: Any, world: Any) -> None:
    world.aria.add([plan(f"FIELD {number}") for number in range(12)])
    person.open(f"{browse_address(node)}?patient={PATIENT}")
    person.reads(".aria-table tbody tr", exactly(16))
    person.find("#aria-filter").send_keys("field 1")
    person.reads(".aria-table tbody th", ["FIELD 1", "FIELD 10", "FIELD 11"])
    person.reads(".aria-filter [role=status]", ["3 of 16"])
