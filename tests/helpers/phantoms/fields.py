"""Write images of phantoms whose errors are known, one folder for each.

Those of picket fences and Winston-Lutz are in a module of their own, and are imported here.

Each function returns the folder and the true values of the numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

import numpy as np

from tests.helpers.phantoms.drawing import AS500, AS1000, AS1200, Panel, between, step, write

Truth = dict


def _relative(doses: Sequence[float]) -> list[float]:
    """Return the deviations (%) of segments from the mean of all."""
    mean = float(np.mean(doses))
    return [100 * dose / mean - 100 for dose in doses]


def _segments_truth(doses: Sequence[float]) -> Truth:
    deviations = _relative(doses)
    truth = {f"segment_{place}": value for place, value in enumerate(deviations, 1)}
    truth["max_deviation"] = max(abs(value) for value in deviations)
    truth["mean_deviation"] = float(np.mean(np.abs(deviations)))
    return truth


def _open_beam(x: np.ndarray, y: np.ndarray, unflattened: bool) -> np.ndarray:
    """Return the dose of a large field: with horns, or peaked in the middle."""
    square = x**2 + y**2
    return np.exp(-square / (2 * 120**2)) if unflattened else 1 + 0.02 * square / 100**2


def strips(
    folder: Path,
    centres: Sequence[float],
    doses: Sequence[float],
    panel: Panel = AS500,
    unflattened: bool = False,
    **options: Any,
) -> tuple[Path, Truth]:
    """Write an open and a DMLC image with strips of known dose (DRGS, DRMLC)."""
    x, y = panel.grid()
    pitch = centres[1] - centres[0]
    left, right = centres[0] - pitch / 2, centres[-1] + pitch / 2
    beam = _open_beam(x, y, unflattened) * between(y, -80, 80)
    opened = beam * between(x, left, right)
    relative = np.full_like(x, doses[0])
    for centre, before, after in zip(centres[1:], doses, doses[1:]):
        edge = centre - pitch / 2
        relative += (after - before) * step(x - edge, 0.8)
    for centre in centres[1:]:  # the junctions, where the leaf ends let less through
        relative *= 1 - 0.12 * np.exp(-((x - centre + pitch / 2) ** 2) / (2 * 0.8**2))
    write(folder, "a", 0.8 * opened * relative, panel, number=1, beam="DMLC", **options)
    write(folder, "b", opened, panel, number=2, beam="Open", **options)
    return folder, _segments_truth(doses)


def drgs(folder: Path, **options: Any) -> tuple[Path, Truth]:
    """Write DRGS: segment 2 (left of the middle) 1.5 % low, segment 7 (right) 0.8 % high."""
    doses = (1, 0.985, 1, 1, 1, 1, 1.008)
    return strips(folder, (-60, -40, -20, 0, 20, 40, 60), doses, **options)


def drmlc(folder: Path, **options: Any) -> tuple[Path, Truth]:
    """Write DRMLC: segment 1 (left) 1.2 % high."""
    return strips(folder, (-45, -15, 15, 45), (1.012, 1, 1, 1), **options)


def drcs(folder: Path, turned: float = 0.6, **options: Any) -> tuple[Path, Truth]:
    """Write DRCS: sector 2 (at 300 degrees) 1.5 % low, all lines turned by 0.6 degrees."""
    doses, lines = (1, 0.985, 1, 1, 1), (150, 90, 30, 330, 270, 210)
    x, y = AS1200.grid()
    radius, angle = np.hypot(x, y), np.degrees(np.arctan2(-x, y)) - turned
    opened = between(radius, -1, 85) * (1 + 0.02 * (radius / 100) ** 2)
    relative = np.zeros_like(x)
    for centre, dose in zip((-120, -60, 0, 60, 120), doses):
        away = (angle - centre + 180) % 360 - 180
        distance = radius * np.radians(30 - np.abs(away))
        relative += dose * step(distance, 0.8)
    for line in lines:
        away = np.radians((angle - line + 180) % 360 - 180)
        relative += 0.3 * np.exp(-((radius * away) ** 2) / (2 * 1.0**2))
    write(folder, "a", opened, AS1200, number=1, beam="Open", **options)
    write(folder, "b", 0.7 * opened * relative, AS1200, number=2, beam="T4", **options)
    truth = _segments_truth(doses)
    return folder, {**truth, "rotation": turned, "max_rotation": turned}


def field(
    folder: Path,
    size: Sequence[float] = (100, 100),
    tilt: Sequence[float] = (0.02, -0.012),
    centre: Sequence[float] = (0.7, -0.4),
    **options: Any,
) -> tuple[Path, Truth]:
    """Write an open field that is asymmetric and off centre by known amounts.

    ``tilt`` is the symmetry in x and y: with the first, the left side is higher by 2 %, and with
    the second, the side away from the gantry by 1.2 %. Both are at the ends of the central 80 %.
    """
    panel = options.pop("panel", AS1000)
    x, y = panel.grid()
    x, y = x - centre[0], y - centre[1]
    half = [length / 2 for length in size]
    # a straight slope: at -0.8 * half it is higher than at +0.8 * half by the symmetry
    slope = (1 - tilt[0] * x / (2 * 0.8 * half[0])) * (1 + tilt[1] * y / (2 * 0.8 * half[1]))
    dose = slope * between(x, -half[0], half[0]) * between(y, -half[1], half[1])
    write(folder, "field", dose, panel, **{"beam": "Open", **options})
    return folder, {
        "symmetry_x": 100 * tilt[0],
        "symmetry_y": 100 * tilt[1],
        "flatness_x": 100 * abs(tilt[0]) / 2,
        "flatness_y": 100 * abs(tilt[1]) / 2,
        "size_x": size[0],
        "size_y": size[1],
        "centre_x": centre[0],
        "centre_y": centre[1],
        "energy": options.get("energy", 6),
    }


def _slit(x: np.ndarray, y: np.ndarray, angle: float, offset: float) -> np.ndarray:
    """Return a slit of 4 mm by 180 mm through the origin, turned counterclockwise.

    At 0 it is vertical, and ``offset`` moves it to the right.
    """
    turn = np.radians(angle)
    across = x * np.cos(turn) + y * np.sin(turn) - offset
    along = -x * np.sin(turn) + y * np.cos(turn)
    return between(across, -2, 2, 1.0) * between(along, -90, 90)


def star_lines(
    diameter: float, angles: Sequence[float] = (0, 30, 60, 90, 120, 150)
) -> list[tuple[float, float]]:
    """Return angle and offset of slits whose minimum circle has this diameter and centre (0, 0).

    Offsets alternate so that no other point is nearer to all slits.
    """
    return [(angle, diameter / 2 * (-1) ** place) for place, angle in enumerate(angles)]


def star(
    folder: Path,
    diameter: float = 0.8,
    centre: Sequence[float] = (0.6, -0.9),
    **options: Any,
) -> tuple[Path, Truth]:
    """Write one image for each of six collimator angles; the centre is right and down."""
    panel = options.pop("panel", AS1000)
    x, y = _star_grid(panel, centre, options)
    lines = star_lines(diameter)
    for number, (angle, offset) in enumerate(lines, 1):
        dose = _slit(x, y, angle, offset)
        turned = {"number": number, "collimator": angle, "scale": 20000, **options}
        write(folder, f"slit{number}", dose, panel, **turned)
    return folder, _star_truth(diameter, centre, len(lines))


def film(
    folder: Path,
    diameter: float = 0.8,
    centre: Sequence[float] = (-0.5, 0.7),
    **options: Any,
) -> tuple[Path, Truth]:
    """Write one image with all spokes; the centre is left and up."""
    panel = Panel(800, 800, 0.254, 1000.0)
    x, y = _star_grid(panel, centre, options)
    lines = star_lines(diameter)
    dose = sum(_slit(x, y, angle, offset) for angle, offset in lines)
    write(folder, "film", dose, panel, **{"scale": 9000, **options})
    return folder, _star_truth(diameter, centre, len(lines))


def _star_grid(
    panel: Panel, centre: Sequence[float], options: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y from the star's centre, on an imager that is moved by its translation."""
    x, y = panel.grid()
    moved = [length * 1000 / panel.sid for length in options.get("translation", (0, 0))]
    return x - centre[0] + moved[0], y - centre[1] + moved[1]


def _star_truth(diameter: float, centre: Sequence[float], spokes: int) -> Truth:
    return {
        "diameter": diameter,
        "centre_x": centre[0],
        "centre_y": centre[1],
        "spokes": spokes,
    }
