"""Hand over the images of one request, in a folder of their own."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator, Mapping

from qatrack_aria import rendering
from qatrack_aria.conf import conf
from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.errors import RequestError
from qatrack_aria.qatrack import attachments
from qatrack_aria.retrieval.remembering import remembered
from qatrack_aria.retrieval.sessions import span
from qatrack_aria.retrieval.signature import signed
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.output import replacing, require_empty, write_all
from qatrack_aria.storage.packing import read_unchanged, require_unchanged, write_zip
from qatrack_aria.storage.set_folder import LaidOut
from qatrack_aria.text import plural, short_repr


class ImageSet:
    """The images of one request, verified.

    Attributes
    ----------
    path : str
        The folder; it holds only these images.
    files : list of str
        The images in the order of their acquisition.
    plan : PlanRef
        The RT Plan that all of them reference.
    images : list of ImageRef
        Attributes from their headers, in the order of `files`.
    moved, already_here : int
        How many were retrieved for this request, and how many were in the archive before.
    """

    def __init__(
        self,
        laid_out: LaidOut,
        *,
        node: str,
        request: Mapping[str, Any],
        plan: PlanRef,
        moved: int = 0,
        remark: str = "",
    ) -> None:
        self.path = str(laid_out.folder)
        self.files = [str(file) for file in laid_out.files]
        self.plan = plan
        self.images = list(laid_out.images)
        self.moved = moved
        self.already_here = len(self.files) - moved
        self._digests = list(laid_out.digests)
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
        """Date and time of the newest image by the clock of the imager, without a time zone.

        ``datetime.min`` if all images lack it.
        """
        moments = [image.acquired for image in self.images if image.acquired]
        return max(moments, default=dt.datetime.min)

    @property
    def datetime(self) -> str:
        """`acquired` as ``YYYYMMDDHHMMSS.FFFFFF``; empty if all images lack it."""
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
        has_day = any(image.day for image in self.images)
        when = f"acquired {span(self.images)}" if has_day else "without a date"
        remark = f" {self._remark}" if self._remark else ""
        return f"{count} of plan '{self.plan.label or self.plan.sop_uid}', {when}{where}.{remark}"

    @property
    def summary(self) -> dict[str, Any]:
        """Identify the images in JSON's types, so that the same ones can be found again.

        Raises
        ------
        ArchiveError
            A file was changed since it was handed over, is gone, or cannot be read.
        """
        require_unchanged(self._handed_over)
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
                    "sha256": digest,
                }
                for image, digest in zip(self.images, self._digests)
            ],
        }
        return signed(summary)

    @property
    def _dated(self) -> bool:
        return any(image.acquired for image in self.images)

    @property
    def _handed_over(self) -> dict[str, str]:
        return dict(zip(self.files, self._digests))

    @property
    def digests(self) -> list[str]:
        """The SHA-256 of each file as the image was filed, in the order of `files`."""
        return list(self._digests)

    def to_json(self) -> dict[str, Any]:
        """Return all attributes in JSON's types, for :meth:`from_json`."""
        return {
            "path": self.path,
            "files": [Path(file).name for file in self.files],
            "node": self._node,
            "request": self._request,
            "plan": self.plan.to_json(),
            "images": [image.to_json() for image in self.images],
            "digests": self._digests,
            "moved": self.moved,
            "remark": self._remark,
        }

    @classmethod
    def from_json(cls, note: Mapping[str, Any]) -> ImageSet:
        """Make the image set of which :meth:`to_json` returned this.

        Raises
        ------
        KeyError, TypeError, ValueError
            It is incomplete or invalid.
        """
        path = Path(note["path"])
        return cls(
            LaidOut(
                path,
                [ImageRef.from_json(image) for image in note["images"]],
                [path / name for name in note["files"]],
                note["digests"],
            ),
            node=note["node"],
            request=note["request"],
            plan=PlanRef.from_json(note["plan"]),
            moved=note["moved"],
            remark=note["remark"],
        )

    def moved_to(self, laid_out: LaidOut) -> ImageSet:
        """Return the same images in another folder."""
        return ImageSet(
            laid_out,
            node=self._node,
            request=self._request,
            plan=self.plan,
            moved=self.moved,
            remark=self._remark,
        )

    def zip(self, target: str) -> str:
        """Pack the images into one file.

        Parameters
        ----------
        target : str
            Path of the zip file; an existing one is replaced once the new one is complete.

        Returns
        -------
        str
            `target`.

        Raises
        ------
        ArchiveError
            The file cannot be written, or an image was changed since it was handed over.
        """
        with replacing(target, "Zip") as partial:
            write_zip(partial, self._handed_over, staff=True)
        return target

    def contact_sheet(self, target: str, *, inverted: bool = False) -> str:
        """Draw all images on one sheet, in the order of acquisition, with their angles and times.

        Parameters
        ----------
        target : str
            Path of the PNG file; an existing one is replaced once the new one is complete.
        inverted : bool
            Show more radiation darker, as on film, instead of brighter.

        Returns
        -------
        str
            `target`.

        Raises
        ------
        ArchiveError
            The file cannot be written, or an image was changed since it was handed over.
        ConfigurationError
            numpy or Pillow is missing.
        """
        png = self.contact_sheet_png(inverted=inverted)
        with replacing(target, "Contact sheet") as partial:
            Path(partial).write_bytes(png)
        return target

    def contact_sheet_png(self, *, inverted: bool = False) -> bytes:
        """Return the PNG that :meth:`contact_sheet` writes."""
        require_unchanged(self._handed_over)
        # The patient ID identifies the sheet. A name is not needed: only QA patients are allowed.
        heading = f"{self.plan.patient_id or 'no patient ID'}: {self.status}"
        return rendering.as_png(
            rendering.draw_contact_sheet(self.files, heading, inverted=inverted)
        )

    def remember(self, name: str, analyse: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return what ``analyse(images, ...)`` returns; from the disk if it was computed before.

        QATrack+ computes a composite test at every changed field. The same code on the same images
        with the same arguments, values from outside and versions of libraries has the same result.

        Parameters
        ----------
        name : str
            What is analysed.
        analyse : callable
            A function of the composite test; takes these images, and the arguments. It returns
            numbers, texts, lists and dicts.
        *args, **kwargs : Any
            Its other arguments, of the same types.

        Returns
        -------
        Any
            The result in JSON's types: a tuple has become a list.

        Raises
        ------
        RequestError
            The result, an argument, or something that the function uses is of another type.
        ArchiveError
            A file was changed since it was handed over.
        """

        def run() -> Any:
            require_unchanged(self._handed_over)
            return analyse(self, *args, **kwargs)

        archive = Archive(conf.ARCHIVE)
        return remembered(archive, self._digests, name, run, analyse, [list(args), kwargs])

    def attach(self, utils: Any, what: str = "zip") -> str:
        """Attach the images to the composite test that is being computed.

        QATrack+ computes the test again at every changed field; that makes no second attachment.
        Anyone who may open QATrack+'s attachments can open these, so the names of staff are left
        out of the images' headers.

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
            This is not a composite test of QATrack+, `what` is invalid, or the file cannot be
            written.
        """
        if what not in ("zip", "sheet"):
            raise RequestError(
                f"Attach: {short_repr(what)} cannot be attached: give 'zip' or 'sheet'. "
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
        write_zip(file, self._handed_over, staff=False)

    def _write_sheet(self, file: BinaryIO) -> None:
        file.write(self.contact_sheet_png())

    def copy_to(self, folder: Path) -> list[Path]:
        """Copy the images into a folder, which must be empty or absent.

        Raises
        ------
        RequestError
            The folder holds files: an analysis of it would mix two sets.
        ArchiveError
            A copy cannot be written, or an image was changed since it was handed over.
        """
        require_empty(folder)
        names = (Path(file).name for file in self.files)
        return write_all(folder, zip(names, self.contents()))

    def contents(self) -> Iterator[bytes]:
        """Yield the content of each file, in the order of `files`, as it was handed over.

        Raises
        ------
        ArchiveError
            A file was changed since, is gone, or cannot be read.
        """
        return (read_unchanged(*one) for one in self._handed_over.items())
