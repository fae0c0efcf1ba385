"""What leaves a set: a zip file, a contact sheet, copies, and attachments in QATrack+."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator, Mapping, Sequence

from qatrack_aria import rendering
from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.errors import RequestError
from qatrack_aria.qatrack import attachments
from qatrack_aria.retrieval.plan import Plan
from qatrack_aria.storage.output import replacing, require_empty, write_all
from qatrack_aria.storage.packing import read_unchanged, require_unchanged, write_zip
from qatrack_aria.text import short_repr


class Exports:
    """The methods of a set that write its images elsewhere."""

    files: Sequence[str]
    images: Sequence[ImageRef]
    plan: Plan

    def __len__(self) -> int:
        raise NotImplementedError

    @property
    def _handed_over(self) -> Mapping[str, str]:
        raise NotImplementedError

    @property
    def status(self) -> str:
        """One line for people."""
        raise NotImplementedError

    @property
    def datetime(self) -> str:
        """The time of the newest image, as text."""
        raise NotImplementedError

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
        if what == "zip":
            return self._attach(utils, what, "images.zip", None, self._write_zip)
        return self._attach(utils, what, "images.png", None, self._write_sheet)

    def attach_file(self, utils: Any, ending: str, content: Any, make: Callable[[], bytes]) -> str:
        """Attach a file that was made of the images, once; as :meth:`attach`.

        Parameters
        ----------
        utils : object
            QATrack+'s ``UTILS``.
        ending : str
            The end of its name.
        content : Any
            What it depends on beside the images: if its ``repr`` has not changed, the file is not
            made.
        make : callable
            Returns its content.
        """

        def write(file: BinaryIO) -> None:
            file.write(make())

        return self._attach(utils, "picture", ending, content, write)

    def _attach(
        self, utils: Any, form: str, ending: str, content: Any, write: Callable[[BinaryIO], None]
    ) -> str:
        named = self.plan.label or self.images[0].description or ""
        label = re.sub(r"[^A-Za-z0-9]+", "-", named).strip("-") or "images"
        name = f"{label}-{self.datetime[:12] or 'undated'}-{len(self)}-{ending}"
        uids: list[Any] = sorted(image.sop_uid for image in self.images)
        shown = uids if content is None else [uids, content]
        attachments.attach(utils, form, shown, name, self.status, write)
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
