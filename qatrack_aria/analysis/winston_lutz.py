"""Analyse Winston-Lutz images, of one ball or of several targets."""

from __future__ import annotations

from typing import Any, Sequence

from qatrack_aria.analysis.common import require_one_energy
from qatrack_aria.analysis.model import Analysis, Argument, Number
from qatrack_aria.analysis.pictures import figures_of
from qatrack_aria.analysis.versions import is_new


def run(images: Sequence[Any], bb_diameter: float = 5.0) -> Any:
    """Analyse the images of one ball.

    Raises
    ------
    ValueError
        There are fewer than two images or two energies, or pylinac finds no ball in an image, or
        used fewer images.
    """
    require_set(images)
    try:
        analysed = _analysed(images, float(bb_diameter))
    except (ValueError, IndexError) as error:
        raise ValueError(f"pylinac did not find the ball in every image: {error}") from None
    if len(analysed.images) != len(images):
        raise ValueError(f"pylinac took {len(analysed.images)} of {len(images)} images.")
    return analysed


def require_set(images: Sequence[Any]) -> None:
    """Require several images of one energy; raises ``ValueError``."""
    if len(images) < 2:
        raise ValueError(f"Winston-Lutz needs at least 2 images, but there are {len(images)}.")
    require_one_energy(images)


def _analysed(images: Any, bb_diameter: float) -> Any:
    from pylinac import WinstonLutz

    analysed = WinstonLutz(images.path)
    if is_new():  # 2.5 analyses on loading, and takes any ball from 3 to 10 mm
        analysed.analyze(bb_size_mm=bb_diameter)
    return analysed


def measure(analysed: Any, **_: Any) -> dict[str, Any]:
    """Return distances, the shift of the ball, and the sizes of the isocentres."""
    shift = analysed.bb_shift_vector  # brings the ball to the isocentre of the radiation
    return {
        "max": float(analysed.cax2bb_distance("max")),
        "median": float(analysed.cax2bb_distance("median")),
        "shift_right": float(shift.x),
        "shift_in": float(shift.y),
        "shift_up": float(shift.z),
        "gantry_isocentre": float(analysed.gantry_iso_size),
        "collimator_isocentre": float(analysed.collimator_iso_size),
        "couch_isocentre": float(analysed.couch_iso_size),
        "images": [_image(image) for image in analysed.images],
    }


def _image(image: Any) -> dict[str, Any]:
    """Return the numbers of one image."""
    # 2.5 turns the image upside down on loading, so that y is towards the gantry
    up = -1 if is_new() else 1
    return {
        "gantry": float(image.gantry_angle),
        "collimator": float(image.collimator_angle),
        "couch": float(image.couch_angle),
        "distance": float(image.cax2bb_distance),
        "ball_right": float(image.cax2bb_vector.x),
        "ball_up": float(up * image.cax2bb_vector.y),
    }


def draw(analysed: Any) -> list[Any]:
    """Return pylinac's summary, and its picture of all images."""
    axis = "GBP Combo"  # all images
    return figures_of(analysed.plot_summary) + figures_of(analysed.plot_images, axis=axis)


ISOCENTRE = "0 if the set has no two images in which only this angle differs."
TG142 = "TG-142, table III, annual: 1 mm from baseline"
SHIFTS = (
    Number(
        "shift_right",
        "Ball to isocentre: to the right",
        "How far to move the ball, seen from the foot of the couch; negative is to the left.",
        "mm",
    ),
    Number(
        "shift_in",
        "Ball to isocentre: in",
        "How far to move the ball towards the gantry; negative is away from it.",
        "mm",
    ),
    Number(
        "shift_up",
        "Ball to isocentre: up",
        "How far to raise the ball; negative is down.",
        "mm",
    ),
)

WINSTON_LUTZ = Analysis(
    "winston_lutz",
    "wl",
    "Winston-Lutz",
    "Measures the distance of a ball from the centre of the radiation field at several angles of "
    "gantry, collimator, and couch.",
    numbers=(
        Number(
            "max",
            "Maximum distance of ball from field centre",
            "In the plane of the image, at the isocentre; the worst of all images.",
            "mm",
        ),
        Number(
            "median",
            "Median distance of ball from field centre",
            "In the plane of the image, at the isocentre; the median of all images.",
            "mm",
        ),
        *SHIFTS,
        Number(
            "gantry_isocentre",
            "Diameter of the gantry's isocentre",
            "Of the smallest sphere that the beam axes of all gantry angles touch, with collimator "
            f"and couch at 0. {ISOCENTRE}",
            "mm",
            proposal=TG142,
        ),
        Number(
            "collimator_isocentre",
            "Diameter of the collimator's isocentre",
            "Largest distance between the field centres of all collimator angles, relative to the "
            f"ball, with gantry and couch at 0. {ISOCENTRE}",
            "mm",
            proposal=TG142,
        ),
        Number(
            "couch_isocentre",
            "Diameter of the couch's isocentre",
            "Largest distance between the positions of the ball at all couch angles, relative to "
            "the field centre, with gantry and collimator at 0. A ball that is off the couch's "
            f"axis moves on a circle, which is part of it. {ISOCENTRE}",
            "mm",
            proposal=TG142,
        ),
    ),
    arguments=(
        Argument(
            "bb_diameter",
            "Diameter of the ball",
            "pylinac 3 looks for a ball of this size, give or take 2 mm. pylinac 2.5 does not use "
            "it, and takes any ball of 3 to 10 mm.",
            5,
            "mm",
        ),
    ),
    expected=8,
    expected_for="the usual eight positions of gantry, collimator and couch",
    run=run,
    measure=measure,
    draw=draw,
)
