"""Hand over the images of one request, in a folder of their own."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence

from qatrack_aria.conf import conf
from qatrack_aria.dicom.attributes import ImageRef, PlanRef
from qatrack_aria.dicom.rt_plan import RtPlan
from qatrack_aria.dicom.uids import RTIMAGE
from qatrack_aria.retrieval.choosing import Choice
from qatrack_aria.retrieval.exports import Exports
from qatrack_aria.retrieval.image import Image
from qatrack_aria.retrieval.plan import Plan
from qatrack_aria.retrieval.remembering import LONGEST, described, remembered
from qatrack_aria.retrieval.sessions import span
from qatrack_aria.retrieval.signature import signed
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.packing import require_unchanged
from qatrack_aria.storage.set_folder import LaidOut, lay_out_part
from qatrack_aria.text import plural

#: Characters of a result of our own, which has a picture.
LONGEST_OWN = 2**24


class ImageSet(Choice, Exports):
    """The images of one request, verified.

    Iterating yields an :class:`~qatrack_aria.retrieval.image.Image` for each: the path of its file,
    with its angles, energy, beam, and so on.

    Attributes
    ----------
    files : list of str
        The images in the order of their acquisition.
    plan : Plan
        The RT Plan that all of them reference.
    images : list of ImageRef
        Attributes from their headers, in the order of `files`.
    request : dict
        The request, in JSON's types.
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
        self._folder = laid_out.folder
        self.files = [str(file) for file in laid_out.files]
        self.plan = plan if isinstance(plan, Plan) else Plan.of(plan, _no_file)
        self.images = list(laid_out.images)
        self.moved = moved
        self.already_here = len(self.files) - moved
        self._digests = list(laid_out.digests)
        self._node = node
        self.request = dict(request)
        self._remark = remark

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[Image]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Image:
        return Image(self.files[index], self.images[index], self.plan)

    def __repr__(self) -> str:
        return f"<ImageSet of {len(self)} in {self._folder or Path(self.files[0]).parent}>"

    @property
    def path(self) -> str:
        """The folder; it holds only these images.

        Raises
        ------
        ArchiveError
            That of a subset, which is made when it is first asked for, cannot be written, or an
            image was changed since it was handed over.
        """
        if self._folder is None:
            self._folder = lay_out_part(self._handed_over)
        return str(self._folder)

    def subset(self, images: Sequence[Image]) -> ImageSet:
        """Return a set of some of the images; :class:`Choice` has the methods that choose."""
        numbers = [self.files.index(image) for image in images]
        part = LaidOut(
            None,
            [image.ref for image in images],
            [Path(image) for image in images],
            [self._digests[number] for number in numbers],
        )
        return ImageSet(part, node=self._node, request=self.request, plan=self.plan)

    def with_plan(self, load: Callable[[], RtPlan | None]) -> ImageSet:
        """Let the plan be read by this, when its beams are asked for."""
        self.plan = Plan.of(self.plan, load)
        return self

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
        return f"{count} of {self.subject}, {when}{where}.{remark}"

    @property
    def subject(self) -> str:
        """The plan of the images, or their series, for people."""
        if self.plan.sop_uid:
            return f"plan '{self.plan.label or self.plan.sop_uid}'"
        named = ", ".join(sorted({image.description or "" for image in self.images} - {""}))
        modality = self.request.get("modality", RTIMAGE)
        return f"{modality} series '{named}'" if named else f"a {modality} series of no plan"

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
            "request": self.request,
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
            "request": self.request,
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
            request=self.request,
            plan=self.plan,
            moved=self.moved,
            remark=self._remark,
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
            return analyse(self, *args, **kwargs)

        asked = described(analyse, [list(args), kwargs])
        return self.remember_value(name, run, asked, LONGEST)

    def remember_value(
        self, name: str, analyse: Callable[[], Any], asked: Any, longest: int = LONGEST_OWN
    ) -> Any:
        """Return what ``analyse()`` returns, as :meth:`remember` does for a function of our own.

        `asked` is all that the result depends on beside the images, in JSON's types, and `longest`
        the characters that it may have as JSON.
        """

        def run() -> Any:
            require_unchanged(self._handed_over)
            return analyse()

        return remembered(Archive(conf.ARCHIVE), self._digests, name, run, asked, longest)


def _no_file() -> RtPlan | None:
    return None
