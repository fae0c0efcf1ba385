"""What is handed over: a folder of its own with exactly the images of one request."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, Iterator, Mapping, Sequence

from qatrack_aria import rendering
from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.dicom.part10 import without_staff
from qatrack_aria.errors import ArchiveError, RequestError
from qatrack_aria.qatrack import attachments
from qatrack_aria.storage.filesystem import disk_error, remove_file
from qatrack_aria.storage.output import replacing, require_empty
from qatrack_aria.text import error_reason, plural, short_repr


def checksum(summary: Mapping[str, Any]) -> str:
    """Return a checksum that shows whether somebody has edited a summary.

    Whoever knows how can compute it anew: what a summary says is verified again with the files.
    """
    content = {key: value for key, value in summary.items() if key != "check"}
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
        return {**summary, "check": checksum(summary)}

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
        with replacing(target, "Zip") as partial:
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
        with replacing(target, "Contact sheet") as partial:
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
        if what not in ("zip", "sheet"):
            raise RequestError(
                f"Attach: there is no {short_repr(what)}: give 'zip' or 'sheet'. "
                "Nothing was attached."
            )
        ending, write = ("zip", self._write_zip) if what == "zip" else ("png", self._write_sheet)
        label = re.sub(r"[^A-Za-z0-9]+", "-", self.plan.label or "").strip("-") or "plan"
        name = f"{label}-{self.datetime[:12] or 'undated'}-{len(self)}-images.{ending}"
        uids = sorted(image.sop_uid for image in self.images)
        attachments.attach(utils, what, uids, name, self.status, write)
        return name

    def _write_zip(self, file: BinaryIO) -> None:
        """Write the images without the names of staff."""
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in self.files:
                archive.writestr(Path(path).name, without_staff(Path(path)))

    def _write_sheet(self, file: BinaryIO) -> None:
        file.write(self.contact_sheet_png())

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


def _sha256(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise disk_error("read", file, error) from error
