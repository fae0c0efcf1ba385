"""Run pylinac on a CT scan of an image quality phantom, and read its numbers."""

from __future__ import annotations

import math
from copy import copy
from typing import Any, Sequence

from qatrack_aria.analysis.cbct_phantoms import Phantom
from qatrack_aria.analysis.pictures import figures_of
from qatrack_aria.analysis.versions import is_new, pylinac_version

SINGLE = "single slice"
VISIBILITY = 13.3  # the default of pylinac 2.5: a CNR of 15, times the root of pi, by 2
MINIMUM = 39  # slices; pylinac refuses fewer


def check_slices(slices: Sequence[Any]) -> None:
    """Raise ValueError unless the images are slices that this version of pylinac can use.

    That they are one whole scan is known: :func:`qatrack_aria.fetch_series` sees to it.
    """
    others = sum(1 for one in slices if one is None)
    if others:
        raise ValueError(f"{others} of {len(slices)} images are not CT slices.")
    if len(slices) < MINIMUM:
        raise ValueError(f"Only {len(slices)} CT slices: pylinac needs at least {MINIMUM}.")
    heights, thickness = sorted(one.height for one in slices), slices[0].thickness or 0.0
    apart = (heights[-1] - heights[0]) / (len(heights) - 1)
    if not is_new() and abs(apart - thickness) > 0.02 * thickness:
        raise ValueError(
            f"The slices are {thickness:g} mm thick and {apart:g} mm apart: pylinac 2.5 finds the "
            "modules only if both are equal."
        )


def run_scan(phantom: Phantom, images: Any, **arguments: Any) -> Any:
    """Analyse a scan of the phantom and return pylinac's object."""
    check_slices([image.ref.slice for image in images])
    try:
        analysed = _analyse(phantom, images.path, arguments)
    except (ValueError, IndexError, TypeError) as error:
        raise ValueError(
            f"pylinac found no complete {phantom.name} in these {len(images)} slices: "
            f"{reason(error)}"
        ) from error
    check_analysed(phantom, analysed, len(images))
    return analysed


def reason(error: Exception) -> str:
    """Say what an error of pylinac means that says little itself."""
    if isinstance(error, IndexError):
        return "a module lies outside the scan, or its air inserts were not found."
    if isinstance(error, TypeError):
        return "no slice shows the phantom."
    return str(error)


def _analyse(phantom: Phantom, folder: str, arguments: dict[str, Any]) -> Any:
    import pylinac

    # pylinac 3 can read slices from the disk when it needs them: half the memory at 100 slices, an
    # eighth at 500, and no slower.
    options = {"memory_efficient_mode": True} if is_new() else {}
    analysed = getattr(pylinac, phantom.loader)(folder, **options)
    analysed.analyze(**arguments_for_pylinac(phantom, arguments))
    if not is_new():
        correct_ramps(analysed.ctp404, arguments.get("ramp_slices") == SINGLE)
        # Their caches would keep all slices in memory until the next scan is analysed.
        type(analysed).find_origin_slice.cache_clear()
        type(analysed).find_phantom_roll.cache_clear()
    return analysed


def arguments_for_pylinac(phantom: Phantom, arguments: dict[str, Any]) -> dict[str, Any]:
    """Translate the arguments into those of this version of pylinac."""
    names = ("hu_tolerance", "thickness_tolerance", "scaling_tolerance")
    known = {name: arguments[name] for name in names if name in arguments}
    if phantom.quart:
        return known
    threshold = arguments.get("visibility_threshold", VISIBILITY)
    method = arguments.get("contrast_method", "Difference")
    if is_new():
        single = arguments.get("ramp_slices") == SINGLE
        return {
            **known,
            "contrast_method": method,
            "visibility_threshold": threshold,
            "thickness_slice_straddle": 0 if single else "auto",
        }
    if method != "Difference":
        raise ValueError(f"pylinac 2.5 knows no contrast method {method}: set it to Difference.")
    # The same threshold: pylinac 2.5 multiplies by the diameter, pylinac 3 by the root of the area.
    return {**known, "cnr_threshold": threshold / (math.pi**0.5 / 2)}


def correct_ramps(module: Any, single: bool) -> None:
    """Let pylinac 2.5 find the ramps where they are, and in one slice if wanted.

    It exchanges rows and columns where it cuts out the ramps, which is right only if the middle of
    the phantom is as far from the left as from the top of the image, within 4 mm.
    """
    image = module.image if single else module.thickness_image
    module.pad = 0 if single else module.pad
    for name, roi in module.thickness_rois.items():
        module.thickness_rois[name] = copy(roi)
        module.thickness_rois[name]._array = image.array.T


def check_analysed(phantom: Phantom, analysed: Any, number: int) -> None:
    """Raise ValueError unless pylinac used all slices, and all modules lie within the scan."""
    if analysed.num_images != number:
        raise ValueError(f"pylinac used {analysed.num_images} of {number} slices.")
    if abs(analysed.catphan_roll) > 15:
        raise ValueError(
            f"pylinac calculates a roll of {analysed.catphan_roll:.0f} degrees: it took other "
            f"holes for the air inserts. Is it a {phantom.name}, scanned head first?"
        )
    for module in modules(phantom, analysed):
        # A negative index would silently count from the other end of the scan.
        reach = module.num_slices + getattr(module, "pad", 0)
        if not reach <= module.slice_num < number - reach:
            raise ValueError(
                f"The module '{module.common_name}' of the {phantom.name} lies outside the scan "
                f"(slice {module.slice_num + 1} of {number}): scan the whole phantom."
            )
    if not phantom.quart:
        relative_mtf(analysed)


