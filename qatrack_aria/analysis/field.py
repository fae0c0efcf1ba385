"""Analyse open fields: flatness, symmetry, size, and centre."""

from __future__ import annotations

from typing import Any, Sequence

from qatrack_aria.analysis.common import largest, require_one_energy
from qatrack_aria.analysis.model import Analysis, Number
from qatrack_aria.analysis.pictures import figures_of
from qatrack_aria.analysis.versions import is_new

#: Profiles are averaged over this part of the image, so that noise in one line of pixels does not
#: make the maximum and minimum of the flatness. On an aS1200 at 150 cm it is 6 mm.
WIDTH = 0.02
#: Fields that differ by more than this (mm) are not repetitions of one field.
SAME_SIZE = 5.0


def run(images: Sequence[Any], **_: Any) -> list[Any]:
    """Analyse the image, or each of several of the same field.

    Raises
    ------
    ValueError
        There is no image, the energies or the sizes of the fields differ, or the edges of a field
        are not in its image.
    """
    if not images:
        raise ValueError("There is no image to analyse.")
    energy = require_one_energy(images)
    analysed = [_analysed(image) for image in images]
    for field, image in zip(analysed, images):
        field.energy, field.gantry = energy, image.gantry
    _require_same_size([_one(field) for field in analysed])
    return analysed


def _analysed(image: str) -> Any:
    """Analyse one image, with the same meaning of all settings in both versions of pylinac."""
    field = _load(image)
    _turn_right_way(field.image)
    if is_new():
        field.analyze(vert_width=WIDTH, horiz_width=WIDTH)
    else:
        field.analyze("varian", "varian", vert_width=WIDTH, horiz_width=WIDTH)
    return field


def _load(image: str) -> Any:
    if is_new():
        from pylinac import FieldAnalysis

        return FieldAnalysis(str(image))
    from pylinac import FlatSym

    return FlatSym(str(image))


