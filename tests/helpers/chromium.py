"""A headless Chromium."""

from __future__ import annotations

import shutil
import tempfile
import time
from typing import Any, Callable, Sequence

from tests.helpers.peers.server import PeerMissing, find_program

SECONDS = 60

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--window-size=1400,1100",
)

#: Each page has a window of its own, and keeps it if somebody comes back.
MARK = "window.leftBy = arguments[0]"
HAS_LEFT = "return window.leftBy !== arguments[0] && document.readyState === 'complete'"


class SeleniumMissing(PeerMissing):
    """Python's side of the browser is not installed."""

    def __init__(self) -> None:
        Exception.__init__(self, "selenium not found: pip install selenium")


class Chromium:
    """A browser with a profile of its own.

    Parameters
    ----------
    url : str
        What the addresses of pages begin with.
    *options : str
        More of Chromium's own options.

    Raises
    ------
    PeerMissing
        There is no Chromium, no driver for it, or no selenium.
    """

    def __init__(self, url: str, *options: str) -> None:
        self.url = url
        self._left = 0
        self._profile = tempfile.mkdtemp(prefix="qatrack-aria-browser-")
        try:
            self.driver = _start(self._profile, options)
        except BaseException:
            self._remove_profile()
            raise

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            self.driver.quit()
        finally:
            self._remove_profile()

    def open(self, path: str) -> None:
        """Go to a page."""
        self.driver.get(self.url + path)

    def find(self, selector: str) -> Any:
        """The first element of the page that a CSS selector names, as soon as there is one."""
        return self.until(lambda: self.driver.find_element("css selector", selector))

    def leave(self, act: Callable[[], object]) -> None:
        """Do what leads to another page, be it at the same address, and wait until all is there."""
        self._left += 1
        self.driver.execute_script(MARK, self._left)
        act()
        self.until(lambda: self.driver.execute_script(HAS_LEFT, self._left))

    def until(self, holds: Callable[[], Any], otherwise: Callable[[], str] = str) -> Any:
        """Wait until something holds, also while the page changes, and return it.

        Parameters
        ----------
        holds : callable
            Called again and again.
        otherwise : callable, optional
            Says what there is instead, if it never does.
        """
        from selenium.common.exceptions import WebDriverException

        end = time.monotonic() + SECONDS
        while True:
            trouble = None
            try:
                found = holds()
                if found:
                    return found
            except WebDriverException as error:  # an element that is not there yet, or went again
                trouble = error
            if time.monotonic() > end:
                raise AssertionError(otherwise() or "it did not come true") from trouble
            time.sleep(0.05)

    def _remove_profile(self) -> None:
        shutil.rmtree(self._profile, ignore_errors=True)


def _start(profile: str, more: Sequence[str]) -> Any:
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError as error:
        raise SeleniumMissing from error
    options = webdriver.ChromeOptions()
    options.binary_location = find_program("chromium", "chromium")
    for option in (*OPTIONS, *more, f"--user-data-dir={profile}"):
        options.add_argument(option)
    service = Service(find_program("chromedriver", "chromium-driver"))
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_page_load_timeout(SECONDS)
    driver.set_script_timeout(SECONDS)
    return driver
