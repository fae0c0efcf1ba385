"""Name the phantoms for MV images: what is analysed, and what draws it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Callable

from tests.helpers.phantoms import fields
from tests.helpers.phantoms import leaves_and_balls as balls


def _named() -> dict[str, Any]:
    millennium, hd = {"mlc": "Millennium"}, {"mlc": "HD Millennium"}
    return {
        "drgs": ("drgs", {}, fields.drgs),
        "drgs_inverted": ("drgs", {}, lambda f: fields.drgs(f, inverted=True)),
        "drgs_fff": ("drgs", {}, lambda f: fields.drgs(f, unflattened=True)),
        "drmlc": ("drmlc", {}, fields.drmlc),
        "drcs": ("drcs", {}, fields.drcs),
        "drcs_other_way": ("drcs", {}, lambda f: fields.drcs(f, turned=-0.8)),
        "field": ("field", {}, fields.field),
        "field_inverted": ("field", {}, lambda f: fields.field(f, inverted=True)),
        "field_other_way": ("field", {}, lambda f: fields.field(
            f, tilt=(-0.015, 0.02), centre=(-1.2, 0.9), size=(150, 120), energy=10)),
        "field_large": ("field", {}, lambda f: fields.field(f, size=(220, 180))),
        "starc": ("starshot_collimator", {}, fields.star),
        "starc_moved": ("starshot_collimator", {}, lambda f: fields.star(
            f, translation=(3.0, -2.0), inverted=True)),
        "starg": ("starshot_gantry", {}, fields.film),
        "starp_inverted": ("starshot_couch", {}, lambda f: fields.film(
            f, diameter=1.2, centre=(0.8, -0.3), inverted=True)),
        "pf": ("picket_fence", millennium, balls.picket_fence),
        "pf_inverted": ("picket_fence", {}, lambda f: balls.picket_fence(f, inverted=True)),
        "pf_hd_90": ("picket_fence", hd, balls.picket_fence_hd),
        "pf_hd_270": ("picket_fence", hd, lambda f: balls.picket_fence_hd(f, collimator=270)),
        "wl": ("winston_lutz", {}, balls.winston_lutz),
        "wl_other_way": ("winston_lutz", {}, lambda f: balls.winston_lutz(
            f, ball=(-0.5, 0.7, -0.9), inverted=True)),
        "wl_wobble": ("winston_lutz", {}, lambda f: balls.winston_lutz(
            f, ball=(0, 0, 0), wobble=0.5)),
        "wlm": ("winston_lutz_targets", {}, balls.winston_lutz_targets),
        "wlm_turned": ("winston_lutz_targets", {}, lambda f: balls.winston_lutz_targets(
            f, moved=(0, 0, 0), turned=(0.5, 0.4, -0.6))),
    }  # fmt: skip


def _refused() -> dict[str, Any]:
    """Sets of images that an analysis must refuse."""
    centres, flat = (-45, -15, 15, 45), (1, 1, 1, 1)

    def twice(write: Callable[..., Any], folder: Path, kept: str, **second: Any) -> None:
        """Write a set twice, and keep only the images of one name."""
        for place, options in (("first", {}), ("second", second)):
            write(folder / place, **options)
            (folder / place / f"{kept}.dcm").rename(folder / f"{place}.dcm")
            shutil.rmtree(folder / place)

    def drmlc(folder: Path, **options: Any) -> None:
        fields.strips(folder, centres, flat, **options)

    def turned_slits(folder: Path) -> None:
        fields.star(folder, gantry=0)
        fields.star(folder / "other", gantry=90)
        (folder / "other" / "slit3.dcm").replace(folder / "slit3.dcm")
        shutil.rmtree(folder / "other")

    def same_slits(folder: Path) -> None:
        fields.star(folder, collimator=30)

    def without_ball(folder: Path) -> None:
        balls.winston_lutz(folder, positions=p_positions[:2], diameter=0.1)

    mlc = {"mlc": "Millennium"}
    p_positions = ((0, 0, 0), (90, 0, 0))
    return {
        "no_drmlc_two_open": ("drmlc", {}, lambda f: twice(drmlc, f, "b")),
        "no_drmlc_two_dmlc": ("drmlc", {}, lambda f: twice(drmlc, f, "a")),
        "no_drmlc_one": ("drmlc", {}, lambda f: (drmlc(f), (f / "a.dcm").unlink())),
        "no_drgs_energies": ("drmlc", {}, lambda f: (
            drmlc(f), (f / "b.dcm").unlink(), drmlc(f / "x", energy=10),
            (f / "x" / "b.dcm").rename(f / "b.dcm"), shutil.rmtree(f / "x"))),
        "no_field_sizes": ("field", {}, lambda f: twice(fields.field, f, "field", size=(50, 50))),
        "no_field_energies": ("field", {}, lambda f: twice(fields.field, f, "field", energy=15)),
        "no_field_too_large": ("field", {}, lambda f: fields.field(f, size=(300, 300))),
        "no_starg_slits": ("starshot_gantry", {}, fields.star),
        "no_starc_turned": ("starshot_collimator", {}, turned_slits),
        "no_starc_same": ("starshot_collimator", {}, same_slits),
        "no_starc_large": ("starshot_collimator", {}, lambda f: fields.star(f, diameter=5.0)),
        "no_starc_field": ("starshot_collimator", {}, fields.field),
        "no_pf_open": ("picket_fence", mlc, fields.field),
        "no_pf_strips": ("picket_fence", mlc, lambda f: (fields.drgs(f), (f / "b.dcm").unlink())),
        "no_wl_one": ("winston_lutz", {}, lambda f: balls.winston_lutz(
            f, positions=p_positions[:1])),
        "no_wl_ball": ("winston_lutz", {}, without_ball),
    }  # fmt: skip


#: By the name of the phantom: the analysis, its arguments, and what draws it.
CASES = _named()
REFUSED = _refused()