def _turn_right_way(image: Any) -> None:
    """Make more dose a higher value, and no dose zero.

    pylinac decides by the histogram, and takes a field of more than half of the image for its
    surroundings.
    """
    import numpy as np

    array = image.array.astype(float)
    rows, columns = array.shape
    middle = array[rows // 2 - rows // 20 : rows // 2 + rows // 20,
                   columns // 2 - columns // 20 : columns // 2 + columns // 20].mean()  # fmt: skip
    border = np.concatenate((array[:5].ravel(), array[-5:].ravel(),
                             array[:, :5].ravel(), array[:, -5:].ravel()))  # fmt: skip
    if np.percentile(np.abs(border - middle), 5) < 0.5 * np.percentile(np.abs(array - middle), 99):
        raise ValueError("The edges of the field are not all in the image: use a smaller field.")
    if middle < np.median(border):
        array = -array
    # FlatSym divides by the raw value: an offset that inverting leaves would shrink its results
    image.array = array - np.percentile(array, 0.5)


def _require_same_size(fields: Sequence[dict[str, float]]) -> None:
    for axis in ("size_x", "size_y"):
        sizes = [field[axis] for field in fields]
        if max(sizes) - min(sizes) > SAME_SIZE:
            listed = ", ".join(
                f"{field['size_x']:.0f} x {field['size_y']:.0f} mm" for field in fields
            )
            raise ValueError(f"The fields differ in size ({listed}): analyse one size at a time.")


def measure(analysed: Sequence[Any], **_: Any) -> dict[str, Any]:
    """Return the numbers of the field; of several images the worst, or the mean of the sizes."""
    fields = [_one(field) for field in analysed]
    numbers = {key: largest([field[key] for field in fields]) for key in fields[0]}
    for key in ("size_x", "size_y"):
        numbers[key] = sum(field[key] for field in fields) / len(fields)
    return {
        **numbers,
        "energy": float(analysed[0].energy),
        "fields": [dict(one, gantry=field.gantry) for one, field in zip(fields, analysed)],
    }


def _one(field: Any) -> dict[str, float]:
    """Return the numbers of one image.

    x is horizontal in the image, which is crossplane with the collimator at 0; y is vertical.
    """
    return _from_field_analysis(field) if is_new() else _from_flatsym(field)


def _from_field_analysis(field: Any) -> dict[str, float]:
    data = field.results_data()
    protocol = data.protocol_results
    return {
        "flatness_x": float(protocol["flatness_horizontal"]),
        "flatness_y": float(protocol["flatness_vertical"]),
        "symmetry_x": float(protocol["symmetry_horizontal"]),
        "symmetry_y": float(protocol["symmetry_vertical"]),
        "size_x": float(data.field_size_horizontal_mm),
        "size_y": float(data.field_size_vertical_mm),
        "centre_x": float(data.cax_to_right_mm - data.cax_to_left_mm) / 2,
        "centre_y": float(data.cax_to_top_mm - data.cax_to_bottom_mm) / 2,
    }


def _from_flatsym(field: Any) -> dict[str, float]:
    numbers = {}
    middle = {"x": field.image.center.x, "y": field.image.center.y}
    for axis, name, towards in (("x", "horizontal", 1), ("y", "vertical", -1)):
        profile = field.symmetry[name]["profile"]
        low, high = profile.field_edges(field_width=1.0, interpolate=True)
        numbers[f"flatness_{axis}"] = float(field.flatness[name]["value"])
        numbers[f"symmetry_{axis}"] = _with_sign(field.symmetry[name]["value"], profile)
        numbers[f"size_{axis}"] = float(profile.fwxm() / field.image.dpmm)
        offset = (low + high) / 2 - middle[axis]
        numbers[f"centre_{axis}"] = float(towards * offset / field.image.dpmm)
    return numbers


def _with_sign(symmetry: float, profile: Any) -> float:
    """Give the symmetry its sign, which pylinac 2.5 drops: positive if left or top is higher."""
    import numpy as np

    values = profile.field_values(field_width=0.8)
    differences = (values - values[::-1])[: len(values) // 2]
    return float(symmetry * np.sign(differences[np.argmax(np.abs(differences))]))


def draw(analysed: Sequence[Any]) -> list[Any]:
    """Return pylinac's picture of each image, with its profiles."""
    figures = [figure for field in analysed for figure in figures_of(field.plot_analyzed_image)]
    for figure in figures:
        figure.set_size_inches(11, 8)
    return figures


def _along(key: str, name: str, axis: str, text: str, unit: str, proposal: str = "") -> Number:
    plane = {
        "x": "crossplane (horizontal in the image)",
        "y": "inplane (vertical in the image)",
    }[axis]
    short = plane.split(" (")[0]
    return Number(f"{key}_{axis}", f"{name}, {short}", f"{text} Along the {plane}.", unit,
                  proposal=proposal)  # fmt: skip


FLATNESS = (
    "Maximum minus minimum over their sum, within the central 80 % of the field. Of several images "
    "the largest."
)
SYMMETRY_X = (
    "Largest difference of two points at equal distances from the field's centre, in percent of "
    "the dose there, within the central 80 % of the field. Positive: the left side of the image "
    "(X1 at collimator 0) is higher. Of several images the largest, with its sign."
)
SYMMETRY_Y = SYMMETRY_X.replace(
    "the left side of the image (X1 at collimator 0)", "the side of the gantry (top of the image)"
)
SIZE = (
    "Distance of the field's edges, at the isocentre: of the profile's steepest points with "
    "pylinac 3, of half its maximum with pylinac 2.5. Of several images the mean."
)
CENTRE = (
    "Offset of the middle between the field's edges from the middle of the image, at the "
    "isocentre; the imager's own offset is part of it. Positive: {}. Of several images the "
    "largest, with its sign."
)
ANNUAL_FLATNESS = "TG-142, table III, annual: 1 % from baseline"
ANNUAL_SYMMETRY = "TG-142, table III, annual: 1 % from baseline"

FIELD = Analysis(
    "field",
    "field",
    "Field analysis",
    "Measures flatness, symmetry, size, and centre of an open field on the imager, as Varian "
    "defines flatness and symmetry. All images must be of one energy: use a test list for each. "
    "The imager's own flood-field correction hides part of the beam's horns, so that flatness and "
    "symmetry are numbers to compare with a baseline.",
    numbers=(
        _along("flatness", "Flatness", "x", FLATNESS, "%", ANNUAL_FLATNESS),
        _along("flatness", "Flatness", "y", FLATNESS, "%", ANNUAL_FLATNESS),
        _along("symmetry", "Symmetry", "x", SYMMETRY_X, "%", ANNUAL_SYMMETRY),
        _along("symmetry", "Symmetry", "y", SYMMETRY_Y, "%", ANNUAL_SYMMETRY),
        _along("size", "Field size", "x", SIZE, "mm"),
        _along("size", "Field size", "y", SIZE, "mm"),
        _along("centre", "Field centre", "x", CENTRE.format("to the right"), "mm"),
        _along("centre", "Field centre", "y", CENTRE.format("towards the gantry"), "mm"),
        Number(
            "energy",
            "Energy",
            "Nominal energy of the images, as their headers say. Give it a reference, so that "
            "images of another energy fail.",
            "MV",
            "%g",
        ),
    ),
    expected=1,
    expected_for="one image of an open field",
    run=run,
    measure=measure,
    draw=draw,
)
