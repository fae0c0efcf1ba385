"""A stand-in for that part of QATrack+ which computes composite tests.

It keeps the rules that matter to what runs inside a composite, each seen at QATrack+ 3.1.1 and 4.0
(``/qc/composite/``: the view CompositeCalculation with CompositePerformer and CompositeUtils), and
named beside the line that keeps it. What no composite of ours can notice is left out: reference
values are empty, nothing is formatted, matplotlib is not tidied up.
"""

from __future__ import annotations

import datetime as dt
import importlib
import importlib.util
import io
import json
import math
import tokenize
import traceback
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Iterator, Mapping, NamedTuple

from django.conf import settings
from django.utils import timezone

from tests.helpers.standin.attaching import attach
from tests.helpers.standin.encoding import as_sent

#: A simple test of QATrack+ that is typed in, and the two kinds that are computed.
STRING, COMPOSITE, STRING_COMPOSITE = "string", "composite", "string composite"

#: QATrack+'s own parse_datetime: its input formats, tried one after the other.
FORMATS = ("%d %b %Y %H:%M", "%d %b %Y %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")
FRAMES = 5
#: A procedure is compiled under this file name and the macro name of its test.
PROCEDURE = "__QAT+COMP_"


@dataclass
class QAList:
    """A test list: what is typed in, and the procedures of its composites by macro name."""

    name: str
    inputs: tuple[str, ...]
    procedures: dict[str, str]
    pk: int = 1
    history: list[Saved] = field(default_factory=list)


class Saved(NamedTuple):
    """A session that was submitted: when it ended, and the values as the database keeps them."""

    work_completed: dt.datetime
    values: dict[str, Any]


class Reply(NamedTuple):
    """What the web server answers."""

    status: int
    text: str


def post(body: str, *, user: Any, unit: Any, qa_list: QAList) -> Reply:
    """POST /qc/composite/."""
    try:
        data = json.loads(body)
    except ValueError:
        data = {}
    try:
        return Reply(200, as_sent(Calculation(user, unit, qa_list, data).answer()))
    except Exception:  # Django's page for an error of the server
        return Reply(500, "<h1>Server Error (500)</h1>")


class Utils:
    """CompositeUtils, which procedures know as ``UTILS``."""

    def __init__(self, calculation: Calculation) -> None:
        data = calculation.data
        self.user, self.unit = calculation.user, calculation.unit
        self.test_list = calculation.qa_list
        self.meta = data.get("meta")
        self.context = calculation.context
        self.comments, self.skips = data.get("comments", {}), data.get("skips", {})
        self.changed_skips: dict[str, bool] = {}
        # CompositeUtils makes this list; the page submits what is in it with the test.
        self.context["__user_attached__"] = []

    def set_comment(self, comment: str) -> None:
        self.context["__comment__"] = comment

    def get_comment(self, slug: str) -> Any:
        return self.comments.get(slug, "")

    def set_skip(self, slug: str, skip: bool) -> None:
        self.changed_skips[slug] = skip

    def get_skip(self, slug: str) -> Any:
        return {**self.skips, **self.changed_skips}.get(slug, False)

    def write_file(self, name: str, content: bytes) -> None:
        # CompositeUtils.write_file: another attachment for every call, listed in the list.
        self.context["__user_attached__"].append(attach(self.user, name, content))

    def previous_test_instance(self, slug: str) -> Any:
        # The newest that was completed before the session at hand began, else before now.
        meta = self.meta or {}
        before = meta.get("work_started") or timezone.now()
        earlier = [saved for saved in self.test_list.history if saved.work_completed < before]
        if not earlier:
            return None
        newest = max(earlier, key=lambda saved: saved.work_completed)
        value = newest.values.get(slug)
        return SimpleNamespace(string_value=value, get_value=lambda: value)


