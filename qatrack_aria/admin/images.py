"""Show the images of a retrieval on a page, and send its pictures."""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _

from qatrack_aria.admin.context import browse_address, page
from qatrack_aria.errors import AriaError, ConfigurationError
from qatrack_aria.models import Retrieval

TEMPLATE = "admin/qatrack_aria/retrieval/images.html"
ON_A_PAGE = 48
#: Raise it when pictures are drawn in another way, so that browsers load them again.
EDITION = 1


def images(admin: ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Show small pictures of a set with their captions, page by page.

    Parameters
    ----------
    admin : ModelAdmin
        The admin of the retrievals.
    request : HttpRequest
        With `page`, and `film` to show more radiation darker, in the address.
    pk : int
        Primary key of the retrieval.

    Raises
    ------
    Http404
        The retrieval does not exist.
    PermissionDenied
        The user may not view retrievals.
    """
    row = _row(admin, request, pk)
    context = {
        "film": bool(request.GET.get("film")),
        "browse": row.node and browse_address(row.node, {"patient": row.patient_id}),
        **_of_set(row, request),
    }
    return page(admin, request, TEMPLATE, _("Images"), row, **context)


def picture(admin: ModelAdmin, request: HttpRequest, pk: int, place: int) -> HttpResponse:
    """Send one picture as PNG: small, or in full size with `full` in the address.

    A browser may cache it, but must revalidate it: the next user there may have no permission.

    Raises
    ------
    Http404
        The image does not exist.
    PermissionDenied
        As for :func:`images`.
    """
    from qatrack_aria.browse import gallery

    row = _row(admin, request, pk)
    try:
        files = gallery.set_files(row)
    except AriaError as error:
        raise Http404(str(error)) from error
    if not 1 <= place <= len(files):
        raise Http404(f"There is no image {place}.")
    file = files[place - 1]
    full, film = bool(request.GET.get("full")), bool(request.GET.get("film"))
    # The name of a set's folder is random, and its files are never changed.
    shown = f"{EDITION} {file.parent.name} {file.name} {full} {film}"
    etag = f'"{hashlib.sha256(shown.encode()).hexdigest()[:32]}"'
    answer = get_conditional_response(request, etag=etag)
    if answer is None:
        try:
            drawn = gallery.draw(file, full=full, inverted=film)
        except ConfigurationError as error:
            return HttpResponse(str(error), content_type="text/plain; charset=utf-8", status=503)
        answer = HttpResponse(drawn, content_type="image/png")
    answer["ETag"] = etag
    answer["Cache-Control"] = "private, no-cache"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def _row(admin: ModelAdmin, request: HttpRequest, pk: int) -> Retrieval:
    row: Any = Retrieval.objects.select_related("node").filter(pk=pk).first()
    if not admin.has_view_permission(request, row):
        raise PermissionDenied
    if row is None:
        raise Http404(f"There is no retrieval {pk}.")
    return row


def _of_set(row: Retrieval, request: HttpRequest) -> dict[str, Any]:
    from qatrack_aria.browse import gallery

    try:
        files = gallery.set_files(row)
        part = Paginator(range(len(files)), ON_A_PAGE).get_page(request.GET.get("page"))
        images = gallery.gallery_images(files, part.object_list, row.node.character_set)
    except AriaError as error:
        return {"error": error}
    return {"page": part, "images": images, "count": len(files), "lost": row.found - len(files)}
