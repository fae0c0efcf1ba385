"""Check what a person requests, before anything is sent."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Mapping

from qatrack_aria.dicom.uids import CT, RTIMAGE, valid_uid
from qatrack_aria.errors import RequestError
from qatrack_aria.retrieval.option_values import FIRST_YEAR, parse_image_type, parse_text
from qatrack_aria.retrieval.options import OF_SERIES, OPTIONS, SERIES_OPTIONS, parse_options
from qatrack_aria.text import short_repr

MAX_AGE = 3600.0  # s: an older answer may not hold the newest images


@dataclass(frozen=True)
class Request:
    """One checked request for images.

    Attributes
    ----------
    patient_id : str
        Patient ID, exactly.
    plan : str or None
        RT Plan Label, or the SOP Instance UID of an RT Plan; ``None`` for images of no plan.
    image_type : tuple of str
        Image Type (0008,0008) that each image must have, as its values; empty for any.
    date : datetime.date, optional
        The day of acquisition; without it the newest.
    count : int or (int, int), optional
        The least number of images, or the least and the most; any other is an error.
    machine : str, optional
        Radiation Machine Name (or Station Name) that each image must have.
    course : str, optional
        The course (Study ID) of the plan.
    beam : tuple of (str or int), optional
        Names or numbers of beams of the plan; each image must be of one of them.
    energy : str, optional
        Energy that each image must have: ``"6"``, ``"6X"`` (flattened) or ``"6X-FFF"``.
    select : {"session", "series", "day", "all"}, optional
        The newest session, the newest series, all of its day, or all images. ``None``: the newest
        session, if it is the newest series too.
    series : str, optional
        Series Instance UID that each image must have.
    kv : bool or "only"
        Whether kV images are included, or only kV images.
    unfinished : bool
        Whether a session that may still be under way is accepted.
    until : datetime.datetime, optional
        Only images acquired up to this moment, by the clock of the imager.
    modality : {"RTIMAGE", "CT"}
        Modality of the images.
    planned_for : str, optional
        Label or UID of an RT Plan, whose planning CT is asked for.
    registered : bool
        Whether scans that a registration relates to that plan are asked for, too.
    frames : frozenset of str, optional
        Frame of Reference UIDs of that plan's CT, once they are known.
    description, protocol, label : str, optional
        Series Description, Protocol Name and RT Image Label, with ``*`` for any letters.
    """

    patient_id: str
    plan: str | None
    image_type: tuple[str, ...]
    date: dt.date | None = None
    count: int | tuple[int, int] | None = None
    machine: str | None = None
    course: str | None = None
    beam: tuple[str | int, ...] | None = None
    energy: str | None = None
    series: str | None = None
    select: str | None = None
    kv: bool | str = False
    unfinished: bool = False
    until: dt.datetime | None = None
    modality: str = RTIMAGE
    planned_for: str | None = None
    registered: bool = False
    frames: frozenset[str] | None = None
    description: str | None = None
    protocol: str | None = None
    label: str | None = None

    @classmethod
    def parse(
        cls,
        patient_id: Any,
        plan: Any,
        image_type: Any = "portal",
        *,
        until: Any = None,
        **options: Any,
    ) -> Request:
        """Check a request and convert its values.

        Parameters
        ----------
        patient_id, plan, image_type : Any
            As a person gave them.
        until : datetime.datetime, optional
            The end of the session, without time zone.
        **options : Any
            Those of :data:`~qatrack_aria.retrieval.options.OPTIONS`.

        Raises
        ------
        RequestError
            A value is invalid; the message names it.
        TypeError
            An option is unknown.
        """
        named = parse_patient_id(patient_id), parse_text("plan label", plan)
        values = parse_options(OPTIONS, options)
        return cls(*named, parse_image_type(image_type), until=_until(until), **values)

    @classmethod
    def parse_series(
        cls,
        patient_id: Any,
        modality: Any = CT,
        image_type: Any = None,
        *,
        until: Any = None,
        **options: Any,
    ) -> Request:
        """Check a request for a series of a patient, which refers to no plan.

        Parameters
        ----------
        patient_id, modality, image_type : Any
            As a person gave them; any image type of CT by default, and of RT Images ``"portal"``.
        until : datetime.datetime, optional
            The end of the session, without time zone.
        **options : Any
            Those of :data:`~qatrack_aria.retrieval.options.SERIES_OPTIONS`.

        Raises
        ------
        RequestError, TypeError
            As :meth:`parse`.
        """
        if modality not in (CT, RTIMAGE):
            raise RequestError(
                f"The modality {short_repr(modality)} is not known: give 'CT' or 'RTIMAGE'. "
                "Nothing was sent."
            )
        values = parse_options(SERIES_OPTIONS, options)
        if modality == RTIMAGE and not (values["machine"] or values["label"]):
            raise RequestError(
                "RT Images of no plan need a machine or a label: give machine= or label=. Nothing "
                "was sent."
            )
        if modality == CT:
            values.update(kv=True, select="series")
        elif image_type is None:
            image_type = "portal"
        kind = () if image_type is None else parse_image_type(image_type)
        named = parse_patient_id(patient_id), None, kind
        return cls(*named, modality=modality, until=_until(until), **values)

    @property
    def names_plan_uid(self) -> bool:
        """Whether ``plan`` can only be a SOP Instance UID: a label has 16 characters at most."""
        return self.plan is not None and len(self.plan) > 16 and valid_uid(self.plan)

    @property
    def subject(self) -> str:
        """What is asked for, for a message: the plan, or the series."""
        if self.plan is not None:
            return f"plan '{self.plan}'"
        named = self.description or self.protocol or self.label or self.machine
        what = "CT images" if self.modality == CT else "RT Images of no plan"
        return f"{what} '{named}'" if named else what

    @property
    def reads_plan(self) -> bool:
        """Whether only the plan tells which images match."""
        return self.beam is not None or (self.energy is not None and not self.energy.isdecimal())

    @property
    def least(self) -> int:
        """The least number of images."""
        return (self.count[0] if isinstance(self.count, tuple) else self.count) or 1

    @property
    def most(self) -> int | None:
        """The greatest number of images, if there is a limit."""
        return self.count[1] if isinstance(self.count, tuple) else None

    def settles(self, number: int) -> bool:
        """Return whether a set of so many images is exactly what `count` says."""
        if self.count is None:
            return False
        return self.least <= number <= (self.least if self.most is None else self.most)

    @property
    def as_dict(self) -> Mapping[str, Any]:
        """The request in JSON's types, without the options that are not set."""
        written = {
            "patient_id": self.patient_id,
            "plan": self.plan,
            "image_type": "\\".join(self.image_type) or None,
            "modality": None if self.modality == RTIMAGE and self.plan else self.modality,
            **{o.name: o.write(getattr(self, o.name)) for o in (*OPTIONS, *OF_SERIES)},
            "until": self.until.isoformat() if self.until else None,
        }
        return {key: value for key, value in written.items() if value is not None}


