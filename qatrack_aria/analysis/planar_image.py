"""Run pylinac on an image of a flat phantom, and read its numbers."""

from __future__ import annotations

import contextlib
import math
from typing import Any, Callable, Iterator

from qatrack_aria.analysis.common import single_image
from qatrack_aria.analysis.pictures import figures_of
from qatrack_aria.analysis.planar_phantoms import Phantom
from qatrack_aria.analysis.versions import is_new, pylinac_version

TOLERATED_RISE = 0.2  # of the relative MTF: noise and oblique bars cause smaller ones
AS_DETECTED, INVERTED = "as pylinac detects", "inverted"
KEEP = "as imaged"
ORIENTATIONS = {
    KEEP: (False, 0),
    "mirror left and right": (True, 0),
    "turn by 90 degrees to the left": (False, 1),
    "turn by 180 degrees": (False, 2),
    "turn by 90 degrees to the right": (False, 3),
}


def runner(phantom: Phantom) -> Callable[..., Any]:
    """Return what analyses an image of a phantom."""

    def run(images: Any, **arguments: Any) -> Any:
        """Find the phantom in the image and sample its regions."""
        path = single_image(images)
        kind = _class_of(phantom, arguments)
        analysed = _analyse(kind, path, arguments)
        correction = phantom.from_long_axis.get(pylinac_version())
        if correction is not None:
            angle = _angle_of_long_axis(analysed.phantom_ski_region) + correction
            analysed = _analyse(kind, path, arguments, angle_override=angle)
        phantom.check(analysed)
        if phantom.bars:
            _resolution(analysed, arguments)  # so that it fails here, not in a table of results
        return analysed

    return run


def _analyse(kind: type, path: Any, arguments: dict[str, Any], **overrides: float) -> Any:
    analysed: Any = kind(path)
    _turn(analysed.image, arguments.get("orientation", KEEP))
    with _edges_of_images():
        analysed.analyze(**_keywords(arguments), **overrides)
    return analysed


@contextlib.contextmanager
def _edges_of_images() -> Iterator[None]:
    """Let pylinac 2.5 find edges with scikit-image 0.19, which pip installs beside it.

    It gives that one its own image, which works like an array but has no ``copy``.
    """
    from pylinac.core.image import DicomImage

    if hasattr(DicomImage, "copy"):
        yield
        return
    DicomImage.copy = lambda image: image.array.copy()
    try:
        yield
    finally:
        del DicomImage.copy


def _angle_of_long_axis(region: Any) -> float:
    # scikit-image measures counterclockwise from the columns, pylinac clockwise from the rows.
    return float((90 - math.degrees(region.orientation)) % 180)


def _turn(image: Any, orientation: str) -> None:
    import numpy as np

    mirrored, quarters = ORIENTATIONS[orientation]
    if mirrored:
        image.array = np.fliplr(image.array)
    if quarters:
        image.array = np.rot90(image.array, quarters)


def _class_of(phantom: Phantom, arguments: dict[str, Any]) -> Any:
    from pylinac import planar_imaging

    models = phantom.models
    model = arguments.get("model", next(iter(models)))
    if model not in models:
        raise ValueError(f"Unknown model {model!r}: choose one of {', '.join(models)}.")
    name = models[model][is_new()]
    if not name:
        raise ValueError(f"This version of pylinac cannot analyse the model {model!r}.")
    found = getattr(planar_imaging, name)
    _forget_earlier_images(found)
    return found


def _forget_earlier_images(found: type) -> None:
    # pylinac 2.5 caches the phantoms' outlines per class, and with them up to 128 images for as
    # long as the process (the web server) lives.
    for kind in found.__mro__:
        for attribute in vars(kind).values():
            clear = getattr(getattr(attribute, "fget", None), "cache_clear", None)
            if clear:
                clear()


def _keywords(arguments: dict[str, Any]) -> dict[str, Any]:
    keywords: dict[str, Any] = {
        "low_contrast_threshold": float(arguments["contrast_threshold"]),
        "invert": arguments["polarity"] == INVERTED,
    }
    if is_new():
        keywords["visibility_threshold"] = float(arguments["visibility_threshold"])
        keywords["ssd"] = float(arguments["ssd"]) or "auto"
    return keywords


