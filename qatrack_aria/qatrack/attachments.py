"""Attach a file to the test that is being computed: once, however often it is computed.

QATrack+ computes a list at every changed field, and its own ``UTILS.write_file`` saves another
attachment every time; those that are not submitted stay for ever. Here the attachment that a test
made a moment ago is found again by a note at the end of its comment, and handed out again, or
filled anew in place if there are other images. It is never removed while a page may still name
it: QATrack+ cannot save a page that names an attachment which is not there.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Callable

from django.apps import apps
from django.core.files import File
from django.db import Error
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from filelock import FileLock, Timeout

from qatrack_aria.conf import conf
from qatrack_aria.dicom.part10 import without_staff
from qatrack_aria.errors import ArchiveError, BusyError, ConfigurationError, RequestError
from qatrack_aria.qatrack.context import minute, saved_session
from qatrack_aria.storage.archive import Archive
from qatrack_aria.text import error_reason, short_repr

if TYPE_CHECKING:
    from qatrack_aria.retrieval.imageset import ImageSet

ZIP, SHEET = "zip", "sheet"
LOCK_PATIENCE = 10.0  # s
#: A page that was opened this long ago is not going to be submitted.
ABANDONED = dt.timedelta(days=30)
SWEPT_AT_ONCE = 100
#: Somebody may save a list and begin it anew within a minute, and submit it within this time.
REPEATED = dt.timedelta(hours=1)
#: QATrack+ compiles the procedure of a test under this name and the test's macro name.
PROCEDURE = "__QAT+COMP_"
#: Comments are shown to people: the note stands at their end.
NOTE = "[qatrack_aria"


def attach(utils: Any, images: ImageSet, what: Any) -> str:
    """Attach images to the test whose procedure is running.

    Parameters
    ----------
    utils : object
        QATrack+'s ``UTILS``.
    images : ImageSet
        What to attach.
    what : {"zip", "sheet"}
        In which form; a test can have one of each.

    Returns
    -------
    str
        Name of the attached file.

    Raises
    ------
    RequestError
        `utils` or `what` is something else.
    ConfigurationError
        This is no QATrack+, or one that keeps attachments in another way.
    ArchiveError
        The disk did not take it.
    BusyError
        Another process has been at the same attachment for too long.
    """
    if what not in (ZIP, SHEET):
        raise RequestError(
            f"Attach: there is no {short_repr(what)}: give 'zip' or 'sheet'. Nothing was attached."
        )
    shelf = _TestAttachments(utils, what, _digest(sorted(image.sop_uid for image in images.images)))
    name = _file_name(images, what)
    try:
        with _alone(shelf.slot):
            attachment = shelf.find()
            if attachment is None:
                attachment = shelf.replaceable() or shelf.new()
                with tempfile.TemporaryFile() as file:
                    _WRITERS[what](images, file)
                    file.seek(0)
                    _fill(attachment, File(file, name), f"{images.status} {shelf.note}")
                _sweep(type(attachment))
        shelf.hand_out(attachment)
    except OSError as error:
        raise ArchiveError(
            f"Attach: cannot write {name} ({error_reason(error)}): let the account that runs "
            "QATrack+ write to its upload folder, and see that the disk has room."
        ) from error
    except Error as error:
        raise ConfigurationError(
            f"Attach: QATrack+'s table of attachments cannot be used ({type(error).__name__}), or "
            "something failed before in the same request. Nothing was attached."
        ) from error
    return name


def _file_name(images: ImageSet, what: str) -> str:
    label = re.sub(r"[^A-Za-z0-9]+", "-", images.plan.label or "").strip("-") or "plan"
    when = images.datetime[:12] or "undated"
    return f"{label}-{when}-{len(images)}-images.{'zip' if what == ZIP else 'png'}"


def _write_zip(images: ImageSet, file: BinaryIO) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in images:
            archive.writestr(Path(path).name, without_staff(Path(path)))


def _write_sheet(images: ImageSet, file: BinaryIO) -> None:
    file.write(images.contact_sheet_png())


_WRITERS: dict[str, Callable[[ImageSet, BinaryIO], None]] = {ZIP: _write_zip, SHEET: _write_sheet}


class _TestAttachments:
    """The attachments of one test, as QATrack+ keeps them."""

    def __init__(self, utils: Any, what: str, content: str) -> None:
        try:
            self._handed_out = utils.context["__user_attached__"]
            self._user = utils.user
            self._user.pk  # noqa: B018 - a lazy user is looked up now
            started = minute(utils.meta, "work_started")
            place = [utils.unit.pk, utils.test_list.pk, _macro(), what]
        except Exception as error:  # of whatever was given, or of a user whom no database gives
            raise RequestError(
                "Attach: give QATrack+'s own UTILS, as in images.attach(UTILS), in a composite "
                f"test (of what was given: {type(error).__name__}). Nothing was attached."
            ) from error
        try:
            self._model = apps.get_model("attachments", "Attachment")
            self._owners = list(self._model.OWNER_MODELS)
        except (LookupError, AttributeError) as error:
            raise ConfigurationError(
                "Attach: there is no QATrack+ here to attach to, or one that keeps attachments in "
                "another way. Nothing was attached."
            ) from error
        self._utils = utils
        self.slot = _digest(place)
        self.note = f"{NOTE} {self.slot} {_digest([str(started)])} {content}]"
        self._session, self._content = self.note.split()[2:]

    def find(self) -> Any:
        """The attachment that this test has made of this content, if it did."""
        same = self._noted(content=self._content)
        return self._loose(same) or self._saved(same)

    def replaceable(self) -> Any:
        """The attachment that this test has made of other content, in the same session."""
        return self._loose(self._noted(session=self._session))

    def new(self) -> Any:
        """An attachment that is not saved yet."""
        return self._model(created_by=self._user)

    def hand_out(self, attachment: Any) -> None:
        """Tell the browser, which names it when the page is submitted."""
        if attachment.pk not in [given["attachment_id"] for given in self._handed_out]:
            self._handed_out.append(
                {
                    "attachment_id": attachment.pk,
                    "name": attachment.attachment.name.replace("\\", "/").rsplit("/", 1)[-1],
                    "size": filesizeformat(attachment.attachment.size),
                    "url": attachment.attachment.url,
                    "is_image": attachment.is_image,
                }
            )

    def _noted(self, session: str = "", content: str = "") -> Any:
        pattern = f"{NOTE} {self.slot} {session}" if session else f"{NOTE} {self.slot} "
        ours = self._model.objects.filter(comment__contains=pattern)
        return ours.filter(comment__endswith=f" {content}") if content else ours

    def _loose(self, ours: Any) -> Any:
        """One of this user's that has not been submitted."""
        loose = _unowned(ours, self._owners).filter(created_by=self._user)
        return next((one for one in loose.order_by("-pk")[:20] if _has_file(one)), None)

    def _saved(self, ours: Any) -> Any:
        """That of the saved session which is open for editing.

        Saving takes all attachments from its tests and gives back those that the page names.
        """
        session = saved_session(self._utils)
        if session is None or not self._is_open(session):
            return None
        saved = ours.filter(testinstance__test_list_instance_id=session.pk)
        return next((one for one in saved.order_by("-pk")[:20] if _has_file(one)), None)

    def _is_open(self, session: Any) -> bool:
        """Whether that session is open, and not a new one that was begun in the same minute.

        In doubt there are two attachments: one that is taken from a saved session is lost to it.
        """
        if minute(self._utils.meta, "work_completed") is not None:
            return True
        return bool(session.work_completed < timezone.now() - REPEATED)


