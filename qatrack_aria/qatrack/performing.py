"""Perform a test list as QATrack+'s REST API does, in this process and as a certain user.

QATrack+ itself computes the composite tests, compares with references and tolerances, applies the
rules of auto review, sets the due date and sends its notifications. A session is created once: its
user key is unique in QATrack+'s table.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import json
import logging
from typing import Any, Callable, Collection, Mapping, Sequence

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http.request import validate_host
from django.urls import reverse

from qatrack_aria.errors import AriaError, NotPerformedError
from qatrack_aria.qatrack.collections import (
    ListTest,
    UnitCollection,
    dependents,
    is_installed,
    model,
)
from qatrack_aria.text import printable

logger = logging.getLogger("qatrack_aria")

PERSON = "Not performed: this test needs a person."
BY_PERSON = "Not calculated: it depends on tests that need a person."
#: Characters of QATrack+'s own reason that are kept.
LONGEST_REASON = 400


@dataclasses.dataclass(frozen=True)
class Work:
    """What is to be performed.

    Attributes
    ----------
    collection : UnitCollection
        The test list on its unit.
    day : int
        Day of a cycle, from 0.
    user : User
        Whose work it is.
    values : dict of str to str
        Values by the macro names of their tests.
    started, completed : datetime.datetime
        When it was done, with a time zone.
    key : str
        The user key.
    status : int, optional
        Key of the status to give.
    in_progress : bool
        Whether the session is left in progress if there are tests that need a person.
    """

    collection: UnitCollection
    day: int
    user: Any
    values: Mapping[str, str]
    started: dt.datetime
    completed: dt.datetime
    key: str
    status: int | None = None
    in_progress: bool = False


def performed_as(key: str) -> Any:
    """Return the session with a user key, QATrack+'s row, if there is one."""
    return model("TestListInstance").objects.filter(user_key=key).first()


def saved(keys: Collection[int]) -> dict[int, Any]:
    """Return sessions by their keys, QATrack+'s rows, with their tests."""
    if not keys or not is_installed():
        return {}
    rows = model("TestListInstance").objects.filter(pk__in=keys)
    return {row.pk: row for row in rows.prefetch_related("testinstance_set")}


def perform(work: Work, require: Callable[[], None]) -> Any:
    """Perform a test list.

    Parameters
    ----------
    work : Work
        What is to be performed.
    require : callable
        Called when the composite tests have been calculated and nothing is saved yet; what it
        raises ends the performance.

    Returns
    -------
    TestListInstance
        The session that was created; QATrack+'s row.

    Raises
    ------
    NotPerformedError
        QATrack+ does not accept it, or a composite test has no result; the message says why.
    """
    body = json.dumps(_data(work)).encode()
    view = _view(work, require)
    try:
        response = view(_request(body))
    except AriaError:
        raise
    except (Exception, SystemExit) as error:  # procedures, and QATrack+ itself, may raise anything
        logger.exception("performing a list failed")
        raise NotPerformedError(
            f"QATrack+: {work.collection} could not be performed ({type(error).__name__}): the log "
            "has the details. Nothing was saved."
        ) from error
    if response.status_code != 201:
        raise NotPerformedError(
            f"QATrack+: {work.collection} was not accepted ({response.status_code}: "
            f"{_reason(response.data)}). Nothing was saved."
        )
    return performed_as(work.key)


def _data(work: Work) -> dict[str, Any]:
    values, skipped = _tests(work)
    data: dict[str, Any] = {
        "unit_test_collection": _address("unittestcollection", work.collection.row.pk),
        "day": work.day,
        "work_started": work.started.isoformat(),
        "work_completed": work.completed.isoformat(),
        "user_key": work.key,
        "in_progress": work.in_progress and bool(skipped),
        "tests": {
            **{slug: {"value": value} for slug, value in values.items()},
            **{slug: {"skipped": True, "comment": why} for slug, why in skipped.items()},
        },
    }
    if work.status is not None:
        data["status"] = _address("testinstancestatus", work.status)
    return data


def _address(what: str, key: int) -> str:
    """Return the address by which QATrack+'s API names a row."""
    return reverse(f"{what}-detail", args=[key])