def measurer(phantom: Phantom) -> Callable[..., dict[str, Any]]:
    """Return what reads the numbers of an analysed image."""

    def measure(analysed: Any, **arguments: Any) -> dict[str, Any]:
        """Return the medians over the regions, the resolution and the position."""
        numbers = {**_contrasts(analysed), **_centre(analysed)}
        if phantom.angle:
            numbers["angle"] = _half_turn(float(analysed.phantom_angle))
        if phantom.bars:
            mtf = {float(key): float(value) for key, value in analysed.mtf.norm_mtfs.items()}
            numbers["resolution"] = _resolution(analysed, arguments)
            numbers["mtf"] = [[key, mtf[key]] for key in sorted(mtf)]
        return numbers

    return measure


def _contrasts(analysed: Any) -> dict[str, Any]:
    import numpy as np

    background = analysed.low_contrast_background_value
    regions = _regions(analysed)
    ratios = [abs(region.pixel_value - background) / region.std for region in regions]
    return {
        "contrast": float(np.median([region.contrast for region in regions])),
        "cnr": float(np.median(ratios)),
        "visible": sum(map(_is_visible, regions)),
        "contrasts": [float(region.contrast) for region in regions],
        "cnrs": [float(ratio) for ratio in ratios],
    }


def _regions(analysed: Any) -> list[Any]:
    # pylinac 2.5 lists the background of QC-3 among the regions too, where it has no contrast.
    backgrounds = {_place(region) for region in analysed.low_contrast_background_rois}
    return [region for region in analysed.low_contrast_rois if _place(region) not in backgrounds]


def _place(region: Any) -> tuple[float, float]:
    return (round(float(region.center.x), 3), round(float(region.center.y), 3))


def _is_visible(region: Any) -> bool:
    return bool(region.passed_visibility if is_new() else region.passed)


def _centre(analysed: Any) -> dict[str, float]:
    image, centre = analysed.image, analysed.phantom_center
    return {
        "centre_x": float(centre.x - (image.shape[1] / 2 - 0.5)) / image.dpmm,
        "centre_y": float(centre.y - (image.shape[0] / 2 - 0.5)) / image.dpmm,
    }


def _half_turn(angle: float) -> float:
    return (angle + 180) % 360 - 180


def _resolution(analysed: Any, arguments: dict[str, Any]) -> float:
    return resolution(analysed.mtf.norm_mtfs, float(arguments["percent"]))


def resolution(mtf: dict[float, float], percent: float) -> float:
    """Return the lowest frequency at which the relative MTF has fallen to so many percent.

    Where that was not measured, pylinac 2.5 extrapolates and 3.49 returns None; this raises
    ValueError.
    """
    points = sorted(mtf.items())
    _check_falling(points)
    wanted = percent / 100
    for (coarse, before), (fine, after) in zip(points, points[1:]):
        if before >= wanted > after:
            return float(coarse + (before - wanted) / (before - after) * (fine - coarse))
    raise ValueError(
        f"The relative MTF does not fall to {percent:g} % between {points[0][0]:g} and"
        f" {points[-1][0]:g} lp/mm (it ends at {100 * points[-1][1]:.0f} %): choose a higher"
        " percentage of the relative MTF."
    )


def _check_falling(points: list[tuple[float, float]]) -> None:
    for (coarse, before), (fine, after) in zip(points, points[1:]):
        if after > before + TOLERATED_RISE:
            raise ValueError(
                f"The relative MTF rises from {100 * before:.0f} % at {coarse:g} lp/mm to"
                f" {100 * after:.0f} % at {fine:g} lp/mm: pylinac did not find the bar patterns."
                " Check how the phantom lies, and that no edge of the field is in the image."
            )


def draw(analysed: Any) -> list[Any]:
    """Return pylinac's figure: the image with the regions, the contrast and the relative MTF."""
    return figures_of(analysed.plot_analyzed_image, (15, 5))
