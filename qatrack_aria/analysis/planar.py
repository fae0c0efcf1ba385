"""Define the analyses of images of flat phantoms: contrast, noise and spatial resolution."""

from __future__ import annotations

from dataclasses import replace

from qatrack_aria.analysis.model import Analysis, Argument, Number
from qatrack_aria.analysis.planar_image import (
    AS_DETECTED,
    INVERTED,
    KEEP,
    ORIENTATIONS,
    draw,
    measurer,
    runner,
)
from qatrack_aria.analysis.planar_phantoms import PHANTOMS, Phantom

#: The kV images that are fetched, by the imager.
KV: dict[str, bool | str] = {"MV": False, "kV": "only", "MV or kV": True}
BASELINE = "TG-142, table VI, monthly: baseline"


def _arguments(phantom: Phantom) -> tuple[Argument, ...]:
    models = tuple(phantom.models)
    model = Argument("model", "Model", "Model of the phantom.", models[0], choices=models)
    turn = Argument(
        "orientation",
        "Orientation",
        "What to do with the image before it is analysed. The position of the phantom and the"
        " figure are those of the image that was turned or mirrored.",
        KEEP,
        choices=tuple(ORIENTATIONS),
    )
    return (
        *((model,) if len(models) > 1 else ()),
        *((turn,) if phantom.turns else ()),
        *((PERCENT,) if phantom.bars else ()),
        *COMMON_ARGUMENTS,
    )


PERCENT = Argument(
    "percent",
    "Relative MTF for the resolution",
    "Percentage of the relative MTF at which the spatial resolution is read. If the finest bars of"
    " the phantom are still above it, choose a higher one.",
    50.0,
    unit="%",
)
COMMON_ARGUMENTS = (
    Argument(
        "contrast_threshold",
        "Contrast threshold",
        "Contrast above which pylinac 2.5 counts a low-contrast region as visible. It does not"
        " change the other numbers.",
        0.05,
    ),
    Argument(
        "visibility_threshold",
        "Visibility threshold",
        "Visibility (contrast times the square root of the region's area in pixels, divided by the"
        " noise) above which pylinac 3.49 counts a low-contrast region as visible. It does not"
        " change the other numbers.",
        100.0,
    ),
    Argument(
        "ssd",
        "Source to phantom distance",
        "0: pylinac looks for a phantom at the isocentre and then for one 5 cm above the panel."
        " pylinac 2.5 ignores this value; it looks at the isocentre and, for QC-3 and Las Vegas,"
        " also near the panel.",
        0.0,
        unit="mm",
    ),
    Argument(
        "polarity",
        "Pixel values",
        "Choose 'inverted' if the regions in the figure are found but the contrast is wrong,"
        " because pylinac took the image for a negative.",
        AS_DETECTED,
        choices=(AS_DETECTED, INVERTED),
    ),
)


def _numbers(phantom: Phantom) -> tuple[Number, ...]:
    bars = (RESOLUTION,) if phantom.bars else ()
    angle = (ANGLE,) if phantom.angle else ()
    numbers = (CONTRAST, CNR, VISIBLE, *bars, *angle, *CENTRE)
    return tuple(replace(number, pylinac=phantom.pylinac) for number in numbers)


CONTRAST = Number(
    "contrast",
    "Median contrast",
    "Median of the contrast of all low-contrast regions: difference between the region and the"
    " background, divided by their sum (Michelson), from 0 to 1. The pixel values are first scaled"
    " so that the darkest pixel of the whole image is 0: the contrast changes with the"
    " field size and with a defective pixel, so always use the same field.",
    formatting="%.4f",
    proposal=BASELINE,
)
CNR = Number(
    "cnr",
    "Median contrast-to-noise ratio",
    "Median over all low-contrast regions: difference between the region and the background,"
    " divided by the standard deviation of the pixel values in the region. It does not depend on"
    " the scale of the pixel values. (The curve in the figure of pylinac 3.49 shows the contrast"
    " divided by the standard deviation.)",
    proposal=BASELINE,
)
VISIBLE = Number(
    "visible",
    "Visible low-contrast regions",
    "Number of low-contrast regions above the threshold: of the contrast in pylinac 2.5, of the"
    " visibility in pylinac 3.49. It is the number of low-contrast regions that are not red in the"
    " figure.",
    formatting="%d",
    proposal=BASELINE,
)
RESOLUTION = Number(
    "resolution",
    "Spatial resolution",
    "Spatial frequency at which the modulation of the bar patterns has fallen to 50 % (or the"
    " percentage that is set) of that of the coarsest pattern: relative MTF, interpolated linearly"
    " between the patterns. Higher is sharper. Line pairs per mm in the phantom, whatever its"
    " distance. Noise raises it (noise of 3 % of the signal by a third), so always use the same"
    " monitor units and number of frames.",
    unit="lp/mm",
    formatting="%.3f",
    proposal=BASELINE,
)
ANGLE = Number(
    "angle",
    "Rotation of the phantom",
    "Direction of the phantom's axis in the image, from the right; positive is clockwise on the"
    " screen. In its stand, a Doselab phantom has 45 and a kV-QA 135 degrees; of a Leeds TOR it is"
    " the direction of the lead square, after pylinac mirrored an image of its rear side.",
    unit="deg",
    formatting="%.1f",
)
CENTRE = (
    Number(
        "centre_x",
        "Centre of the phantom, x",
        "Distance of the phantom's centre from the centre of the image, at the isocentre;"
        " positive if the phantom lies to the right on the screen.",
        unit="mm",
        formatting="%.1f",
    ),
    Number(
        "centre_y",
        "Centre of the phantom, y",
        "Distance of the phantom's centre from the centre of the image, at the isocentre;"
        " positive if the phantom lies below, that is, away from the gantry.",
        unit="mm",
        formatting="%.1f",
    ),
)


def _analysis(phantom: Phantom) -> Analysis:
    return Analysis(
        slug=phantom.slug,
        prefix=phantom.prefix,
        title=phantom.title,
        description=_description(phantom),
        numbers=_numbers(phantom),
        arguments=_arguments(phantom),
        expected=1,
        expected_for=f"one {phantom.imager} image of the phantom",
        run=runner(phantom),
        measure=measurer(phantom),
        draw=draw,
        pylinac=phantom.pylinac,
        kv=KV[phantom.imager],
    )


def _description(phantom: Phantom) -> str:
    what = "contrast, noise and spatial resolution" if phantom.bars else "contrast and noise"
    return f"Measures {what} in one {phantom.imager} image of the phantom. {phantom.setup}"


ANALYSES = tuple(_analysis(phantom) for phantom in PHANTOMS)
