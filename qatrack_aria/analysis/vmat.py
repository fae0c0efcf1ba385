"""Analyse RapidArc's tests: dose rate with gantry speed, leaf speed, or collimator speed."""

from __future__ import annotations

from functools import partial
from typing import Any, Sequence

from qatrack_aria.analysis.common import largest, require_count, require_one_energy
from qatrack_aria.analysis.model import Analysis, Argument, Number
from qatrack_aria.analysis.pictures import figures_of
from qatrack_aria.analysis.versions import NEW

#: The image of the DMLC field must be this many times as uneven as the open one. In images of real
#: fields the factor is far higher, since the strips' junctions show in one and not in the other.
CLEARLY_MORE = 2.0

TOLERANCE = Argument(
    "tolerance",
    "Tolerance of a segment",
    "A segment beyond it is drawn in red. The numbers do not depend on it.",
    1.5,
    "%",
)


def run(test: str, images: Sequence[Any], tolerance: float) -> Any:
    """Analyse an open and a DMLC image of one of the tests.

    Parameters
    ----------
    test : {"DRGS", "DRMLC", "DRCS"}
        The class in pylinac: dose rate with gantry speed, leaf speed, or collimator speed.
    images : sequence of Image
        In any order.
    tolerance : float
        In percent; it colours the picture.

    Raises
    ------
    ValueError
        The images are not one open and one DMLC image of one energy.
    """
    from pylinac import vmat

    require_count(images, 2, f"{test} needs 2 images, one open and one DMLC")
    require_one_energy(images)
    analysed = getattr(vmat, test)([str(image) for image in images])
    _identify(analysed, _unevenness_around if test == "DRCS" else _unevenness_across)
    analysed.analyze(tolerance=tolerance)
    return analysed


def _identify(analysed: Any, unevenness: Any) -> None:
    """Decide which image is the DMLC field: the one with the steep steps between its segments.

    pylinac always calls one of two images the open one, even if both are open.
    """
    first, second = analysed.open_image, analysed.dmlc_image
    if first.shape != second.shape:
        raise ValueError(
            "The open and the DMLC image have different matrices: use one imager mode."
        )
    smooth, uneven = sorted((first, second), key=unevenness)
    if unevenness(uneven) < CLEARLY_MORE * unevenness(smooth):
        raise ValueError(
            "One image must be of the open and one of the DMLC field, but the junctions between "
            "segments show in both or in none of them."
        )
    analysed.open_image, analysed.dmlc_image = smooth, uneven


def _unevenness_across(image: Any) -> float:
    """Return how much the profile along the leaves' motion departs from a smooth one."""
    import numpy as np

    middle = _band(image.array.shape[0], 0.1)
    profile = np.mean(image.array[middle, :], axis=0)
    inside = np.flatnonzero(profile > 0.5 * np.percentile(profile, 95))
    # 65 mm to either side: inside the penumbra of the smallest field that the tests use
    half = min(65 * image.dpmm, 0.45 * (inside[-1] - inside[0]))
    centre = (inside[0] + inside[-1]) / 2
    return _roughness(profile[int(centre - half) : int(centre + half)], 15 * image.dpmm)


def _unevenness_around(image: Any) -> float:
    """Return how much the profile along a circle of 50 mm departs from a smooth one."""
    import numpy as np
    from scipy import ndimage

    angles = np.radians(np.arange(0, 360, 0.5))
    rows = image.center.y + 50 * image.dpmm * np.sin(angles)
    columns = image.center.x + 50 * image.dpmm * np.cos(angles)
    profile = ndimage.map_coordinates(image.array.astype(float), [rows, columns], order=1)
    return _roughness(profile, 40)


def _roughness(profile: Any, width: float) -> float:
    import numpy as np
    from scipy import ndimage

    smooth = ndimage.median_filter(profile, size=max(3, int(width)), mode="nearest")
    return float(np.std(profile - smooth) / np.median(profile))


