"""What is handed over: a folder of its own with exactly the images of one request.

The files are hard links into the archive where the disk can, else copies; read-only, because an
analysis that wrote into them would change the archive. The folder outlives the Python object.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import os
import secrets
import shutil
import time
import zipfile
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

from qatrack_aria import rendering
from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.errors import ArchiveError, RequestError
from qatrack_aria.qatrack import attachments
from qatrack_aria.storage.archive import READ_ONLY, Archive
from qatrack_aria.storage.filesystem import disk_error, make_private_folder, remove_file
from qatrack_aria.text import error_reason, plural


class ImageSet:
    """The images of one request, verified.

    Attributes
    ----------
    path : str
        The folder; it holds these images and nothing else.
    files : list of str
        The images in the order of their acquisition.
    plan : PlanRef
        The RT Plan that all of them reference.
    images : list of ImageRef
        What their headers say, in the order of `files`.
    moved, already_here : int
        How many came over the network for this request, and how many had come before.
    """

    def __init__(
        self,
        path: Path,
        files: Sequence[Path],
        *,
        node: str,
        request: Mapping[str, Any],
        plan: PlanRef,
        images: Sequence[ImageRef],
        moved: int = 0,
        remark: str = "",
    ) -> None:
        self.path = str(path)
        self.files = [str(file) for file in files]
        self.plan = plan
        self.images = list(images)
        self.moved = moved
        self.already_here = len(files) - moved
        self._node = node
        self._request = dict(request)
        self._remark = remark

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __repr__(self) -> str:
        return f"<ImageSet of {len(self)} in {self.path}>"

    @property
    def acquired(self) -> dt.datetime:
        """When the newest image was taken, by the clock of the imager; no time zone is known.

        ``datetime.min`` if none of the images tells.
        """
        return max(image.moment for image in self.images)

    @property
    def datetime(self) -> str:
        """`acquired` as ``YYYYMMDDHHMMSS.FFFFFF``; empty if none of the images tells."""
        return self.acquired.strftime("%Y%m%d%H%M%S.%f") if self._dated else ""

    @property
    def machine(self) -> str:
        """Name of the treatment machine; several are joined by a comma."""
        return ", ".join(sorted({image.machine for image in self.images} - {""}))

    @property
    def status(self) -> str:
        """One line for people."""
        count = plural(len(self), "image")
        where = f" on {self.machine}" if self.machine else ""
        when = f"acquired {self.acquired:%Y-%m-%d %H:%M}" if self._dated else "without a date"
        remark = f" {self._remark}" if self._remark else ""
        return f"{count} of plan '{self.plan.label or self.plan.sop_uid}', {when}{where}.{remark}"

    @property
    def summary(self) -> dict[str, Any]:
        """Where the images come from, in JSON's types: enough to find the same ones again.

        Raises
        ------
        ArchiveError
            A file is gone, or cannot be read.
        """
        summary = {
            "node": self._node,
            "request": self._request,
            "plan_uid": self.plan.sop_uid,
            "plan_label": self.plan.label or "",
            "course": self.plan.course or "",
            "machine": self.machine,
            "acquired": self.acquired.isoformat() if self._dated else "",
            "images": [
                {
                    "sop_uid": image.sop_uid,
                    "series_uid": image.series_uid,
                    "acquired": image.acquired.isoformat() if image.acquired else "",
                    "sha256": _sha256(Path(file)),
                }
                for image, file in zip(self.images, self.files)
            ],
        }
        return {**summary, "check": check_of(summary)}

    @property
    def _dated(self) -> bool:
        return any(image.acquired for image in self.images)

    def to_json(self) -> dict[str, Any]:
        """All of it in JSON's types, for :meth:`from_note`."""
        return {
            "path": self.path,
            "files": [Path(file).name for file in self.files],
            "node": self._node,
            "request": self._request,
            "plan": self.plan.to_json(),
            "images": [image.to_json() for image in self.images],
            "moved": self.moved,
            "remark": self._remark,
        }

    @classmethod
    def from_json(cls, note: Mapping[str, Any]) -> ImageSet:
        """What :meth:`as_note` was made of.

        Raises
        ------
        KeyError, TypeError, ValueError
            The note is not whole.
        """
        path = Path(note["path"])
        return cls(
            path,
            [path / name for name in note["files"]],
            node=note["node"],
            request=note["request"],
            plan=PlanRef.from_json(note["plan"]),
            images=[ImageRef.from_json(image) for image in note["images"]],
            moved=note["moved"],
            remark=note["remark"],
        )

    def zip(self, target: str) -> str:
        """Pack the images into one file.

        Parameters
        ----------
        target : str
            Path of the zip file; an existing one is replaced, and only by a whole one.

        Returns
        -------
        str
            `target`.

        Raises
        ------
        ArchiveError
            It cannot be written.
        """
        with _replacing(target, "Zip") as partial:
            with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
                for file in self.files:
                    archive.write(file, Path(file).name)
        return target

    def contact_sheet(self, target: str, *, inverted: bool = False) -> str:
        """Draw all images on one sheet, in the order of acquisition, with their angles and times.

        Parameters
        ----------
        target : str
            Path of the PNG file; an existing one is replaced, and only by a whole one.
        inverted : bool
            More radiation is darker, as on film, instead of brighter.

        Returns
        -------
        str
            `target`.

        Raises
        ------
        ArchiveError
            It cannot be written.
        ConfigurationError
            numpy or Pillow is missing.
        """
        png = self.contact_sheet_png(inverted=inverted)
        with _replacing(target, "Contact sheet") as partial:
            Path(partial).write_bytes(png)
        return target

    def contact_sheet_png(self, *, inverted: bool = False) -> bytes:
        """What `contact_sheet` writes; see there."""
        # The ID, and no name: a sheet has to say whose it is, and only QA patients are allowed.
        heading = f"{self.plan.patient_id or 'no patient ID'}: {self.status}"
        return rendering.as_png(
            rendering.draw_contact_sheet(self.files, heading, inverted=inverted)
        )

    def attach(self, utils: Any, what: str = "zip") -> str:
        """Attach the images to the composite test that is being computed.

        Computing the test again, as QATrack+ does at every changed field, makes no second
        attachment. What is attached can be opened by whoever may open QATrack+'s attachments, so
        the names of staff are left out of the images' headers.

        Parameters
        ----------
        utils : object
            QATrack+'s ``UTILS``.
        what : {"zip", "sheet"}
            All images in one zip file, or pictures of them on one contact sheet (PNG).

        Returns
        -------
        str
            Name of the attached file.

        Raises
        ------
        AriaError
            This is no composite test of QATrack+, `what` is something else, or the disk did not
            take it.
        """
        return attachments.attach(utils, self, what)

    def copy_to(self, folder: Path) -> list[Path]:
        """Copy the images into a folder of the caller's, which must be empty or not there yet.

        Raises
        ------
        RequestError
            There is something in it: an analysis of the folder would mix two sets.
        ArchiveError
            The disk did not take a copy.
        """
        require_empty(folder)
        copies = [folder / Path(file).name for file in self.files]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for file, copy in zip(self.files, copies):
                shutil.copyfile(file, copy)
        except OSError as error:
            for copy in copies:  # a part of a set would look like a whole one
                remove_file(copy)
            raise ArchiveError(
                f"Output: cannot write to {folder} ({error_reason(error)}): choose another folder."
            ) from error
        return copies


