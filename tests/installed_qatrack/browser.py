"""A headless Chromium that fills in the pages of QATrack+, as a physicist does."""

from __future__ import annotations

from typing import Any

from tests.helpers.chromium import Chromium
from tests.installed_qatrack.installation import PASSWORD

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


#: What the page says that shows a submitted list again; empty on another page.
REFUSED = """
if (!document.querySelector("#submit-qa")) return "";
const marks = [...document.querySelectorAll(".has-error, .errorlist, .alert, .btn-danger")];
return marks.map(mark => mark.innerText.trim()).join(" | ") || document.body.innerText;
"""


class Browser(Chromium):
    """One person in front of QATrack+."""

    def log_in(self, username: str) -> None:
        """Log in by the page for it."""
        self.open("/accounts/login/")
        self.find("[name=username]").send_keys(username)
        self.find("[name=password]").send_keys(PASSWORD)
        self.leave(lambda: self.find("[name=password]").submit())

    def perform(self, collection: int) -> None:
        """Open a test list, and wait until it is ready to be filled in."""
        self.open(f"/qc/utc/perform/{collection}/")
        self.wait()

    def edit(self, session: int) -> None:
        """Open a saved session for editing, and wait until it is calculated."""
        self.open(f"/qc/session/edit/{session}/")
        self.wait()

    def go_on(self, session: int) -> None:
        """Open a session that is in progress, to complete it."""
        self.open(f"/qc/session/continue/{session}/")
        self.wait()

    def take_up(self, slug: str) -> None:
        """Fill in a test after all that was skipped."""
        row = self.driver.execute_script(ROW, slug)
        box = row.find_element("css selector", "input[name$=skipped]")
        if box.is_selected():
            self.driver.execute_script("arguments[0].click()", box)
        self.wait()

    def complete(self) -> None:
        """Submit as completed, and wait until it is saved."""
        box = self.find("#id_in_progress")
        if box.is_selected():
            self.driver.execute_script("arguments[0].click()", box)
        self.submit()

    def fill_in(self, slug: str, text: str) -> None:
        """Type into the field of a test, leave it, and wait until all is calculated."""
        field = self._field(slug)
        field.clear()
        field.send_keys(text + "\t")
        self.wait()

    def choose(self, slug: str, text: str) -> None:
        """Choose one of the choices of a test, and wait until all is calculated."""
        field = self._field(slug)
        for option in field.find_elements("css selector", "option"):
            if option.text == text:
                option.click()
        self.wait()

    def shown(self, slug: str) -> str:
        """What stands in the field of a test."""
        return str(self._field(slug).get_attribute("value"))

    def attached(self, slug: str) -> list[int]:
        """The attachments that the page would submit with a test."""
        row = self.driver.execute_script(ROW, slug)
        value = row.find_element("css selector", "input[name$=user_attached]").get_attribute(
            "value"
        )
        return [int(number) for number in str(value).split(",") if number]

    def submit(self) -> None:
        """Submit, and wait until it is saved."""
        self.leave(lambda: self.find("#submit-qa").click())
        refused = self.driver.execute_script(REFUSED)
        assert not refused, f"QATrack+ does not save the list: {refused}"

    def go_away(self) -> None:
        """Leave QATrack+: an open page goes on asking whether it is still there."""
        self.driver.get("about:blank")

    def wait(self) -> None:
        """Wait until the page has nothing more to ask."""
        self.driver.execute_async_script(QUIET)

    def _field(self, slug: str) -> Any:
        row = self.driver.execute_script(ROW, slug)
        return row.find_element("css selector", "[name$=value]:not([type=hidden])")
