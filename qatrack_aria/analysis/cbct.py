"""Define the analyses of CT scans of image quality phantoms (CatPhan, QuART DVT)."""

from __future__ import annotations

from functools import partial

from qatrack_aria.analysis.cbct_phantoms import PHANTOMS, Phantom
from qatrack_aria.analysis.cbct_scan import (
    SINGLE,
    VISIBILITY,
    draw_scan,
    measure_scan,
    run_scan,
)
from qatrack_aria.analysis.model import CT, Analysis, Argument, Number

BASELINE = "TG-142, table VI, monthly: baseline"
DISTORTION = "TG-142, table VI, monthly: 2 mm (1 mm for SRS and SBRT)"


def define_inserts(phantom: Phantom) -> tuple[Number, ...]:
    """Define a number for every insert."""
    return tuple(
        Number(
            f"hu_{insert.key}",
            f"HU of {insert.name}",
            f"Median HU inside the insert, in the middle slice of the HU module; nominal "
            f"{insert.nominal:g} HU. Positive deviations: the scan shows the insert too dense.",
            "HU",
            "%.0f",
            BASELINE,
        )
        for insert in phantom.inserts
    )


UNIFORMITY = (
    Number(
        "uniformity_worst",
        "Worst HU difference in the uniform module",
        "Difference between the median HU of the region at the top, right, bottom or left that "
        "differs most from the centre, and that of the centre. Positive: the edge is brighter "
        "(cupping); negative: the edge is darker (capping).",
        "HU",
        "%.1f",
        BASELINE,
    ),
    Number(
        "uniformity_index",
        "Uniformity index",
        "The worst HU difference in percent of (HU of the centre + 1000). Positive: the edge is "
        "brighter than the centre.",
        "%",
        "%.2f",
        BASELINE,
    ),
    Number(
        "integral_non_uniformity",
        "Integral non-uniformity",
        "(highest - lowest) / (highest + lowest + 2000) of the five regions' HU; 0 is perfectly "
        "uniform. It has no sign.",
        "",
        "%.4f",
        BASELINE,
    ),
    Number(
        "noise",
        "Noise",
        "Standard deviation of the HU in the central region of the uniform module, one slice.",
        "HU",
        "%.1f",
        BASELINE,
    ),
)
COMMON = (
    Number(
        "thickness",
        "Slice thickness",
        "Mean of the ramps in the HU module; a CatPhan reads 1 % low, as pylinac rounds the slope "
        "of its wires. Below a nominal thickness of 3.5 mm pylinac takes three slices together by "
        "default: then a slice that is too thick hardly shows.",
        "mm",
    ),
    Number(
        "roll",
        "Phantom roll",
        "Angle of the line through the upper and lower air inserts. Positive: the phantom is "
        "turned clockwise in the displayed axial image (x right, y down). It tells about the "
        "set-up only.",
        "°",
    ),
    Number("slices", "Slices", "Number of CT slices that pylinac used: all of them.", "", "%d"),
)
CATPHAN_NUMBERS = (
    Number(
        "line_average",
        "Distance of the geometry holes, average",
        "Mean of the four distances between the holes in the HU module, in the axial plane; "
        "nominal 50 mm. Larger than 50 mm: the image is scaled up.",
        "mm",
        "%.2f",
        DISTORTION,
    ),
    Number(
        "line_worst",
        "Distance of the geometry holes, worst",
        "The one of the four distances that differs most from 50 mm. Larger than 50 mm: the image "
        "is scaled up.",
        "mm",
        "%.2f",
        DISTORTION,
    ),
    Number(
        "mtf50",
        "MTF 50 %",
        "Spatial frequency at which the modulation of the bar patterns, relative to 0.1 lp/mm, "
        "falls to 50 %. If it stays above 50 %: the frequency of the finest pattern that pylinac "
        "resolved. Higher is sharper.",
        "lp/mm",
        "%.2f",
        BASELINE,
    ),
)
QUART_NUMBERS = (
    Number(
        "width",
        "Width of the phantom",
        "Horizontal width of the phantom at half of the edge, in the geometry module; nominal "
        "160 mm. Larger: the image is scaled up.",
        "mm",
        "%.2f",
        DISTORTION,
    ),
    Number(
        "height",
        "Height of the phantom",
        "The same vertically.",
        "mm",
        "%.2f",
        DISTORTION,
    ),
    Number(
        "edge",
        "Width of the edge",
        "Mean distance over which the edge of the phantom rises from -700 to -200 HU, of the left, "
        "right, top and bottom edge. Larger is less sharp.",
        "mm",
        "%.2f",
        BASELINE,
    ),
    Number(
        "cnr",
        "Contrast-to-noise ratio",
        "Difference of the HU of polystyrene and acrylic, without its sign, divided by the "
        "standard deviation of acrylic. Higher is better.",
        "",
        "%.1f",
        BASELINE,
    ),
)


