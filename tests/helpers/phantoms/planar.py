"""Draw the flat phantoms with known contrast, noise, blur and position, and write the truth.

Every drawer returns the numbers that a perfect analysis finds, for each version of pylinac where
the definition differs. Lengths are in mm at the isocentre, x to the right, y downwards; positions
on a phantom that is turned are along (u) and across (v) its axis.
"""

from __future__ import annotations

import json
from functools import partial
from math import cos, exp, pi, radians, sin, sqrt
from pathlib import Path
from typing import Any, Sequence

import numpy as np
from scipy.ndimage import gaussian_filter as gaussian

from tests.helpers.phantoms.canvas import AS1200, KV, Canvas, Imager, write

OUTSIDE, OPEN, PLATE = 3000.0, 44000.0, 30000.0


class Board:
    """Paint on a phantom that is turned and displaced."""

    def __init__(self, canvas: Canvas, x: float, y: float, angle: float) -> None:
        self.canvas, self.x, self.y, self.angle = canvas, x, y, angle

    def at(self, u: float, v: float) -> tuple[float, float]:
        c, s = cos(radians(self.angle)), sin(radians(self.angle))
        return self.x + u * c - v * s, self.y + u * s + v * c

    def plate(self, u: float, v: float, value: float, corner: float = 0) -> None:
        self.canvas.rectangle(self.x, self.y, u, v, value, self.angle, corner)

    def patch(self, u: float, v: float, width: float, height: float, value: Any) -> None:
        self.canvas.rectangle(*self.at(u, v), width, height, value, self.angle)

    def disk(self, u: float, v: float, radius: float, value: float) -> None:
        self.canvas.disk(*self.at(u, v), radius, value)

    def bars(
        self,
        u: float,
        v: float,
        width: float,
        height: float,
        frequency: float,
        levels: tuple[float, float] = (20000.0, 34000.0),
        along: bool = True,
    ) -> None:
        self.canvas.bars(*self.at(u, v), width, height, frequency, levels, self.angle, along)


