"""The pages in a browser: every button pressed, with and without JavaScript, and by keyboard."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Iterator

import django
import pytest
from django.core.handlers.base import BaseHandler
from django.test import Client

from qatrack_aria.models import Retrieval
from tests.browse.conftest import browse_address, images_address
from tests.browser import Chromium
from tests.fetch.conftest import PATIENT, plan
from tests.peers.server import PeerMissing

# What the server's threads write, the test's own connection has to see.
pytestmark = pytest.mark.django_db(transaction=True)

HAS_DARK_MODE = django.VERSION >= (3, 2)
#: What axe-core finds in a part of the page, but for the pale headings that are Django's own.
AXE = """
const done = arguments[arguments.length - 1];
const part = {include: [[arguments[0]]], exclude: [[".module > h2"]]};
axe.run(part, {resultTypes: ["violations"]}).then(
    found => done(JSON.stringify(found.violations.filter(one => one.nodes.length).map(
        one => [one.impact, one.id, one.nodes.map(node => node.target.join(" "))]))),
    error => done(JSON.stringify([["critical", String(error), []]])));
"""


class Person(Chromium):
    """Somebody in front of the admin."""

    def texts(self, selector: str) -> list[str]:
        """What can be read in some elements."""
        found = self.driver.find_elements("css selector", selector)
        return [element.text for element in found if element.is_displayed()]

    def follow(self, text: str) -> None:
        """Click a link of the page's content, and wait for where it leads."""
        links = self.driver.find_elements("css selector", "#container a")
        self.leave(next(link for link in links if text.lower() in link.text.lower()).click)

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    @property
    def focused(self) -> Any:
        return self.driver.switch_to.active_element

    def look(self, *, dark: bool) -> None:
        """Have the system's colours dark or light."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def allow_scripts(self, allowed: bool) -> None:
        value = {"value": not allowed}
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", value)


@pytest.fixture(scope="module", autouse=True)
def turn() -> Iterator[threading.RLock]:
    """Held while a request is answered: SQLite in memory is one connection for all threads."""
    turn, usual = threading.RLock(), BaseHandler.get_response

    def one_at_a_time(handler: Any, request: Any) -> Any:
        with turn:
            return usual(handler, request)

    BaseHandler.get_response = one_at_a_time
    yield turn
    BaseHandler.get_response = usual


@pytest.fixture(scope="module")
def chromium() -> Iterator[Person]:
    try:
        browser = Person("")
    except PeerMissing as missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))
    with browser:
        yield browser


@pytest.fixture
def person(
    chromium: Person, live_server: Any, admin_user: Any, node: Any, world: Any, turn: Any
) -> Iterator[Person]:
    """An administrator who is logged in."""
    client = Client()
    client.force_login(admin_user)
    chromium.url = live_server.url
    chromium.open("/admin/jsi18n/")
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "path": "/"}
    chromium.driver.add_cookie(cookie)
    yield chromium
    chromium.allow_scripts(True)
    chromium.look(dark=False)
    chromium.driver.get("about:blank")
    with turn:  # what the page had still asked for is answered
        pass


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def anyone(person: Person, request: Any) -> Person:
    """A person with one kind of browser or the other."""
    person.allow_scripts(request.param)
    return person


def of_wl(node: Any, world: Any) -> str:
    return f"{browse_address(node)}?patient={PATIENT}&plan={world.wl.SOPInstanceUID}"


def pictures_are_there(person: Person) -> bool:
    images = person.driver.find_elements("css selector", ".aria-shots img")
    return all(int(image.get_property("naturalWidth")) == 360 for image in images)


# --- the whole way --------------------------------------------------------------------------------


def test_from_a_node_to_a_picture_in_full_size(anyone: Person, node: Any) -> None:
    anyone.open(f"/admin/qatrack_aria/arianode/{node.pk}/change/")
    anyone.follow("Browse")
    anyone.find("#id_patient").send_keys(PATIENT)
    anyone.leave(anyone.find(".aria-ask [type=submit]").click)
    assert anyone.texts(".aria-table tbody th") == ["DAILY", "DAILY", "PF", "WL"]
    anyone.follow("WL")
    assert anyone.texts(".aria-day + tr .aria-number") == ["8", "8"]
    anyone.leave(anyone.find(".aria-fetch button").click)
    assert anyone.texts(".messagelist .success")[0].startswith("8 images of plan 'WL'")
    assert len(anyone.texts("figcaption")) == 8
    assert "G 90°" in " ".join(anyone.texts("figcaption")[1].replace("\xa0", " ").split())
    anyone.until(lambda: pictures_are_there(anyone))


def test_without_javascript_a_picture_opens_on_a_page_of_its_own(
    person: Person, fetched: Retrieval
) -> None:
    person.allow_scripts(False)
    person.open(images_address(fetched))
    person.leave(person.find("a.aria-shot").click)
    assert person.driver.current_url.endswith("/1.png?full=1")
    assert int(person.find("img").get_property("naturalWidth")) == 64


def test_every_fetch_button_leads_to_as_many_images_as_it_says(
    anyone: Person, node: Any, world: Any
) -> None:
    for row in range(5):
        anyone.open(of_wl(node, world))
        button = anyone.driver.find_elements("css selector", ".aria-fetch button")[row]
        wanted = button.text.replace("Fetch", "").strip() or anyone.texts(".aria-number")[row]
        anyone.leave(button.click)
        assert len(anyone.texts("figcaption")) == int(wanted)


def test_going_back_shows_the_plan_again_and_sends_nothing_twice(
    anyone: Person, node: Any, world: Any, turn: Any
) -> None:
    anyone.open(of_wl(node, world))
    anyone.leave(anyone.find(".aria-fetch button").click)
    anyone.leave(anyone.driver.back)
    assert anyone.texts(".aria-fetch button")[0] == "Fetch"
    anyone.driver.refresh()
    assert anyone.texts(".aria-fetch button")[0] == "Fetch"
    with turn:
        assert Retrieval.objects.count() == 1


def test_two_clicks_fetch_once(anyone: Person, node: Any, world: Any) -> None:
    from selenium.webdriver import ActionChains

    anyone.open(of_wl(node, world))
    button = anyone.find(".aria-fetch button")
    anyone.leave(ActionChains(anyone.driver).double_click(button).perform)
    anyone.until(lambda: len(anyone.texts("figcaption")) == 8)
    assert len(world.aria.operations("C-STORE")) == 8


def test_a_failure_is_said_where_the_button_was(anyone: Person, node: Any, world: Any) -> None:
    anyone.open(of_wl(node, world))
    world.aria.peers["QATRACK"] = ("127.0.0.1", 1)
    anyone.find(".aria-fetch button").click()
    anyone.until(lambda: anyone.texts(".messagelist .error"))
    assert anyone.texts(".messagelist .error")[0].startswith("Transfer:")
    assert anyone.texts(".aria-fetch button")[0] == "Fetch"


def test_a_period_and_a_day_are_chosen(anyone: Person, node: Any, world: Any) -> None:
    from selenium.webdriver.support.select import Select

    anyone.open(of_wl(node, world))
    assert len(anyone.texts(".aria-day")) == 2
    Select(anyone.find("#id_period")).select_by_visible_text("all there are")
    anyone.leave(anyone.find(".aria-ask [type=submit]").click)
    assert len(anyone.texts(".aria-day")) == 2
    day = world.days[0][0].AcquisitionDate
    anyone.find("#id_day").send_keys(f"{day[4:6]}{day[6:]}{day[:4]}")
    anyone.leave(anyone.find(".aria-ask [type=submit]").click)
    assert len(anyone.texts(".aria-day")) == 1


def test_film_shows_the_same_images_dark(anyone: Person, fetched: Retrieval) -> None:
    anyone.open(images_address(fetched))
    anyone.follow("as on film")
    assert "film=1" in anyone.find(".aria-shots img").get_attribute("src")
    anyone.follow("brighter")
    assert "film=1" not in anyone.find(".aria-shots img").get_attribute("src")


def test_the_images_lead_back_to_the_plans(anyone: Person, fetched: Retrieval) -> None:
    anyone.open(images_address(fetched))
    anyone.follow("Browse the plans")
    assert anyone.texts(".aria-table tbody th")[-1] == "WL"


def test_a_long_set_is_gone_through_page_by_page(anyone: Person, fetched: Retrieval) -> None:
    first = sorted(Path(fetched.folder).iterdir())[0]
    for number in range(60):
        os.link(first, first.with_name(f"30000101-000000_{number:03d}.dcm"))
    anyone.open(images_address(fetched))
    assert len(anyone.texts("figcaption")) == 48
    anyone.follow("Next images")
    assert len(anyone.texts("figcaption")) == 20
    anyone.follow("Previous images")
    assert anyone.texts("figcaption")[0].startswith("1.")


# --- better with JavaScript -----------------------------------------------------------------------


def test_a_picture_in_full_size_opens_above_the_page(person: Person, fetched: Retrieval) -> None:
    person.open(images_address(fetched))
    person.find("a.aria-shot").click()
    assert person.texts("dialog p")[0].startswith("1.")
    person.until(lambda: person.find("dialog img").get_property("naturalWidth") == 64)
    buttons = {b.text: b for b in person.driver.find_elements("css selector", "dialog button")}
    buttons["Next"].click()
    assert person.texts("dialog p")[0].startswith("2.")
    assert person.find("dialog img").get_attribute("src").endswith("/2.png?full=1")
    buttons["Previous"].click()
    buttons["Previous"].click()
    assert person.texts("dialog p")[0].startswith("8.")
    buttons["Close"].click()
    assert person.texts("dialog") == []
    assert person.driver.current_url.endswith(images_address(fetched))


def test_pictures_are_gone_through_by_keyboard(person: Person, fetched: Retrieval) -> None:
    from selenium.webdriver.common.keys import Keys

    person.open(images_address(fetched))
    person.driver.execute_script("document.querySelector('a.aria-shot').focus()")
    person.press(Keys.ENTER)
    person.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert person.texts("dialog p")[0].startswith("3.")
    person.press(Keys.ARROW_LEFT)
    person.press(Keys.ESCAPE)
    assert person.texts("dialog") == []
    assert "/2.png" in person.focused.get_attribute("href")


def test_the_way_to_the_images_is_gone_by_keyboard(person: Person, node: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    person.open(browse_address(node))
    person.press(PATIENT)  # the field has the focus
    person.leave(lambda: person.press(Keys.ENTER))
    person.driver.execute_script("document.querySelector('#id_patient').focus()")
    reached = []
    while "WL" not in reached:
        person.press(Keys.TAB)
        reached.append(person.focused.text)
        assert len(reached) < 20
    outline = person.focused.value_of_css_property("outline-style")
    border = person.focused.value_of_css_property("border-bottom-style")
    underline = person.focused.value_of_css_property("text-decoration-line")
    assert (outline, border, underline) != ("none", "none", "none")
    person.leave(lambda: person.press(Keys.ENTER))
    while person.focused.text != "Fetch":
        person.press(Keys.TAB)
        reached.append(person.focused.text)
        assert len(reached) < 60
    person.leave(lambda: person.press(Keys.ENTER))
    assert len(person.texts("figcaption")) == 8


def test_composite_code_is_copied(person: Person, node: Any, world: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    grant = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    person.driver.execute_cdp_cmd("Browser.grantPermissions", grant)
    person.open(of_wl(node, world))
    person.find(".aria-copy-button").click()
    person.until(lambda: person.texts(".aria-copy-button")[0] == "Copied")
    person.open(browse_address(node))
    person.find("#id_patient").send_keys(Keys.CONTROL, "v")
    pasted = person.find("#id_patient").get_property("value")
    assert pasted.startswith("from qatrack_aria import fetch_images")


def test_a_plan_is_found_in_a_long_list(person: Person, node: Any, world: Any) -> None:
    world.aria.add([plan(f"FIELD {number}") for number in range(12)])
    person.open(f"{browse_address(node)}?patient={PATIENT}")
    assert len(person.texts(".aria-table tbody tr")) == 16
    person.find("#aria-filter").send_keys("field 1")
    assert person.texts(".aria-table tbody th") == ["FIELD 1", "FIELD 10", "FIELD 11"]
    assert person.texts(".aria-filter [role=status]") == ["3 of 16"]


def test_nothing_in_the_console_says_that_something_is_wrong(
    person: Person, node: Any, world: Any, fetched: Retrieval
) -> None:
    person.driver.get_log("browser")
    for address in (browse_address(node), of_wl(node, world), images_address(fetched)):
        person.open(address)
        log = person.driver.get_log("browser")
        assert [one for one in log if "favicon" not in one["message"]] == []


@pytest.mark.parametrize("width", [1280, 800])
def test_a_page_is_never_wider_than_the_window(
    person: Person, node: Any, world: Any, fetched: Retrieval, width: int
) -> None:
    for address in (browse_address(node), of_wl(node, world), images_address(fetched)):
        person.open(address)
        person.driver.set_window_size(width, 900)
        ours = "const one = document.querySelector('#content-main');"
        wide = person.driver.execute_script(ours + "return one.scrollWidth - one.clientWidth")
        assert wide <= 1


# --- for everybody --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core's text, as the package that drives it brings it along."""
    found = importlib.util.find_spec("axe_selenium_python")
    if found is None or not found.submodule_search_locations:
        if os.environ.get("CI") and sys.version_info >= (3, 12):
            pytest.fail("axe-core not found: pip install 'axe-selenium-python>=3'")
        pytest.skip("no axe-core of today: axe-selenium-python 3 needs Python 3.12")
    folder = Path(found.submodule_search_locations[0])
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


