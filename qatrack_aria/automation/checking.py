"""Say what is wrong with a watch, where it is typed and before each use of it."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.utils.translation import gettext as _

from qatrack_aria.automation.listing import request_of
from qatrack_aria.errors import AriaError
from qatrack_aria.models import Watch
from qatrack_aria.qatrack import collections
from qatrack_aria.qatrack.collections import UPLOAD, ListTest, UnitCollection

#: What a procedure calls to get images.
CALLS = ("fetch_images", "fetch_status", "images_from", "PynetdicomWrapper", "qatrack_aria")


def problems(watch: Watch) -> dict[str, str]:
    """Return what is wrong with a watch: a sentence for people, by the name of the field."""
    found = {**_of_request(watch), **_of_times(watch)}
    if watch.collection is not None and not found:
        found.update(_of_performance(watch))
    return found


def _of_request(watch: Watch) -> dict[str, str]:
    try:
        node = watch.node
    except ObjectDoesNotExist:
        return {}  # the field itself says so
    try:
        request = request_of(watch)
    except AriaError as error:
        return {_field_of(error): _without_end(error)}
    try:
        node.require_allowed(request.patient_id)
        node.require_writable("patient ID", request.patient_id)
    except AriaError as error:
        return {"patient_id": _without_end(error)}
    try:
        node.require_writable("plan label", request.plan)
    except AriaError as error:
        return {"plan": _without_end(error)}
    return {}


def _field_of(error: AriaError) -> str:
    """Return the field that a request's error is about, which its message begins with."""
    text = str(error)
    by_word = {"patient ID": "patient_id", "plan label": "plan", "image type": "image_type"}
    by_word.update(count="count", machine="machine", course="course", select="select", kv="kv")
    return next((field for word, field in by_word.items() if word in text[:40]), "plan")


def _without_end(error: AriaError) -> str:
    return str(error).replace(" Nothing was sent.", "")


def _of_times(watch: Watch) -> dict[str, str]:
    if watch.begins is not None and watch.begins == watch.ends:
        return {"ends": _("Enter another time than the first one, or none.")}
    return {}


def _of_performance(watch: Watch) -> dict[str, str]:
    collection = UnitCollection.find(watch.collection)
    if collection is None:
        return {"collection": _("There is no such test list on a unit in QATrack+.")}
    if not collection.is_in_use:
        return {"collection": _("The test list or its unit is not active in QATrack+.")}
    others = Watch.objects.filter(collection=watch.collection, is_active=True)
    others = others.exclude(pk=watch.pk)
    rival = next((one for one in others if _same_day(one, watch)), None)
    if watch.is_active and rival is not None:
        return {"collection": _("The watch %s performs this list already.") % rival}
    if watch.day is not None and (not collection.is_cycle or watch.day > collection.days):
        return {"day": _("The test list has no such day.")}
    return {**_of_user(watch, collection), **_of_tests(watch, collection)}


def _same_day(one: Watch, other: Watch) -> bool:
    return None in (one.day, other.day) or one.day == other.day


def _of_user(watch: Watch, collection: UnitCollection) -> dict[str, str]:
    user: Any = watch.user
    if user is None:
        return {"user": _("Choose the user whose work it is.")}
    if not user.is_active:
        return {"user": _("This user is not active.")}
    needed = ["qa.add_testlistinstance"]
    if watch.in_progress:
        needed.append("qa.can_save_in_progress")
    lacking = [name for name in needed if not user.has_perm(name)]
    if lacking:
        return {"user": _("This user lacks the permission %s.") % ", ".join(lacking)}
    if not collection.is_visible_to(user):
        return {"user": _("The test list is visible to none of this user's groups.")}
    return {}


def _of_tests(watch: Watch, collection: UnitCollection) -> dict[str, str]:
    days = [watch.day - 1] if watch.day else range(collection.days)
    for day in days:
        found = _of_list(watch, collection.tests(day))
        if found:
            return found
    statuses = dict(collections.statuses())
    if watch.status is not None and watch.status not in statuses:
        return {"status": _("There is no such status in QATrack+.")}
    return {}


def _of_list(watch: Watch, tests: list[ListTest]) -> dict[str, str]:
    by_slug = {test.slug: test for test in tests}
    composites = [test for test in tests if test.is_composite]
    if not any(call in test.procedure for test in composites for call in CALLS):
        return {"collection": _("No composite test of this list fetches images from ARIA.")}
    uploads = [test.slug for test in tests if test.type == UPLOAD]
    if uploads:
        return {
            "collection": _(
                "The list has a test that a file is uploaded to (%s): QATrack+ does "
                "not let it be skipped."
            )
            % ", ".join(uploads)
        }
    for field in ("patient_test", "plan_test"):
        test = by_slug.get(getattr(watch, field))
        if test is None:
            return {field: _("The list has no test with this macro name.")}
        if test.is_composite:
            return {field: _("QATrack+ calculates this test: nothing can be entered.")}
    return {}