def parse_patient_id(value: Any) -> str:
    """Return a valid patient ID; raises :class:`RequestError`."""
    return parse_text("patient ID", value)


def parse_deadline(value: Any) -> float | None:
    """Return a deadline in seconds, or ``None`` for the node's own.

    Raises
    ------
    RequestError
        It is not a number of seconds up to an hour.
    """
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 3600:
        return float(value)
    raise RequestError(
        f"The deadline {short_repr(value)} is not a valid time: give seconds, more than 0 and at "
        "most 3600. Nothing was sent."
    )


def parse_max_age(value: Any) -> float:
    """Return the age in seconds that an earlier answer may have.

    Raises
    ------
    RequestError
        It is not a number of seconds up to an hour.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= MAX_AGE:
        return float(value)
    raise RequestError(
        f"max_age={short_repr(value)} is not a valid time: give seconds, from 0 (always query the "
        f"node) to {MAX_AGE:g}. Nothing was sent."
    )


def _until(value: Any) -> dt.datetime | None:
    if value is None:
        return None
    if isinstance(value, dt.datetime) and value.tzinfo is None and value.year >= FIRST_YEAR:
        return value
    raise RequestError(
        f"The session was completed at {short_repr(value)}, which is not a date and time, so it "
        "is unknown which images were the newest then: open the test list again. Nothing was sent."
    )
