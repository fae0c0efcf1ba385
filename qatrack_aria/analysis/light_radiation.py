"""Compare the radiation field with the balls of a light field phantom, in one image of it.

pylinac 3.49 only. All phantoms share one implementation; the table `PHANTOMS` says what differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

from qatrack_aria.analysis.common import single_image
from qatrack_aria.analysis.model import Analysis, Argument, Number
from qatrack_aria.analysis.pictures import figures_of
from qatrack_aria.analysis.planar_image import AS_DETECTED, INVERTED
from qatrack_aria.analysis.versions import NEW


@dataclass(frozen=True)
class Phantom:
    """Describe what differs between the phantoms.

    Attributes
    ----------
    balls : str
        Which balls it has, for the description.
    sizes : tuple of int
        Sides in mm of the fields in which pylinac finds the balls.
    """

    slug: str
    prefix: str
    title: str
    name: str
    balls: str
    sizes: tuple[int, ...]


PHANTOMS = (
    Phantom(
        "fc2",
        "fc2",
        "FC-2 (Standard Imaging): light and radiation field",
        "StandardImagingFC2",
        "four balls 40 mm (field 10 x 10 cm) or 65 mm (15 x 15 cm) from both axes",
        (100, 150),
    ),
    Phantom(
        "isoalign",
        "isoalign",
        "Iso-Align (PTW): light and radiation field",
        "IsoAlign",
        "five balls: one in the centre and four on the axes, 25 mm from it",
        (),
    ),
    Phantom(
        "lrad",
        "lrad",
        "L-Rad (IMT): light and radiation field",
        "IMTLRad",
        "one ball in the centre",
        (),
    ),
    Phantom(
        "doselab_rlf",
        "rlf",
        "RLf (Doselab): light and radiation field",
        "DoselabRLf",
        "four balls, 17 mm from one axis and 45 mm from the other",
        (100,),
    ),
    Phantom(
        "fsqa",
        "fsqa",
        "FS-QA (Sun Nuclear): light and radiation field",
        "SNCFSQA",
        "one ball 40 mm to the right of the centre and 40 mm above it, from which the centre"
        " follows; a rotated phantom therefore shifts the result",
        (),
    ),
)

ARGUMENTS = (
    Argument(
        "edge",
        "Edge of the field",
        "Height of the profile at which the field ends, in percent of its maximum. 50 for flattened"
        " beams; 25 to 30 is usual for flattening filter free beams.",
        50.0,
        unit="%",
    ),
    Argument(
        "polarity",
        "Pixel values",
        "Choose 'inverted' if pylinac takes the image for a negative and does not find the field.",
        AS_DETECTED,
        choices=(AS_DETECTED, INVERTED),
    ),
)

RIGHT = "positive if the {what} to the right of the radiation field's centre on the screen"
BELOW = (
    "positive if the {what} below the radiation field's centre on the screen (away from the gantry)"
)
COINCIDENCE = "TG-142, table II, monthly: light/radiation field coincidence 2 mm or 1 % on a side"
JAWS = "TG-142, table II, monthly: jaw position indicators (symmetric) 2 mm"


def _numbers() -> tuple[Number, ...]:
    return (
        _size("x", "across the image (crossplane)"),
        _size("y", "along the image (inplane)"),
        _offset("bb", "x", "From field to light field phantom", "balls' common centre lies", RIGHT),
        _offset("bb", "y", "From field to light field phantom", "balls' common centre lies", BELOW),
        _offset("epid", "x", "From field to imager", "centre of the image lies", RIGHT),
        _offset("epid", "y", "From field to imager", "centre of the image lies", BELOW),
    )


def _size(axis: str, direction: str) -> Number:
    return Number(
        f"size_{axis}",
        f"Field size {axis}",
        f"Width of the radiation field {direction} at the isocentre, between the two edges of the"
        " profile through the centre of the image.",
        unit="mm",
        proposal=JAWS,
        pylinac=(NEW,),
    )


def _offset(key: str, axis: str, name: str, what: str, sign: str) -> Number:
    return Number(
        f"{key}_{axis}",
        f"{name}, {axis}",
        f"Distance from the centre of the radiation field at the isocentre; "
        f"{sign.format(what=what)}.",
        unit="mm",
        proposal=COINCIDENCE if key == "bb" else "",
        pylinac=(NEW,),
    )


def _runner(phantom: Phantom) -> Callable[..., Any]:
    def run(images: Any, **arguments: Any) -> Any:
        """Find the edges of the field and the balls."""
        from pylinac import planar_imaging

        analysed = getattr(planar_imaging, phantom.name)(single_image(images))
        _analyse(analysed, arguments)
        _check_size(phantom, analysed)
        return analysed

    return run


def _analyse(analysed: Any, arguments: dict[str, Any]) -> None:
    edge = arguments.get("edge", 50.0)
    try:
        analysed.analyze(fwxm=edge, invert=arguments.get("polarity") == INVERTED)
    except ValueError as error:
        if "disks" not in str(error):
            raise
        raise ValueError(
            "A ball of the phantom was not found within 5 mm of its place: check the phantom, its"
            " alignment, and that it lies at the isocentre."
        ) from error


def _check_size(phantom: Phantom, analysed: Any) -> None:
    # pylinac looks for the balls of the 10 x 10 cm field in every field up to 14 cm.
    width, height = float(analysed.field_width_x), float(analysed.field_width_y)
    if phantom.sizes and not any(
        max(abs(width - size), abs(height - size)) < 10 for size in phantom.sizes
    ):
        fields = " or ".join(f"{size} x {size} mm" for size in phantom.sizes)
        raise ValueError(
            f"The field of {width:.0f} x {height:.0f} mm is not one of {fields}, in which the balls"
            " of this phantom are known."
        )


def measure(analysed: Any, **arguments: Any) -> dict[str, Any]:
    """Return the size of the field and the distances from its centre, in mm."""
    balls, imager = analysed.field_bb_offset_mm, analysed.field_epid_offset_mm
    return {
        "size_x": float(analysed.field_width_x),
        "size_y": float(analysed.field_width_y),
        "bb_x": float(balls.x),
        "bb_y": float(balls.y),
        "epid_x": float(imager.x),
        "epid_y": float(imager.y),
    }


def draw(analysed: Any) -> list[Any]:
    """Return pylinac's figure: the image with the balls and the three centres."""
    return figures_of(analysed.plot_analyzed_image, (8, 8))


def _analysis(phantom: Phantom) -> Analysis:
    return Analysis(
        slug=phantom.slug,
        prefix=phantom.prefix,
        title=phantom.title,
        description=(
            "Compares the centre of the radiation field with the balls of the phantom, which was"
            f" aligned with the light field, and with the centre of the imager: {phantom.balls}."
            " The phantom lies at the isocentre, without rotation."
        ),
        numbers=_numbers(),
        arguments=ARGUMENTS,
        expected=1,
        expected_for="one MV image of the field with the phantom",
        run=_runner(phantom),
        measure=measure,
        draw=draw,
        pylinac=(NEW,),
    )


ANALYSES = tuple(_analysis(phantom) for phantom in PHANTOMS)