class Calculation:
    """CompositePerformer: one request, in which all composites of the list are computed."""

    def __init__(self, user: Any, unit: Any, qa_list: QAList, data: dict[str, Any]) -> None:
        self.user, self.unit, self.qa_list, self.data = user, unit, qa_list, data
        self.results: dict[str, dict[str, Any]] = {}
        self.context: dict[str, Any] = {}

    def answer(self) -> dict[str, Any]:
        # The first of two requests on page load asks for default values: here no test has one.
        if self.data.get("defaults"):
            return {"success": False, "errors": ["No Valid Composite ID's"]}
        self._fill_context()
        order, cyclic = in_order(self.qa_list.procedures)
        for slug in cyclic:
            self.results[slug] = {"value": None, "error": "Cyclic test dependency"}
        for slug in order:
            self._compute(slug)
        skips = self.context["UTILS"].changed_skips
        return {"success": True, "errors": [], "results": self.results, "skips": skips}

    def _fill_context(self) -> None:
        """set_calculation_context: names of QATrack+, libraries, and what the browser posted."""
        meta = self.data.get("meta")
        _read_times(meta)
        names = [*self.qa_list.inputs, *self.qa_list.procedures]
        self.context.update(
            META=meta,
            REFS=dict.fromkeys(names),
            TOLS={name: {} for name in names},
            math=math,
            **_libraries(),
            **_local_site_code(),
        )
        self.context["UTILS"] = Utils(self)
        posted = self.data["tests"]
        # Values come as they were posted, whatever they are; those of composites are not believed.
        self.context.update(
            {slug: value for slug, value in posted.items() if slug not in self.qa_list.procedures}
        )
        self.lasting = {*self.context, *posted}

    def _compute(self, slug: str) -> None:
        # CompositePerformer.calculate: compiled under that name, the value under either of two.
        procedure = self.qa_list.procedures[slug].replace("\r", "\n") + "\n\n"
        try:
            exec(compile(procedure, PROCEDURE + slug, "exec"), self.context)
            value = self.context["result" if "result" in self.context else slug]
            _require_sendable(slug, value)
            self.results[slug] = {
                "value": value,
                "error": None,
                "user_attached": list(self.context["__user_attached__"]),
                "comment": self.context.get("__comment__"),
            }
            # Later composites get the very object.
            self.context[slug] = value
        except Exception as error:
            shown = None if self._is_waiting(slug) else tooltip(slug, error)
            self.results[slug] = {"value": None, "error": shown, "user_attached": [], "comment": ""}
        finally:
            self._tidy_up()

    def _is_waiting(self, slug: str) -> bool:
        """An error is not shown while a test that the procedure names is empty, or has failed."""
        for name in names_in(self.qa_list.procedures[slug]) - {slug}:
            if name in self.qa_list.procedures:
                result = self.results.get(name)
                if result is None or result["value"] is None or result["error"]:
                    return True
            elif name in self.data["tests"] and self.data["tests"][name] in (None, ""):
                return True
        return False

    def _tidy_up(self) -> None:
        """Names that a procedure made are gone for the next one, and its attachments are too."""
        for name in [*self.context]:
            if name not in self.lasting:
                del self.context[name]
        self.context.pop("result", None)
        del self.context["__user_attached__"][:]


# --- the order --------------------------------------------------------------------------------


def in_order(procedures: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """resolve_dependency_order: each composite after those it names, and those of a circle."""
    left = {
        slug: (names_in(code) & procedures.keys()) - {slug} for slug, code in procedures.items()
    }
    order: list[str] = []
    while True:
        ready = sorted(slug for slug, needs in left.items() if needs <= {*order})
        if not ready:
            return order, sorted(left)
        order += ready
        for slug in ready:
            del left[slug]


def names_in(procedure: str) -> set[str]:
    """tokenize_composite_calc: the names in a procedure that are no attributes."""
    return {*_plain_names(procedure)}


def _plain_names(procedure: str) -> Iterator[str]:
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(procedure).readline):
        if token.type == tokenize.NAME and before != ".":
            yield token.string
        before = token.string


# --- the parts of a context -------------------------------------------------------------------


def _read_times(meta: Any) -> None:
    """META's two times become aware datetimes; what cannot be read stays as it was posted."""
    zone: Any = timezone.get_current_timezone()
    if not isinstance(meta, dict):
        return
    for key in ("work_completed", "work_started"):
        naive = _parse(meta.get(key))
        if naive is not None:
            # 3.1.1 has pytz (Django 2.2), 4.0 zoneinfo.
            localize = getattr(zone, "localize", lambda naive: naive.replace(tzinfo=zone))
            meta[key] = localize(naive)


def _parse(text: Any) -> dt.datetime | None:
    for form in FORMATS:
        try:
            return dt.datetime.strptime(text, form)
        except (TypeError, ValueError):
            continue
    return None


def _libraries() -> dict[str, Any]:
    """DEFAULT_CALCULATION_CONTEXT, as far as it is installed here."""
    installed = {
        name: importlib.import_module(name)
        for name in ("numpy", "pydicom")
        if importlib.util.find_spec(name)
    }
    return {**installed, "dicom": installed.get("pydicom")}


def _local_site_code() -> dict[str, Any]:
    """Local site code, not released yet: all functions of the modules that the settings name."""
    modules = getattr(settings, "LOCAL_SITE_CODE_FUNCTION_MODULES", ())
    functions: dict[str, Any] = {}
    for module in modules:
        functions.update(importlib.import_module(module).LOCAL_SITE_CODE_FUNCTIONS)
    both = SimpleNamespace(**functions)
    return {"LSC": both, "LOCAL_SITE_CODE": both} if modules else {}


# --- results ----------------------------------------------------------------------------------


def _require_sendable(slug: str, value: Any) -> None:
    # Infinity is found out; NaN would be, but compares unequal to itself, and gets through.
    if isinstance(value, float) and value == math.inf:
        raise ValueError(f"{slug} has a result of '{value}'")
    try:
        as_sent(value)
    except TypeError as error:
        raise ValueError(f"{slug} failed with error: {error}.") from error


def tooltip(slug: str, error: Exception) -> str:
    """What stands in the tooltip of the red badge: a few frames and the last exception.

    QATrack+ prints the whole chain, up to five frames of each, and cuts it behind the last place
    where a procedure's file name stands: causes are lost, and so is its own code.
    """
    said = traceback.TracebackException.from_exception(error, limit=FRAMES)
    inside = [frame.filename.startswith(PROCEDURE) for frame in said.stack]
    frames = said.stack[inside.index(True) :] if True in inside else []
    lines = [*traceback.format_list(frames), *said.format_exception_only()]
    shown = "".join(lines).rpartition(PROCEDURE)[2] or "".join(lines)
    return f"Invalid Test Procedure: {shown}".replace("<module>", slug)
