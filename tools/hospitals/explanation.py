"""Show what a hospital holds of a request's plan, and what of it came."""

from __future__ import annotations

from typing import Any, Iterable

from pydicom.dataset import Dataset

from tools.hospitals.judge import Request
from tools.hospitals.reading import Picture, read, same


def table(datasets: Iterable[Dataset], request: Request, came: Any) -> str:
    """Return a line for each plan of the patient, and for each image of the named ones.

    Parameters
    ----------
    datasets : iterable of pydicom.dataset.Dataset
        The hospital.
    request : Request
        The request.
    came : list of str, or str
        The UIDs of the images that came, which are marked, or an error.
    """
    plans, images = read(datasets)
    plans = [plan for plan in plans if plan.patient == same(request.patient)]
    named = {p.uid for p in plans if request.plan == p.uid or same(request.plan) == p.label}
    mine = sorted((i for i in images if i.plans & named), key=lambda image: str(image.moment))
    lines = [
        f"{'* ' if p.uid in named else '  '}plan {p.label!r} {p.course} {p.uid}" for p in plans
    ]
    return "\n".join([str(came), *lines, *(_line(image, came, named) for image in mine)])


def _line(image: Picture, came: Any, named: set[str]) -> str:
    beam = {True: "kV", False: "MV", None: "kV or MV"}[image.is_kv]
    plans = ",".join(f"…{uid[-6:]}" for uid in sorted(image.plans & named))
    return (
        f"{'* ' if image.uid in came else '  '}…{image.uid[-6:]} {image.moment or image.day} {beam}"
        f" {image.machine} {'/'.join(image.image_type[2:])} series …{image.series[-6:]} of {plans}"
    )
