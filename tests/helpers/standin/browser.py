"""A page of QATrack+ on which a test list is filled in, as far as composites can notice."""

from __future__ import annotations

import json
from typing import Any

from django.utils import timezone

from tests.helpers.standin.calculation import QAList, Reply, Saved, post
from tests.helpers.standin.encoding import as_read_by_a_browser


class Page:
    """A test list that somebody has open.

    Attributes
    ----------
    screen : dict
        What the composites' fields show.
    tooltips : dict
        The errors behind red badges.
    attached : dict
        The attachments that are submitted with each composite.
    replies : list of Reply
        All that the server answered.
    """

    def __init__(self, qa_list: QAList, user: Any, unit: Any, **meta: Any) -> None:
        self._where = {"user": user, "unit": unit, "qa_list": qa_list}
        self._list = qa_list
        # All of META comes from fields of the page; a page of a new session tells its start only.
        self.meta: Any = {
            "test_list_name": qa_list.name,
            "unit_number": unit.number,
            "cycle_day": 1,
            "username": user.username,
            "work_started": timezone.localtime().strftime("%d %b %Y %H:%M"),
            "work_completed": "",
            **meta,
        }
        self.values: dict[str, Any] = dict.fromkeys(qa_list.inputs, "")
        self.screen: dict[str, Any] = dict.fromkeys(qa_list.procedures)
        self.tooltips: dict[str, str] = {}
        self.attached: dict[str, list[Any]] = {}
        self.replies: list[Reply] = []

    def open(self) -> Page:
        """Show it: the browser asks for default values, then for the composites."""
        self.recalculate(defaults=True)
        return self.recalculate()

    def fill(self, **values: Any) -> Page:
        """Fill in fields, one after the other: each has the composites computed."""
        for slug, value in values.items():
            self.values[slug] = value
            self.recalculate()
        return self

    def recalculate(self, *, defaults: bool = False) -> Page:
        """Post all there is, with null for what is computed, and show what comes back."""
        tests = {**self.values, **dict.fromkeys(self._list.procedures)}
        data = {"defaults": defaults, "tests": tests, "meta": self.meta, "comments": {}}
        reply = post(json.dumps({**data, "skips": {}}), **self._where)
        self.replies.append(reply)
        self._show(reply)
        return self

    def submit(self, completed: Any) -> None:
        """Save the session: what is an object on the screen is kept as JSON text."""
        kept = {
            slug: json.dumps(value) if isinstance(value, (dict, list)) else value
            for slug, value in {**self.values, **self.screen}.items()
        }
        self._list.history.append(Saved(completed, kept))

    def _show(self, reply: Reply) -> None:
        try:
            answer = as_read_by_a_browser(reply.text)
        except ValueError:
            return  # jQuery calls no "success": all fields go on showing what they did
        for slug, result in answer.get("results", {}).items():
            self.screen[slug] = result["value"]
            self.attached[slug] = result.get("user_attached") or []
            self.tooltips.pop(slug, None)
            if result["error"]:
                self.tooltips[slug] = result["error"]
