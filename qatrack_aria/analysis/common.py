"""Share what several analyses need: checks of the images, and angles."""

from __future__ import annotations

from typing import Any, Sequence


def require_one_energy(images: Sequence[Any]) -> float:
    """Return the energy of the images.

    Raises
    ------
    ValueError
        The images have several energies.
    """
    energies = sorted({image.energy for image in images})
    if len({image.ref.fff for image in images} - {None}) > 1:
        raise ValueError("Some images are of a flattened beam, and some flattening filter free.")
    if len(energies) > 1:
        listed = ", ".join(f"{energy:g} MV" for energy in energies)
        raise ValueError(f"The images have different energies ({listed}): analyse one at a time.")
    return energies[0] if energies else float("nan")


def require_count(images: Sequence[Any], count: int, what: str) -> None:
    """Check the number of images.

    Raises
    ------
    ValueError
        There are fewer or more.
    """
    if len(images) != count:
        raise ValueError(f"{what}, but there are {len(images)} images.")


def angle_text(degrees: float) -> str:
    """Write an angle as physicists do: 0 rather than 360, whole degrees without a point."""
    return f"{round(degrees, 1) % 360:g}"


def distance_of_angles(first: float, second: float) -> float:
    """Return the smaller angle between two angles in degrees."""
    return abs((first - second + 180) % 360 - 180)


def largest(values: Sequence[float]) -> float:
    """Return the value that is largest in magnitude, with its sign."""
    return float(max(values, key=abs))


def single_image(images: Any) -> Any:
    """Return the only image, or refuse to choose one of several."""
    if len(images) != 1:
        raise ValueError(f"This analysis takes exactly one image; there are {len(images)}.")
    return next(iter(images))
