"""Analyse picket fences: the positions of leaf pairs at one or several gantry angles."""

from __future__ import annotations

from typing import Any, Sequence

from qatrack_aria.analysis.common import angle_text, require_one_energy
from qatrack_aria.analysis.model import Analysis, Argument, Number
from qatrack_aria.analysis.pictures import figures_of
from qatrack_aria.analysis.versions import is_new

#: Number of leaf pairs and their widths (mm), from one end to the other. The key "HD" of pylinac
#: 2.5 is not used, since it has 40 thin pairs where the HD120 has 32.
ARRANGEMENTS = {
    "Millennium": [(10, 10), (40, 5), (10, 10)],
    "HD Millennium": [(14, 5), (32, 2.5), (14, 5)],
}
#: Between two pickets the dose is less than this part of that in them.
LESS_BETWEEN = 0.8


class Fence:
    """The analysed picket fence of one image.

    Attributes
    ----------
    pylinac : object
        pylinac's own analysed picket fence.
    gantry, collimator : float
        Angles of the image.
    """

    def __init__(self, analysed: Any, gantry: float, collimator: float) -> None:
        self.pylinac = analysed
        self.gantry = gantry
        self.collimator = collimator

    def errors(self) -> list[tuple[float, int, int]]:
        """Return error, leaf pair, and picket of all measured positions.

        The error is in mm with its sign: positive to the right, or downwards if the leaves move
        up and down in the image. Pickets are counted from the left or from the top.
        """
        order = _pickets_in_order(self.pylinac)
        return [
            (_error(measured), self._leaf_pair(measured), order[measured.picket_num])
            for measured in self.pylinac.mlc_meas
        ]

    def _leaf_pair(self, measured: Any) -> int:
        """Return the number of a leaf pair, counted as Varian does.

        pylinac counts as if the collimator were always at 0 or 90 degrees.
        """
        pairs = len(self.pylinac.mlc.centers)
        counted = _counted_leaf_pair(self.pylinac, measured)
        return pairs + 1 - counted if 135 < self.collimator <= 315 else counted

    def numbers(self) -> dict[str, Any]:
        """Return the numbers of this image."""
        errors = self.errors()
        error, pair, picket = max(errors, key=lambda one: abs(one[0]))
        return {
            "gantry": self.gantry,
            "max_error": float(self.pylinac.max_error),
            "median_error": float(self.pylinac.abs_median_error),
            "passing": float(self.pylinac.percent_passing),
            "pickets": int(self.pylinac.num_pickets),
            "leaf_pairs": len({pair for _, pair, _ in errors}),
            "worst_leaf": pair,
            "worst_picket": picket,
            "worst_error": error,
        }


def run(images: Sequence[Any], mlc: str, tolerance: float) -> list[Fence]:
    """Analyse each image.

    Raises
    ------
    ValueError
        There is no image, the energies differ, the multileaf collimator is unknown, or pylinac
        finds no picket fence in an image.
    """
    if not images:
        raise ValueError("There is no image to analyse.")
    require_one_energy(images)
    return [
        Fence(_analysed(image, mlc, float(tolerance)), image.gantry, image.collimator)
        for image in images
    ]


def _analysed(image: Any, mlc: str, tolerance: float) -> Any:
    from pylinac.picketfence import MLCArrangement, PicketFence

    fence = PicketFence(str(image), mlc=MLCArrangement(ARRANGEMENTS[mlc]))
    try:
        fence.analyze(tolerance=tolerance)
        has_pickets = _has_pickets(fence)
    except (ValueError, IndexError, TypeError, ZeroDivisionError):  # as pylinac meets them
        has_pickets = False
    if not has_pickets:
        where = f"gantry {angle_text(image.gantry)}\u00b0"
        raise ValueError(f"pylinac found no picket fence in the image at {where}.")
    return fence


def _has_pickets(fence: Any) -> bool:
    """Say whether the dose falls between pickets, which pylinac 2.5 sees in any open field."""
    import numpy as np

    up_down = _goes_up_and_down(fence.orientation)
    profile = np.mean(fence.image.array, axis=0 if up_down else 1)
    middle = fence.image.array.shape[0 if up_down else 1] / 2
    places = sorted(round(float(picket.fit(middle))) for picket in fence.pickets)
    if len(places) < 2:
        return False
    valleys = [min(profile[left : right + 1]) for left, right in zip(places, places[1:])]
    return bool(max(valleys) < LESS_BETWEEN * min(profile[places]))


def _goes_up_and_down(orientation: Any) -> bool:
    """Say whether pickets are vertical in the image; 3 has an enumeration, 2.5 a text."""
    return getattr(orientation, "value", orientation) == "Up-Down"


