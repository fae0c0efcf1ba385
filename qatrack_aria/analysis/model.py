"""Define an analysis: what it needs, the numbers that it gives, and what they mean.

Its definition is also the source of test packs and documents; for those nothing of pylinac is
imported.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Mapping, Sequence

from qatrack_aria.analysis.pictures import as_png
from qatrack_aria.analysis.versions import BOTH, pylinac_version
from qatrack_aria.errors import AnalysisError, AriaError, RequestError, WaitingError
from qatrack_aria.text import short_repr

if TYPE_CHECKING:  # it imports all of DICOM, which no start of QATrack+ needs
    from qatrack_aria.retrieval.imageset import ImageSet

PORTAL, CT = "portal", "ct"
#: pylinac keeps state in its classes, and draws with pyplot, which is one for all threads.
ONE_AT_A_TIME = threading.RLock()


@dataclass(frozen=True)
class Argument:
    """What a site sets for an analysis.

    Attributes
    ----------
    key, name, description : str
        The keyword, the displayed name without the unit, and what it is.
    value : float or str
        The default; an empty text where none would be right everywhere.
    unit : str
        Its unit.
    choices : tuple of str
        The texts that may be chosen; empty for a number.
    formatting : str
        The format of a number.
    """

    key: str
    name: str
    description: str
    value: Any
    unit: str = ""
    choices: tuple[str, ...] = ()
    formatting: str = "%g"


@dataclass(frozen=True)
class Number:
    """One number of an analysis.

    Attributes
    ----------
    key, name : str
        The key in the result, and the displayed name without the unit.
    description : str
        What it is, and the meaning of its sign.
    unit : str
        Its unit.
    formatting : str
        The format.
    proposal : str
        Tolerance or reference, with the report that proposes it. It is never set.
    pylinac : tuple of str
        The versions of pylinac that have it.
    """

    key: str
    name: str
    description: str
    unit: str = ""
    formatting: str = "%.2f"
    proposal: str = ""
    pylinac: tuple[str, ...] = BOTH


@dataclass(frozen=True)
class Analysis:
    """An analysis of images by pylinac.

    Attributes
    ----------
    slug, prefix, title, description : str
        The name of the function, the prefix of macro names, the displayed name, and what it does.
    numbers : tuple of Number
        In the order of a test list.
    run : callable
        Takes the images and the arguments, and returns what pylinac has analysed. Raises
        ``ValueError`` if the images are not what the analysis needs.
    measure : callable
        Takes that and the arguments, and returns the numbers by key; more keys are allowed.
    draw : callable
        Takes that, and returns pylinac's figures.
    arguments : tuple of Argument
        What the site sets.
    expected, expected_for : int, str
        How many images are expected, and of what.
    pylinac : tuple of str
        The versions of pylinac that have it.
    kind : {"portal", "ct"}
        Whether it takes RT Images of a plan, or the slices of a CT series.
    kv : bool or "only"
        Whether it takes kV images too, or only kV images.
    """

    slug: str
    prefix: str
    title: str
    description: str
    numbers: tuple[Number, ...]
    run: Callable[..., Any]
    measure: Callable[..., Mapping[str, Any]]
    draw: Callable[[Any], Sequence[Any]]
    arguments: tuple[Argument, ...] = ()
    expected: int = 1
    expected_for: str = ""
    pylinac: tuple[str, ...] = BOTH
    kind: str = PORTAL
    kv: bool | str = False

    @property
    def defaults(self) -> dict[str, Any]:
        """The arguments with their defaults."""
        return {argument.key: argument.value for argument in self.arguments}

    def __call__(self, images: ImageSet, **arguments: Any) -> dict[str, Any]:
        """Analyse images, or return what was found in the same images before.

        Parameters
        ----------
        images : ImageSet
            As :func:`qatrack_aria.fetch_images` or :func:`qatrack_aria.fetch_series` returns them.
        **arguments : Any
            Those of `arguments`.

        Returns
        -------
        dict
            The numbers, ``count``, and ``images``, which is their summary.

        Raises
        ------
        AnalysisError
            pylinac found nothing, or the images are not what it needs.
        ArchiveError
            An image was changed since it was handed over.
        RequestError
            An argument is unknown, or has no valid value.
        """
        found, _ = self._results(images, arguments)
        return {**found, "count": len(images), "images": images.summary}

    def attach(self, images: ImageSet, utils: Any, **arguments: Any) -> str:
        """Attach pylinac's picture to the test that is being calculated, once.

        Takes the arguments of the analysis, and raises the same, and what
        :meth:`ImageSet.attach` does.

        Returns
        -------
        str
            Name of the attached file.
        """
        content = [self.slug, sorted(arguments.items()), *self._code()]
        return images.attach_file(
            utils, f"{self.slug}.png", content, lambda: self._results(images, arguments)[1]
        )

    def _results(
        self, images: ImageSet, arguments: Mapping[str, Any]
    ) -> tuple[dict[str, Any], bytes]:
        """Return the numbers and the picture, from the disk if they were made before."""
        values = self._checked(arguments)
        with ONE_AT_A_TIME:
            kept = images.remember_value(
                self.slug, lambda: self._analysed(images, values), [*self._code(), values]
            )
        return kept["numbers"], base64.b64decode(kept["picture"])

    def _checked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        values = self.defaults
        unknown = sorted(set(arguments) - set(values))
        if unknown:
            raise RequestError(
                f"Analysis: {self.title} has no argument {', '.join(unknown)}; it has "
                f"{', '.join(values) or 'none'}."
            )
        values.update(arguments)
        for argument in self.arguments:
            _require_valid(argument, values[argument.key])
        return values

    def _analysed(self, images: ImageSet, values: Mapping[str, Any]) -> dict[str, Any]:
        version = pylinac_version()
        if version not in self.pylinac:
            raise AnalysisError(
                f"Analysis: pylinac {version} has no {self.title}; it is in {self.pylinac[-1]} and "
                "newer (QATrack+ 4.0)."
            )
        try:
            analysed = self.run(images, **values)
            numbers = dict(self.measure(analysed, **values))
            picture = as_png(self.draw(analysed))
        except AriaError:
            raise
        except Exception as error:  # pylinac raises errors of any type
            raise AnalysisError(
                f"Analysis: {self.title}: {_reason(error)} Look at the contact sheet: are these "
                f"the images that you want ({images.status.rstrip('.')})?"
            ) from error
        missing = [
            n.key for n in self.numbers if version in n.pylinac and not _is_finite(numbers, n)
        ]
        if missing:
            raise AnalysisError(
                f"Analysis: {self.title}: pylinac found no value for {', '.join(missing)}."
            )
        return {"numbers": numbers, "picture": base64.b64encode(picture).decode("ascii")}

    @staticmethod
    @functools.lru_cache(maxsize=None)
    def _code() -> tuple[str, str]:
        """Identify the code: a result of another version of it is not the same."""
        digest = hashlib.sha256()
        for file in sorted(Path(__file__).parent.glob("*.py")):
            digest.update(file.read_bytes())
        return pylinac_version(), digest.hexdigest()


def _require_valid(argument: Argument, value: Any) -> None:
    if value is None or (isinstance(value, str) and not value):
        raise WaitingError(f"Waiting for '{argument.name}': fill in the test that gives it.")
    if argument.choices and value not in argument.choices:
        raise RequestError(
            f"Analysis: {argument.key}={short_repr(value)} is not known: give one of "
            f"{', '.join(argument.choices)}."
        )
    if not argument.choices and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise RequestError(f"Analysis: {argument.key}={short_repr(value)} is not a number.")


def _is_finite(numbers: Mapping[str, Any], number: Number) -> bool:
    value = numbers.get(number.key)
    return isinstance(value, (int, float)) and abs(value) < float("inf")


def _reason(error: Exception) -> str:
    """Return what an error says, as one sentence."""
    text = " ".join(str(error).split())[:300]
    if not isinstance(error, ValueError) or not text:
        text = f"pylinac failed ({type(error).__name__}{': ' if text else ''}{text})"
    return text if text.endswith(".") else f"{text}."
