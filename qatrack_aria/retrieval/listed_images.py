"""What a node has listed of images, what their files say, and where the two contradict each other.

An answer is a claim, the header of the file is the proof. Each answer is kept until its file is
read, also where one image is listed in two series.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Iterable, Iterator, Mapping

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.uids import SeriesKey
from qatrack_aria.text import same_name

#: Times of an answer and a file that are that near are the same: a server may drop the seconds.
SAME_TIME = dt.timedelta(minutes=1)
#: A server may drop the fractions; what differs by more may have been corrected.
SECOND = dt.timedelta(seconds=1)


class ListedImages:
    """The images of one search, in the order in which they were listed first."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, ...], ImageRef] = {}
        self._headers: dict[str, ImageRef] = {}
        self._seen: set[str] = set()  # also in answers that were forgotten

    def __iter__(self) -> Iterator[ImageRef]:
        return iter([self._known(answer) for answer in self._answers.values()])

    @property
    def answers(self) -> list[ImageRef]:
        """What the node has listed, whatever the files say."""
        return list(self._answers.values())

    @property
    def uids(self) -> set[str]:
        """The SOP Instance UIDs of all."""
        return {answer.sop_uid for answer in self._answers.values()}

    def of_series(self, study_uid: str, series_uid: str) -> set[str]:
        """Return the SOP Instance UIDs of the images listed in a series."""
        key = study_uid, series_uid
        return {answer.sop_uid for answer in self._answers.values() if answer.series_key == key}

    def confirmed_by(self, series_key: SeriesKey, images: Iterable[ImageRef]) -> bool:
        """Return whether a list of one series is as it was listed before, in all that matters."""
        listed = (image for image in self._answers.values() if image.series_key == series_key)
        return {i.sop_uid: _claims(i) for i in listed} == {i.sop_uid: _claims(i) for i in images}

    def add(self, images: Iterable[ImageRef]) -> bool:
        """Add answers, the latest of each image and series, and return whether any is new."""
        before = len(self._answers)
        for image in images:
            self._answers[(image.sop_uid or str(id(image)), *image.series_key)] = image
            self._seen.add(image.sop_uid)
        return len(self._answers) > before

    def replace(self, images: Iterable[ImageRef]) -> bool:
        """Forget all answers for those of a new list, and return whether any was never seen."""
        before, self._answers = set(self._seen), {}
        self.add(images)
        return not self.uids <= before

    def put_series(self, series_key: SeriesKey, images: Iterable[ImageRef]) -> None:
        """Put a list of one series in the place of its answers so far."""
        self._answers = {
            key: answer for key, answer in self._answers.items() if answer.series_key != series_key
        }
        self.add(images)

    def read(self, headers: Mapping[str, ImageRef]) -> None:
        """Put the headers of files in the place of answers."""
        self._headers.update(headers)

    def contradictions(self, uids: Iterable[str]) -> list[str]:
        """Say for each of these images how its file contradicts an answer about it."""
        found = []
        wanted = set(uids)
        for answer in self._answers.values():
            header = self._headers.get(answer.sop_uid)
            if header is not None and answer.sop_uid in wanted:
                found += differences(answer, header)
                found += self._other_series(answer, header)
        return found

    def _other_series(self, answer: ImageRef, header: ImageRef) -> list[str]:
        """Say that the file is of a series in which the node does not list it."""
        listed = {one.series_uid for one in self._answers.values() if one.sop_uid == answer.sop_uid}
        if header.series_uid in listed or not header.series_uid:
            return []
        return [f"series {answer.series_uid} in the answer, {header.series_uid} in the file"]

    def _known(self, answer: ImageRef) -> ImageRef:
        header = self._headers.get(answer.sop_uid)
        if header is None:
            return answer
        at = header.acquired
        if at is None and answer.acquired and header.day in (answer.day, None):
            at = answer.acquired  # the file has a time in a form that only the node understands
        return dataclasses.replace(
            header, study_uid=answer.study_uid, series_uid=answer.series_uid, acquired=at
        )


def _claims(image: ImageRef) -> tuple[object, ...]:
    """Return what an answer says, as far as the choice of a set depends on it."""
    return (
        image.plan_uids,
        image.image_type,
        image.acquired,
        image.day,
        image.machines,
        image.dose_unit,
    )


def is_outdated(answer: ImageRef, header: ImageRef) -> bool:
    """Return whether the archive's file may be older than what the node lists of an image now.

    Whatever differs may have been corrected in ARIA since, also what would contradict nothing in a
    file that has just come: one of two plans, the series, some seconds.
    """
    times = [time for time in (header.acquired, header.saved) if time]
    listed = answer.acquired
    return (
        (listed is not None and bool(times) and not any(abs(listed - t) < SECOND for t in times))
        or answer.plan_uids not in (None, header.plan_uids)
        or answer.series_key != header.series_key
        or bool(differences(answer, header))
    )


def differences(answer: ImageRef, header: ImageRef) -> list[str]:
    """Say where a file contradicts what the node lists of an image and its set depends on.

    A server may return less than is in the file: the first of two plans, a time without seconds.
    That contradicts nothing.
    """
    found = []

    def compare(what: str, listed: object, filed: object, same: bool) -> None:
        if not same:
            found.append(f"{what} {listed} in the answer, {filed or 'none'} in the file")

    if answer.plan_uids:
        listed, filed = (", ".join(sorted(ref.plan_uids or ())) for ref in (answer, header))
        compare("plan", listed, filed, answer.plan_uids <= (header.plan_uids or frozenset()))
    if answer.image_type:
        listed, filed = ("\\".join(ref.image_type or ()) for ref in (answer, header))
        compare("image type", listed, filed, answer.image_type == header.image_type)
    if answer.machines:
        named = any(same_name(answer.machine, name) for name in header.machines or ())
        compare("machine", f"'{answer.machine}'", f"'{header.machine}'", named)
    if answer.dose_unit:
        same = same_name(answer.dose_unit, header.dose_unit or "")
        compare("unit", answer.dose_unit, header.dose_unit, same)
    if answer.day and header.day:
        times = [time for time in (header.acquired, header.saved) if time]
        same = answer.day in {header.day, *(time.date() for time in times)}
        if answer.acquired and times:
            same = any(abs(answer.acquired - time) <= SAME_TIME for time in times)
        compare("time", answer.acquired or answer.day, header.acquired or header.day, same)
    return found