def _error(measured: Any) -> float:
    """Return the distance of a leaf pair from its picket, with its sign."""
    if is_new():
        return float(measured.error[0])
    along, across = ("x", "y") if _goes_up_and_down(measured._orientation) else ("y", "x")
    centre = measured.marker_line.center
    expected = measured._fit(getattr(centre, across))
    return float(getattr(centre, along) - expected) / float(measured._image.dpmm)


def _counted_leaf_pair(fence: Any, measured: Any) -> int:
    """Return the number of a leaf pair, from the bottom or the right of the image.

    pylinac 2.5 counts from the first pair in view, at the other side.
    """
    if is_new():
        return int(measured.leaf_num)
    centres = fence.mlc.centers
    nearest = min(range(len(centres)), key=lambda one: abs(centres[one] - measured._leaf_center))
    return len(centres) - nearest


def _pickets_in_order(fence: Any) -> dict[int, int]:
    """Return the place of each of pylinac's pickets, counted from 1 at the left or top."""
    numbers = range(len(fence.pickets))
    # positive is to the left or to the top
    ordered = sorted(numbers, key=lambda one: -fence.pickets[one].dist2cax)
    return {number: place for place, number in enumerate(ordered, 1)}


def measure(analysed: Sequence[Fence], **_: Any) -> dict[str, Any]:
    """Return the numbers of the worst image, and those of all gantry angles."""
    fences = [fence.numbers() for fence in analysed]
    worst = max(fences, key=lambda fence: fence["max_error"])
    return {
        "max_error": worst["max_error"],
        "median_error": max(fence["median_error"] for fence in fences),
        "passing": min(fence["passing"] for fence in fences),
        "pickets": min(fence["pickets"] for fence in fences),
        "leaf_pairs": min(fence["leaf_pairs"] for fence in fences),
        "worst_gantry": float(worst["gantry"]),
        "worst_leaf": worst["worst_leaf"],
        "worst_picket": worst["worst_picket"],
        "worst_error": worst["worst_error"],
        "angles": fences,
    }


def draw(analysed: Sequence[Fence]) -> list[Any]:
    """Return pylinac's picture of each image, with the errors of all leaf pairs."""
    figures = []
    for fence in analysed:
        for figure in figures_of(fence.pylinac.plot_analyzed_image):
            figure.suptitle(f"Gantry {angle_text(fence.gantry)}\u00b0")
            figures.append(figure)
    return figures


PICKET_FENCE = Analysis(
    "picket_fence",
    "pf",
    "Picket fence",
    "Measures the distance of leaf pairs from straight pickets, in one image or in several at "
    "different gantry angles. The position of a pair is the middle of its gap: one leaf that is "
    "1 mm off shows as 0.5 mm.",
    numbers=(
        Number(
            "max_error",
            "Maximum error",
            "Distance of the worst leaf pair from its picket, of all images, without its sign.",
            "mm",
            proposal="TG-142, table V, monthly: 1 mm",
        ),
        Number(
            "median_error",
            "Median error",
            "Median distance of the leaf pairs from their pickets, in the image where it is "
            "largest.",
            "mm",
        ),
        Number(
            "passing",
            "Leaf pairs within tolerance",
            "In the image where the fewest are.",
            "%",
            "%.1f",
        ),
        Number(
            "pickets",
            "Pickets found",
            "The fewest of all images: give it the number of pickets in your plan as reference, "
            "since pickets that were not found were not measured.",
            formatting="%d",
        ),
        Number(
            "leaf_pairs",
            "Leaf pairs measured",
            "The fewest of all images. pylinac leaves out pairs that do not show in all pickets, "
            "such as those at the edge of the jaws: give it the usual number as reference.",
            formatting="%d",
        ),
        Number(
            "worst_gantry",
            "Gantry angle of the maximum error",
            "Gantry angle (IEC 61217) of the image with the worst leaf pair.",
            "\u00b0",
            "%.0f",
        ),
        Number(
            "worst_leaf",
            "Leaf pair of the maximum error",
            "Its number as Varian counts: with the collimator at 0, pair 1 is the farthest from "
            "the gantry (Y1). The header's collimator angle is taken into account.",
            formatting="%d",
        ),
        Number(
            "worst_picket",
            "Picket of the maximum error",
            "Counted from 1 at the left of the image, or at its top if the leaves move up and "
            "down.",
            formatting="%d",
        ),
    ),
    arguments=(
        Argument(
            "mlc",
            "MLC",
            "Leaf arrangement of this unit.",
            "",
            choices=tuple(ARRANGEMENTS),
        ),
        Argument(
            "tolerance",
            "Tolerance of a leaf pair",
            "A leaf pair passes if it lies within this distance of its picket.",
            0.5,
            "mm",
        ),
    ),
    expected=1,
    expected_for="one gantry angle",
    run=run,
    measure=measure,
    draw=draw,
)
