"""Which peak voltages tell kV images from MV images."""

from __future__ import annotations

import pytest

from qatrack_aria.dicom.beam_quality import quality

KV, MV, UNCLEAR = True, False, None


@pytest.mark.parametrize(
    ("peak_kv", "says"),
    [
        (None, "nothing"),
        (0.0, "nothing"),
        (-6.0, "nothing"),
        (6.0, "MV"),  # 6 MV, as some imagers write it
        (29.9, "MV"),
        (30.0, "kV"),
        (500.0, "kV"),
        (500.1, "nothing"),
        (999.9, "nothing"),
        (1000.0, "MV"),
        (6000.0, "MV"),
    ],
)
def test_a_voltage_is_that_of_a_tube_or_of_an_accelerator_or_says_nothing(
    peak_kv: float | None, says: str
) -> None:
    expected = {"nothing": (KV, MV), "kV": (KV, UNCLEAR), "MV": (UNCLEAR, MV)}[says]

    assert (quality("MINUTE", peak_kv, ""), quality("MU", peak_kv, "")) == expected
