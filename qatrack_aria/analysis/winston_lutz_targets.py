"""Analyse Winston-Lutz images of a phantom with several balls, each with a field of its own."""

from __future__ import annotations

from typing import Any

from qatrack_aria.analysis.common import angle_text, distance_of_angles
from qatrack_aria.analysis.model import Analysis, Argument, Number
from qatrack_aria.analysis.pictures import figures_of
from qatrack_aria.analysis.versions import NEW
from qatrack_aria.analysis.winston_lutz import SHIFTS, require_set

#: Phantoms with several balls, by the names of pylinac's arrangements.
PHANTOMS = {"SNC MultiMet-WL": "SNC_MULTIMET"}


def run(
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

    require_set(images)
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


def measure(analysed: Any, **_: Any) -> dict[str, Any]:
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


def draw(analysed: Any) -> list[Any]:
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
    run=run,
    measure=measure,
    draw=draw,
    pylinac=(NEW,),
)
