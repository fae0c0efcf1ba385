"""Analyse star shots of the gantry, the collimator, and the couch."""

from __future__ import annotations

from functools import partial
from typing import Any, Sequence

from qatrack_aria.analysis.common import distance_of_angles, require_one_energy
from qatrack_aria.analysis.model import Analysis, Number
from qatrack_aria.analysis.pictures import figures_of

#: Spokes at angles that differ by less than this cannot be told apart.
APART = 2.0


def run(axis: str, images: Sequence[Any], **_: Any) -> Any:
    """Analyse one image with all spokes, or one image of each spoke.

    Parameters
    ----------
    axis : str
        ``collimator``, ``gantry``, or ``couch``.

    Raises
    ------
    ValueError
        The images cannot show a star, or pylinac finds no star, or not all spokes.
    """
    if not images:
        raise ValueError("There is no image to analyse.")
    if len(images) > 1:
        require_one_energy(images)
        _require_star(axis, images)
    star = _loaded(images)
    try:
        star.analyze()
    except RuntimeError:
        raise ValueError(
            "pylinac found no star: no circle of less than 2 mm touches three or more spokes."
        ) from None
    _require_all_spokes(star, len(images))
    return star


def _require_star(axis: str, images: Sequence[Any]) -> None:
    """Check that several images make a star together."""
    if axis != "collimator":
        raise ValueError(
            f"A star shot of the {axis} needs one image of a film: on the imager, which "
            f"{'turns with the gantry' if axis == 'gantry' else 'the couch does not carry'}, "
            "all spokes coincide."
        )
    if len(images) < 3:
        raise ValueError(f"A star needs at least 3 spokes, but there are {len(images)} images.")
    directions = [image.collimator % 180 for image in images]
    for place, first in enumerate(directions):
        for second in directions[place + 1 :]:
            if distance_of_angles(2 * first, 2 * second) / 2 < APART:
                raise ValueError(f"Two images have a spoke at {first:g}\u00b0: each needs its own.")
    if any(distance_of_angles(image.gantry, images[0].gantry) > 1 for image in images):
        raise ValueError("The images have different gantry angles: only the collimator may turn.")


def _loaded(images: Sequence[Any]) -> Any:
    """Load the images, added up.

    pylinac 2.5 would fetch a demo image from the internet to combine several.
    """
    from pylinac import Starshot
    from pylinac.core.image import load_multiples

    star = Starshot(str(images[0]))
    if len(images) > 1:
        try:
            star.image = load_multiples([str(image) for image in images], method="sum")
        except ValueError:
            raise ValueError("The images have different matrices: use one imager mode.") from None
    return star


def _require_all_spokes(star: Any, images: int) -> None:
    found = len(star.lines)
    if images > 1 and found != images:
        raise ValueError(f"pylinac found {found} spokes in {images} images.")


def measure(star: Any, **_: Any) -> dict[str, Any]:
    """Return diameter and centre of the minimum circle, and the number of spokes."""
    axis = _beam_axis(star.image)
    right = (star.wobble.center.x - axis[0]) / star.image.dpmm
    up = (axis[1] - star.wobble.center.y) / star.image.dpmm
    return {
        "diameter": float(2 * star.wobble.radius_mm),
        "centre_x": float(right),
        "centre_y": float(up),
        "centre_distance": float((right**2 + up**2) ** 0.5),
        "spokes": len(star.lines),
    }


def _beam_axis(image: Any) -> tuple[float, float]:
    """Return the pixel of the beam's axis: the image's middle, less the imager's translation.

    The header's translation (3002,000D) is that of the imager, in mm at the imager, with y towards
    the gantry. pylinac 2.5 takes it for pixels, and y for downwards.
    """
    x, y = image.center.x, image.center.y
    translation = image.metadata.get("XRayImageReceptorTranslation")
    if not translation:
        return x, y
    spacing = image.metadata.ImagePlanePixelSpacing
    return (
        x - float(translation[0]) / float(spacing[1]),
        y + float(translation[1]) / float(spacing[0]),
    )


def draw(star: Any) -> list[Any]:
    """Return pylinac's picture of the star and of its circle."""
    figures = figures_of(star.plot_analyzed_image)
    for figure in figures:
        figure.set_size_inches(11, 6)
    return figures


def _numbers(turned: str) -> tuple[Number, ...]:
    return (
        Number(
            "diameter",
            "Diameter of the minimum circle",
            "Of the smallest circle that all spokes touch, at the isocentre.",
            "mm",
            proposal="TG-142, table III, annual: 1 mm from baseline",
        ),
        Number(
            "centre_x",
            "Centre of the circle: to the right",
            "From the beam axis, which is the middle of the image less the imager's translation "
            "in the header (3002,000D). Negative: to the left.",
            "mm",
        ),
        Number(
            "centre_y",
            "Centre of the circle: up",
            "From the beam axis, in the image; on the imager, up is towards the gantry. Negative: "
            "down.",
            "mm",
        ),
        Number(
            "spokes",
            "Number of spokes",
            f"Lines found, one for each {turned}. Give it the number in your plan as reference, "
            "since spokes that were not found were not measured.",
            formatting="%d",
        ),
    )


def _analysis(axis: str, prefix: str, description: str, expected: int, of: str) -> Analysis:
    return Analysis(
        f"starshot_{axis}",
        prefix,
        f"Star shot, {axis}",
        description,
        numbers=_numbers(f"{axis} angle"),
        expected=expected,
        expected_for=of,
        run=partial(run, axis),
        measure=measure,
        draw=draw,
    )


FILM = (
    "Finds the smallest circle that the spokes of a star shot touch. The portal imager cannot take "
    "a star shot of the {axis} ({why}): this analyses one image of a film that was scanned and "
    "imported as an RT Image, with its pixel spacing and distance."
)
COLLIMATOR = _analysis(
    "collimator",
    "starc",
    "Finds the smallest circle that the spokes of a star shot touch, in one image of all spokes, "
    "or in several images of a narrow slit at different collimator angles, which are added up.",
    6,
    "one image of a slit at each of six collimator angles",
)
GANTRY = _analysis(
    "gantry",
    "starg",
    FILM.format(axis="gantry", why="it turns with it"),
    1,
    "one image of a film",
)
COUCH = _analysis(
    "couch",
    "starp",
    FILM.format(axis="couch", why="the couch does not carry it"),
    1,
    "one image of a film",
)
