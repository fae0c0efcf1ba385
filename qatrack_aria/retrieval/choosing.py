"""Choose among the images of a set: by beam, angle, energy, machine, series, or the newest."""

from __future__ import annotations

from collections import Counter
from typing import Any, Callable, Iterable, Iterator, Sequence, TypeVar

from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.rt_plan import Beam
from qatrack_aria.errors import (
    AmbiguousImagesError,
    ImagesNotFoundError,
    RequestError,
    TooFewImagesError,
)
from qatrack_aria.retrieval.beam_names import Energy, parse_beam, parse_energy, read_energy
from qatrack_aria.retrieval.beams import has_energy, is_named, of_one_name
from qatrack_aria.retrieval.image import Image, rounded
from qatrack_aria.retrieval.plan import Plan
from qatrack_aria.text import plural, same_name, short_repr

Chosen = TypeVar("Chosen", bound="Choice")

ANGLES = ("gantry", "collimator", "couch")
#: Different values of an attribute that a message lists.
LISTED = 12


class Choice:
    """The methods of a set that choose some of its images."""

    plan: Plan

    def __len__(self) -> int:
        raise NotImplementedError

    def __iter__(self) -> Iterator[Image]:
        raise NotImplementedError

    def subset(self: Chosen, images: Sequence[Image]) -> Chosen:
        """Return a set of some of the images, in the order given."""
        raise NotImplementedError

    def where(self: Chosen, *, tolerance: float = 1.0, **wanted: Any) -> Chosen:
        """Return the images that are as wanted.

        Parameters
        ----------
        tolerance : float
            Degrees by which an angle may differ.
        **wanted : Any
            ``gantry``, ``collimator``, ``couch`` in degrees; ``beam`` by its name in the plan, by
            its number, or several of them; ``energy`` such as ``6``, ``"6X"`` or ``"6X-FFF"``;
            ``machine``; ``series`` by its UID.

        Returns
        -------
        ImageSet
            In the same order, with the same methods. Its ``path`` is a folder of its own.

        Raises
        ------
        ImagesNotFoundError
            None is; the message lists what there is.
        AmbiguousImagesError
            Of an image it is unknown.
        RequestError
            An argument is invalid, or the plan has no such beam.
        AriaError
            The plan cannot be fetched, which has the names of the beams.
        """
        kept = list(self)
        for name, value in wanted.items():
            test = _test(name, value, tolerance, self.plan)
            kept = [image for image in kept if self._require_known(name, image, test(image))]
        if not wanted:
            raise RequestError("Images: where() was given nothing to choose by.")
        if not kept:
            raise ImagesNotFoundError(
                f"Images: none of the {len(self)} has {_written(wanted)}: there is "
                f"{self.there_is(wanted)}."
            )
        return self.subset(kept)

    def one(self, *, tolerance: float = 1.0, **wanted: Any) -> Image:
        """Return the one image that is as wanted.

        Takes and raises the same as :meth:`where`; several are an :class:`AmbiguousImagesError`.
        """
        found = self.where(tolerance=tolerance, **wanted) if wanted else self
        if len(found) > 1:
            raise AmbiguousImagesError(
                f"Images: {len(found)} of the {len(self)} have {_written(wanted)}, where one is "
                f"expected: there is {found.there_is(('acquired', *ANGLES, 'beam_number'))}."
                if wanted
                else f"Images: there are {len(found)}, where one is expected."
            )
        return next(iter(found))

    def newest(self: Chosen, number: int = 1) -> Chosen:
        """Return the newest images, in the order of acquisition.

        Raises
        ------
        TooFewImagesError
            There are fewer.
        AmbiguousImagesError
            One has no time, or others have the same as the first of them.
        RequestError
            `number` is not a whole number above 0.
        """
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise RequestError(f"Images: {short_repr(number)} is not a number of images.")
        if len(self) < number:
            raise TooFewImagesError(
                f"Images: {plural(number, 'image')} wanted, and there {_are(len(self))}."
            )
        ordered = sorted(self, key=lambda image: image.ref.order)
        rest, newest = ordered[:-number], ordered[-number:]
        if rest and (not rest[0].acquired or rest[-1].acquired == newest[0].acquired):
            raise AmbiguousImagesError(
                "Images: some have no time of acquisition, or the same one, so it is unknown which "
                f"{number} are the newest."
            )
        return self.subset(newest)

    def by_beam(self: Chosen) -> dict[str, Chosen]:
        """Return the images of each beam by its name, in the plan's order.

        Raises
        ------
        AmbiguousPlanError
            Two of these beams have the same name.
        AmbiguousImagesError
            An image names no beam of the plan.
        AriaError
            The plan cannot be fetched.
        """
        found: dict[str, Chosen] = {}
        groups = self._by_beam()
        for beam, images in groups.items():
            if beam.name in found:
                same = [other for other in groups if other.name == beam.name]
                raise of_one_name(same, self.plan.label or self.plan.sop_uid)
            found[beam.name] = self.subset(images)
        return found

    def in_plan_order(self: Chosen) -> Chosen:
        """Return the images in the order of the plan's beams; raises as :meth:`by_beam` does."""
        return self.subset([image for images in self._by_beam().values() for image in images])

    def by_energy(self: Chosen) -> dict[str, Chosen]:
        """Return the images of each energy, by :attr:`Image.beam_type`.

        Raises
        ------
        AmbiguousImagesError
            Neither an image nor its plan says of which it is.
        AriaError
            The plan cannot be fetched.
        """
        groups = self._grouped("energy", lambda image: image.beam_type or None)
        return {energy: self.subset(images) for energy, images in sorted(groups.items())}

    def by_gantry(self: Chosen, tolerance: float = 1.0) -> dict[float, Chosen]:
        """Return the images of each gantry angle, in ascending order.

        Parameters
        ----------
        tolerance : float
            Degrees by which neighbours of one group may differ.

        Returns
        -------
        dict of float to ImageSet
            By the mean angle, rounded to a tenth of a degree.

        Raises
        ------
        AmbiguousImagesError
            An image has no gantry angle.
        """
        self._grouped("gantry angle", lambda image: image.gantry_raw)
        groups = _clusters(list(self), tolerance)
        return {angle: self.subset(groups[angle]) for angle in sorted(groups)}

    def _by_beam(self) -> dict[Beam, list[Image]]:
        groups = self._grouped("beam", lambda image: image.beam)
        return {beam: groups[beam] for beam in self.plan.beams if beam in groups}

    def _grouped(self, what: str, value: Callable[[Image], Any]) -> dict[Any, list[Image]]:
        groups: dict[Any, list[Image]] = {}
        for image in self:
            key = value(image)
            self._require_known(what, image, None if key is None else True)
            groups.setdefault(key, []).append(image)
        return groups

    def _require_known(self, what: str, image: Image, found: bool | None) -> bool:
        if found is None:
            raise AmbiguousImagesError(
                f"Images: of one of the {len(self)} (beam number "
                f"{'none' if image.beam_number is None else image.beam_number}, acquired "
                f"{image.acquired or 'at an unknown time'}) the {what} is unknown, and so whether "
                "it belongs to those that you want."
            )
        return found

    def there_is(self, names: Iterable[str]) -> str:
        """Say which values of these attributes the images have, for a message."""
        return "; ".join(f"{name} {_values(list(self), name)}" for name in names)


