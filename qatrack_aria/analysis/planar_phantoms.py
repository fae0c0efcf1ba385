"""The flat phantoms for the image quality of portal and kV imagers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable

from qatrack_aria.analysis.versions import BOTH, NEW


@dataclass(frozen=True)
class Phantom:
    """Describe what differs between the phantoms.

    Attributes
    ----------
    models : dict of str to tuple of str
        The class in pylinac 2.5 ("" if it has none) and in 3.49, by the name of the model.
    imager : str
        "MV", "kV" or "MV or kV".
    bars : bool
        Whether it has bar patterns, so that the relative MTF is measured.
    turns : bool
        Whether the site can have the image turned or mirrored before the analysis, because pylinac
        finds the phantom in one position only.
    angle : bool
        Whether pylinac measures its rotation (of the others it assumes a fixed rotation).
    from_long_axis : dict of str to float
        The versions of pylinac that take a clockwise rotation for a counterclockwise one and read
        the regions beside their places, and the angle from the phantom's long axis to its axis.
    check : callable
        Raises ValueError if the regions do not lie on the phantom's details.
    setup : str
        How it must lie for pylinac to find it.
    """

    slug: str
    prefix: str
    title: str
    models: dict[str, tuple[str, str]]
    imager: str
    setup: str
    bars: bool = True
    angle: bool = False
    turns: bool = False
    from_long_axis: dict[str, float] = field(default_factory=dict)
    check: Callable[[Any], None] = lambda analysed: None

    @property
    def pylinac(self) -> tuple[str, ...]:
        """Return the versions of pylinac that analyse this phantom."""
        return BOTH if any(old for old, _ in self.models.values()) else (NEW,)


def _check_las_vegas(analysed: Any) -> None:
    # Both versions of pylinac intend to recognise a mirrored phantom, but never do: they compare
    # the positions of two peaks that are already sorted by position.
    background = analysed.low_contrast_background_value
    signals = [abs(region.pixel_value - background) for region in analysed.low_contrast_rois]
    if max(signals[:3]) < 0.25 * max(signals):
        raise ValueError(
            "The three largest holes were not found on the right: turn or mirror the image with"
            " the constant 'Orientation'."
        )


STAND = "It lies in its stand, turned by 45 degrees, centred in the image and wholly in the field."

PHANTOMS = (
    Phantom(
        "qc3",
        "qc3",
        "QC-3 (Standard Imaging): MV image quality",
        {"QC-3": ("StandardImagingQC3", "StandardImagingQC3")},
        "MV",
        STAND,
    ),
    Phantom(
        "las_vegas",
        "lv",
        "Las Vegas: MV contrast",
        {"Varian": ("LasVegas", "LasVegas"), "Elekta": ("", "ElektaLasVegas")},
        "MV",
        "It is centred in the image, its sides are parallel to those of the image, the column of"
        " the largest holes is on the right and the deepest holes are at the top; otherwise set the"
        " orientation.",
        bars=False,
        turns=True,
        check=_check_las_vegas,
    ),
    Phantom(
        "leeds_tor",
        "leeds",
        "Leeds TOR 18: kV image quality",
        {"red ring": ("LeedsTOR", "LeedsTOR"), "blue ring": ("", "LeedsTORBlue")},
        "kV",
        "It is centred in the image; it may lie upside down and at any rotation.",
        angle=True,
    ),
    Phantom(
        "qckv",
        "qckv",
        "QC-kV (Standard Imaging): kV image quality",
        {"QC-kV": ("", "StandardImagingQCkV")},
        "kV",
        STAND,
    ),
    Phantom(
        "doselab_mv",
        "dlmv",
        "Doselab MC2: MV image quality",
        {"MC2": ("DoselabMC2MV", "DoselabMC2MV")},
        "MV",
        STAND,
        angle=True,
        from_long_axis={"2.5": -90},
    ),
    Phantom(
        "doselab_kv",
        "dlkv",
        "Doselab MC2: kV image quality",
        {"MC2": ("DoselabMC2kV", "DoselabMC2kV")},
        "kV",
        STAND,
        angle=True,
        from_long_axis={"2.5": -90},
    ),
    Phantom(
        "ptw_epid_qc",
        "ptw",
        "EPID QC (PTW): image quality",
        {
            "EPID QC": ("PTWEPIDQCDiagonal", "PTWEPIDQC"),
            "EPID QC with the horizontal fine bars": ("PTWEPIDQCHorizontal", ""),
            "EPID QC with the vertical fine bars": ("PTWEPIDQCVertical", ""),
        },
        "MV or kV",
        "It is centred in the image, its sides are parallel to those of the image, and the large"
        " bar patterns are at the top; otherwise set the orientation.",
        turns=True,
    ),
    Phantom(
        "snc_mv",
        "sncmv",
        "MV-QA (Sun Nuclear): MV image quality",
        {"MV-QA": ("", "SNCMV"), "MV-QA 1251000": ("", "SNCMV12510")},
        "MV",
        STAND,
    ),
    Phantom(
        "snc_kv",
        "snckv",
        "kV-QA (Sun Nuclear): kV image quality",
        {"kV-QA": ("", "SNCkV")},
        "kV",
        STAND,
        angle=True,
        from_long_axis={"3.49": 0},
    ),
)
