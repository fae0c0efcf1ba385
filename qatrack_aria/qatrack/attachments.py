"""Attach a file to the test that is being calculated: once, however often it is calculated.

QATrack+ calculates a list whenever a field changes, and its own ``UTILS.write_file`` saves another
attachment each time; those that are not submitted are never removed. Here, an earlier attachment of
the test is found by a marker at the end of its comment. It is used again, or its content is
replaced. It is not removed while a page may still name it: QATrack+ cannot save a page that names a
missing attachment.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import sys
import tempfile
from typing import Any, BinaryIO, Callable

from django.apps import apps
from django.core.files import File
from django.db import Error
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from filelock import FileLock, Timeout

from qatrack_aria.conf import conf
from qatrack_aria.errors import ArchiveError, BusyError, ConfigurationError, RequestError
from qatrack_aria.qatrack.context import minute, saved_session
from qatrack_aria.storage.archive import Archive
from qatrack_aria.text import error_reason

LOCK_TIMEOUT = 10.0  # s
#: A page that was opened this long ago will not be submitted.
ABANDONED = dt.timedelta(days=30)
REMOVED_AT_ONCE = 100
#: Somebody may save a list and start it anew within a minute, and submit it within this time.
REPEATED = dt.timedelta(hours=1)
#: QATrack+ compiles the procedure of a test under this name and the test's macro name.
PROCEDURE = "__QAT+COMP_"
#: The marker is at the end of a comment, since people read comments.
MARKER = "[qatrack_aria"


def attach(
    utils: Any,
    form: str,
    content: Any,
    name: str,
    comment: str,
    write: Callable[[BinaryIO], None],
) -> None:
    """Attach a file to the test whose procedure is running.

    Parameters
    ----------
    utils : object
        QATrack+'s ``UTILS``.
    form : str
        A test can have one attachment of each form.
    content : Any
        The content of the file: if its ``repr`` has not changed, nothing is written.
    name, comment : str
        Name of the file, and the comment beside it.
    write : callable
        Writes the file; called only if the content has changed.

    Raises
    ------
    RequestError
        `utils` is not QATrack+'s.
    ConfigurationError
        This is not QATrack+, or a version that stores attachments differently.
    ArchiveError
        The file cannot be written.
    BusyError
        Another process holds the same attachment for too long.
    """
    attachments = _TestAttachments(utils, form, _digest(content))
    try:
        with _locked(attachments.slot):
            attachment = attachments.find()
            if attachment is None:
                attachment = attachments.replaceable_or_new()
                with tempfile.TemporaryFile() as file:
                    write(file)
                    file.seek(0)
                    _fill(attachment, File(file, name), f"{comment} {attachments.marker}")
                _remove_abandoned(type(attachment))
        attachments.announce(attachment)
    except OSError as error:
        raise ArchiveError(
            f"Attach: cannot write {name} ({error_reason(error)}): let the account that runs "
            "QATrack+ write to its upload folder, and make sure that the disk has room."
        ) from error
    except Error as error:
        raise ConfigurationError(
            f"Attach: QATrack+'s table of attachments cannot be used ({type(error).__name__}), or "
            "something failed before in the same request. Nothing was attached."
        ) from error


class _TestAttachments:
    """The attachments of one test in QATrack+'s database."""

    def __init__(self, utils: Any, form: str, content: str) -> None:
        try:
            self._attached = utils.context["__user_attached__"]
            self._user = utils.user
            self._user.pk  # noqa: B018 - a lazy user is looked up now
            started = minute(utils.meta, "work_started")
            place = [utils.unit.pk, utils.test_list.pk, _macro_name(), form]
        except Exception as error:  # of an invalid object, or of a lazy user whose query failed
            raise RequestError(
                "Attach: give QATrack+'s own UTILS, as in images.attach(UTILS), in a composite "
                f"test (of what was given: {type(error).__name__}). Nothing was attached."
            ) from error
        try:
            self._model = apps.get_model("attachments", "Attachment")
            self._owners = list(self._model.OWNER_MODELS)
        except (LookupError, AttributeError) as error:
            raise ConfigurationError(
                "Attach: QATrack+ is not installed here, or it stores attachments differently. "
                "Nothing was attached."
            ) from error
        self._utils = utils
        self.slot = _digest(place)
        self.marker = f"{MARKER} {self.slot} {_digest([str(started)])} {content}]"
        self._session, self._content = self.marker.split()[2:]

    def find(self) -> Any:
        """Return the earlier attachment of this test with this content, if any."""
        same = self._marked(content=f" {self._content}")
        return self._unsubmitted(same) or self._of_saved_session(same)

    def replaceable_or_new(self) -> Any:
        """Return that with other content in this session, or one that is not saved yet."""
        other = self._unsubmitted(self._marked(session=self._session))
        return other or self._model(created_by=self._user)

    def announce(self, attachment: Any) -> None:
        """Send the attachment to the browser, which submits it with the page."""
        if attachment.pk not in [given["attachment_id"] for given in self._attached]:
            self._attached.append(
                {
                    "attachment_id": attachment.pk,
                    "name": attachment.attachment.name.replace("\\", "/").rsplit("/", 1)[-1],
                    "size": filesizeformat(attachment.attachment.size),
                    "url": attachment.attachment.url,
                    "is_image": attachment.is_image,
                }
            )

    def _marked(self, session: str = "", content: str = "") -> Any:
        return self._model.objects.filter(
            comment__contains=f"{MARKER} {self.slot} {session}", comment__endswith=content
        )

    def _unsubmitted(self, ours: Any) -> Any:
        """Return an attachment of this user that was not submitted."""
        return _newest(_unowned(ours, self._owners).filter(created_by=self._user))

    def _of_saved_session(self, ours: Any) -> Any:
        """Return the attachment of the saved session that is open for editing.

        Saving detaches all attachments from its tests and attaches those that the page names.
        """
        session = saved_session(self._utils)
        if session is None or not self._is_open(session):
            return None
        return _newest(ours.filter(testinstance__test_list_instance_id=session.pk))

    def _is_open(self, session: Any) -> bool:
        """Return whether that session is open, and not another one started in the same minute.

        In doubt a second attachment is made, so that a saved session never loses its own.
        """
        if minute(self._utils.meta, "work_completed") is not None:
            return True
        return bool(session.work_completed < timezone.now() - REPEATED)


