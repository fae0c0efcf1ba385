"""What a node lists of images, in JSON's types: about 130 bytes an image."""

from __future__ import annotations

import datetime as dt
from typing import Any, Callable, Iterable

from qatrack_aria.dicom.attributes import ImageRef, parse_moment

#: The fields that many images share, and are written once.
_SHARED = (
    "patient_id",
    "study_uid",
    "series_uid",
    "modality",
    "image_type",
    "plan_uids",
    "machines",
    "dose_unit",
)
_SEQUENCES: dict[str, Callable[[Any], Any]] = {
    "image_type": tuple,
    "plan_uids": frozenset,
    "machines": frozenset,
}


def to_note(images: Iterable[ImageRef]) -> dict[str, Any]:
    """Return answers in JSON's types."""
    shared: dict[tuple[Any, ...], int] = {}
    rows = []
    for image in images:
        values = tuple(_plain(getattr(image, name)) for name in _SHARED)
        at, day = image.acquired, image.acquired_on
        rows.append(
            [
                shared.setdefault(values, len(shared)),
                image.sop_uid,
                at.isoformat() if at else None,
                day.isoformat() if day else None,
            ]
        )
    return {"shared": list(shared), "images": rows}


def from_note(note: dict[str, Any]) -> list[ImageRef]:
    """Rebuild answers from :func:`to_note`."""
    shared = [_fields(values) for values in note["shared"]]
    return [
        ImageRef(
            sop_uid=uid,
            acquired=parse_moment(at),
            acquired_on=dt.date.fromisoformat(day) if day else None,
            **shared[number],
        )
        for number, uid, at, day in note["images"]
    ]


def _plain(value: Any) -> Any:
    return tuple(sorted(value)) if isinstance(value, frozenset) else value


def _fields(values: list[Any]) -> dict[str, Any]:
    fields = dict(zip(_SHARED, values))
    for name, kind in _SEQUENCES.items():
        fields[name] = None if fields[name] is None else kind(fields[name])
    return fields
