"""The pages that go through a node: a patient, the plans, a plan's images day by day; and Fetch."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from qatrack_aria.admin.context import node_or_404, page_context
from qatrack_aria.admin.permissions import may_browse
from qatrack_aria.errors import AriaError
from qatrack_aria.models import AriaNode, Retrieval
from qatrack_aria.retrieval.request import FIRST_YEAR

if TYPE_CHECKING:
    from qatrack_aria.browse.groups import ImageGroup
    from qatrack_aria.browse.listing import PlanImages

PLANS = "admin/qatrack_aria/arianode/browse.html"
IMAGES = "admin/qatrack_aria/arianode/browse_plan.html"
#: How far back one may look at once: days, and what the page calls them.
PERIODS = {"14": "two weeks", "120": "four months", "all": "all there are"}
USUAL = "120"
#: What of a request a form may send.
ASKED = ("plan", "image_type", "date", "count", "machine", "course", "select")
#: Seconds in which a second press is answered with the same images.
SAME_PRESS = 60
FINDS_OUT = "The node does not say enough of them: fetching finds out which are meant."


def browse(admin: ModelAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """Show one step after the other; with POST, fetch.

    Going back, reloading and keeping a bookmark need what is asked to be in the address, so a GET
    does ask the node. It asks C-FINDs only, which change nothing there or here; it answers nobody
    but those who may see the answer; one is asked at a time; and what other sites embed in their
    pages comes without Django's session cookie (SameSite=Lax).

    Parameters
    ----------
    admin : ModelAdmin
        That of the nodes.
    request : HttpRequest
        `patient`, `plan` (a SOP Instance UID), `period` or `day` in the address.
    object_id : str
        The node, as the admin names it in its addresses.

    Raises
    ------
    Http404
        No such node.
    PermissionDenied
        Whoever asks may not see nodes, or not see retrievals.
    """
    node = node_or_404(admin, request, object_id)
    if not may_browse(admin, request, node):
        raise PermissionDenied
    if request.method == "POST":
        return _fetch(node, request)
    context = {
        **page_context(admin, request, f"Browse {node}", node),
        "patient": request.GET.get("patient", "").strip(),
    }
    if context["patient"] and request.GET.get("plan"):
        return TemplateResponse(request, IMAGES, {**context, **_of_plan(node, request.GET)})
    return TemplateResponse(request, PLANS, {**context, **_of_patient(node, request.GET)})


def _of_patient(node: AriaNode, asked: Any) -> dict[str, Any]:
    if "patient" not in asked:
        return {}
    # Here, so that the start of QATrack+ needs no DICOM.
    from qatrack_aria.browse.listing import plans

    try:
        return {"plans": plans(node, asked["patient"])}
    except AriaError as error:
        return {"error": error}


def _of_plan(node: AriaNode, asked: Any) -> dict[str, Any]:
    from qatrack_aria.browse.listing import plan_images

    day, period = asked.get("day", "").strip(), asked.get("period", USUAL)
    period = period if period in PERIODS else USUAL
    context = {"plan_uid": asked["plan"], "day": day, "period": period, "periods": PERIODS}
    try:
        days = _days(day, period)
    except ValueError:
        return {**context, "error": f"The day {day} is none: give it as 2026-11-22."}
    try:
        found = plan_images(node, asked["patient"], asked["plan"], days)
    except AriaError as error:
        return {**context, "error": error}
    return {**context, "history": found, "days": _rows(found)}


@dataclass(frozen=True)
class _Row:
    """A batch as the page shows it; `says` is what the button says to who does not see the row."""

    batch: ImageGroup
    here: str
    button: str
    says: str
    remark: str

    @property
    def several(self) -> bool:
        """Whether the first and the last image are of different minutes."""
        first, last = self.batch.first, self.batch.last
        return first is not None and last is not None and f"{first:%H%M}" != f"{last:%H%M}"


def _rows(found: PlanImages) -> list[tuple[dt.date | None, list[_Row]]]:
    return [(day, [_row(batch, found.here) for batch in batches]) for day, batches in found.days]


def _row(batch: ImageGroup, archived: set[str]) -> _Row:
    offer, count = batch.offer, len(batch.images)
    here = sum(1 for image in batch.images if image.sop_uid in archived)
    told = {0: "", count: "all here"}.get(here, f"{here} here")
    if offer is None:
        return _Row(batch, told, "", "", batch.trouble)
    when = f"{batch.first:%Y-%m-%d %H:%M}" if batch.first else "without a date"
    if offer.count is None:
        says = f"Fetch what is of this plan, {when}"
        return _Row(batch, told, "Fetch", says, FINDS_OUT)
    button = "Fetch" if offer.exact else f"Fetch {offer.count}"
    says = f"{button}: {', '.join(filter(None, [*batch.image_type, batch.beam, when]))}"
    others = offer.count - count
    remark = "" if offer.exact else f"{others} more come{'s' if others == 1 else ''} with it"
    return _Row(batch, told, button, says, remark)


def _days(day: str, period: str) -> tuple[dt.date | None, dt.date | None]:
    if day:
        only = dt.datetime.strptime(day, "%Y-%m-%d").date()
        if only.year < FIRST_YEAR:
            raise ValueError("before all images")
        return only, only
    if period == "all":
        return None, None
    # Without an end: an imager's clock may be ahead of ours.
    return dt.date.today() - dt.timedelta(days=int(period)), None


def _fetch(node: AriaNode, request: HttpRequest) -> HttpResponse:
    """Fetch what a button says, and go to the images; or back, and say why not."""
    from qatrack_aria.retrieval.service import Caller, fetch

    posted = request.POST
    asked = {name: posted[name] for name in ASKED if posted.get(name)}
    caller = Caller(Retrieval.ADMIN, user=request.user.get_username())
    try:
        images = fetch(
            node.name,
            posted.get("patient"),
            asked.pop("plan", None),
            asked.pop("image_type", "portal"),
            caller=caller,
            max_age=SAME_PRESS,
            kv=bool(posted.get("kv")),
            **asked,
        )
    except AriaError as error:
        messages.error(request, str(error))
        return _see_other(_back(node, posted))
    messages.success(request, images.status + _came_since(len(images), asked.get("count", "")))
    row = Retrieval.objects.filter(folder=images.path).order_by("-pk").first()
    if row is None:
        return _see_other(_back(node, posted))
    return _see_other(reverse("admin:qatrack_aria_retrieval_images", args=[row.pk]))


def _came_since(came: int, listed: str) -> str:
    if not listed.isdecimal() or came == int(listed):
        return ""
    return f" {came - int(listed)} more than the page had listed: they have come since."


def _back(node: AriaNode, posted: Any) -> str:
    where = {"patient": posted.get("patient", ""), "plan": posted.get("plan_uid", "")}
    where.update({name: posted[name] for name in ("period", "day") if posted.get(name)})
    address = reverse("admin:qatrack_aria_arianode_browse", args=[node.pk])
    return f"{address}?{urlencode({name: value for name, value in where.items() if value})}"


def _see_other(address: str) -> HttpResponse:
    answer = HttpResponseRedirect(address)
    answer.status_code = 303
    return answer
