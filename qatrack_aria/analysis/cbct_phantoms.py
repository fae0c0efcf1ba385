"""The image quality phantoms for CT: CatPhan and QuART DVT."""

from __future__ import annotations

from dataclasses import dataclass

from qatrack_aria.analysis.versions import BOTH, NEW


@dataclass(frozen=True)
class Insert:
    """Describe an insert: the number's key, its name, pylinac's name, and its nominal HU."""

    key: str
    name: str
    region: str
    nominal: float


@dataclass(frozen=True)
class Phantom:
    """Describe a phantom: its names, its class in pylinac, and what it contains."""

    slug: str
    prefix: str
    name: str
    loader: str
    inserts: tuple[Insert, ...]
    expected: int
    pylinac: tuple[str, ...] = BOTH
    low_contrast: tuple[str, ...] = ()  # versions of pylinac that measure the disks
    quart: bool = False


PLASTICS = (
    Insert("air", "air", "Air", -1000),
    Insert("pmp", "PMP", "PMP", -196),
    Insert("ldpe", "LDPE", "LDPE", -104),
    Insert("poly", "polystyrene", "Poly", -47),
    Insert("acrylic", "acrylic", "Acrylic", 115),
    Insert("delrin", "Delrin", "Delrin", 365),
    Insert("teflon", "Teflon", "Teflon", 1000),
)
BONES = (
    Insert("bone20", "20 % bone", "20% Bone", 237),
    Insert("bone50", "50 % bone", "50% Bone", 725),
)
QUART_INSERTS = (
    Insert("air", "air", "Air", -1000),
    Insert("poly", "polystyrene", "Poly", -35),
    Insert("acrylic", "acrylic (the body)", "Acrylic", 120),
    Insert("teflon", "Teflon", "Teflon", 990),
)
WATER = Insert("water", "water", "Water", 0)
PHANTOMS = (
    Phantom("catphan_504", "cat504", "CatPhan 504", "CatPhan504", PLASTICS, 88, BOTH, BOTH),
    Phantom("catphan_604", "cat604", "CatPhan 604", "CatPhan604", PLASTICS + BONES, 88, BOTH, BOTH),
    # In a CatPhan 600 the disks lie opposite to where pylinac 2.5 measures
    # (https://github.com/jrkerns/pylinac/issues/317).
    Phantom("catphan_600", "cat600", "CatPhan 600", "CatPhan600", PLASTICS, 110, BOTH, (NEW,)),
    Phantom("catphan_503", "cat503", "CatPhan 503", "CatPhan503", PLASTICS, 88, BOTH),
    Phantom("quart_dvt", "quart", "QuART DVT", "QuartDVT", QUART_INSERTS, 80, (NEW,), quart=True),
    Phantom(
        "quart_dvt_water",
        "quartw",
        "QuART DVT with a water vial (HyperSight)",
        "QuartDVT",
        (*QUART_INSERTS, WATER),
        80,
        (NEW,),
        quart=True,
    ),
)