def define_low_contrast(phantom: Phantom) -> tuple[Number, ...]:
    """Define the numbers of the low-contrast module, for the versions that measure them."""
    return (
        Number(
            "low_contrast_seen",
            "Low-contrast disks seen",
            "How many of the six disks of 1.0 % contrast (15, 9, 8, 7, 6 and 5 mm) are above the "
            "visibility threshold. It depends on the pixel size too.",
            "",
            "%d",
            BASELINE,
            phantom.low_contrast,
        ),
        Number(
            "low_contrast_cnr",
            "Contrast-to-noise ratio of the 15 mm disk",
            "(HU of the disk - HU beside it) / standard deviation inside the disk, mean of three "
            "slices. Positive: the disk is brighter than its surroundings. Higher is better.",
            "",
            "%.2f",
            BASELINE,
            phantom.low_contrast,
        ),
    )


TOLERANCE = "It colours pylinac's picture; the numbers do not depend on it."
TOLERANCES = (
    Argument("hu_tolerance", "HU tolerance", f"Tolerance of inserts and uniformity. {TOLERANCE}",
             40, "HU"),
    Argument("thickness_tolerance", "Slice thickness tolerance",
             f"Tolerance of the slice thickness. {TOLERANCE}", 0.2, "mm"),
)  # fmt: skip
SCALING = Argument(
    "scaling_tolerance",
    "Scaling tolerance",
    f"Tolerance of the distances of the geometry holes. {TOLERANCE}",
    1.0,
    "mm",
)
RAMPS = Argument(
    "ramp_slices",
    "Slices for the slice thickness",
    "automatic: as pylinac does, three slices together where the nominal thickness is below 3.5 "
    "mm, else one. That suppresses noise, but measures the distance of the slices rather than "
    "their thickness. single slice: always one.",
    "automatic",
    choices=("automatic", SINGLE),
)
DISKS = (
    Argument(
        "visibility_threshold",
        "Low-contrast visibility threshold",
        "A disk is seen if contrast x square root of its area in pixels / standard deviation is "
        "above. 13.3 is for the contrast method Difference, and the default of pylinac 2.5; "
        "pylinac 3 has 0.15 for Michelson.",
        VISIBILITY,
    ),
    Argument(
        "contrast_method",
        "Contrast method",
        "Difference: HU of the disk - HU beside it. Michelson (the default of pylinac 3) and Weber "
        "divide by HU: the number of disks seen then depends on the HU calibration, and means "
        "nothing where HU beside the disks are near 0 or negative. pylinac 2.5 has Difference "
        "only.",
        "Difference",
        choices=("Difference", "Michelson", "Weber"),
    ),
)


def define(phantom: Phantom) -> Analysis:
    """Define the analysis of a phantom."""
    specific = QUART_NUMBERS if phantom.quart else CATPHAN_NUMBERS
    low_contrast = define_low_contrast(phantom) if phantom.low_contrast else ()
    return Analysis(
        slug=phantom.slug,
        prefix=phantom.prefix,
        title=f"CBCT image quality: {phantom.name}",
        description=f"HU, uniformity, scaling, slice thickness and resolution from one CT or CBCT "
        f"scan of a {phantom.name} that shows the whole phantom, head first and supine.",
        numbers=(*define_inserts(phantom), *UNIFORMITY, *specific, *low_contrast, *COMMON),
        arguments=(
            *TOLERANCES,
            *(() if phantom.quart else (SCALING, RAMPS)),
            *(DISKS if phantom.low_contrast else ()),
        ),
        expected=phantom.expected,
        expected_for="one scan with slices of 2 mm; set it to the number of slices of the protocol",
        run=partial(run_scan, phantom),
        measure=partial(measure_scan, phantom),
        draw=draw_scan,
        pylinac=phantom.pylinac,
        kind=CT,
    )


ANALYSES = tuple(define(phantom) for phantom in PHANTOMS)
