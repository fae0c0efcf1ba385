"""Somebody in front of the admin, with a simulated ARIA behind it."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client
from django.utils import timezone

from qatrack_aria.models import Watch, WatchedSession
from tests.helpers.aria import PATIENT
from tests.helpers.browsing import MINUTE, YESTERDAY, browse_address, fetched, world
from tests.helpers.chromium import Chromium
from tests.helpers.peers.server import PeerMissing

__all__ = ["fetched", "world"]

#: Why a session was left for a person.
LEFT = "Images: only 6 of 8 images of plan 'WL' are at the node: ask again, or correct the count."
#: Notes all that an element comes to read.
OBSERVE = """
const [element] = arguments;
window.readings = [];
new MutationObserver(() => window.readings.push(element.textContent))
    .observe(element, {childList: true, characterData: true, subtree: true});
"""


class Person(Chromium):
    """Somebody in front of the admin."""

    def texts(self, selector: str) -> list[str]:
        """What can be read in some elements just now."""
        found = self.driver.find_elements("css selector", selector)
        return [element.text for element in found if element.is_displayed()]

    def reads(self, selector: str, wanted: Sequence[str] | Callable[[list[str]], Any]) -> list[str]:
        """Wait until some elements read as they should: all of them, or as a function says."""
        holds = wanted if callable(wanted) else lambda texts: texts == wanted
        read: list[str] = []

        def look() -> bool:
            read[:] = self.texts(selector)
            return bool(holds(read))

        self.until(look, lambda: f"{selector} reads {read}")
        return read

    def follow(self, text: str) -> None:
        """Click a link of the page's content, and wait for where it leads."""
        self.leave(self.until(lambda: self._link(text)).click)

    def _link(self, text: str) -> Any:
        links = self.driver.find_elements("css selector", "#container a")
        return next((link for link in links if text.lower() in link.text.lower()), None)

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    @property
    def focused(self) -> Any:
        return self.driver.switch_to.active_element

    def has_focus(self, selector: str) -> None:
        """Wait until an element has the focus."""
        self.until(lambda: self.focused == self.find(selector))

    def copy(self, selector: str) -> None:
        """Press a button that copies, and wait until it has said so, which is not for long."""
        button = self.find(selector)
        self.driver.execute_script(OBSERVE, button)
        button.click()
        self.until(lambda: "Copied" in self.driver.execute_script("return window.readings"))

    def copied(self) -> str:
        """What the clipboard holds, as it is pasted into a field of this page."""
        from selenium.webdriver.common.keys import Keys

        field = self.find("#content input[type=text]")
        field.clear()
        field.send_keys(Keys.CONTROL, "v")
        return str(self.until(lambda: field.get_property("value")))

    def may_copy(self) -> None:
        grant = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
        self.driver.execute_cdp_cmd("Browser.grantPermissions", grant)

    def look(self, *, dark: bool) -> None:
        """Have the system's colours dark or light."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def allow_scripts(self, allowed: bool) -> None:
        value = {"value": not allowed}
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", value)


def begins(text: str) -> Callable[[list[str]], bool]:
    """Whether the first of some texts begins so."""
    return lambda texts: bool(texts) and texts[0].startswith(text)


def exactly(wanted: int) -> Callable[[list[str]], bool]:
    """Whether there are so many texts."""
    return lambda texts: len(texts) == wanted


@pytest.fixture(autouse=True)
def nothing_left_running() -> None:
    """Do not look for threads: the live server keeps one for each connection of the browser."""


class Turn:
    """Held while a request is answered: SQLite in memory is one connection for all threads.

    Attributes
    ----------
    is_closed : bool
        Whether requests are turned away: those that a page has still made when its test is over.
    """

    def __init__(self) -> None:
        self.is_closed = True
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()


@pytest.fixture(scope="module", autouse=True)
def turn() -> Iterator[Turn]:
    turn, usual = Turn(), WSGIHandler.__call__

    def one_at_a_time(handler: Any, environ: Any, start_response: Any) -> Any:
        with turn:
            if turn.is_closed:
                start_response("503 Service Unavailable", [])
                return []
            return usual(handler, environ, start_response)

    WSGIHandler.__call__ = one_at_a_time
    yield turn
    WSGIHandler.__call__ = usual


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
    turn.is_closed = False
    chromium.url = live_server.url
    chromium.open("/admin/jsi18n/")
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "path": "/"}
    chromium.driver.add_cookie(cookie)
    yield chromium
    chromium.allow_scripts(True)
    chromium.look(dark=False)
    chromium.driver.get("about:blank")
    with turn:
        turn.is_closed = True


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def anyone(person: Person, request: Any) -> Person:
    """A person with one kind of browser or the other."""
    person.allow_scripts(request.param)
    return person


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


def node_address(node: Any) -> str:
    return f"/admin/qatrack_aria/arianode/{node.pk}/change/"


def check_address(node: Any) -> str:
    return f"/admin/qatrack_aria/arianode/{node.pk}/check/"


def retrieval_address(row: Any) -> str:
    return f"/admin/qatrack_aria/retrieval/{row.pk}/change/"


def of_wl(node: Any, world: Any) -> str:
    return f"{browse_address(node)}?patient={PATIENT}&plan={world.wl.SOPInstanceUID}"


def morning_of(node: Any, row: Any) -> str:
    """The morning page of a day of which a watch has seen sessions: one good, one not."""
    watch_of(node, row)
    return f"/admin/qatrack_aria/watchedsession/?day={YESTERDAY:%Y-%m-%d}"


def watch_of(node: Any, row: Any) -> str:
    """The page of a watch."""
    watch = Watch.objects.create(name="WL on TB1", node=node, patient_id=PATIENT, plan="WL")
    first = timezone.make_aware(YESTERDAY)
    known = {"watch": watch, "images": 8, "retrieval": row}
    WatchedSession.objects.create(
        **known, first=first, last=first + 9 * MINUTE, state="ready", message=row.message
    )
    WatchedSession.objects.create(
        **known, first=first + 60 * MINUTE, last=first + 65 * MINUTE, state="left", message=LEFT
    )
    Watch.objects.create(name="PF on TB1", node=node, patient_id=PATIENT, plan="PF")
    return f"/admin/qatrack_aria/watch/{watch.pk}/change/"
