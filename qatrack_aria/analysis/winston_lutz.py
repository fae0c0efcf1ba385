"""Analyse Winston-Lutz images, of one ball or of several targets."""

from __future__ import annotations

from typing import Any, Sequence

from qatrack_aria.analysis.common import angle_text, distance_of_angles, require_one_energy
from qatrack_aria.analysis.model import Analysis, Argument, Number
from qatrack_aria.analysis.pictures import figures_of
from qatrack_aria.analysis.versions import NEW, is_new


def run(images: Sequence[Any], bb_diameter: float = 5.0) -> Any:
    """Analyse the images of one ball.

    Raises
    ------
    ValueError
        There are fewer than two images or two energies, or pylinac finds no ball in an image, or
        used fewer images.
    """
    _require_set(images)
    try:
        analysed = _analysed(images, float(bb_diameter))
    except (ValueError, IndexError) as error:
        raise ValueError(f"pylinac did not find the ball in every image: {error}") from None
    if len(analysed.images) != len(images):
        raise ValueError(f"pylinac took {len(analysed.images)} of {len(images)} images.")
    return analysed


def _require_set(images: Sequence[Any]) -> None:
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

#: Phantoms with several balls, by the names of pylinac's arrangements.
PHANTOMS = {"SNC MultiMet-WL": "SNC_MULTIMET"}


def run_targets(
    images: Any,
    phantom: str = "SNC MultiMet-WL",
    bb_diameter: float = 5.0,
    field_size: float = 20.0,
) -> Any:
    """Analyse the images of a phantom with several balls, each with a field of its own.

    Raises
    ------
    ValueError
        There are fewer than two images or two energies, the phantom is unknown, pylinac finds
        nothing in an image, or finds a target in too few images to know its position.
    """
    from pylinac import WinstonLutzMultiTargetMultiField

    _require_set(images)
    if phantom not in PHANTOMS:
        raise ValueError(f"Unknown phantom '{phantom}': choose one of {', '.join(PHANTOMS)}.")
    analysed = WinstonLutzMultiTargetMultiField(images.path)
    if len(analysed.images) != len(images):
        raise ValueError(f"pylinac took {len(analysed.images)} of {len(images)} images.")
    try:
        analysed.analyze(_arrangement(phantom, float(bb_diameter), float(field_size)))
    except (ValueError, IndexError) as error:
        raise ValueError(f"pylinac did not find balls and fields in an image: {error}") from None
    for ball in analysed.bbs:
        _require_planes(ball)
    return analysed


def _arrangement(phantom: str, bb_diameter: float, field_size: float) -> Any:
    from pylinac.winston_lutz import BBArrangement

    balls = getattr(BBArrangement, PHANTOMS[phantom])
    changed = {"bb_size_mm": bb_diameter, "rad_size_mm": field_size}
    return tuple(ball.model_copy(update=changed) for ball in balls)


def _require_planes(ball: Any) -> None:
    """Check that a target is seen from two directions: else its position is undefined."""
    angles = [match.gantry_angle % 180 for match in ball.matches]
    if len(angles) < 2 or not any(
        distance_of_angles(2 * angle, 2 * angles[0]) / 2 > 20 for angle in angles
    ):
        seen = ", ".join(angle_text(match.gantry_angle) for match in ball.matches) or "none"
        raise ValueError(
            f"pylinac found target '{ball.bb_config.name}' only at gantry angles that do not give "
            f"its position ({seen})."
        )


def measure_targets(analysed: Any, **_: Any) -> dict[str, Any]:
    """Return distances, and the shift and rotation of the phantom."""
    data = analysed.results_data()
    shift = data.bb_shift_vector
    return {
        "max": float(data.max_2d_field_to_bb_mm),
        "median": float(data.median_2d_field_to_bb_mm),
        "shift_right": float(shift.x),
        "shift_in": float(shift.y),
        "shift_up": float(shift.z),
        "yaw": float(data.bb_shift_yaw),
        "pitch": float(data.bb_shift_pitch),
        "roll": float(data.bb_shift_roll),
        "found": sum(len(ball.matches) for ball in analysed.bbs),
        "targets": {name: float(worst) for name, worst in data.bb_maxes.items()},
    }


def draw_targets(analysed: Any) -> list[Any]:
    """Return pylinac's pictures of all images."""
    return figures_of(analysed.plot_images, zoomed=False)


def _rotation(key: str, name: str, axis: str, positive: str) -> Number:
    return Number(
        key,
        f"Rotation of the phantom: {name}",
        f"How far to turn the phantom about the {axis}. Positive: {positive}.",
        "\u00b0",
    )


WINSTON_LUTZ_TARGETS = Analysis(
    "winston_lutz_targets",
    "wlm",
    "Winston-Lutz, multiple targets",
    "Measures the distances of several balls from the centres of their fields, at several angles "
    "of gantry, collimator, and couch.",
    numbers=(
        Number(
            "max",
            "Maximum distance of a ball from its field centre",
            "In the plane of the image, at the isocentre; the worst of all targets and images.",
            "mm",
        ),
        Number(
            "median",
            "Median distance of the balls from their field centres",
            "In the plane of the image, at the isocentre; the median of all targets and images.",
            "mm",
        ),
        *(
            Number(
                number.key,
                number.name.replace("Ball", "Phantom"),
                number.description.replace("the ball", "the phantom"),
                number.unit,
            )
            for number in SHIFTS
        ),
        _rotation("yaw", "yaw", "vertical axis", "counterclockwise seen from above"),
        _rotation("pitch", "pitch", "axis from left to right", "the end at the gantry goes up"),
        _rotation("roll", "roll", "axis towards the gantry", "clockwise seen from the foot"),
        Number(
            "found",
            "Targets found",
            "Sum over all images. pylinac leaves out a target that it does not find in an image: "
            "give it the usual number as reference.",
            formatting="%d",
        ),
    ),
    arguments=(
        Argument(
            "phantom",
            "Phantom",
            "The arrangement of the balls.",
            "SNC MultiMet-WL",
            choices=tuple(PHANTOMS),
        ),
        Argument("bb_diameter", "Diameter of the balls", "All are of one size.", 5, "mm"),
        Argument("field_size", "Size of the fields", "Side of each square field.", 20, "mm"),
    ),
    expected=4,
    expected_for="four gantry angles",
    run=run_targets,
    measure=measure_targets,
    draw=draw_targets,
    pylinac=(NEW,),
)