def _unowned(attachments: Any, owners: list[str]) -> Any:
    return attachments.filter(**{f"{owner}__isnull": True for owner in owners})


def _has_file(attachment: Any) -> bool:
    # Somebody may have tidied up the upload folder.
    return bool(attachment.attachment.storage.exists(attachment.attachment.name))


def _fill(attachment: Any, file: File, comment: str) -> None:
    old = attachment.attachment.name
    attachment.attachment, attachment.comment = file, comment
    attachment.save()
    if old:
        attachment.attachment.storage.delete(old)


def _sweep(model: Any) -> None:
    """Remove what pages that nobody submitted have left behind."""
    ours = model.objects.filter(comment__contains=NOTE, created__lt=timezone.now() - ABANDONED)
    for attachment in _unowned(ours, model.OWNER_MODELS)[:SWEPT_AT_ONCE]:
        attachment.attachment.delete(save=False)
        attachment.delete()


def _alone(slot: str) -> Any:
    """Two requests of one page do not both make an attachment."""
    lock = FileLock(str(Archive(conf.ARCHIVE).locks / f"attach-{slot}.lock"))
    try:
        return lock.acquire(timeout=LOCK_PATIENCE, poll_interval=0.02)
    except Timeout:
        raise BusyError(
            "Attach: another request has been attaching to the same test for "
            f"{LOCK_PATIENCE:g} s: change any field to try again."
        ) from None


def _macro() -> str:
    """Macro name of the test whose procedure is running, as far as it can be known."""
    frame = sys._getframe()
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(PROCEDURE):
            return name[len(PROCEDURE) :]
        frame = frame.f_back  # type: ignore[assignment]
    return ""


def _digest(parts: list[Any]) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
