"""All pages, for everybody: by keyboard, in a narrow window, for who cannot see them."""

from __future__ import annotations

import json
from typing import Any, Callable

import django
import pytest

from qatrack_aria.models import Retrieval
from tests.browser.conftest import (
    Person,
    check_address,
    exactly,
    morning_of,
    node_address,
    of_wl,
    retrieval_address,
)
from tests.helpers.aria import PATIENT
from tests.helpers.browsing import browse_address, images_address

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
RETRIEVALS = "/admin/qatrack_aria/retrieval/"
WIDTH = "return window.outerWidth"
SUBMIT = "[type=submit].default"

#: Our pages, what is clicked there, and the part of them that is ours.
PAGES: dict[str, tuple[Callable[..., str], str, str]] = {
    "patient": (lambda node, world, row: browse_address(node), "", "#content"),
    "refused": (lambda node, world, row: f"{browse_address(node)}?patient=SECRET", "", "#content"),
    "plans": (lambda node, world, row: f"{browse_address(node)}?patient={PATIENT}", "", "#content"),
    "days": (lambda node, world, row: of_wl(node, world), "", "#content"),
    "images": (lambda node, world, row: images_address(row), "", "#content"),
    "full size": (lambda node, world, row: images_address(row), "a.aria-image", "#content"),
    "check": (lambda node, world, row: check_address(node), "", "#content"),
    "checked": (lambda node, world, row: check_address(node), SUBMIT, "#content"),
    "retrieval": (lambda node, world, row: retrieval_address(row), "", "#content"),
    "retrievals": (lambda node, world, row: RETRIEVALS, "", ".aria-nodes"),
    "morning": (lambda node, world, row: morning_of(node, row), "", "#content"),
    "node": (lambda node, world, row: node_address(node), "", ".aria-composite-tests"),
}


@pytest.fixture(params=list(PAGES))
def part(request: Any, person: Person, node: Any, world: Any, fetched: Retrieval) -> str:
    """Each of the pages in turn, and where on it to look."""
    address, click, part = PAGES[request.param]
    person.driver.get_log("browser")
    person.open(address(node, world, fetched))
    if click == SUBMIT:
        person.leave(person.find(click).click)
    elif click:
        person.find(click).click()
        person.reads("dialog p", bool)
    return part


@pytest.mark.parametrize("dark", [False, True] if HAS_DARK_MODE else [False])
def test_axe_finds_nothing_serious(person: Person, part: str, axe: str, dark: bool) -> None:
    person.look(dark=dark)
    person.driver.execute_script(axe)
    found = json.loads(person.driver.execute_async_script(AXE, part))
    assert [one for one in found if one[0] in ("serious", "critical")] == []


def test_nothing_in_the_console_says_that_something_is_wrong(person: Person, part: str) -> None:
    log = person.driver.get_log("browser")
    assert [one for one in log if "favicon" not in one["message"]] == []


def test_a_page_is_never_wider_than_the_window(person: Person, part: str) -> None:
    ours = "const one = document.querySelector(arguments[0]);"
    for width in (1280, 800):
        person.driver.set_window_size(width, 900)
        person.until(lambda width=width: person.driver.execute_script(WIDTH) == width)
        wide = person.driver.execute_script(ours + "return one.scrollWidth - one.clientWidth", part)
        assert wide <= 1, f"at {width}"


def test_the_way_to_the_images_is_gone_by_keyboard(person: Person, node: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    person.open(browse_address(node))
    person.has_focus("#id_patient")
    person.press(PATIENT)
    person.leave(lambda: person.press(Keys.ENTER))
    person.driver.execute_script("document.querySelector('#id_patient').focus()")
    person.has_focus("#id_patient")
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
    while "Fetch" not in reached:
        person.press(Keys.TAB)
        reached.append(person.focused.text)
        assert len(reached) < 60
    person.leave(lambda: person.press(Keys.ENTER))
    person.reads("figcaption", exactly(8))