def _tests(work: Work) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of the tests that QATrack+ does not calculate, and why some are skipped.

    The session itself gets no comment: QATrack+ does not review one with a comment by its rules.

    Raises
    ------
    NotPerformedError
        Composite tests depend on tests that need a person, and the session may not be left in
        progress.
    """
    listed = work.collection.tests(work.day)
    values = {**_defaults(work, listed), **work.values}
    persons = {test.slug for test in listed if test.needs_person and test.slug not in values}
    dependent = dependents(listed, persons) if persons else set()
    if dependent and not work.in_progress:
        raise NotPerformedError(
            f"QATrack+: of {work.collection}, {', '.join(sorted(persons))} need a person, and "
            f"{', '.join(sorted(dependent))} depend on them: let the watch leave the list in "
            "progress, or give these tests a default in QATrack+. Nothing was saved."
        )
    return values, {**dict.fromkeys(persons, PERSON), **dict.fromkeys(dependent, BY_PERSON)}


def _defaults(work: Work, listed: Sequence[ListTest]) -> dict[str, Any]:
    """Return the values that QATrack+ offers by default, such as those of the last time."""
    if not any(test.needs_person and test.procedure for test in listed):
        return {}
    from qatrack.qa.views.perform import CompositePerformer

    asked = {
        "defaults": True,
        "tests": dict.fromkeys((test.slug for test in listed), ""),
        "meta": {"work_started": work.started, "work_completed": work.completed},
        "test_list_id": work.collection.test_list(work.day).pk,
        "unit_id": work.collection.row.unit.pk,
        "comments": {},
        "skips": {},
    }
    answer = CompositePerformer(work.user, asked).calculate()
    results = answer.get("results", {}).items()
    found = {slug: result["value"] for slug, result in results if not result["error"]}
    return {slug: value for slug, value in found.items() if value not in (None, "")}


def _view(work: Work, require: Callable[[], None]) -> Any:
    """Return QATrack+'s own view, for this user."""
    from qatrack.api.qa import serializers, views
    from qatrack.qatrack_core.serializers import QATrackJSONEncoder
    from rest_framework.authentication import BaseAuthentication
    from rest_framework.fields import DateTimeField

    class AsUser(BaseAuthentication):
        def authenticate(self, request: Any) -> Any:
            return work.user, None

    class Creator(serializers.TestListInstanceCreator):
        # QATrack+'s formats have no time zone, and an hour comes twice in autumn.
        work_started = DateTimeField(input_formats=["iso-8601"])
        work_completed = DateTimeField(input_formats=["iso-8601"])

        class Meta(serializers.TestListInstanceCreator.Meta):
            pass

    class Performance(views.TestListInstanceViewSet):
        authentication_classes = (AsUser,)
        throttle_classes = ()
        action_serializers = {"create": Creator}

        def perform_create(self, serializer: Any) -> None:
            tests = serializer.validated_data["tests"]
            _require_results(work, tests)
            require()
            for test in tests.values():
                if not isinstance(test.get("string_value", ""), str):
                    # As its page submits it; else the database gets Python's form of it.
                    test["string_value"] = json.dumps(test["string_value"], cls=QATrackJSONEncoder)
            super().perform_create(serializer)

    return Performance.as_view({"post": "create"})


def _require_results(work: Work, tests: Mapping[str, Any]) -> None:
    empty = [
        test.slug
        for test in work.collection.tests(work.day)
        if test.is_composite and not _has_result(tests.get(test.slug, {}))
    ]
    if empty:
        raise NotPerformedError(
            f"QATrack+: of {work.collection}, {', '.join(empty)} came to nothing: a composite test "
            "has to set a result. Nothing was saved."
        )


def _has_result(test: Mapping[str, Any]) -> bool:
    if test.get("skipped"):
        return True
    result = test.get("value", test.get("string_value"))
    return result is not None and result not in ("", [], {})


def _request(body: bytes) -> WSGIRequest:
    return WSGIRequest(
        {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": reverse("testlistinstance-list"),
            "SERVER_NAME": _host(),
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
        }
    )


def _host() -> str:
    """Return a host name that Django accepts; QATrack+'s answer has addresses with it."""
    from django.contrib.sites.models import Site

    hosts = settings.ALLOWED_HOSTS or ["localhost"]
    own = Site.objects.get_current().domain.split(":")[0]
    named = [host.lstrip(".") for host in hosts if "*" not in host]
    return next((host for host in (own, *named) if validate_host(host, hosts)), "localhost")


def _reason(data: Any) -> str:
    """Return QATrack+'s reasons on one line: of a traceback, the error alone."""
    found: list[str] = []
    rest = [data]
    while rest:
        part = rest.pop()
        if isinstance(part, Mapping):
            rest += [value for key, value in part.items() if key != "code"]
        elif isinstance(part, (list, tuple)):
            rest += list(part)
        elif part:
            found.append(_last_line(str(part)))
    return printable("; ".join(found), LONGEST_REASON) or "no reason given"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or "Error with " not in lines[0]:
        return " ".join(lines)
    return f"{lines[0].split(' test:')[0]}: {lines[-1]}"
