"""The analyses of images by pylinac, in both versions that QATrack+ has.

Composite tests call them by :mod:`qatrack_aria.analyses`. Importing this imports nothing of
pylinac.
"""

from __future__ import annotations

from qatrack_aria.analysis import (
    cbct,
    field,
    light_radiation,
    picket_fence,
    planar,
    starshot,
    vmat,
    winston_lutz,
    winston_lutz_targets,
)

#: In the order of the documents.
ANALYSES = (
    winston_lutz.WINSTON_LUTZ,
    winston_lutz_targets.WINSTON_LUTZ_TARGETS,
    picket_fence.PICKET_FENCE,
    vmat.DRGS,
    vmat.DRMLC,
    vmat.DRCS,
    field.FIELD,
    starshot.GANTRY,
    starshot.COLLIMATOR,
    starshot.COUCH,
    *planar.ANALYSES,
    *light_radiation.ANALYSES,
    *cbct.ANALYSES,
)