def modules(phantom: Phantom, analysed: Any) -> list[Any]:
    """Return the modules that pylinac analysed: HU first, uniformity second."""
    if phantom.quart:
        return [analysed.hu_module, analysed.uniformity_module, analysed.geometry_module]
    names = ("ctp404", "ctp486", "ctp528", "ctp515")
    return [getattr(analysed, name) for name in names if hasattr(analysed, name)]


# --- The numbers ---


def measure_scan(phantom: Phantom, analysed: Any, **arguments: Any) -> dict[str, Any]:
    """Return the numbers of an analysed scan."""
    hu, uniformity = modules(phantom, analysed)[:2]
    results: dict[str, Any] = {
        **measure_inserts(phantom, hu),
        **measure_uniformity(uniformity),
        "thickness": float(hu.meas_slice_thickness),
        "roll": float(analysed.catphan_roll),
        "slices": int(analysed.num_images),
    }
    if phantom.quart:
        return {**results, **measure_quart(analysed)}
    results.update(measure_lines(hu), **measure_mtf(relative_mtf(analysed)))
    if low_contrast_measured(phantom):
        results.update(measure_low_contrast(analysed.ctp515))
    return results


def measure_inserts(phantom: Phantom, module: Any) -> dict[str, float]:
    """Return the HU of every insert."""
    missing = [insert.name for insert in phantom.inserts if insert.region not in module.rois]
    if missing:
        # pylinac drops the water vial where it does not measure -50 to 50 HU.
        raise ValueError(f"pylinac found no {', '.join(missing)} insert in the {phantom.name}.")
    return {f"hu_{one.key}": float(module.rois[one.region].pixel_value) for one in phantom.inserts}


def measure_uniformity(module: Any) -> dict[str, float]:
    """Return the numbers of the uniformity module."""
    centre = module.rois["Center"]
    differences = [float(roi.pixel_value - centre.pixel_value) for roi in module.rois.values()]
    return {
        "uniformity_index": float(module.uniformity_index),
        "uniformity_worst": max(differences, key=abs),
        "integral_non_uniformity": float(module.integral_non_uniformity),
        "noise": float(centre.std),
    }


def measure_lines(module: Any) -> dict[str, Any]:
    """Return the distances of the geometry holes of a CatPhan."""
    lengths = {name: float(line.length_mm) for name, line in module.lines.items()}
    return {
        "line_average": sum(lengths.values()) / len(lengths),
        "line_worst": max(lengths.values(), key=lambda length: abs(length - 50)),
        "lines": lengths,
    }


def relative_mtf(analysed: Any) -> dict[float, float]:
    """Return the relative MTF by frequency; pylinac calculates it once."""
    try:
        return dict(analysed.ctp528.mtf.norm_mtfs)
    except ValueError as error:
        raise ValueError(
            "pylinac resolved fewer than two of the bar patterns: is the spatial resolution module "
            f"where it expects it, slice {analysed.ctp528.slice_num + 1}?"
        ) from error


def measure_mtf(curve: dict[float, float], level: float = 0.5) -> dict[str, Any]:
    """Return where the relative MTF falls to a level, or the finest pattern if it does not.

    The versions of pylinac differ outside the measured patterns: 2.5 extrapolates, 3.49 has no
    result. Between two patterns both interpolate as is done here.
    """
    points = sorted((float(frequency), float(value)) for frequency, value in curve.items())
    for (f0, m0), (f1, m1) in zip(points, points[1:]):
        if m1 <= level <= m0:
            frequency = f0 + (m0 - level) / (m0 - m1) * (f1 - f0) if m0 > m1 else f0
            return {"mtf50": frequency, "mtf_reached": True, "mtf": points}
    return {"mtf50": points[-1][0], "mtf_reached": False, "mtf": points}


def low_contrast_measured(phantom: Phantom) -> bool:
    """Return whether this version of pylinac measures the low-contrast disks of the phantom."""
    return pylinac_version() in phantom.low_contrast


def measure_low_contrast(module: Any) -> dict[str, Any]:
    """Return the number of disks seen, and the contrast-to-noise ratio of the largest."""
    disk = module.rois["15"]
    background = disk.contrast_reference if is_new() else disk.background
    return {
        "low_contrast_seen": int(module.rois_visible),
        "low_contrast_cnr": float((disk.pixel_value - background) / disk.std),
    }


def measure_quart(analysed: Any) -> dict[str, float]:
    """Return the size of a QuART DVT, the sharpness of its edge, and its CNR."""
    profiles = analysed.geometry_module.profiles
    return {
        "width": float(profiles["horizontal"]["width (mm)"]),
        "height": float(profiles["vertical"]["width (mm)"]),
        "edge": float(analysed.geometry_module.mean_high_contrast_resolution()),
        "cnr": float(analysed.hu_module.contrast_to_noise),
    }


# --- The picture ---


def draw_scan(analysed: Any) -> list[Any]:
    """Return pylinac's picture of the analysed modules."""
    return figures_of(analysed.plot_analyzed_image, (16, 8))
