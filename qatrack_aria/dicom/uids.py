"""SOP classes and the form of UIDs; imports neither pydicom nor pynetdicom."""

from __future__ import annotations

import re
from typing import Tuple

#: Study Instance UID and Series Instance UID.
SeriesKey = Tuple[str, str]

#: Modalities of images.
RTIMAGE, CT, REG = "RTIMAGE", "CT", "REG"

RT_PLAN_STORAGE = "1.2.840.10008.5.1.4.1.1.481.5"
RT_ION_PLAN_STORAGE = "1.2.840.10008.5.1.4.1.1.481.8"
RT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.481.1"
#: Enhanced RT Image, and Enhanced Continuous RT Image.
ENHANCED_RT_IMAGE_CLASSES = ("1.2.840.10008.5.1.4.1.1.481.23", "1.2.840.10008.5.1.4.1.1.481.24")
#: Computed Radiography, and Digital X-Ray for presentation and for processing.
RADIOGRAPH_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1.1.1",
)
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
SPATIAL_REGISTRATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.1"
#: Plans of a Halcyon have private classes (seen in several clients of ARIA).
VARIAN_PLAN_CLASSES = (
    "1.2.246.352.70.1.70",
    "1.2.246.352.70.1.71",
    "1.2.246.352.70.1.72",
)
IMAGE_CLASSES = (RT_IMAGE_STORAGE, *ENHANCED_RT_IMAGE_CLASSES)
#: Of slices that are instances; those of Enhanced CT are the frames of one.
CT_CLASSES = (CT_IMAGE_STORAGE,)
REGISTRATION_CLASSES = (SPATIAL_REGISTRATION_STORAGE,)
PLAN_CLASSES = (RT_PLAN_STORAGE, RT_ION_PLAN_STORAGE, *VARIAN_PLAN_CLASSES)


def valid_uid(value: object) -> bool:
    """Return whether `value` is a UID (PS3.5 section 9), and so safe in a file name.

    Leading zeros in a component are accepted: they are wrong, but occur, and are harmless.
    """
    return (
        isinstance(value, str)
        and len(value) <= 64
        and re.fullmatch(r"[0-9]+(\.[0-9]+)+", value) is not None
    )