def modulation(frequency: float, blur: float, pixel: float, angle: float) -> float:
    """Return the modulation of bars after a Gaussian blur and the averaging in square pixels."""
    total = 0.0
    for k in range(1, 400, 2):
        f = k * frequency
        through = exp(-2 * (pi * blur * f) ** 2)
        through *= np.sinc(f * pixel * cos(radians(angle))) * np.sinc(
            f * pixel * sin(radians(angle))
        )
        total += 4 / (pi * k) * (-1) ** (k // 2) * through
    return float(total)


def crossing(
    frequencies: Sequence[float], percent: float, blur: float, pixel: float, angle: float
) -> float:
    """Return where the modulation relative to the coarsest bars has fallen to some percentage."""
    values = [modulation(frequency, blur, pixel, angle) for frequency in frequencies]
    return float(np.interp(-percent / 100, -np.array(values) / values[0], frequencies))


def mtf50(frequencies: Sequence[float], blur: float, pixel: float, angle: float) -> float:
    """Return where the modulation relative to the coarsest bars is 50 %, between the patterns."""
    return crossing(frequencies, 50, blur, pixel, angle)


def contrasts(
    pixels: Any, regions: Sequence[float], background: float, negative: bool
) -> list[float]:
    """Return the Michelson contrasts once the image's darkest pixel is 0 (or its brightest)."""
    low, high = float(pixels.min()), float(pixels.max())
    scaled = [(high - value) if negative else (value - low) for value in (*regions, background)]
    return [abs(value - scaled[-1]) / (value + scaled[-1]) for value in scaled[:-1]]


def truth(
    pixels: Any,
    regions: Sequence[float],
    background: float,
    noise: float,
    negative: bool,
    **others: Any,
) -> dict[str, Any]:
    ratios = contrasts(pixels, regions, background, negative)
    cnr = float(np.median([abs(value - background) / noise for value in regions]))
    return {"contrast": float(np.median(ratios)), "cnr": cnr, "contrasts": ratios, **others}


def both(old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, Any]:
    return {version: value for version, value in (("2.5", old), ("3.49", new)) if value}


# --- QC-3 and QC-kV -------------------------------------------------------------------------


def _standard_imaging(
    folder: Path,
    name: str,
    imager: Imager,
    frequencies: Sequence[float],
    scale: float,
    plate: tuple[float, float, float],
    old: bool,
    angle: float = 45,
    blur: float = 0.5,
    noise: float = 60,
    place: tuple[float, float] = (2.0, -3.0),
    **options: Any,
) -> None:
    canvas = Canvas(imager, OUTSIDE)
    canvas.rectangle(0, 0, 200, 200, OPEN)
    board = Board(canvas, *place, angle)
    board.plate(plate[0], plate[1], PLATE, plate[2])
    # Five bar patterns on the axis, three grey regions on either side.
    positions = [2.8, -2.8, 1.45, -1.45, 0]
    for position, frequency in zip(positions, frequencies):
        board.bars(position * scale, 0, 1.2 * scale, 1.35 * scale, frequency)
    background = 26000.0
    regions = [26010.0, 28000.0, 31000.0, 34000.0, 37000.0]
    places = [(0, -2), (1.38, 1.97), (1.38, -1.97), (-1.48, 1.89), (-1.48, -1.89)]
    for (u, v), value in zip(places, regions):
        board.patch(u * scale, v * scale, 1.25 * scale, 1.25 * scale, value)
    board.patch(0, 2 * scale, 1.25 * scale, 1.25 * scale, background)
    pixels = canvas.finish(blur, noise)
    write(folder / f"{name}.dcm", pixels, imager, **options)
    others = {
        "visible": 4,  # the first region is practically as bright as the background
        "resolution": mtf50(frequencies, blur, imager.pixel, 45),
        "centre_x": place[0],
        "centre_y": place[1],
    }
    arguments = (pixels, regions, background, noise)
    save(
        folder,
        name,
        # 2.5 inverts every image, so its contrast is that of the negative.
        both(
            truth(*arguments, True, **others) if old else None,
            truth(*arguments, False, **others),
        ),
    )


def qc3(folder: Path, name: str = "qc3", **options: Any) -> None:
    """Draw a QC-3: bars of 0.1 to 0.76 lp/mm; blurred, 2 mm to the right and 3 mm up."""
    frequencies = [0.1, 0.2, 0.25, 0.45, 0.76]
    _standard_imaging(folder, name, AS1200, frequencies, 15.0, (134, 115, 8), True, **options)


def qc3_wrong(folder: Path) -> None:
    """Draw a QC-3 the wrong way round in its stand, and expect that it is refused."""
    qc3(folder, "qc3_wrong", angle=225)
    error = {"error": "The relative MTF rises from"}
    save(folder, "qc3_wrong", both(error, error))


def qckv(folder: Path, name: str = "qckv", **options: Any) -> None:
    """Draw a QC-kV: bars of 0.66 to 2.46 lp/mm; blurred, 2 mm to the right and 3 mm up."""
    frequencies = [0.66, 0.98, 1.5, 2.0, 2.46]
    _standard_imaging(
        folder, name, KV, frequencies, 14.04, (112, 92, 1.5), False, blur=0.14, noise=40, **options
    )


# --- Las Vegas ------------------------------------------------------------------------------


# x of the column, diameter, rows with a hole, holes that pylinac reads from the top or bottom
VARIAN = [(24.9, 15, 3, -3), (9.7, 10, 5, 5), (-5.4, 7, 5, 5), (-17.3, 4, 5, 5), (-27.4, 2, 5, 2)]
ELEKTA = [(36.6, 15, 3, -3), (13.8, 10, 5, 5), (-5.0, 7, 5, 5), (-19.8, 4, 5, 5), (-32.8, 2, 5, 4)]


def lv(
    folder: Path,
    name: str = "lv",
    mirrored: bool = False,
    blur: float = 0.2,
    noise: float = 200,
    place: tuple[float, float] = (-1.5, 2.0),
    arguments: dict[str, Any] | None = None,
    columns: Sequence[tuple[float, float, int, int]] = VARIAN,
    radii: Sequence[float] = (6.48, 3.70, 2.78, 1.62, 0.69),
    side: float = 143,
    **options: Any,
) -> None:
    """Draw a Las Vegas: holes of 15, 10, 7, 4 and 2 mm in columns; the depths fall from the top."""
    canvas = Canvas(AS1200, OUTSIDE)
    canvas.rectangle(0, 0, 180, 180, OPEN)
    x, y = place
    canvas.rectangle(x, y, side, side, PLATE)
    steps = [1800.0, 1300.0, 800.0, 400.0, 200.0]  # of 4.5, 3.25, 2, 1 and 0.5 mm depth
    regions, sampled = [], []
    for (column, diameter, count, read), radius in zip(columns, radii):
        for row in range(5 - count, 5):
            value = PLATE + steps[row]
            canvas.disk(x + column, y + 20 * row - 40, diameter / 2, value)
            if read < 0 or row < read:
                regions.append(value)
                sampled.append(radius)
    pixels = canvas.finish(blur, noise)
    write(folder / f"{name}.dcm", pixels[:, ::-1] if mirrored else pixels, AS1200, **options)
    sides = {"centre_x": x, "centre_y": y}
    old = truth(pixels, regions, PLATE, noise, False, **sides)
    old["visible"] = sum(value > 0.01 for value in old["contrasts"])
    new = truth(pixels, regions, PLATE, noise, False, **sides)
    spread = noise / float(int(pixels.max()) - int(pixels.min()))
    new["visible"] = sum(
        value * sqrt(pi) * radius / AS1200.pixel / spread > 20
        for value, radius in zip(new["contrasts"], sampled)
    )
    settings = {"contrast_threshold": 0.01, "visibility_threshold": 20}
    for expected in (old, new):
        expected["arguments"] = {**settings, **(arguments or {})}
    save(folder, name, both(None if columns is ELEKTA else old, new))


def lv_elekta(folder: Path) -> None:
    """Draw the Las Vegas of Elekta."""
    radii = (5.46, 3.41, 2.5, 1.37, 0.68)
    lv(folder, "lv_elekta", arguments={"model": "Elekta"}, columns=ELEKTA, radii=radii, side=140.5)


def lv_mirrored(folder: Path) -> None:
    """Draw a Las Vegas that lies upside down."""
    arguments = {"orientation": "mirror left and right"}
    lv(folder, "lv_mirrored", mirrored=True, arguments=arguments)


def lv_wrong(folder: Path) -> None:
    """Draw a Las Vegas that lies upside down, and expect that it is refused."""
    lv(folder, "lv_wrong", mirrored=True)
    error = {"error": "The three largest holes were not found on the right"}
    save(folder, "lv_wrong", both(error, error))


# --- Leeds TOR 18 ---------------------------------------------------------------------------

KV_LARGE = Imager(1536, 1536, 0.194, 1500, "75", "MINUTE", "KV panel")
# lp/mm, u, v, width, height of the bar patterns in the central block
LEEDS_BARS = [
    (0.5, 13, 18.2, 9.5, 11),
    (0.56, 13, 6.1, 9.5, 11),
    (0.63, 13, -6.2, 9.5, 11),
    (0.71, 3.3, 18.2, 6.4, 11),
    (0.8, 3.3, 6.1, 6.4, 11),
    (0.9, 3.3, -6.4, 6.4, 11),
    (1.0, -3.1, 18.2, 5.2, 11),
    (1.12, -3.1, 6.1, 5.2, 11),
    (1.25, -3.3, -6.3, 5.2, 11),
    (1.4, -8.6, 18.2, 4.4, 11),
    (1.6, -8.6, 6.1, 4.4, 11),
    (1.8, -8.6, -6.3, 4.4, 11),
]


def leeds(
    folder: Path,
    name: str = "leeds",
    angle: float = 25.0,
    mirrored: bool = False,
    blur: float = 0.18,
    noise: float = 30,
    place: tuple[float, float] = (1.0, -0.8),
    ring: float = 59.8,
    **options: Any,
) -> None:
    """Draw a TOR 18: lead at `angle` clockwise from the right, then 9 disks, copper, 9 disks."""
    imager = KV_LARGE
    canvas = Canvas(imager, OUTSIDE)
    # pylinac 2.5 takes a square field that is wholly visible for the ring of the phantom.
    canvas.rectangle(0, 0, 260, 185, OPEN)
    board = Board(canvas, *place, angle)
    board.disk(0, 0, 90.3, 31000.0)
    board.disk(0, 0, 74.0, PLATE)
    board.disk(0, 0, 73.0, 31000.0)
    board.disk(0, 0, 72.0, PLATE)
    board.patch(ring, 0, 10, 10, 6000.0)  # lead
    board.patch(-ring, 0, 10, 10, 24000.0)  # copper
    steps = [3600.0 * 0.86**number for number in range(18)]
    turns = [*range(30, 151, 15), *range(210, 331, 15)]
    for turn, step in zip(turns, steps):
        u, v = ring * cos(radians(turn)), ring * sin(radians(turn))
        board.disk(u, v, 5.5, PLATE - step)
    board.patch(1, 4, 52, 52, 29000.0)
    for frequency, u, v, width, height in LEEDS_BARS:
        board.bars(u, v, width, height, frequency, along=False)
    pixels = canvas.finish(blur, noise)
    write(folder / f"{name}.dcm", pixels[:, ::-1] if mirrored else pixels, imager, **options)
    regions = [PLATE - step for step in steps]
    sides = {"centre_x": place[0], "centre_y": place[1], "angle": angle, "visible": 18}
    frequencies = [row[0] for row in LEEDS_BARS]
    resolution = {count: mtf50(frequencies[:count], blur, imager.pixel, angle) for count in (9, 12)}
    arguments = (pixels, regions, PLATE, noise)
    old = truth(*arguments, True, **sides, resolution=resolution[9])
    old["arguments"] = {"contrast_threshold": 0.02}
    old["visible"] = sum(value > 0.02 for value in old["contrasts"])
    new = truth(*arguments, False, **sides, resolution=resolution[12])
    if name == "leeds_blue":
        old, new["arguments"] = None, {"model": "blue ring"}
    save(folder, name, both(old, new))


def leeds_blue(folder: Path) -> None:
    """Draw the older TOR 18, whose disks lie further out."""
    leeds(folder, "leeds_blue", angle=25, ring=62.5)


def leeds_mirrored(folder: Path) -> None:
    """Draw a TOR 18 that lies upside down, at another rotation."""
    leeds(folder, "leeds_mirrored", angle=-70.0, mirrored=True)


# --- Doselab MC2 ----------------------------------------------------------------------------

DOSELAB_GREYS = [(35.2, 39), (35.2, -40), (18.7, -40), (1, -40), (-15, -40)]
DOSELAB_GREYS += [(-15, 39), (1, 39), (18.7, 39)]
DOSELAB_BARS = {
    # lp/mm, u, v, width, height
    "dlmv": [
        (0.1, -32.3, -32.0, 10, 16),
        (0.2, -32.4, 11.2, 10, 16),
        (0.4, -32.0, 34.3, 10, 10),
        (0.8, -32.0, 49.4, 10, 9),
    ],
    "dlkv": [
        (0.6, 31.6, -11.5, 8, 9),
        (1.2, 31.6, -1.1, 8, 8),
        (1.8, 31.6, 7.2, 8, 7),
        (2.4, 31.4, 14.5, 8, 6),
    ],
}


def doselab(
    folder: Path,
    name: str,
    imager: Imager,
    blur: float,
    noise: float = 30,
    angle: float = 45,
    place: tuple[float, float] = (1.5, -1.0),
    **options: Any,
) -> None:
    """Draw an MC2 in its stand, turned by `angle`."""
    canvas = Canvas(imager, OUTSIDE)
    canvas.rectangle(0, 0, 187, 187, OPEN)
    board = Board(canvas, *place, angle)
    board.plate(108, 124, PLATE, 1.5)
    # The first is the background of 3.49; 2.5 takes the plate as its background.
    greys = [24000.0, 25000.0, 26000.0, 27000.0, 28000.0, 32000.0, 33000.0, 35000.0]
    for (u, v), value in zip(DOSELAB_GREYS, greys):
        board.patch(u, v, 15, 17, value)
    for frequency, u, v, width, height in DOSELAB_BARS[name[:4]]:
        board.bars(u, v, width, height, frequency, along=False)
    pixels = canvas.finish(blur, noise)
    write(folder / f"{name}.dcm", pixels, imager, **options)
    frequencies = [row[0] for row in DOSELAB_BARS[name[:4]]]
    others = {
        "resolution": mtf50(frequencies, blur, imager.pixel, 45),
        "angle": angle,
        "centre_x": place[0],
        "centre_y": place[1],
    }
    seen = [greys[0], greys[7], greys[6], greys[5]] if name[:4] == "dlkv" else greys[1:5]
    old = truth(pixels, seen, PLATE, noise, True, **others)
    old["visible"] = sum(value > 0.05 for value in old["contrasts"])
    new = truth(pixels, greys[1:], greys[0], noise, False, visible=7, **others)
    save(folder, name, both(old, new))


def dlmv(folder: Path, name: str = "dlmv", **options: Any) -> None:
    """Draw the part of an MC2 for MV images."""
    doselab(folder, name, AS1200, 0.5, **options)


def dlkv(folder: Path, name: str = "dlkv", **options: Any) -> None:
    """Draw the part of an MC2 for kV images."""
    doselab(folder, name, KV_LARGE, 0.14, **options)


# --- Sun Nuclear MV-QA and kV-QA ------------------------------------------------------------


def snc(
    folder: Path,
    name: str,
    imager: Imager,
    blur: float,
    plate: tuple[float, float],
    angle: float,
    bars: Sequence[tuple[float, float, float]],
    sizes: tuple[float, float],
    grey: Sequence[tuple[float, float]],
    noise: float = 30,
    place: tuple[float, float] = (1.5, -1.0),
    arguments: dict[str, Any] | None = None,
    **options: Any,
) -> None:
    """Draw four bar patterns on the axes and four grey regions in the corners of a plate."""
    canvas = Canvas(imager, OUTSIDE)
    canvas.rectangle(0, 0, 170, 170, OPEN)
    board = Board(canvas, *place, angle)
    board.plate(*plate, PLATE, 1.0)
    for frequency, u, v in bars:
        board.bars(u, v, sizes[0], sizes[0], frequency)
    greys = [22000.0, 25000.0, 28000.0, 34000.0]
    for (u, v), value in zip(grey, greys):
        board.patch(u, v, sizes[1], sizes[1], value)
    pixels = canvas.finish(blur, noise)
    write(folder / f"{name}.dcm", pixels, imager, **options)
    others = {
        "resolution": mtf50([row[0] for row in bars], blur, imager.pixel, 45),
        "visible": 4,
        "angle": angle,
        "centre_x": place[0],
        "centre_y": place[1],
        "arguments": arguments or {},
    }
    save(folder, name, both(None, truth(pixels, greys, PLATE, noise, False, **others)))


def corners(distance: float) -> list[tuple[float, float]]:
    return [(u * distance, v * distance) for u, v in [(1, -1), (-1, -1), (1, 1), (-1, 1)]]


def sncmv_12510(folder: Path) -> None:
    """Draw the older MV-QA, which is not symmetrical."""
    bars = [(0.1, -23.2, 0), (0.2, 4.7, 26.9), (0.5, 32.8, 0), (1.0, 4.7, -26.9)]
    grey = [(32.4, -27.2), (-21.9, -26.1), (32.4, 27.2), (-21.9, 26.1)]
    arguments = {"model": "MV-QA 1251000"}
    plate, sizes = (99.6, 84.6), (21.6, 21.6)
    snc(folder, "sncmv_12510", AS1200, 0.5, plate, 45, bars, sizes, grey, arguments=arguments)


def sncmv(folder: Path, name: str = "sncmv", **options: Any) -> None:
    """Draw an MV-QA: bars of 0.1 to 1 lp/mm."""
    bars = [(0.1, -25.8, 0), (0.2, 0, 25.8), (0.5, 25.8, 0), (1.0, 0, -25.8)]
    snc(folder, name, AS1200, 0.5, (84, 84), 45, bars, (19.4, 19.0), corners(27.0), **options)


def snckv(folder: Path, name: str = "snckv", angle: float = 135, **options: Any) -> None:
    """Draw a kV-QA: bars of 0.6 to 2.4 lp/mm."""
    bars = [(0.6, 25.9, 0), (1.2, 0, -25.9), (1.8, -25.9, 0), (2.4, 0, 25.9)]
    snc(
        folder,
        name,
        KV_LARGE,
        0.14,
        (110.5, 80.4),
        angle,
        bars,
        (22, 19.4),
        corners(26.6),
        **options,
    )


def snckv_turned(folder: Path) -> None:
    """Draw a kV-QA that is turned by 2 degrees clockwise out of its stand."""
    snckv(folder, "snckv_turned", angle=137)


def dlkv_turned(folder: Path) -> None:
    """Draw an MC2 that is turned by 2 degrees clockwise out of its stand."""
    dlkv(folder, "dlkv_turned", angle=47)


def dlmv_turned(folder: Path) -> None:
    """Draw an MC2 that is turned by 2 degrees clockwise out of its stand."""
    dlmv(folder, "dlmv_turned", angle=47)


# --- PTW EPID QC ----------------------------------------------------------------------------

PTW_GREYS = [(96, y) for y in (58, 29.5, 0, -29.5, -58)] + [(-96, y) for y in (58, 29.5, 0, -29.5)]
PTW_BARS = [(-30.8, -30.8, 26), (-29.6, -84, 26), (49.6, -86, 21), (27.8, -48.2, 21)]
PTW_FINE = [(0.5, -106.7, 12), (2.0, -84.1, 8), (3.0, -63.8, 6)]
PTW_DISTANCES = [6.3, 12.1, 23.5, 41.2, 58.4, 88.5]
PTW_DIAMETERS = [1.1, 2.0, 4.0, 7.0, 10.0, 15.0]
# Depths of the holes in each ring, from 130 to 50 degrees below the horizontal
PTW_HOLES = [
    [0.4, 0.2, 0.0, 0.2, 0.2],
    [0.2, 0.1, 0.3, 0.6, 1.2],
    [0.1, 0.5, 1.0, 1.6, 2.6],
    [0.3, 0.7, 1.3, 2.3, 3.6],
    [0.2, 0.7, 1.6, 2.6],
    [0.1, 0.8, 1.8],
]


def ptw(
    folder: Path,
    name: str = "ptw",
    frequencies: Sequence[float] = (0.15, 0.21, 0.27, 0.33),
    noise: float = 30,
    blur: float = 0.5,
    place: tuple[float, float] = (1.5, -1.0),
    **options: Any,
) -> None:
    """Draw an EPID QC: diagonal bars above, copper at both sides, holes below the centre."""
    canvas = Canvas(AS1200, OUTSIDE)
    canvas.rectangle(0, 0, 278, 278, OPEN)
    board = Board(canvas, *place, 0)
    board.plate(250, 250, PLATE, 2.0)
    for frequency, (x, y, side) in zip(frequencies, PTW_BARS):
        canvas.bars(x + place[0], y + place[1], side, side, frequency, (20000.0, 34000.0), 45)
    for frequency, y, side in PTW_FINE:
        board.bars(0, y, side, side, frequency)
    background, fan = 28500.0, 29000.0
    board.patch(-95, -59.2, 22, 22, background)
    greys = [14000.0 + 1500 * number for number in range(9)]
    for (x, y), value in zip(PTW_GREYS, greys):
        board.patch(x, y, 22, 22, value)
    board.patch(-15, 52, 120, 100, fan)
    regions = []
    for distance, diameter, depths in zip(PTW_DISTANCES, PTW_DIAMETERS, PTW_HOLES):
        for turn, depth in zip((130, 110, 90, 70, 50), depths):
            x, y = distance * cos(radians(turn)), distance * sin(radians(turn))
            board.disk(x, y, diameter / 2, fan + 400 * depth)
            regions.append(fan + 400 * depth)
    pixels = canvas.finish(blur, noise)
    write(folder / f"{name}.dcm", pixels, AS1200, **options)
    sides = {"centre_x": place[0], "centre_y": place[1]}
    fine = [row[0] for row in PTW_FINE]
    full = mtf50([*frequencies, *fine], blur, AS1200.pixel, 45)
    old = truth(pixels, regions, fan, noise, True, **sides)
    old["visible"] = sum(value > 0.02 for value in old["contrasts"])
    old["resolution"] = crossing(frequencies, 95, blur, AS1200.pixel, 45)
    old["arguments"] = {"percent": 95, "contrast_threshold": 0.02}
    new = truth(pixels, greys, background, noise, False, visible=9, resolution=full, **sides)
    is_old = name == "ptw_old"
    save(folder, name, both(old if is_old else None, None if is_old else new))


def ptw_old(folder: Path) -> None:
    """Draw the bars with the frequencies that pylinac 2.5 assumes."""
    ptw(folder, "ptw_old", (0.125, 0.167, 0.25, 0.33), blur=0.35)


# --- light and radiation field --------------------------------------------------------------

LIGHT = {
    "fc2": ([(-40, -40), (-40, 40), (40, -40), (40, 40)], 100, 2.0),
    "fc2_15": ([(-65, -65), (-65, 65), (65, -65), (65, 65)], 150, 2.0),
    "isoalign": ([(0, 0), (0, -25), (0, 25), (-25, 0), (25, 0)], 100, 2.0),
    "lrad": ([(0, 0)], 100, 1.5),
    "rlf": ([(-17, -45), (-45, 17), (45, -17), (17, 45)], 100, 2.0),
    "fsqa": ([(40, -40)], 150, 2.0),
}


def _shade(cx: float, cy: float, radius: float, x: Any, y: Any) -> Any:
    """What a sphere lets through: it attenuates in proportion to the length of its chord."""
    return 1 - 0.15 * np.sqrt(np.maximum(radius**2 - (x - cx) ** 2 - (y - cy) ** 2, 0)) / radius


def light(
    folder: Path,
    name: str,
    balls: Sequence[tuple[float, float]],
    side: float,
    radius: float,
    field: tuple[float, float, float, float] = (0.8, -0.5, 1.0, -0.6),
    phantom: tuple[float, float] = (1.4, 0.6),
    blur: float = 1.5,
    noise: float = 60,
    negative: bool = False,
    **options: Any,
) -> None:
    """Draw balls in a field with a flat profile; both are displaced.

    `field` is its centre x and y and what its sides are longer than nominal; `phantom` is the
    displacement of the balls from the image's centre.
    """
    canvas = Canvas(AS1200, OUTSIDE)
    x, y, wider, longer = field
    canvas.rectangle(x, y, side + wider, side + longer, OPEN)
    sharp = canvas.values
    canvas.values = gaussian(sharp, blur / AS1200.pixel)  # the penumbra
    shadow = Canvas(AS1200, 1.0)
    for u, v in balls:
        cx, cy = u + phantom[0], v + phantom[1]
        shadow.disk(cx, cy, radius, partial(_shade, cx, cy, radius))
    canvas.values *= gaussian(shadow.values, 0.3 / AS1200.pixel)
    pixels = canvas.finish(0, noise)
    written = 60000 - pixels if negative else pixels
    write(folder / f"{name}.dcm", written, AS1200, **options)
    expected = {
        "size_x": side + wider,
        "size_y": side + longer,
        "bb_x": phantom[0] - x,
        "bb_y": phantom[1] - y,
        "epid_x": -x,
        "epid_y": -y,
    }
    save(folder, name, both(None, expected))


def fc2_negative(folder: Path) -> None:
    """Draw an FC-2 in an image whose pixel values fall with the dose."""
    light(folder, "fc2_negative", *LIGHT["fc2"], negative=True, sign=-1)


def fc2_wrong(folder: Path) -> None:
    """Draw an FC-2 in a field of 12 x 12 cm, and expect that it is refused."""
    light(folder, "fc2_wrong", LIGHT["fc2"][0], 120, 2.0)
    error = {"error": "The field of 121 x 119 mm is not one of 100 x 100 mm or 150 x 150 mm"}
    save(folder, "fc2_wrong", both(None, error))


def light_drawer(name: str) -> Any:
    return lambda folder: light(folder, name, *LIGHT[name])


def save(folder: Path, name: str, expected: dict[str, Any]) -> None:
    (folder / f"{name}.json").write_text(json.dumps(expected, indent=1))


DRAWERS = {"qc3": qc3, "qckv": qckv, "lv": lv, "lv_mirrored": lv_mirrored}
DRAWERS.update(leeds=leeds, leeds_mirrored=leeds_mirrored, lv_wrong=lv_wrong)
DRAWERS.update(snckv_turned=snckv_turned, dlkv_turned=dlkv_turned, dlmv_turned=dlmv_turned)
DRAWERS.update(
    qc3_wrong=qc3_wrong, lv_elekta=lv_elekta, leeds_blue=leeds_blue, sncmv_12510=sncmv_12510
)
DRAWERS.update(dlmv=dlmv, dlkv=dlkv, sncmv=sncmv, snckv=snckv, ptw=ptw, ptw_old=ptw_old)
DRAWERS.update(fc2_negative=fc2_negative, fc2_wrong=fc2_wrong)
DRAWERS.update({name: light_drawer(name) for name in LIGHT})
