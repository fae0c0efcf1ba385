"""QATrack+'s own settings, over the ``local_settings.py`` that lies beside this file."""

from __future__ import annotations

import os

import qatrack

# QATrack+ 3.1 names its own settings module as soon as it is imported.
os.environ["DJANGO_SETTINGS_MODULE"] = __name__
# So that `qatrack.local_settings` is the trial's; 4.0 reads none at all in its own container.
qatrack.__path__.insert(0, os.path.dirname(os.path.abspath(__file__)))
os.environ.pop("USE_DOCKER", None)

from qatrack.settings import *  # noqa: E402, F403
from qatrack.settings import LOG_ROOT, LOGGING  # noqa: E402

# The one path that QATrack+ derives before it reads local_settings.
for _handler in LOGGING["handlers"].values():
    if "filename" in _handler:
        _handler["filename"] = os.path.join(LOG_ROOT, os.path.basename(_handler["filename"]))