def _are(number: int) -> str:
    return "is 1" if number == 1 else f"are {number}"


def _test(name: str, value: Any, tolerance: float, plan: Plan) -> Callable[[Image], bool | None]:
    """Return what tells whether an image has a value; ``None`` where that is unknown."""
    if name in ANGLES:
        angle = _angle(name, value)
        return lambda image: _near(getattr(image, f"{name}_raw"), angle, tolerance)
    if name == "beam":
        names = parse_beam(value) or ()
        plan.require_beams(names)
        return lambda image: _is_of(image.beam, names)
    if name == "energy":
        energy = read_energy(parse_energy("" if value is None else value) or "")
        return lambda image: has_energy(_ref(image, energy), energy)
    if name in ("machine", "series") and isinstance(value, str):
        return lambda image: same_name(getattr(image, name), value.strip())
    raise RequestError(
        f"Images: {name}={short_repr(value)} is nothing to choose by: give {', '.join(ANGLES)}, "
        "beam, energy, machine or series."
    )


def _ref(image: Image, energy: Energy) -> ImageRef:
    return image.known if energy.fff is not None else image.ref


def _is_of(beam: Beam | None, names: Sequence[str | int]) -> bool | None:
    return None if beam is None else any(is_named(beam, name) for name in names)


def _angle(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise RequestError(f"Images: the {name} {short_repr(value)} is no angle.") from None


def _near(found: float | None, wanted: float, tolerance: float) -> bool | None:
    return None if found is None else abs((found - wanted + 180) % 360 - 180) <= tolerance


def _clusters(images: list[Image], tolerance: float) -> dict[float, list[Image]]:
    """Group images of neighbouring gantry angles, by the mean of each group."""
    angles = sorted({(image.gantry_raw or 0.0) % 360 for image in images})
    groups = [[angle] for angle in angles[:1]]
    for angle in angles[1:]:
        if angle - groups[-1][-1] <= tolerance:
            groups[-1].append(angle)
        else:
            groups.append([angle])
    if len(groups) > 1 and groups[0][0] + 360 - groups[-1][-1] <= tolerance:
        groups[0] = [angle - 360 for angle in groups.pop()] + groups[0]  # 359.9867 is near 0
    means = {a % 360: sum(group) / len(group) for group in groups for a in group}
    found: dict[float, list[Image]] = {}
    for image in images:
        mean = rounded(means[(image.gantry_raw or 0.0) % 360]) or 0.0
        found.setdefault(mean, []).append(image)
    return found


def _written(wanted: Any) -> str:
    return " and ".join(f"{name} {value}" for name, value in wanted.items())


def _values(images: list[Image], name: str) -> str:
    """List the values of an attribute with the number of images that have each."""
    name = {"beam": "beam_name", "energy": "beam_type"}.get(name, name)
    counted = Counter(str(getattr(image, name)) for image in images)
    listed = [f"{value} ({number})" for value, number in counted.most_common(LISTED)]
    more = f" and {len(counted) - LISTED} more" if len(counted) > LISTED else ""
    return ", ".join(listed) + more