@contextlib.contextmanager
def _replacing(target: str, step: str) -> Iterator[str]:
    """A file to write into, which takes the place of `target` once it is whole."""
    partial = f"{target}.{secrets.token_hex(4)}.part"
    try:
        try:
            yield partial
            os.replace(partial, target)
        finally:
            remove_file(Path(partial))
    except OSError as error:
        raise ArchiveError(
            f"{step}: cannot write {target} ({error_reason(error)}): choose another place."
        ) from error


def check_of(summary: Mapping[str, Any]) -> str:
    """A checksum that shows when somebody has changed anything in a summary.

    It keeps nobody from making it anew: what a summary says is proved again with the files.
    """
    told = {key: value for key, value in summary.items() if key != "check"}
    text = json.dumps(told, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def require_empty(folder: Path) -> None:
    """Make sure that a folder for images holds nothing yet.

    Raises
    ------
    RequestError
        It holds something, or is no folder.
    """
    try:
        is_file = folder.exists() and not folder.is_dir()
        is_full = folder.is_dir() and any(folder.iterdir())
    except OSError as error:
        raise RequestError(
            f"Output: cannot look into {folder} ({error_reason(error)}): name another folder. "
            "Nothing was sent."
        ) from error
    if is_file:
        raise RequestError(f"Output: {folder} is a file: name a folder. Nothing was sent.")
    if is_full:
        raise RequestError(
            f"Output: {folder} is not empty, and old images among the new ones would give a wrong "
            "result: name an empty or a new folder. Nothing was sent."
        )


def require_folder_of(file: Path) -> None:
    """Make sure that a file can lie where it is to be written.

    Raises
    ------
    RequestError
        Its folder is not there, or it is a folder itself.
    """
    if not file.parent.is_dir():
        raise RequestError(
            f"Output: there is no folder {file.parent} for {file.name}: make it, or name another. "
            "Nothing was sent."
        )
    if file.is_dir():
        raise RequestError(f"Output: {file} is a folder: name a file. Nothing was sent.")


def lay_out(
    archive: Archive, images: Sequence[ImageRef]
) -> tuple[Path, list[ImageRef], list[Path]]:
    """Make a set's folder out of images that are in the archive.

    Returns
    -------
    tuple of (Path, list of ImageRef, list of Path)
        The folder, the images in the order of acquisition, and their files.

    Raises
    ------
    ArchiveError
        The disk refused.
    """
    ordered = sorted(images, key=lambda image: image.order)
    folder = archive.sets / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
    make_private_folder(folder)
    files = []
    try:
        for number, image in enumerate(ordered, 1):
            stamp = f"{image.acquired:%Y%m%d-%H%M%S}" if image.acquired else "00000000-000000"
            file = folder / f"{stamp}_{number:03d}.dcm"
            _link(archive.path(image.sop_uid), file)
            files.append(file)
    except OSError as error:
        remove_set(folder)
        raise disk_error("lay out the images in", folder, error) from error
    return folder, ordered, files


def prune(archive: Archive, days: int) -> int:
    """Remove the folders of sets that were laid out more than so many days ago.

    Returns
    -------
    int
        How many were removed; the images stay in the archive.
    """
    limit = time.time() - days * 86400
    removed = 0
    for folder in _entries(archive.sets):
        with contextlib.suppress(OSError):
            if folder.stat().st_mtime < limit:
                remove_set(folder)
                removed += not folder.exists()
    return removed


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # tidying up never fails a fetch
        return []


def remove_set(folder: Path) -> None:
    """Remove a set's folder, as far as the system lets it go."""
    for file in folder.glob("*.dcm"):
        _unlink(file)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _unlink(file: Path) -> None:
    # The mode belongs to the archive's file too where this is a hard link: leave it as it is
    # wherever the system does not mind (Windows does).
    try:
        file.unlink()
    except PermissionError:
        remove_file(file)
    except OSError:
        pass


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, a disk without hard links, or too many of them
        shutil.copyfile(source, target)
        os.chmod(target, READ_ONLY)


def _sha256(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise disk_error("read", file, error) from error
