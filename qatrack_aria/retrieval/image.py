"""One image of a set: the path of its file, which knows how the image was acquired."""

from __future__ import annotations

import datetime as dt
from typing import Any

from qatrack_aria.dicom.acquisition import Acquisition, Jaws
from qatrack_aria.dicom.attributes import ImageRef
from qatrack_aria.dicom.rt_plan import Beam
from qatrack_aria.retrieval.beams import energy_of
from qatrack_aria.retrieval.plan import Plan

NOTHING = Acquisition()


def rounded(angle: float | None) -> float | None:
    """Return an angle in degrees from 0 to 360, rounded to a tenth: 0.0 for 359.9867."""
    return None if angle is None else round(angle, 1) % 360


class Image(str):
    """The path of an image's file, as a text, with the attributes of its header.

    It works wherever a path does. What the header lacks is ``None``, or an empty text. Angles are
    those of IEC 61217, in degrees.

    Attributes
    ----------
    ref : ImageRef
        All that is known of the image.
    plan : Plan
        The RT Plan of its set.
    """

    ref: ImageRef
    plan: Plan

    def __new__(cls, path: str, ref: ImageRef, plan: Plan) -> Image:
        """Make an image of its path, of its attributes, and of the plan of its set."""
        image = super().__new__(cls, path)
        image.ref, image.plan = ref, plan
        return image

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and send the path alone to other processes."""
        return str, (str(self),)

    @property
    def _acquisition(self) -> Acquisition:
        return self.ref.acquisition or NOTHING

    @property
    def acquired(self) -> dt.datetime | None:
        """Date and time of acquisition, by the clock of the imager."""
        return self.ref.acquired

    @property
    def gantry(self) -> float | None:
        """Gantry angle, rounded to a tenth of a degree, from 0 to 360."""
        return rounded(self._acquisition.gantry)

    @property
    def gantry_raw(self) -> float | None:
        """Gantry angle as the encoder read it, such as 359.9867."""
        return self._acquisition.gantry

    @property
    def collimator(self) -> float | None:
        """Collimator angle, rounded to a tenth of a degree, from 0 to 360."""
        return rounded(self._acquisition.collimator)

    @property
    def collimator_raw(self) -> float | None:
        """Collimator angle as the encoder read it."""
        return self._acquisition.collimator

    @property
    def couch(self) -> float | None:
        """Couch angle, rounded to a tenth of a degree, from 0 to 360."""
        return rounded(self._acquisition.couch)

    @property
    def couch_raw(self) -> float | None:
        """Couch angle as the encoder read it."""
        return self._acquisition.couch

    @property
    def energy(self) -> float | None:
        """Nominal energy in MV; ``None`` for a kV image.

        By the plan where the image does not say; then it raises as :attr:`beam` does.
        """
        return self.known.energy if self._lacks("energy") else self.ref.energy

    @property
    def fff(self) -> bool | None:
        """Whether the beam was flattening filter free; by the plan where the image lacks it."""
        return self.known.fff if self._lacks("fff") else self.ref.fff

    @property
    def beam_type(self) -> str:
        """Energy and fluence mode as consoles show them: ``"6X"``, ``"6X-FFF"``, ``"75 kV"``.

        By the plan where the image does not say; then it raises as :attr:`beam` does.
        """
        return energy_of(self.known if self._lacks("fff") else self.ref)

    @property
    def mu(self) -> float | None:
        """Monitor units of the image."""
        return self._acquisition.mu

    @property
    def jaws(self) -> Jaws | None:
        """Positions ``x1, x2, y1, y2`` of the jaws in mm at the isocentre."""
        return self._acquisition.jaws

    @property
    def sid(self) -> float | None:
        """Distance from the source to the image plane, in mm."""
        return self._acquisition.sid

    @property
    def dose_rate(self) -> float | None:
        """Dose rate in MU/min, which few images have; :attr:`beam` has that of the plan."""
        return self._acquisition.dose_rate

    @property
    def image_type(self) -> tuple[str, ...]:
        """The values of Image Type, such as ``("ORIGINAL", "PRIMARY", "PORTAL")``."""
        return self.ref.image_type or ()

    @property
    def machine(self) -> str:
        """Name of the treatment machine."""
        return self.ref.machine

    @property
    def series(self) -> str:
        """Series Instance UID."""
        return self.ref.series_uid

    @property
    def sop_uid(self) -> str:
        """SOP Instance UID."""
        return self.ref.sop_uid

    @property
    def label(self) -> str:
        """RT Image Label, which is not the name of the beam."""
        return self._acquisition.label

    @property
    def beam_number(self) -> int | None:
        """Number of the beam in the plan."""
        return self._acquisition.beam_number

    @property
    def beam(self) -> Beam | None:
        """The beam in the plan; ``None`` if the image names none, or one that is not there.

        Raises
        ------
        AriaError
            The plan cannot be fetched.
        """
        return self.known.beam

    @property
    def beam_name(self) -> str:
        """Name of the beam in the plan, or an empty text; raises as :attr:`beam` does."""
        beam = self.beam
        return beam.name if beam else ""

    def _lacks(self, what: str) -> bool:
        return self.ref.is_kv is False and getattr(self.ref, what) is None

    @property
    def known(self) -> ImageRef:
        """What is known of the image with its plan, which is read now if it was not before."""
        if self.ref.beam is None and self.beam_number is not None:
            self.ref = self.plan.complete(self.ref)
        return self.ref
