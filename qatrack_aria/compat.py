"""Keep the import path of earlier composite tests: see :mod:`qatrack_aria.pynetdicom_wrapper`."""

from __future__ import annotations

from qatrack_aria.pynetdicom_wrapper import AEConfig, PynetdicomWrapper

__all__ = ["AEConfig", "PynetdicomWrapper"]
