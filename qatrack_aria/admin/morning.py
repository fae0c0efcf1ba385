"""Show what became of all watches on one day, or tell a monitor."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from qatrack_aria.admin.context import page
from qatrack_aria.models import WatchedSession

TEMPLATE = "admin/qatrack_aria/watchedsession/morning.html"
DAY = dt.timedelta(days=1)
#: Pictures of a session that are shown.
PICTURES = range(1, 5)


def morning(admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Show the sessions of a day; with POST, have one tried again.

    Parameters
    ----------
    admin : ModelAdmin
        The admin of the sessions.
    request : HttpRequest
        With `day`, and `format=json` for a monitor, in the address.

    Raises
    ------
    PermissionDenied
        The user may not view the sessions, or not change them.
    """
    if not admin.has_view_permission(request):
        raise PermissionDenied
    if request.method == "POST":
        return _try_again(admin, request)
    # Imported here, so that QATrack+ starts without loading pynetdicom.
    from qatrack_aria.automation.morning import as_json, delays, is_asleep, lines

    day, error = _day(request.GET.get("day", "").strip())
    found = lines(day)
    if request.GET.get("format") == "json":
        told = {
            "day": day.isoformat(),
            "asleep": is_asleep(timezone.now()),
            "watches": [as_json(line) for line in found],
        }
        return JsonResponse(told)
    today = timezone.localdate()
    return page(
        admin,
        request,
        TEMPLATE,
        _("Sessions of %s") % day.isoformat(),
        None,
        lines=found,
        day=day,
        before=day - DAY,
        after=day + DAY if day < today else None,
        error=error,
        is_asleep=day == today and is_asleep(timezone.now()),
        delays=delays(timezone.now()),
        pictures=PICTURES,
        may_change=admin.has_change_permission(request),
    )


def _day(text: str) -> tuple[dt.date, str]:
    today = timezone.localdate()
    if not text:
        return today, ""
    try:
        day = dt.datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        return today, _("The day %s is not valid: enter it as 2026-11-22.") % text
    return (day, "") if 2000 <= day.year <= 9000 else (today, _("There is nothing of that day."))


def _try_again(admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    if not admin.has_change_permission(request):
        raise PermissionDenied
    posted: Any = request.POST
    key = posted.get("session", "")
    rows = WatchedSession.objects.filter(
        pk=int(key) if key.isdecimal() and len(key) < 10 else 0,
        state__in=(WatchedSession.WAITING, WatchedSession.LEFT),
    )
    if rows.update(state=WatchedSession.WAITING, attempts=0, retry=None, found=timezone.now()):
        admin.message_user(request, _("It is tried again at the next look of the watch."))
    return HttpResponseRedirect(request.get_full_path())
