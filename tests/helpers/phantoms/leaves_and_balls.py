"""Write images of multileaf and isocentre phantoms whose errors are known.

Each function returns the folder and the true values of the numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

import numpy as np

from tests.helpers.phantoms.drawing import AS1000, AS1200, Panel, between, write

Truth = dict

MILLENNIUM = [10.0] * 10 + [5.0] * 40 + [10.0] * 10
HD_MILLENNIUM = [5.0] * 14 + [2.5] * 32 + [5.0] * 14


def fence(
    folder: Path,
    errors: dict[tuple[int, int], float],
    widths: Sequence[float] = MILLENNIUM,
    collimator: int = 0,
    panel: Panel = AS1000,
    **options: Any,
) -> Path:
    """Write one image of a picket fence of seven pickets, 20 mm apart and 3 mm wide.

    Parameters
    ----------
    errors
        How far the gap of (leaf pair, picket) is off, in mm to the right; pair 1 is at the bottom,
        and picket 1 at the left.
    collimator
        0, 90, 180 or 270: the whole fence is turned counterclockwise.
    """
    columns, rows = panel.grid()[0][:1], panel.grid()[1][:, :1]
    # The coordinates of the fence: each changes along one side of the image only.
    x, y = {
        0: (columns, rows),
        90: (rows, -columns),
        180: (-columns, -rows),
        270: (-rows, columns),
    }[collimator]
    across = collimator % 180 == 90
    dose = np.full((panel.rows, panel.columns), 0.02)
    edges = np.cumsum([-sum(widths) / 2, *widths])
    jaws = between(y, -edge_of_field(widths, panel, across), edge_of_field(widths, panel, across))
    for pair, (low, high) in enumerate(zip(edges, edges[1:]), 1):
        centres = [20 * (picket - 4) + errors.get((pair, picket), 0) for picket in range(1, 8)]
        gaps = sum(between(x, centre - 1.5, centre + 1.5, 1.2) for centre in centres)
        dose += 0.8 * between(y, low, high, 0.3) * gaps
    name = options.pop("name", "fence")
    write(folder, name, dose * jaws, panel, collimator=collimator, **options)
    return folder


def edge_of_field(widths: Sequence[float], panel: Panel, across: bool) -> float:
    """Return where the jaws are: on the edge of a leaf, in the image."""
    pixels = panel.columns if across else panel.rows
    visible = pixels * panel.spacing * 1000 / panel.sid / 2 - 5
    edges = np.cumsum([-sum(widths) / 2, *widths])
    return float(max(edge for edge in edges if edge <= min(visible, sum(widths) / 2)))


def residual(error: float, pair: int, widths: Sequence[float], visible: float) -> float:
    """Return how far a wrong pair is from the straight line through all pairs of its picket."""
    edges = np.cumsum([-sum(widths) / 2, *widths])
    centres = (edges[1:] + edges[:-1]) / 2
    seen = centres[np.abs(centres) < visible]
    spread = float(np.sum((seen - seen.mean()) ** 2))
    leverage = 1 / len(seen) + (centres[pair - 1] - seen.mean()) ** 2 / spread
    return error * (1 - float(leverage))


def picket_fence(folder: Path, **options: Any) -> tuple[Path, Truth]:
    """Write a fence at four gantry angles: at 90, pair 24 is 0.8 mm to the left in picket 6."""
    wrong = {0: {(40, 2): 0.3}, 90: {(24, 6): -0.8}, 180: {}, 270: {(30, 1): 0.5}}
    for number, (gantry, errors) in enumerate(wrong.items(), 1):
        named = {"number": number, "gantry": gantry, "name": f"gantry{gantry}"}
        fence(folder, errors, **named, **options)
    error = residual(-0.8, 24, MILLENNIUM, edge_of_field(MILLENNIUM, AS1000, False))
    return folder, {
        "max_error": abs(error),
        "worst_error": error,
        "worst_gantry": 90,
        "worst_leaf": 24,
        "worst_picket": 6,
        "pickets": 7,
        "leaf_pairs": 38,
    }


def picket_fence_hd(folder: Path, collimator: int = 90, **options: Any) -> tuple[Path, Truth]:
    """Write a fence of an HD120 with a turned collimator: pair 20 is 0.6 mm off in picket 3.

    At 90 it is off upwards, and its picket is the third from the bottom; at 270 the reverse.
    """
    fence(folder, {(20, 3): 0.6}, HD_MILLENNIUM, collimator=collimator, **options)
    error = residual(0.6, 20, HD_MILLENNIUM, edge_of_field(HD_MILLENNIUM, AS1000, True))
    return folder, {
        "max_error": error,
        "worst_error": -error if collimator == 90 else error,  # positive is downwards
        "worst_leaf": 20,
        "worst_picket": 5 if collimator == 90 else 3,
        "pickets": 7,
        "leaf_pairs": 60,
    }


def project(
    point: Sequence[float], gantry: float, couch: float = 0, diverging: bool = True
) -> tuple[float, float]:
    """Return where a point (right, in, up) is seen, in the plane of the isocentre (right, up).

    The point stands on the couch, which turns it counterclockwise seen from above (IEC 61217).
    """
    turn, angle = np.radians(couch), np.radians(gantry)
    right = point[0] * np.cos(turn) - point[1] * np.sin(turn)
    inwards = point[0] * np.sin(turn) + point[1] * np.cos(turn)
    across = right * np.cos(angle) - point[2] * np.sin(angle)
    towards_source = right * np.sin(angle) + point[2] * np.cos(angle)
    scale = 1000 / (1000 - towards_source) if diverging else 1.0
    return float(across * scale), float(inwards * scale)


POSITIONS = (
    (0, 0, 0),
    (90, 0, 0),
    (180, 0, 0),
    (270, 0, 0),
    (0, 90, 0),
    (0, 270, 0),
    (0, 0, 45),
    (0, 0, 315),
)


def winston_lutz(
    folder: Path,
    ball: Sequence[float] = (0.6, -0.4, 0.3),
    wobble: float = 0.0,
    positions: Sequence[Sequence[float]] = POSITIONS,
    diameter: float = 6.0,
    **options: Any,
) -> tuple[Path, Truth]:
    """Write images of a ball that is right, out, and up of the isocentre.

    ``wobble`` turns the centre of the field about the collimator's axis, as a leaf bank that is
    off would: at collimator 0 it is to the right.
    """
    panel = options.pop("panel", AS1000)
    x, y = panel.grid()
    distances, centres, seen = [], {}, {}
    for number, (gantry, collimator, couch) in enumerate(positions, 1):
        centre = wobble * np.exp(1j * np.radians(collimator))
        place = complex(*project(ball, gantry, couch))
        dose = between(x - centre.real, -12.5, 12.5) * between(y - centre.imag, -12.5, 12.5)
        dose = dose * (1 - 0.35 * _ball(x - place.real, y - place.imag, diameter))
        angles = {"number": number, "gantry": gantry, "collimator": collimator, "couch": couch}
        write(folder, f"wl{number}", dose, panel, **angles, **options)
        distances.append(abs(place - centre))
        seen[gantry, collimator, couch] = place - centre
        centres[gantry, collimator, couch] = centre
    return folder, {
        "max": max(distances),
        "median": float(np.median(distances)),
        "collimator_isocentre": _spread([v for k, v in seen.items() if k[0] == k[2] == 0]),
        "couch_isocentre": _spread([v for k, v in seen.items() if k[0] == k[1] == 0]),
        "gantry_isocentre": 2 * wobble,  # all beam axes pass the isocentre at this distance
        **({} if wobble else _back(ball)),
    }


def _back(moved: Sequence[float]) -> Truth:
    """Return the shift that brings something back that was moved right, in, and up."""
    return dict(zip(("shift_right", "shift_in", "shift_up"), (-length for length in moved)))


def _ball(x: np.ndarray, y: np.ndarray, diameter: float) -> np.ndarray:
    """Return how much a ball attenuates, relative to its middle."""
    inside = np.clip(1 - (x**2 + y**2) / (diameter / 2) ** 2, 0, None)
    return np.sqrt(inside)


def _spread(points: Sequence[complex]) -> float:
    return max(abs(one - other) for one in points for other in points)


#: Right, in, and up of the six balls of SNC's MultiMet-WL.
TARGETS = ((0, 0, 0), (0, 30, 0), (30, 15, 0), (0, -30, 0), (-30, -50, 0), (0, -70, 0))


def winston_lutz_targets(
    folder: Path,
    moved: Sequence[float] = (0.5, -0.7, 0.3),
    turned: Sequence[float] = (0.0, 0.0, 0.0),
    **options: Any,
) -> tuple[Path, Truth]:
    """Write images of a phantom of six balls that is turned, and then moved right, out, and up.

    ``turned`` is yaw (counterclockwise seen from above), pitch (the end at the gantry goes up), and
    roll (clockwise seen from the foot) in degrees. A target whose field would overlap another one
    is not irradiated in that image.
    """
    panel = options.pop("panel", AS1200)
    x, y = panel.grid()
    distances = []
    # the first target of each image, so that every one is seen from several directions
    beams = ((0, 0), (60, 2), (120, 4), (180, 0), (240, 2), (300, 4))
    for number, (gantry, first) in enumerate(beams, 1):
        dose, shadow = np.zeros_like(x), np.ones_like(x)
        places = [(project(target, gantry), _moved_to(target, turned, moved)) for target in TARGETS]
        for planned, ball in _apart(places[first:] + places[:first]):
            place = project(ball, gantry)
            square = between(x - planned[0], -10, 10) * between(y - planned[1], -10, 10)
            dose = np.maximum(dose, square)
            shadow *= 1 - 0.35 * _ball(x - place[0], y - place[1], 5.0)
            distances.append(float(np.hypot(place[0] - planned[0], place[1] - planned[1])))
        write(folder, f"mt{number}", dose * shadow, panel, number=number, gantry=gantry, **options)
    truth = {"max": max(distances), "median": float(np.median(distances)), "found": len(distances)}
    truth.update(zip(("yaw", "pitch", "roll"), (-angle for angle in turned)))
    if not any(turned):  # with a rotation, the shift is that after turning back
        truth.update(_back(moved))
    return folder, truth


def _apart(places: Sequence[Any]) -> list[Any]:
    """Return the places whose fields do not overlap an earlier one."""
    chosen: list[Any] = []
    for planned, ball in places:
        if all(max(abs(planned[0] - p[0]), abs(planned[1] - p[1])) > 26 for p, _ in chosen):
            chosen.append((planned, ball))
    return chosen


def _moved_to(
    target: Sequence[float], turned: Sequence[float], moved: Sequence[float]
) -> list[float]:
    """Return where a target (right, in, up) is; the angles are small, so their order is free."""
    yaw, pitch, roll = np.radians(turned)
    right, inwards, up = target
    return [
        right - yaw * inwards + roll * up + moved[0],
        inwards + yaw * right - pitch * up + moved[1],
        up + pitch * inwards - roll * right + moved[2],
    ]