def _band(length: int, ratio: float) -> slice:
    half = max(1, int(length * ratio / 2))
    return slice(length // 2 - half, length // 2 + half)


def measure(analysed: Any, **_: Any) -> dict[str, Any]:
    """Return the deviations of all segments, the largest and the mean of them."""
    deviations = [float(segment.r_dev) for segment in analysed.segments]
    numbers = {
        "max_deviation": float(analysed.max_r_deviation),
        "mean_deviation": float(analysed.avg_abs_r_deviation),
    }
    numbers.update({f"segment_{place}": value for place, value in enumerate(deviations, 1)})
    return {
        **numbers,
        "deviations": deviations,
        "worst_segment": 1 + deviations.index(largest(deviations)),
        "open_image": analysed.open_image.base_path,
        "dmlc_image": analysed.dmlc_image.base_path,
    }


def measure_drcs(analysed: Any, **_: Any) -> dict[str, Any]:
    """Return the deviations of all segments and of the collimator angles."""
    spokes = {
        f"{spoke.angle_nominal:g}": float(spoke.angle_deviation)
        for spoke in analysed.collimator_deviations
    }
    return {
        **measure(analysed),
        "rotation": float(analysed.rotation_offset_deg),
        "max_rotation": largest(list(spokes.values())),
        "rotations": spokes,
    }


def draw(analysed: Any) -> list[Any]:
    """Return pylinac's picture of both images with the segments, and of both profiles."""
    figures = figures_of(analysed.plot_analyzed_image)
    for figure in figures:
        figure.set_size_inches(12, 5)
    return figures


MAX = Number(
    "max_deviation",
    "Maximum deviation",
    "Deviation of the segment that is farthest from the mean of all segments, without its sign. "
    "Of each segment the ratio of the DMLC to the open image is taken, whose mean over all "
    "segments is 0 %.",
    "%",
)
MEAN = Number(
    "mean_deviation",
    "Mean deviation",
    "Mean of the segments' deviations, without their signs.",
    "%",
)


def _segments(where: Sequence[str]) -> tuple[Number, ...]:
    """Define one number for each segment."""
    return tuple(
        Number(
            f"segment_{place}",
            f"Deviation of segment {place}",
            f"Ratio of the DMLC to the open image in the segment at {position}, relative to the "
            "mean of all segments. Positive: the segment received more dose than the others.",
            "%",
        )
        for place, position in enumerate(where, 1)
    )


def _positions(centres: Sequence[int]) -> list[str]:
    return [
        f"x = {centre:+d} mm (right is positive)" if centre else "the middle" for centre in centres
    ]


HOW_RECOGNISED = (
    "The DMLC image is recognised by the steps between its segments, whatever the order of the "
    "images and the names of the fields."
)
DRGS_CENTRES = (-60, -40, -20, 0, 20, 40, 60)
DRMLC_CENTRES = (-45, -15, 15, 45)
DRCS_ANGLES = (-120, -60, 0, 60, 120)

DRGS = Analysis(
    "drgs",
    "drgs",
    "VMAT: dose rate and gantry speed",
    "Compares the dose of seven segments that were irradiated with different dose rates and "
    f"gantry speeds (RapidArc test T2). {HOW_RECOGNISED}",
    numbers=(MAX, MEAN, *_segments(_positions(DRGS_CENTRES))),
    arguments=(TOLERANCE,),
    expected=2,
    expected_for="one open and one DMLC image",
    run=partial(run, "DRGS"),
    measure=measure,
    draw=draw,
)
DRMLC = Analysis(
    "drmlc",
    "drmlc",
    "VMAT: dose rate and leaf speed",
    "Compares the dose of four segments that were irradiated with different dose rates and leaf "
    f"speeds (RapidArc test T3). {HOW_RECOGNISED}",
    numbers=(MAX, MEAN, *_segments(_positions(DRMLC_CENTRES))),
    arguments=(TOLERANCE,),
    expected=2,
    expected_for="one open and one DMLC image",
    run=partial(run, "DRMLC"),
    measure=measure,
    draw=draw,
)
DRCS = Analysis(
    "drcs",
    "drcs",
    "VMAT: dose rate and collimator speed",
    "Compares the dose of five sectors that were irradiated with different dose rates and "
    "collimator speeds, and finds the collimator angles of the lines between them (RapidArc "
    f"Dynamic test T4). {HOW_RECOGNISED}",
    numbers=(
        MAX,
        MEAN,
        *_segments([f"collimator angle {angle % 360}\u00b0" for angle in DRCS_ANGLES]),
        Number(
            "rotation",
            "Mean deviation of collimator angles",
            "Mean of measured minus nominal angle of the six lines. Positive: the lines are turned "
            "counterclockwise in the image, which is a larger collimator angle (IEC 61217).",
            "\u00b0",
        ),
        Number(
            "max_rotation",
            "Maximum deviation of a collimator angle",
            "Measured minus nominal angle of the line where it is largest in magnitude, with its "
            "sign. Positive: turned counterclockwise in the image.",
            "\u00b0",
        ),
    ),
    arguments=(TOLERANCE,),
    expected=2,
    expected_for="one open and one DMLC image",
    run=partial(run, "DRCS"),
    measure=measure_drcs,
    draw=draw,
    pylinac=(NEW,),
)
