"""Browse a node: choose a patient, a plan, and images day by day; and fetch them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from qatrack_aria.admin.context import browse_address, node_or_404, page, watch_address
from qatrack_aria.admin.permissions import may_browse
from qatrack_aria.errors import AriaError
from qatrack_aria.models import AriaNode, Retrieval
from qatrack_aria.retrieval.option_values import FIRST_YEAR
from qatrack_aria.retrieval.options import OPTIONS

if TYPE_CHECKING:
    from qatrack_aria.browse.groups import ImageGroup
    from qatrack_aria.browse.listing import PlanImages

PLANS = "admin/qatrack_aria/arianode/browse.html"
IMAGES = "admin/qatrack_aria/arianode/browse_plan.html"
#: Periods that can be listed: days, and their labels on the page.
PERIODS = {"14": _lazy("two weeks"), "120": _lazy("four months"), "all": _lazy("all images")}
DEFAULT_PERIOD = "120"
#: Seconds in which a second click shows the same images.
SAME_CLICK = 60
UNCERTAIN = _lazy("The node does not return enough attributes: fetching shows which images match.")


def browse(admin: ModelAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """Show the plans of a patient or the images of a plan; with POST, fetch images.

    The request is in the address, for the back button, reloading and bookmarks, so a GET queries
    the node. It sends only C-FINDs, which change nothing there or here. It answers only users who
    may see the answer, and one query runs at a time. Other sites cannot make a user send it from
    an embedded page, since Django's session cookie is not sent there (SameSite=Lax).

    Parameters
    ----------
    admin : ModelAdmin
        The admin of the nodes.
    request : HttpRequest
        With `patient`, `plan` (a SOP Instance UID), `period` or `day` in the address.
    object_id : str
        The node, as addresses of the admin name it.

    Raises
    ------
    Http404
        The node does not exist.
    PermissionDenied
        The user may not view nodes, or not view retrievals.
    """
    node = node_or_404(admin, request, object_id)
    if not may_browse(admin, request, node):
        raise PermissionDenied
    if request.method == "POST":
        return _fetch(node, request)
    patient = request.GET.get("patient", "").strip()
    if patient and request.GET.get("plan"):
        template, context = IMAGES, _of_plan(node, request.GET)
    else:
        template, context = PLANS, _of_patient(node, request.GET)
    title = _("Browse %s") % node
    return page(admin, request, template, title, node, patient=patient, **context)


def _of_patient(node: AriaNode, asked: Any) -> dict[str, Any]:
    if "patient" not in asked:
        return {}
    # Imported here, so that QATrack+ starts without loading pynetdicom.
    from qatrack_aria.browse.listing import list_plans

    try:
        return {"plans": list_plans(node, asked["patient"])}
    except AriaError as error:
        return {"error": error}


def _of_plan(node: AriaNode, asked: Any) -> dict[str, Any]:
    from qatrack_aria.browse.listing import list_plan_images

    day, period = asked.get("day", "").strip(), asked.get("period", DEFAULT_PERIOD)
    period = period if period in PERIODS else DEFAULT_PERIOD
    context = {"plan_uid": asked["plan"], "day": day, "period": period, "periods": PERIODS}
    try:
        days = _days(day, period)
    except ValueError:
        return {**context, "error": _("The day %s is not valid: enter it as 2026-11-22.") % day}
    try:
        found = list_plan_images(node, asked["patient"], asked["plan"], days)
    except AriaError as error:
        return {**context, "error": error}
    codes = [(code, watch_address(node, code.request.as_dict)) for code in found.codes]
    return {**context, "history": found, "days": _rows(found), "codes": codes}


@dataclass(frozen=True)
class _Row:
    """A group of images as the page shows it; `label` describes its button to a screen reader."""

    group: ImageGroup
    archived: str
    label: str
    note: str

    @property
    def several(self) -> bool:
        """Whether the first and the last image are of different minutes."""
        first, last = self.group.first, self.group.last
        return first is not None and last is not None and f"{first:%H%M}" != f"{last:%H%M}"


def _rows(found: PlanImages) -> list[tuple[dt.date | None, list[_Row]]]:
    return [(day, [_row(group, found.here) for group in groups]) for day, groups in found.days]


def _row(group: ImageGroup, archived: set[str]) -> _Row:
    here = sum(1 for image in group.images if image.sop_uid in archived)
    archived_note = ""
    if here:
        every = here == len(group.images)
        archived_note = _("all in the archive") if every else _("%d in the archive") % here
    when = f"{group.first:%Y-%m-%d %H:%M}" if group.first else _("without a date")
    label = f"{_('Fetch')}: {', '.join(filter(None, [*group.image_type, group.beam, when]))}"
    note = group.error or ("" if group.is_certain else UNCERTAIN)
    return _Row(group, archived_note, label, note)


def _days(day: str, period: str) -> tuple[dt.date | None, dt.date | None]:
    if day:
        only = dt.datetime.strptime(day, "%Y-%m-%d").date()
        if only.year < FIRST_YEAR:
            raise ValueError("before all images")
        return only, only
    if period == "all":
        return None, None
    # Open towards the future: an imager's clock may be ahead of ours.
    return dt.date.today() - dt.timedelta(days=int(period)), None


def _fetch(node: AriaNode, request: HttpRequest) -> HttpResponse:
    """Fetch the images of a row and redirect to them, or back to the list with an error."""
    from qatrack_aria.retrieval.job import Caller
    from qatrack_aria.retrieval.service import fetch

    posted = request.POST
    asked = {o.name: o.from_form(posted[o.name]) for o in OPTIONS if posted.get(o.name)}
    caller = Caller(Retrieval.ADMIN, user=request.user.get_username())
    try:
        images = fetch(
            node.name,
            posted.get("patient"),
            posted.get("plan"),
            posted.get("image_type") or "portal",
            caller=caller,
            max_age=SAME_CLICK,
            **asked,
        )
    except AriaError as error:
        messages.error(request, str(error))
        return _SeeOther(_back(node, posted))
    messages.success(request, images.status + _note_additional(len(images), asked.get("count", "")))
    row = Retrieval.objects.filter(folder=images.path).order_by("-pk").first()
    if row is None:
        return _SeeOther(_back(node, posted))
    return _SeeOther(reverse("admin:qatrack_aria_retrieval_images", args=[row.pk]))


def _note_additional(number: int, listed: str) -> str:
    more = number - int(listed) if listed.isdecimal() else 0
    return " " + _("%d more than the page listed: they were acquired since.") % more if more else ""


def _back(node: AriaNode, posted: Any) -> str:
    fields = {"patient": "patient", "plan": "plan_uid", "period": "period", "day": "day"}
    where = {name: posted.get(field) for name, field in fields.items()}
    return browse_address(node, {name: value for name, value in where.items() if value})


class _SeeOther(HttpResponseRedirect):
    status_code = 303
