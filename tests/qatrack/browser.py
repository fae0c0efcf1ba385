"""A headless Chromium that fills in the pages of QATrack+, as a physicist does."""

from __future__ import annotations

import shutil
import tempfile
from typing import Any

from tests.peers.server import PeerMissing, find_program
from tests.qatrack.installation import PASSWORD

SECONDS = 60

#: Calls back when no request of the page has been under way for 0.3 s: it waits 4 ms after a
#: change before it asks, and 100 ms before it asks again for what changed meanwhile.
QUIET = """
const done = arguments[0];
let since = Date.now();
(function look() {
    const ready = document.readyState === "complete" && window.jQuery;
    if (!ready || jQuery.active || document.body.classList.contains("loading")) since = Date.now();
    if (Date.now() - since > 300) done(); else setTimeout(look, 20);
})();
"""

#: The row of a test on the page, by its macro name.
ROW = """
const slugs = window.unit_test_infos.map(info => info.test.slug);
return document.querySelectorAll("#perform-qa-table tr.qa-valuerow")[slugs.indexOf(arguments[0])];
"""

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


class SeleniumMissing(PeerMissing):
    """Python's side of the browser is not installed."""

    def __init__(self) -> None:
        Exception.__init__(self, "selenium not found: pip install selenium")


class Browser:
    """One person in front of QATrack+.

    Parameters
    ----------
    url : str
        Where QATrack+ is.

    Raises
    ------
    PeerMissing
        There is no Chromium, no driver for it, or no selenium.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._profile = tempfile.mkdtemp(prefix="qatrack-aria-browser-")
        try:
            self._driver = _start(self._profile)
        except BaseException:
            self._remove_profile()
            raise

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            self._driver.quit()
        finally:
            self._remove_profile()

    def log_in(self, username: str) -> None:
        """Log in by the page for it."""
        self._open("/accounts/login/")
        self._find("[name=username]").send_keys(username)
        self._find("[name=password]").send_keys(PASSWORD)
        self._leave(lambda: self._find("[name=password]").submit())

    def perform(self, collection: int) -> None:
        """Open a test list, and wait until it is ready to be filled in."""
        self._open(f"/qc/utc/perform/{collection}/")
        self.wait()

    def edit(self, session: int) -> None:
        """Open a saved session for editing, and wait until it is calculated."""
        self._open(f"/qc/session/edit/{session}/")
        self.wait()

    def fill_in(self, slug: str, text: str) -> None:
        """Type into the field of a test, leave it, and wait until all is calculated."""
        field = self._field(slug)
        field.clear()
        field.send_keys(text + "\t")
        self.wait()

    def shown(self, slug: str) -> str:
        """What stands in the field of a test."""
        return str(self._field(slug).get_attribute("value"))

    def attached(self, slug: str) -> list[int]:
        """The attachments that the page would submit with a test."""
        row = self._driver.execute_script(ROW, slug)
        value = row.find_element("css selector", "input[name$=user_attached]").get_attribute(
            "value"
        )
        return [int(number) for number in str(value).split(",") if number]

    def submit(self) -> None:
        """Submit, and wait until it is saved."""
        self._leave(lambda: self._find("#submit-qa").click())

    def go_away(self) -> None:
        """Leave QATrack+: an open page goes on asking whether it is still there."""
        self._driver.get("about:blank")

    def wait(self) -> None:
        """Wait until the page has nothing more to ask."""
        self._driver.execute_async_script(QUIET)

    def _open(self, path: str) -> None:
        self._driver.get(self.url + path)

    def _find(self, selector: str) -> Any:
        return self._driver.find_element("css selector", selector)

    def _field(self, slug: str) -> Any:
        row = self._driver.execute_script(ROW, slug)
        return row.find_element("css selector", "[name$=value]:not([type=hidden])")

    def _leave(self, act: Any) -> None:
        from selenium.webdriver.support.wait import WebDriverWait

        page = self._driver.current_url
        act()
        WebDriverWait(self._driver, SECONDS).until(lambda driver: driver.current_url != page)

    def _remove_profile(self) -> None:
        shutil.rmtree(self._profile, ignore_errors=True)


def _start(profile: str) -> Any:
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError as error:
        raise SeleniumMissing from error
    options = webdriver.ChromeOptions()
    options.binary_location = find_program("chromium", "chromium")
    for option in (*OPTIONS, f"--user-data-dir={profile}"):
        options.add_argument(option)
    service = Service(find_program("chromedriver", "chromium-driver"))
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_page_load_timeout(SECONDS)
    driver.set_script_timeout(SECONDS)
    return driver
