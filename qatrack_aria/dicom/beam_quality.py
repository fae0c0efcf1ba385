"""Tell kV images from MV images, by all signs that an image has.

No sign is proof alone: an MV imager behind an IAS2 writes the unit MINUTE and no KVP, kV images
exported by MOSAIQ carry the unit MU, and some imagers write 6 for 6 MV as KVP.
"""

from __future__ import annotations

import re

#: Peak voltages of X-ray tubes, in kV. What lies below is an energy in MV.
TUBE_VOLTAGES = 30, 500
#: The least peak voltage of an accelerator, in kV.
LEAST_MV = 1000

_NAMED = re.compile(r"(?<![A-Za-z])([MKmk][Vv])(?![A-Za-z])")


def quality(dose_unit: str | None, peak_kv: float | None, described: str) -> bool | None:
    """Return whether a beam was kV, by unit, voltage and description together.

    Parameters
    ----------
    dose_unit : str or None
        Primary Dosimeter Unit, MU for MV beams and MINUTE for kV ones.
    peak_kv : float or None
        KVP, in kV.
    described : str
        See :func:`described_quality`.

    Returns
    -------
    bool or None
        ``None`` where the signs disagree. Without any sign it was MV, as portal imagers are.
    """
    signs = {
        {"MU": False, "MINUTE": True}.get((dose_unit or "").upper()),
        _by_voltage(peak_kv),
        {"MV": False, "kV": True}.get(described),
    } - {None}
    if len(signs) > 1:
        return None
    return signs.pop() if signs else False


def _by_voltage(peak_kv: float | None) -> bool | None:
    if peak_kv is None or peak_kv <= 0 or TUBE_VOLTAGES[1] < peak_kv < LEAST_MV:
        return None
    return TUBE_VOLTAGES[0] <= peak_kv <= TUBE_VOLTAGES[1]


def described_quality(words: str) -> str:
    """Return ``"MV"`` or ``"kV"`` if the words name one of them alone, else an empty text."""
    named = {word.lower() for word in _NAMED.findall(words)}
    return {"mv": "MV", "kv": "kV"}[named.pop()] if len(named) == 1 else ""