def _unowned(attachments: Any, owners: list[str]) -> Any:
    return attachments.filter(**{f"{owner}__isnull": True for owner in owners})


def _newest(attachments: Any) -> Any:
    """Return the newest whose file exists: somebody may have cleaned up the upload folder."""
    files = ((one, one.attachment) for one in attachments.order_by("-pk")[:20])
    return next((one for one, file in files if file.storage.exists(file.name)), None)


def _fill(attachment: Any, file: File, comment: str) -> None:
    old = attachment.attachment.name
    attachment.attachment, attachment.comment = file, comment
    attachment.save()
    if old:
        attachment.attachment.storage.delete(old)


def _remove_abandoned(model: Any) -> None:
    """Remove the attachments of pages that were never submitted."""
    ours = model.objects.filter(comment__contains=MARKER, created__lt=timezone.now() - ABANDONED)
    for attachment in _unowned(ours, model.OWNER_MODELS)[:REMOVED_AT_ONCE]:
        attachment.attachment.delete(save=False)
        attachment.delete()


def _locked(slot: str) -> Any:
    """Keep two requests of one page from making an attachment each."""
    lock = FileLock(str(Archive(conf.ARCHIVE).locks / f"attach-{slot}.lock"))
    try:
        return lock.acquire(timeout=LOCK_TIMEOUT, poll_interval=0.02)
    except Timeout:
        raise BusyError(
            "Attach: another request has been attaching to the same test for "
            f"{LOCK_TIMEOUT:g} s: change any field to try again."
        ) from None


def _macro_name() -> str:
    """Return the macro name of the test whose procedure is running, if it can be known."""
    frame = sys._getframe()
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(PROCEDURE):
            return name[len(PROCEDURE) :]
        frame = frame.f_back  # type: ignore[assignment]
    return ""


def _digest(content: Any) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]
