"""Somebody who is logged in to QATrack+, over HTTP and without a browser."""

from __future__ import annotations

import datetime as dt
import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.cookiejar import CookieJar
from typing import Any, Mapping

from tests.installed_qatrack.installation import PASSWORD

SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """What the server answered, after redirections."""

    status: int
    url: str
    text: str


@dataclass(frozen=True)
class Result:
    """What QATrack+ made of one composite test."""

    value: Any
    error: str | None
    attached: list[dict[str, Any]]

    @property
    def message(self) -> str:
        """The last line of the error: what a user reads first."""
        return (self.error or "").strip().splitlines()[-1] if self.error else ""


class Visitor:
    """One person's session.

    Parameters
    ----------
    url : str
        Where QATrack+ is.
    username : str
        Who it is; nobody is logged in if it is empty.
    """

    def __init__(self, url: str, username: str = "") -> None:
        self.url = url
        self.username = username
        #: When the work began, as the page that is open says it.
        self.started = dt.datetime.now()
        self._cookies = CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self._cookies)
        )
        if username:
            self._log_in()

    def get(self, path: str) -> Answer:
        """Open a page."""
        return self._open(urllib.request.Request(self.url + path))

    def post(self, path: str, fields: Mapping[str, Any]) -> Answer:
        """Send a form."""
        body = urllib.parse.urlencode(fields).encode()
        return self._post(path, body, "application/x-www-form-urlencoded")

    def composite(
        self,
        test_list: Mapping[str, Any],
        values: Mapping[str, Any],
        completed: dt.datetime | None = None,
        **meta: Any,
    ) -> dict[str, Result]:
        """Have all composite tests of a list calculated, as its page does at every change.

        Parameters
        ----------
        test_list : dict
            What the clinic gave on assigning it.
        values : dict
            What is filled in so far, by macro name.
        completed : datetime.datetime, optional
            When the work was completed, by the clocks of the clinic.
        **meta : Any
            Other values of META, which a page would not send.

        Returns
        -------
        dict
            The results by macro name.
        """
        answer = self.post_composite(test_list, values, completed, **meta)
        assert answer.status == 200, f"HTTP {answer.status} from {answer.url}"
        reply = json.loads(answer.text)
        assert reply["success"], reply
        return {
            slug: Result(result["value"], result["error"], result.get("user_attached") or [])
            for slug, result in reply["results"].items()
        }

    def post_composite(
        self,
        test_list: Mapping[str, Any],
        values: Mapping[str, Any],
        completed: dt.datetime | None = None,
        **meta: Any,
    ) -> Answer:
        """The same, and whatever the server answers."""
        empty = {
            slug: None if kind.endswith("composite") else ""
            for slug, kind in test_list["tests"].items()
        }
        sent = {
            "defaults": False,
            "tests": {**empty, **test_list["constants"], **values},
            "meta": {
                "unit_test_collection_id": str(test_list["collection"]),
                "test_list_id": str(test_list["pk"]),
                "test_list_name": test_list["name"],
                "unit_number": 1,
                "cycle_day": 1,
                "work_started": f"{self.started:%Y-%m-%d %H:%M}",
                "work_completed": f"{completed:%Y-%m-%d %H:%M}" if completed else "",
                "username": self.username,
                **meta,
            },
            "test_list_id": str(test_list["pk"]),
            "unit_id": str(test_list["unit"]),
            "comments": dict.fromkeys(empty, ""),
            "skips": dict.fromkeys(empty, False),
        }
        return self._post("/qc/composite/", json.dumps(sent).encode(), "application/json")

    def _log_in(self) -> None:
        page = "/accounts/login/"
        self.get(page)
        answer = self.post(page, {"username": self.username, "password": PASSWORD})
        assert page not in answer.url, f"{self.username} could not log in"

    def _post(self, path: str, body: bytes, kind: str) -> Answer:
        tokens = [cookie.value for cookie in self._cookies if cookie.name == "csrftoken"]
        headers = {
            "Content-Type": kind,
            "X-CSRFToken": str(tokens[0]) if tokens else "",
            "X-Requested-With": "XMLHttpRequest",
            "Referer": self.url + path,
        }
        return self._open(urllib.request.Request(self.url + path, body, headers))

    def _open(self, request: urllib.request.Request) -> Answer:
        try:
            response: Any = self._opener.open(request, timeout=SECONDS)
        except urllib.error.HTTPError as refusal:
            response = refusal
        with response:
            return Answer(response.status, response.geturl(), response.read().decode())