PAGES: dict[str, tuple[Callable[..., str], str]] = {
    "patient": (lambda node, world, row: browse_address(node), "#content"),
    "refused": (lambda node, world, row: f"{browse_address(node)}?patient=SECRET", "#content"),
    "plans": (lambda node, world, row: f"{browse_address(node)}?patient={PATIENT}", "#content"),
    "days": (lambda node, world, row: of_wl(node, world), "#content"),
    "images": (lambda node, world, row: images_address(row), "#content"),
    "check": (lambda node, world, row: browse_address(node).replace("browse", "check"), "#content"),
    "retrievals": (lambda node, world, row: "/admin/qatrack_aria/retrieval/", ".aria-nodes"),
    "node": (
        lambda node, world, row: browse_address(node).replace("browse", "change"),
        ".aria-composite-tests",
    ),
}


@pytest.mark.parametrize("dark", [False, True] if HAS_DARK_MODE else [False])
@pytest.mark.parametrize("name", [*PAGES, "full size"])
def test_axe_finds_nothing_serious(
    person: Person, node: Any, world: Any, fetched: Retrieval, axe: str, name: str, dark: bool
) -> None:
    address, part = PAGES["images" if name == "full size" else name]
    person.look(dark=dark)
    person.open(address(node, world, fetched))
    if name == "full size":
        person.find("a.aria-shot").click()
    person.driver.execute_script(axe)
    found = json.loads(person.driver.execute_async_script(AXE, part))
    assert [one for one in found if one[0] in ("serious", "critical")] == []
